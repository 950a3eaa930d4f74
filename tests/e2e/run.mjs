// Starts a server of its own with `./dev run`, runs the test files against it, stops it.
//
//	node run.mjs [FILE ...]
//
// CHAT_ENV_FILE, when set, names the environment file of a server that runs already.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, chmodSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { startHouse } from './lib/start.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');

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
		house = await startHouse(dir, ['--conf', path.join(here, 'test.conf')]);
		status = runTests({ CHAT_ENV_FILE: house.file, CHAT_STATUS_CMD: house.status });
	} finally {
		await house?.stop();
		rmSync(dir, { recursive: true, force: true });
	}
}
process.exitCode = status;
