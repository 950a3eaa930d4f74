// Conformance: liveness, drain, loss of a worker, grace, with times of the tests' own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import Pusher from 'pusher-js';

import { bare, stopAll } from './lib/bare.mjs';
import { api, ask, Client, closeAll, error, frame, name, place, sign, signedQuery, spread, trigger } from './lib/protocol.mjs';
import { Tape, until } from './lib/wait.mjs';

// pusher-js may keep timers after disconnect(): the servers alone hold this process.
const hold = globalThis.setTimeout;
globalThis.setTimeout = (...args) => hold(...args).unref();

const app = { id: 'life', key: 'life-key', secret: 'life-secret' };
const APP = '[app "life"]\nkey = life-key\nsecret = life-secret\n';
let house;

async function move(conf) {
	await stopAll();
	house = await bare(`${conf}\n${APP}`);
	place.port = house.port;
}

before(() => move('[worker]\nworkers = 2\nping_interval = 500ms\npong_timeout = 500ms\n[presence]\ngrace = 2s'));

after(async () => {
	closeAll();
	await stopAll();
});

const PING = '{"event":"pusher:ping","data":"{}"}';

test('C10 a silent client is asked, then closed with 4201', async () => {
	const c = await Client.open(app);
	await c.expect(PING);
	await c.expectClosed(4201, 'Pong reply not received in time');
});

test('C10 protocol 4 is asked by a control ping, 5 is told the error in a frame', async () => {
	const four = await Client.open(app, { query: 'protocol=4' });
	await new Promise((resolve) => four.ws.once('ping', resolve)); // and ws answers it
	await new Promise((resolve) => four.ws.once('ping', resolve));
	four.lose();
	const five = await Client.open(app, { query: 'protocol=5' });
	await five.expect(PING, error(4201, 'Pong reply not received in time'));
	await five.expectClosed(4201);
});

test('C11 anything that is whole keeps a client', async () => {
	const answers = [
		(c) => c.send('{"event":"pusher:pong","data":{}}'),
		(c) => c.send('{"event":"client-x","channel":"private-x"}'),
		(c) => c.ws.pong(),
		(c) => c.ws.ping(),
	];
	for (const answer of answers) {
		const c = await Client.open(app);
		for (let i = 0; i < 3; i++) {
			let text;
			do ({ text } = await c.next('a ping'));
			while (text !== PING);
			answer(c);
		}
		c.lose();
	}
});

test('C12 a reload of the workers sends pusher-js to the new ones, with its subscriptions', async () => {
	await move('[worker]\nworkers = 2\ndrain_timeout = 5s');
	const js = new Pusher(app.key, {
		wsHost: place.host, wsPort: place.port, forceTLS: false, enabledTransports: ['ws'], cluster: 'x',
		channelAuthorization: {
			customHandler: (p, done) => done(null, sign(app, p.socketId, p.channelName, { user_id: '7' })),
		},
	});
	const tape = new Tape();
	const channel = js.subscribe('presence-drain');
	channel.bind('pusher:subscription_succeeded', () => tape.push(js.connection.socket_id));
	channel.bind('e', (data) => tape.push(data));
	const first = await tape.next();
	const c = await Client.open(app);
	house.kill('chat-worker', 'SIGHUP');
	await c.expectClosed(4200, 'Server is restarting, reconnect');
	let item = await tape.next(() => true, 'the subscription again');
	assert.notEqual(item, first);
	// An old worker may take it once more, and send it on once more.
	while (item !== 1) {
		await trigger(app, 'presence-drain', 'e', '1');
		item = await tape.next();
	}
	assert.equal(channel.members.count, 1);
	js.disconnect();
});

test('C12 SIGTERM closes every socket with 4200', async () => {
	const clients = await spread(app, 6);
	house.kill('chat-worker', 'SIGTERM');
	for (const c of clients) await c.expectClosed(4200, 'Server is restarting, reconnect');
	assert.equal(await house.ended('chat-worker'), 0);
	house.start('chat-worker');
	await until(async () => (await fetch(`http://${place.host}:${place.port}/up`)).ok, 'workers');
});

test('C12 a reload of the broker is felt by nobody', async () => {
	const c = await Client.open(app);
	house.kill('chat-broker', 'SIGHUP');
	await c.quiet();
});

test('C8 a pong overtakes what waits for a slow reader', async () => {
	await move('[worker]\nworkers = 2\n[limits]\nmax_output = 64M');
	const c = await Client.open(app);
	const channel = name('backlog-');
	await c.subscribe(channel);
	c.ws._socket.pause();
	const data = 'x'.repeat(10000);
	const batch = Array.from({ length: 10 }, () => ({ name: 'bulk', channel, data }));
	for (let i = 0; i < 300; i++) await api(app, 'POST', '/batch_events', { batch });
	c.send('{"event":"pusher:ping","data":{}}');
	c.ws._socket.resume();
	let before = 0;
	while ((await c.next('the pong')).frame.event === 'bulk') before++;
	assert.ok(before < 2000, `${before} of 3000 came first`); // what the kernel had already
	for (let i = before; i < 3000; i++) assert.equal((await c.next()).frame.event, 'bulk');
});

