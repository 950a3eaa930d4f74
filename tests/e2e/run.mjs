// Starts a server of its own with `./dev run`, runs the test files against it, stops it.
//
//	node run.mjs [FILE ...]
//
// CHAT_ENV_FILE, when set, names the environment file of a server that runs already.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');

function freePort() {
	return new Promise((resolve) => {
		const s = createServer().listen(0, '127.0.0.1', () => {
			const { port } = s.address();
			s.close(() => resolve(port));
		});
	});
}

/** Starts the server; resolves when its environment file is written. */
async function startHouse(dir) {
	const file = path.join(dir, 'env');
	const args = ['run', '--port', String(await freePort()), '--data', path.join(dir, 'data'),
		'--print-env', file, '--conf', path.join(here, 'test.conf')];
	const child = spawn(path.join(root, 'dev'), args, { stdio: ['ignore', 'inherit', 'inherit'] });
	let ended = null;
	child.on('exit', (code, signal) => (ended = code ?? signal));
	while (!existsSync(file)) {
		if (ended !== null) throw new Error(`./dev run ended with ${ended}`);
		await new Promise((next) => setTimeout(next, 100));
	}
	return {
		file,
		status: `${path.join(root, 'dev')} status --data ${path.join(dir, 'data')}`,
		stop: () => new Promise((resolve) => {
			if (ended !== null) resolve();
			child.on('exit', resolve);
			child.kill('SIGTERM');
		}),
	};
}

function runTests(env) {
	const named = process.argv.slice(2);
	const files = (named.length > 0 ? named : readdirSync(here).filter((f) => f.endsWith('.test.mjs')))
		.map((f) => path.resolve(here, f)).sort();
	const r = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...files], {
		cwd: here,
		stdio: 'inherit',
		env: { ...process.env, ...env },
	});
	return r.status ?? 1;
}

let status = 1;
if (process.env.CHAT_ENV_FILE) {
	status = runTests({ CHAT_STATUS_CMD: process.env.CHAT_STATUS_CMD ?? `${path.join(root, 'dev')} status` });
} else {
	const dir = mkdtempSync('/var/tmp/chat-e2e-');
	chmodSync(dir, 0o755);
	let house;
	try {
		house = await startHouse(dir);
		status = runTests({ CHAT_ENV_FILE: house.file, CHAT_STATUS_CMD: house.status });
	} finally {
		await house?.stop();
		rmSync(dir, { recursive: true, force: true });
	}
}
process.exitCode = status;
