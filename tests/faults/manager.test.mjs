// Under a service manager: readiness, watchdog, stop; a supervisor that is killed or replaced refuses nobody.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync,
	statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { freePort } from '../e2e/lib/port.mjs';
import { Tape, until } from '../e2e/lib/wait.mjs';
import { connect, knock, publish } from './lib/wire.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const build = process.env.CHAT_DEV_BUILD ?? path.join(here, '../../build/dev');
const app = { id: 'a', key: 'a-key', secret: 'a-secret' };
const NOBODY = 65534;
const asRoot = process.getuid() === 0;
const open = new Set();

after(() => {
	for (const end of open) end();
});

/** A folder with a configuration and copies of both programs. */
async function place() {
	const dir = mkdtempSync('/var/tmp/manager-');
	chmodSync(dir, 0o755);
	const run = path.join(dir, 'run');
	mkdirSync(run);
	if (asRoot) chownSync(run, NOBODY, NOBODY);
	const port = await freePort();
	const user = asRoot ? 'user = nobody' : '';
	const conf = path.join(dir, 'chat.conf');
	writeFileSync(conf, `
[broker]
${user}
endpoint = ipc://${run}/broker.sock
run_dir = ${run}
[worker]
${user}
listen = 127.0.0.1:${port}
workers = 2
web_root =
[database]
conninfo =
[admin]
listen =
[app "a"]
key = a-key
secret = a-secret
`);
	for (const name of ['chat-broker', 'chat-worker']) {
		copyFileSync(path.join(build, name.slice(5), name), path.join(dir, name));
	}
	open.add(() => rmSync(dir, { recursive: true, force: true }));
	return { dir, port, conf };
}

/** The program under the stand-in (lib/manager.py). */
function manage(at, name) {
	const child = spawn('python3', ['-B', path.join(here, 'lib/manager.py'), path.join(at.dir, `${name}.notify`),
		path.join(at.dir, name), '--config', at.conf], { stdio: ['pipe', 'pipe', 'pipe'] });
	const tape = new Tape();
	const all = [];
	let rest = '';
	child.stdout.on('data', (d) => {
		const lines = (rest + d).split('\n');
		rest = lines.pop();
		for (const line of lines) {
			all.push(line);
			tape.push(line);
		}
	});
	let log = '';
	child.stderr.on('data', (d) => (log += d));
	const ended = new Promise((resolve) => child.on('exit', resolve));
	open.add(() => child.stdin.end());
	const say = (line) => child.stdin.write(`${line}\n`);
	const m = {
		all,
		log: () => log,
		next: (match) => tape.next((line) => match.test(line), `${name}: ${match}`).catch((e) => {
			throw new Error(`${e.message}\n${log}`);
		}),
		start: async () => {
			say('start');
			m.pid = Number((await m.next(/^started/)).split(' ')[1]);
		},
		kill: (signal) => say(`kill ${signal}`),
		stop: async () => {
			child.stdin.end();
			await ended;
		},
	};
	return m;
}

const childrenOf = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
	.split(' ').filter(Boolean).map(Number);

async function both(at) {
	const broker = manage(at, 'chat-broker');
	const worker = manage(at, 'chat-worker');
	await broker.start();
	await worker.start();
	await broker.next(/^READY=1/);
	await worker.next(/^READY=1/);
	return { broker, worker };
}

test('both daemons tell when they are ready, alive, reload and stop', async () => {
	const at = await place();
	const { broker, worker } = await both(at);
	for (const m of [broker, worker]) {
		await m.next(/^WATCHDOG=1/);
		m.kill('SIGHUP');
		await m.next(/^RELOADING=1 MONOTONIC_USEC=\d+/);
		await m.next(/^READY=1/);
		m.kill('SIGTERM');
		await m.next(/^STOPPING=1/);
		await m.next(/^ended/);
		await m.stop();
	}
});

test('a supervisor that is killed: children drain with 4200, its successor has the listeners', async () => {
	const at = await place();
	const { broker, worker } = await both(at);
	const clients = await Promise.all([...Array(10)].map(() => connect(at.port, app.key, ['news'])));
	assert.equal(worker.all.filter((l) => l.startsWith('FDSTORE=1')).length, 2);
	const orphans = childrenOf(worker.pid);
	const knocks = knock(at.port);
	worker.kill('SIGKILL');
	await worker.next(/^ended/);
	await worker.start();
	await worker.next(/^READY=1/);
	for (const c of clients) assert.equal(await c.end, 4200);
	for (const pid of orphans) await until(() => !existsPid(pid), `the end of ${pid}`);
	const { count, faults } = await knocks.stop();
	assert.deepEqual(faults, []);
	assert.ok(count > 0);
	assert.match(worker.log(), /supervisor\.listeners_kept count=2/);
	const again = await connect(at.port, app.key, ['news']);
	assert.equal(await publish(at.port, app, 'news', 'n', 1), 200);
	await again.tape.next((m) => m.event === 'n');
	again.ws.terminate();
	await worker.stop();
	await broker.stop();
});

function existsPid(pid) {
	try {
		process.kill(pid, 0);
		return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
	} catch {
		return false;
	}
}

/** A new file in the place of the program, as a package manager puts it there. */
function replace(at, name, make) {
	const file = path.join(at.dir, name);
	make(`${file}.new`);
	chmodSync(`${file}.new`, 0o755);
	renameSync(`${file}.new`, file);
}

test('a new program takes over in the same process, and nobody is refused', async () => {
	const at = await place();
	const { broker, worker } = await both(at);
	const file = path.join(at.dir, 'chat-worker');
	const clients = await Promise.all([...Array(10)].map(() => connect(at.port, app.key, ['news'])));
	const before = childrenOf(worker.pid);

	// one that does not even run changes nothing
	replace(at, 'chat-worker', (to) => writeFileSync(to, '#!/bin/sh\nexit 1\n'));
	worker.kill('SIGHUP');
	await until(() => /upgrade\.refused/.test(worker.log()), 'a refusal');
	assert.deepEqual(childrenOf(worker.pid), before);
	assert.ok(clients.every((c) => c.closed === null));
	await worker.next(/^READY=1/);

	replace(at, 'chat-worker', (to) => copyFileSync(path.join(build, 'worker/chat-worker'), to));
	const knocks = knock(at.port);
	worker.kill('SIGHUP');
	await until(() => statSync(`/proc/${worker.pid}/exe`).ino === statSync(file).ino, 'the new program');
	for (const c of clients) assert.equal(await c.end, 4200);
	await until(() => {
		const now = childrenOf(worker.pid);
		return now.length === 2 && now.every((pid) => !before.includes(pid));
	}, 'new children');
	await worker.next(/^READY=1/);
	const { count, faults } = await knocks.stop();
	assert.deepEqual(faults, []);
	assert.ok(count > 0);
	const again = await connect(at.port, app.key, ['news']);
	assert.equal(await publish(at.port, app, 'news', 'n', 1), 200);
	await again.tape.next((m) => m.event === 'n');
	again.ws.terminate();
	await worker.stop();
	await broker.stop();
});
