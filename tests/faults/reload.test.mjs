// A reload, and operators' wishes: new workers accept before old ones stop, nobody is refused.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';

import { bare, stopAll } from '../e2e/lib/bare.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { ask } from './lib/crash.mjs';
import { connect, knock, publish } from './lib/wire.mjs';

after(stopAll);

const app = { id: 'a', key: 'a-key', secret: 'a-secret' };
const CONF = `
[worker]
workers = 2
drain_rate = 20
[app "a"]
key = a-key
secret = a-secret
`;

const crowd = (house, n) => Promise.all([...Array(n)].map(() => connect(house.port, app.key, ['news'])));

async function replaced(house, before) {
	await until(() => {
		const now = house.workers();
		return now.length === before.length && now.every((pid) => !before.includes(pid));
	}, 'other workers');
}

/** All were told to connect again at once, by a close frame. */
async function allMoved(clients) {
	for (const c of clients) assert.equal(await c.end, 4200);
}

test('SIGHUP: clients move at drain_rate, events arrive, nobody is refused', async () => {
	const house = await bare(CONF);
	const before = house.workers();
	const clients = await crowd(house, 40);
	const knocks = knock(house.port);
	house.kill('chat-worker', 'SIGHUP');
	const draining = await until(async () => {
		const { body } = await ask(house, 'GET', '/status');
		return body.workers.filter((w) => w.draining && w.websockets > 0)[0];
	}, 'a worker that says it drains');
	assert.ok(draining.drain_left > 0);
	// who connects meanwhile stays, and hears everything
	const fresh = await connect(house.port, app.key, ['news']);
	for (let i = 0; i < 20; i++) assert.equal(await publish(house.port, app, 'news', 'n', i), 200);
	await allMoved(clients);
	await replaced(house, before);
	const { count, faults } = await knocks.stop();
	assert.deepEqual(faults, []);
	assert.ok(count > 0);
	assert.equal(await publish(house.port, app, 'news', 'end', 0), 200);
	await fresh.tape.next((m) => m.event === 'end');
	assert.deepEqual(fresh.tape.items.filter((m) => m.event === 'n').map((m) => Number(m.data)),
		[...Array(20).keys()]);
	assert.equal(fresh.closed, null);
	await house.stop();
});

test('the drain has a deadline', async () => {
	const house = await bare(`${CONF}[worker]\ndrain_rate = 1\ndrain_timeout = 1s\n`);
	const before = house.workers();
	const clients = await crowd(house, 20);
	house.kill('chat-worker', 'SIGHUP');
	await allMoved(clients);
	await replaced(house, before);
	await house.stop();
});

test('a bad configuration: the old one stays in force, and the line is named', async () => {
	const house = await bare(CONF);
	const before = house.workers();
	const [client] = await crowd(house, 1);
	appendFileSync(path.join(house.dir, 'chat.conf'), '[worker]\nping_interval = never\n');
	house.kill('chat-worker', 'SIGHUP');
	house.kill('chat-broker', 'SIGHUP');
	for (const part of ['chat-worker', 'chat-broker']) {
		const line = await until(() => house.log(part).match(/config\.refused.*/)?.[0], `${part}'s refusal`);
		assert.match(line, /chat\.conf:\d+.*ping_interval/);
	}
	assert.deepEqual(house.workers(), before);
	assert.equal(await publish(house.port, app, 'news', 'n', 1), 200);
	await client.tape.next((m) => m.event === 'n');
	assert.equal(client.closed, null);
	await house.stop();
});

test('operators drain one worker, and reload all, by the admin socket', async () => {
	const house = await bare(CONF);
	const before = house.workers();
	const clients = await crowd(house, 20);
	const { body } = await ask(house, 'GET', '/status');
	const knocks = knock(house.port);
	const one = body.workers[0];
	assert.equal((await ask(house, 'POST', `/drain?worker=${one.number}`)).body.workers, 1);
	await until(() => house.workers().filter((pid) => before.includes(pid)).length === 1, 'one new worker');
	await until(() => clients.filter((c) => c.closed === 4200).length === one.connections ||
		one.connections === 0, 'the clients of that worker');
	assert.ok(clients.filter((c) => c.closed !== null).length <= one.connections);
	assert.equal((await ask(house, 'POST', '/reload')).body.workers, 2);
	await replaced(house, before);
	await allMoved(clients);
	assert.deepEqual((await knocks.stop()).faults, []);
	await house.stop();
});