test('P7 kill -9 of a worker: its members vanish once, in time', async () => {
	await move('[worker]\nworkers = 2\n[presence]\ngrace = 0s\n[broker]\nheartbeat = 200ms');
	const [a, b] = await spread(app);
	const channel = name('presence-');
	await a.subscribe(channel, { user_id: 'a' });
	await b.subscribe(channel, { user_id: 'b' });
	await a.expect(frame('pusher_internal:member_added', channel, '{"user_id":"b","user_info":null}'));
	const [pid] = house.workers();
	const lost = [];
	for (const c of [a, b]) c.ws.on('close', () => lost.push(c));
	process.kill(pid, 'SIGKILL');
	await until(() => lost.length > 0, 'a loss');
	const [left, user] = lost[0] === b ? [a, 'b'] : [b, 'a'];
	await left.expect(frame('pusher_internal:member_removed', channel, `{"user_id":"${user}"}`));
	await left.quiet();
	assert.equal(lost.length, 1);
	await until(() => house.workers().length === 2, 'a new worker');
});

test('P8 grace: a reload within it is told to nobody, an unsubscribe at once', async () => {
	await move('[worker]\nworkers = 2\n[presence]\ngrace = 2s');
	const channel = name('presence-');
	const a = await Client.open(app);
	await a.subscribe(channel, { user_id: 'a' });
	const added = frame('pusher_internal:member_added', channel, '{"user_id":"b","user_info":null}');
	const removed = frame('pusher_internal:member_removed', channel, '{"user_id":"b"}');
	const b = await Client.open(app);
	await b.subscribe(channel, { user_id: 'b' });
	await a.expect(added);
	b.lose();
	const again = await Client.open(app);
	const f = await again.subscribe(channel, { user_id: 'b' });
	assert.deepEqual(JSON.parse(f.data).presence.ids, ['a', 'b']);
	await a.quiet();
	again.unsubscribe(channel);
	await a.expect(removed);
	// lost and not back: still counted for a while, then told once
	await again.subscribe(channel, { user_id: 'b' });
	await a.expect(added);
	await again.close();
	const c = await Client.open(app);
	const g = await c.subscribe(channel, { user_id: 'c' });
	assert.deepEqual(JSON.parse(g.data).presence.ids.sort(), ['a', 'b', 'c']);
	await a.expect(frame('pusher_internal:member_added', channel, '{"user_id":"c","user_info":null}'), removed);
	await a.quiet();
});

test('P8 without grace a loss is told at once', async () => {
	await move('[worker]\nworkers = 2\n[presence]\ngrace = 0s');
	const channel = name('presence-');
	const [a, b] = await spread(app);
	await a.subscribe(channel, { user_id: 'a' });
	await b.subscribe(channel, { user_id: 'b' });
	await a.next();
	b.lose();
	await a.expect(frame('pusher_internal:member_removed', channel, '{"user_id":"b"}'));
	await a.quiet();
});

test('presence: limits of members, of user_info, and of announcements', async () => {
	await move('[worker]\nworkers = 2\n[presence]\ngrace = 0s\nmax_members = 3\nmax_user_info = 10\nmember_events_max = 2');
	const channel = name('presence-');
	const clients = await spread(app, 5);
	const [a, b, c, d, e] = clients;
	await a.subscribe(channel, { user_id: 'a' });
	await b.subscribe(channel, { user_id: 'b' });
	await a.expect(frame('pusher_internal:member_added', channel, '{"user_id":"b","user_info":null}'));
	const f = await c.subscribe(channel, { user_id: 'c' });
	assert.equal(JSON.parse(f.data).presence.count, 3);
	await a.quiet(); // too many to be announced
	d.ask(channel, { user_id: 'd' });
	const text = (await d.next()).text;
	assert.equal(JSON.parse(text).event, 'pusher:subscription_error');
	assert.equal(JSON.parse(JSON.parse(text).data).type, 'LimitReached');
	assert.equal(JSON.parse(JSON.parse(text).data).status, 4100);
	assert.equal((await d.next()).frame.data.code, 4100);
	await e.subscribe(channel, { user_id: 'c' }); // nobody new
	await d.quiet();
});

test('K3 a cached event is forgotten after its time, which each publish begins anew', async () => {
	await move('[broker]\ncache_ttl = 1s\n[worker]\nworkers = 2');
	const channel = name('cache-');
	await trigger(app, channel, 'e', '1');
	const c = await Client.open(app);
	await until(async () => {
		await c.subscribe(channel);
		c.unsubscribe(channel);
		const { text } = await c.next();
		if (text === frame('e', channel, '1')) return false;
		assert.equal(text, frame('pusher:cache_miss', channel, '{}'));
		return true;
	}, 'a miss');
	await trigger(app, channel, 'e', '2');
	await c.subscribe(channel);
	await c.expect(frame('e', channel, '2'));
});

test('the path prefix is taken off before routing and signing', async () => {
	await move('[worker]\nworkers = 1\npath_prefix = /ws');
	const c = await Client.open(app, { path: `/ws/app/${app.key}?protocol=7` });
	await c.subscribe('x');
	await trigger(app, 'x', 'e', '1');
	await c.expect(frame('e', 'x', '1'));
	const r = await ask('GET', `/ws/apps/life/channels?${signedQuery(app, 'GET', '/apps/life/channels')}`);
	assert.equal(r.text, '{"channels":{"x":{}}}');
});
