// A broker and its workers alone, without a database: for settings that a test must choose itself.
import { spawn } from 'node:child_process';
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePort } from './port.mjs';
import { until } from './wait.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const build = process.env.CHAT_DEV_BUILD ?? path.join(root, 'build/dev');
const NOBODY = 65534; // what the daemons become when root runs the tests

const houses = new Set();

export async function stopAll() {
	for (const house of [...houses]) await house.stop();
}

/** Starts both; `conf` is more text of chat.conf, `files` the most descriptors of the workers. */
export async function bare(conf, { files } = {}) {
	const root_user = process.getuid() === 0;
	const dir = mkdtempSync('/var/tmp/bare-');
	if (root_user) chownSync(dir, NOBODY, NOBODY);
	const port = await freePort();
	const file = path.join(dir, 'chat.conf');
	const user = root_user ? 'user = nobody' : '';
	writeFileSync(file, `
[broker]
${user}
endpoint = ipc://${dir}/broker.sock
run_dir = ${dir}
[worker]
${user}
listen = 127.0.0.1:${port}
web_root =
[database]
conninfo =
[admin]
listen =
${conf}`);
	const parts = {};
	const start = (what) => {
		const log = openSync(path.join(dir, `${what}.log`), 'a');
		const argv = [path.join(build, what.slice(5), what), '--config', file];
		if (files && what === 'chat-worker') argv.unshift('sh', '-c', `ulimit -n ${files}; exec "$0" "$@"`);
		const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', log, log] });
		closeSync(log); // the child has its own
		parts[what] = { child, ended: new Promise((resolve) => child.on('exit', resolve)) };
	};
	const log = (what) => readFileSync(path.join(dir, `${what}.log`), 'utf8');
	start('chat-broker');
	start('chat-worker');
	const house = {
		dir,
		port,
		log,
		start,
		pid: (what) => parts[what].child.pid,
		kill: (what, signal) => parts[what].child.kill(signal),
		ended: (what) => parts[what].ended,
		/** The processes that hold the clients. */
		workers: () => readFileSync(`/proc/${parts['chat-worker'].child.pid}/task/${
			parts['chat-worker'].child.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
		stop: async () => {
			houses.delete(house);
			for (const { child, ended } of Object.values(parts)) {
				if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
				const late = setTimeout(() => child.kill('SIGKILL'), 10000);
				await ended;
				clearTimeout(late);
			}
			rmSync(dir, { recursive: true, force: true });
		},
	};
	houses.add(house);
	await until(async () => (await fetch(`http://127.0.0.1:${port}/up`)).ok, 'a bare server').catch((e) => {
		throw new Error(`${e.message}\n${log('chat-broker')}${log('chat-worker')}`);
	});
	return house;
}
