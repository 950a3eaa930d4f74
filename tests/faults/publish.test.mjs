// Publishes answered 200 reach every client that stays, once, in the order of each publisher.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { bare, stopAll } from '../e2e/lib/bare.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { ask } from './lib/crash.mjs';
import { connect, knock, publish } from './lib/wire.mjs';

after(stopAll);

const app = { id: 'a', key: 'a-key', secret: 'a-secret' };
const CONF = `
[broker]
heartbeat = 200ms
[worker]
workers = 2
[app "a"]
key = a-key
secret = a-secret
`;
const PUBLISHERS = 5;

const known = (house, n = 2) => until(async () =>
	(await ask(house, 'GET', '/status')).body.workers.length === n, `${n} workers that are known`);

async function start(conf) {
	const house = await bare(conf);
	await known(house);
	return house;
}

/** Publishes until stop(), each publisher one after the other; remembers what was answered 200. */
function publishers(house) {
	const accepted = [...Array(PUBLISHERS)].map(() => []);
	let on = true;
	const runs = accepted.map(async (mine, p) => {
		for (let i = 0; on; i++) {
			if (await publish(house.port, app, 'news', 'n', { p, i }) === 200) mine.push(i);
		}
	});
	return {
		accepted,
		more: (n) => until(() => accepted.every((mine) => mine.length >= n), `${n} accepted of each`),
		stop: async () => {
			on = false;
			await Promise.all(runs);
		},
	};
}

/** Every one that was accepted came once and in its order to each of the clients. */
async function settle(house, clients, accepted) {
	await until(async () => await publish(house.port, app, 'news', 'end', 0) === 200, 'the end');
	for (const c of clients) {
		await c.tape.next((m) => m.event === 'end', 'the end');
		const came = c.tape.items.filter((m) => m.event === 'n').map((m) => JSON.parse(m.data));
		accepted.forEach((mine, p) => {
			const got = came.filter((m) => m.p === p).map((m) => m.i);
			assert.deepEqual(got, [...new Set(got)].sort((a, b) => a - b), `publisher ${p}: order or repeats`);
			const had = new Set(got);
			assert.deepEqual(mine.filter((i) => !had.has(i)), [], `publisher ${p}: lost`);
		});
	}
}

test('the broker is killed three times under many publishers', async () => {
	const house = await start(CONF);
	const clients = await Promise.all([...Array(8)].map(() => connect(house.port, app.key, ['news'])));
	const load = publishers(house);
	for (let n = 1; n <= 3; n++) {
		await load.more(n * 15);
		house.kill('chat-broker', 'SIGKILL');
		await house.ended('chat-broker');
		house.start('chat-broker');
	}
	await load.more(60);
	await load.stop();
	await settle(house, clients, load.accepted);
	assert.ok(clients.every((c) => c.closed === null), 'sockets stay');
	await house.stop();
});

test('a broker that sleeps past its heartbeats goes on where it was', async () => {
	const house = await start(CONF);
	const clients = await Promise.all([...Array(4)].map(() => connect(house.port, app.key, ['news'])));
	const load = publishers(house);
	await load.more(10);
	house.kill('chat-broker', 'SIGSTOP');
	await until(() => /broker\.(silent|away)/.test(house.log('chat-worker')), 'workers that notice');
	house.kill('chat-broker', 'SIGCONT');
	await load.more(20);
	await load.stop();
	await settle(house, clients, load.accepted);
	assert.ok(clients.every((c) => c.closed === null), 'sockets stay');
	await house.stop();
});

test('a worker is killed: nobody is refused, and clients of the others miss nothing', async () => {
	const house = await start(CONF);
	const clients = await Promise.all([...Array(12)].map(() => connect(house.port, app.key, ['news'])));
	const load = publishers(house);
	await load.more(10);
	const knocks = knock(house.port);
	const [victim] = house.workers();
	process.kill(victim, 'SIGKILL');
	await until(() => house.workers().length === 2 && !house.workers().includes(victim), 'another worker');
	await load.more(20);
	await load.stop();
	assert.deepEqual((await knocks.stop()).faults, []);
	const stayed = clients.filter((c) => c.closed === null);
	assert.ok(stayed.length < clients.length || stayed.length === 12);
	await settle(house, stayed, load.accepted);
	await house.stop();
});

test('a worker that sleeps is given up; when it wakes it closes its clients with 4200', async () => {
	const house = await start(CONF);
	const clients = await Promise.all([...Array(12)].map(() => connect(house.port, app.key, ['news'])));
	const [victim] = house.workers();
	process.kill(victim, 'SIGSTOP');
	await known(house, 1);
	process.kill(victim, 'SIGCONT');
	await until(() => !house.workers().includes(victim), 'its end');
	await until(() => house.workers().length === 2, 'another worker');
	const gone = clients.filter((c) => c.closed !== null);
	assert.ok(gone.every((c) => c.closed === 4200), gone.map((c) => c.closed).join());
	await known(house);
	const stayed = clients.filter((c) => c.closed === null);
	assert.equal(await publish(house.port, app, 'news', 'end', 0), 200);
	for (const c of stayed) await c.tape.next((m) => m.event === 'end');
	await house.stop();
});

test('a restarted broker does not wait for workers whose processes are gone', async () => {
	const house = await start(`${CONF}[broker]\nresync_wait = 60s\n`);
	const [victim] = house.workers();
	house.kill('chat-broker', 'SIGKILL');
	await house.ended('chat-broker');
	process.kill(victim, 'SIGKILL');
	await until(() => house.workers().length === 2 && !house.workers().includes(victim), 'another worker');
	house.start('chat-broker');
	await until(async () => await publish(house.port, app, 'news', 'n', 0) === 200, 'a broker that is open');
	const opened = house.log('chat-broker').match(/broker\.open.*/g).at(-1);
	assert.match(opened, /reason=all_known/);
	assert.match(house.log('chat-broker'), /roster\.dead/);
	await house.stop();
});

test('a broker that stays away: 503 with Retry-After after broker_wait, and clients are kept', async () => {
	const house = await start(`${CONF}[worker]\nbroker_wait = 1s\npending_requests = 20\n`);
	const [client] = await Promise.all([connect(house.port, app.key, ['news'])]);
	house.kill('chat-broker', 'SIGSTOP');
	const answers = await Promise.all([...Array(60)].map((_, i) =>
		publish(house.port, app, 'news', 'n', { p: 0, i })));
	assert.ok(answers.slice(20).some((s) => s === 503), answers.join());
	await until(async () => await publish(house.port, app, 'news', 'n', 0) === 503, 'a refusal');
	client.ws.send('{"event":"pusher:ping","data":{}}');
	await client.tape.next((m) => m.event === 'pusher:pong');
	house.kill('chat-broker', 'SIGCONT');
	await until(async () => await publish(house.port, app, 'news', 'end', 0) === 200, 'a 200');
	await client.tape.next((m) => m.event === 'end');
	const { body } = await ask(house, 'GET', '/status');
	await until(async () => (await ask(house, 'GET', '/status')).body.workers
		.reduce((sum, w) => sum + w.unavailable, 0) > 0, 'a count of refusals');
	assert.ok(body.workers.every((w) => w.waiting <= 20));
	await house.stop();
});
