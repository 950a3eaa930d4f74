// A worker that meets a limit of memory is ended by the kernel and replaced; the others feel nothing.
// Needs to make a cgroup of its own; skips where that is not allowed.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { bare, stopAll } from '../e2e/lib/bare.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { connect, knock, publish } from './lib/wire.mjs';

const LIMIT = 48 << 20;
const CONN_BITS = 28n; // of a socket id's first number, below the worker's
const app = { id: 'a', key: 'a-key', secret: 'a-secret' };
const CONF = `
[worker]
workers = 2
[limits]
max_output = 256M
max_event_data = 200000
max_body = 1M
[app "a"]
key = a-key
secret = a-secret
`;

/** A group whose members may take no more than LIMIT from now on, or null. */
function makeGroup() {
	for (const [root, file] of [['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'], ['/sys/fs/cgroup', 'memory.max']]) {
		const dir = `${root}/chat-test-${process.pid}`;
		try {
			mkdirSync(dir);
		} catch {
			continue;
		}
		try {
			if (existsSync(`${dir}/${file}`)) {
				writeFileSync(`${dir}/${file}`, String(LIMIT));
				return dir;
			}
		} catch {
			// not ours to limit
		}
		rmdirSync(dir);
	}
	return null;
}

let group;
before(() => (group = makeGroup()));
after(async () => {
	await stopAll();
	if (group) await until(() => (rmdirSync(group), true), 'an empty group');
});

const workerOf = (client) => BigInt(client.socket_id.split('.')[0]) >> CONN_BITS;

/** Connects until each worker holds two. */
async function onBoth(port) {
	const clients = [];
	for (;;) {
		clients.push(await connect(port, app.key, ['news']));
		const counts = new Map();
		for (const c of clients) counts.set(workerOf(c), (counts.get(workerOf(c)) ?? 0) + 1);
		if (counts.size === 2 && [...counts.values()].every((n) => n >= 2)) return clients;
	}
}

test('a worker beyond its limit of memory dies alone', async (t) => {
	if (!group) return t.skip('no control group can be made here');
	const house = await bare(CONF);
	const good = await onBoth(house.port);
	const deaf = await onBoth(house.port);
	const [limited, other] = house.workers();
	const door = knock(house.port);
	const data = 'x'.repeat(150000);
	const answered = [];
	let n = 0;

	for (const c of deaf) c.ws._socket.pause();
	writeFileSync(`${group}/cgroup.procs`, String(limited));
	await until(async () => {
		const wave = [...Array(8)].map(() => n++);
		const statuses = await Promise.all(wave.map((i) => publish(house.port, app, 'news', 'n', { i, data })));
		answered.push(...wave.filter((_, k) => statuses[k] === 200));
		return !house.workers().includes(limited);
	}, 'the end of the worker', 120000);
	await until(() => house.workers().length === 2, 'another worker');
	assert.ok(house.workers().includes(other));

	const { count, faults } = await door.stop();
	assert.ok(count > 0);
	assert.deepEqual(faults, [], 'nobody was refused');
	const lost = workerOf(await until(() => good.find((c) => c.closed !== null), 'the end of its clients'));
	const stayed = good.filter((c) => workerOf(c) !== lost);
	assert.ok(stayed.length >= 2);
	for (const c of stayed) {
		const got = () => c.tape.items.filter((m) => m.event === 'n').map((m) => JSON.parse(m.data).i);
		await until(() => answered.every((i) => got().includes(i)), 'all that was answered');
		assert.equal(new Set(got()).size, got().length, 'nothing twice');
		assert.equal(c.closed, null);
	}
	for (const c of [...good, ...deaf]) c.ws.terminate();
	await house.stop();
});
