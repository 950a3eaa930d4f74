// Starts a whole house with `./dev run`.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePort } from './port.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/**
 * Resolves when it is ready: {file, status, stop}, its environment file, the command that writes the
 * present one, and its end, which gives the exit status. `args` are more options of ./dev run.
 */
export async function startHouse(dir, args, env = {}) {
	const file = path.join(dir, 'env');
	const data = path.join(dir, 'data');
	const child = spawn(path.join(root, 'dev'), ['run', '--port', String(await freePort()), '--data', data,
		'--print-env', file, ...args], { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
	let ended = null;
	const exit = new Promise((resolve) => child.on('exit', (code, signal) => resolve(ended = code ?? signal)));
	while (!existsSync(file)) {
		if (ended !== null) throw new Error(`./dev run ended with ${ended}`);
		await new Promise((next) => setTimeout(next, 100));
	}
	return {
		file,
		status: `${path.join(root, 'dev')} status --data ${data}`,
		stop: () => {
			if (ended === null) child.kill('SIGTERM');
			return exit;
		},
	};
}
