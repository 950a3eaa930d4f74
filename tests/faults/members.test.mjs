// The lists of members in clients: right again after a broker has died, and a worker with it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { bare, stopAll } from '../e2e/lib/bare.mjs';
import { sign } from '../e2e/lib/protocol.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { ask } from './lib/crash.mjs';
import { connect, publish } from './lib/wire.mjs';

after(stopAll);

const app = { id: 'a', key: 'a-key', secret: 'a-secret' };
const CONF = `
[worker]
workers = 2
[presence]
grace = 8s
[app "a"]
key = a-key
secret = a-secret
`;
const ROOM = 'presence-room';

/** A connection that is a member: `seen` is what its list would show, `heard` what it was told. */
async function join(house, user) {
	const c = await connect(house.port, app.key);
	const data = { channel: ROOM, ...sign(app, c.socket_id, ROOM, { user_id: user }) };
	c.user = user;
	c.worker = Math.floor(Number(c.socket_id.split('.')[0]) / 2 ** 28);
	c.heard = [];
	c.ws.on('message', (text) => {
		const m = JSON.parse(text);
		const said = /^pusher_internal:member_(added|removed)$/.exec(m.event);
		if (said === null) return;
		const { user_id } = JSON.parse(m.data);
		c.heard.push(`${said[1]} ${user_id}`);
		assert.equal(c.seen.has(user_id), said[1] === 'removed', `${user}: ${said[1]} ${user_id} twice`);
		if (said[1] === 'added') c.seen.add(user_id);
		else c.seen.delete(user_id);
	});
	c.ws.on('message', (text) => {
		const m = JSON.parse(text);
		if (m.event === 'pusher_internal:subscription_succeeded') c.seen = new Set(JSON.parse(m.data).presence.ids);
	});
	c.ws.send(JSON.stringify({ event: 'pusher:subscribe', data }));
	await c.tape.next((m) => m.event === 'pusher_internal:subscription_succeeded', 'the snapshot');
	return c;
}

/** Members on both workers, at least `n` on each, who all have heard of each other. */
async function members(house, n) {
	const all = [];
	const by = (worker) => all.filter((c) => c.worker === worker).length;
	while (new Set(all.map((c) => c.worker)).size < 2 || all.some((c) => by(c.worker) < n)) {
		all.push(await join(house, `u${all.length}`));
	}
	await agree(all, all.map((c) => c.user));
	for (const c of all) c.heard = [];
	return all;
}

async function agree(clients, users) {
	const want = [...users].sort();
	await until(() => clients.every((c) => [...c.seen].sort().join() === want.join()),
		`lists of ${want.join()}`);
}

/** All that was told before has come. */
async function flush(house, clients) {
	await until(async () => await publish(house.port, app, ROOM, 'end', 0) === 200, 'the end');
	for (const c of clients) await c.tape.next((m) => m.event === 'end', 'the end');
}

async function killWorker(house, all) {
	process.kill(house.workers()[0], 'SIGKILL');
	await until(() => all.some((c) => c.closed !== null), 'sockets that close');
	const { worker } = all.find((c) => c.closed !== null);
	const dead = all.filter((c) => c.worker === worker);
	await Promise.all(dead.map((c) => c.end));
	return [dead, all.filter((c) => c.worker !== worker)];
}

async function killBroker(house) {
	house.kill('chat-broker', 'SIGKILL');
	await house.ended('chat-broker');
}

test('a worker dies with the broker: who does not come back is removed, who does is not', async () => {
	const house = await bare(CONF);
	const all = await members(house, 2);
	await killBroker(house);
	const [dead, stay] = await killWorker(house, all);
	const [lost, ...back] = dead;
	house.start('chat-broker');
	const again = await Promise.all(back.map((c) => join(house, c.user)));
	await agree([...stay, ...again], [...stay, ...again].map((c) => c.user));
	await flush(house, [...stay, ...again]);
	for (const c of [...stay, ...again]) assert.deepEqual(c.heard, [`removed ${lost.user}`], c.user);
	await house.stop();
});

test('the broker dies alone: nobody hears a word, and newcomers see all', async () => {
	const house = await bare(CONF);
	const all = await members(house, 1);
	await killBroker(house);
	house.start('chat-broker');
	const newcomer = await join(house, 'new');
	await agree([...all, newcomer], [...all, newcomer].map((c) => c.user));
	await flush(house, all);
	for (const c of all) assert.deepEqual(c.heard, ['added new'], c.user);
	await house.stop();
});

test('who leaves while no broker is there is removed once, also for a second time', async () => {
	const house = await bare(CONF);
	const all = await members(house, 2);
	const [first, second, ...stay] = all;
	await killBroker(house);
	first.ws.close();
	await first.end;
	house.start('chat-broker');
	await until(async () => (await ask(house, 'GET', '/status')).body.ready, 'a broker that is ready');
	await killBroker(house);
	second.ws.send(JSON.stringify({ event: 'pusher:unsubscribe', data: { channel: ROOM } }));
	second.ws.send('{"event":"pusher:ping","data":{}}');
	await second.tape.next((m) => m.event === 'pusher:pong');
	house.start('chat-broker');
	await agree(stay, stay.map((c) => c.user));
	await flush(house, stay);
	for (const c of stay) {
		assert.deepEqual(c.heard.sort(), [`removed ${first.user}`, `removed ${second.user}`].sort(), c.user);
	}
	await house.stop();
});
