// Conformance: connecting, liveness of frames, close codes. Texts are exact.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import Pusher from 'pusher-js';

import { disabled, main, modest, rotating, small, strict, timed } from './lib/apps.mjs';
import { pusherOptions } from './lib/clients.mjs';
import { env } from './lib/house.mjs';
import { api, Client, closeAll, error, frame, name, spread, succeeded, tcp, trigger } from './lib/protocol.mjs';
import { until } from './lib/wait.mjs';

after(closeAll);

async function refused(client, code, message) {
	await client.expect(error(code, message));
	await client.expectClosed(code, message);
}

test('C1 the first frame is connection_established', async () => {
	const c = new Client(main);
	const { text } = await c.next();
	assert.match(text, /^\{"event":"pusher:connection_established","data":"\{\\"socket_id\\":\\"\d+\.\d+\\",\\"activity_timeout\\":30\}"\}$/);
});

test('C1 socket ids are below 2^53 and never the same', async () => {
	const seen = new Set();
	for (let i = 0; i < 50; i++) {
		const c = await Client.open(main);
		assert.ok(Number.isSafeInteger(Number(c.id.split('.')[0])));
		seen.add(c.id);
		c.lose();
	}
	assert.equal(seen.size, 50);
});

test('C2 an unknown key: error frame, close, and pusher-js stays away', async () => {
	await refused(new Client({ key: 'unknown' }), 4001, 'Application does not exist');
	const client = new Pusher('unknown', pusherOptions());
	const states = [];
	client.connection.bind('state_change', (s) => states.push(s.current));
	await until(() => client.connection.state === 'disconnected', 'the end');
	assert.deepEqual(states, ['disconnected']); // it never tries again
});

test('C3 protocol versions', async () => {
	for (const query of ['protocol=3', 'protocol=8', 'protocol=abc', 'protocol=', 'protocol=7.0', 'protocol=-7']) {
		await refused(new Client(main, { query }), 4007, 'Unsupported protocol version');
	}
	for (const query of ['protocol=4', 'protocol=5', 'protocol=6', 'protocol=7', '', 'flash=false&x=%zz']) {
		const c = await Client.open(main, { query });
		await c.ping();
		c.lose();
	}
});

test('C3 the order of checks: key, application, version, origin', async () => {
	await refused(new Client({ key: 'unknown' }, { query: 'protocol=3' }), 4001, 'Application does not exist');
	await refused(new Client(disabled, { query: 'protocol=3' }), 4003, 'Application disabled');
	await refused(new Client(rotating, { query: 'protocol=3', origin: 'https://evil.example' }), 4007,
		'Unsupported protocol version');
});

test('C4 origins', async () => {
	for (const origin of ['https://good.example', 'https://a.wild.example', 'http://a.b.wild.example:8080']) {
		(await Client.open(rotating, { origin })).lose();
	}
	for (const origin of [undefined, 'null', 'http://good.example', 'https://good.example.evil.example',
		'https://wild.example', 'https://evilwild.example', 'https://good.example:444']) {
		await refused(new Client(rotating, { origin }), 4009, 'Origin not allowed');
	}
	for (const origin of [undefined, 'null', 'https://any.example']) {
		(await Client.open(main, { origin })).lose();
	}
});

test('C5 over quota, and again under it', async () => {
	const three = [];
	for (let i = 0; i < 3; i++) {
		three.push(await Client.open(small));
		await three[i].quiet(); // the broker has counted it
	}
	for (let i = 0; i < 6; i++) {
		const c = new Client(small);
		let item = await c.next();
		// a worker that has none of the three hears it from the broker
		if (item.frame?.event === 'pusher:connection_established') item = await c.next();
		if (item.frame) {
			assert.equal(item.text, error(4004, 'Application is over connection quota'));
			item = await c.next();
		}
		assert.equal(item.closed, 4004);
	}
	await three[0].close();
	await until(async () => {
		const c = new Client(small);
		await c.next();
		c.ask('probe');
		const item = await c.next();
		c.lose();
		return item.frame?.event === 'pusher_internal:subscription_succeeded';
	}, 'a free place');
});

test('C6 an upgrade elsewhere', async () => {
	for (const path of ['/', '/app', '/app/', `/app/${main.key}/more`, '/apps/x', '/ws']) {
		await refused(new Client(main, { path }), 4005, 'Path not found');
	}
});

test('C6 a GET of the path that is no upgrade', async () => {
	const head = (lines) => `GET /app/${main.key} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`;
	const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
	const plain = await tcp([head('Connection: close\r\n')]);
	assert.match(plain, /^HTTP\/1\.1 426 /);
	assert.match(plain, /\r\nSec-WebSocket-Version: 13\r\n/);
	assert.match(await tcp([head(`Upgrade: websocket\r\nConnection: Upgrade\r\n${key}Sec-WebSocket-Version: 8\r\n`)]),
		/^HTTP\/1\.1 426 /);
	assert.match(await tcp([head('Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: no\r\n' +
		'Sec-WebSocket-Version: 13\r\n')]), /^HTTP\/1\.1 400 /);
});

test('C7 binary, broken UTF-8, size, fragments', async () => {
	const a = await Client.open(main);
	a.ws.send(Buffer.from('{"event":"pusher:ping","data":{}}'), { binary: true });
	await a.expect('{"event":"pusher:pong","data":"{}"}');
	a.ws.send('{"event":"pusher:pi', { fin: false });
	a.ws.send('ng","data":{}}', { fin: true });
	await a.expect('{"event":"pusher:pong","data":"{}"}');
	a.ws.send(Buffer.from([0x7b, 0xff, 0x7d]), { binary: true });
	await a.expectClosed(1003);
	const b = await Client.open(main);
	b.ws.send(Buffer.from([0x7b, 0xff, 0x7d]), { binary: false });
	await b.expectClosed(1007);
	const c = await Client.open(main);
	c.send('x'.repeat(70000));
	await c.expectClosed(1009);
	const d = await Client.open(main);
	d.send(' '.repeat(65536));
	await d.expect(error(null, 'Invalid message format'));
	d.send(' '.repeat(65537));
	await d.expectClosed(1009);
});

test('C8 a pong overtakes a backlog', async () => {
	const c = await Client.open(main);
	const channel = name('backlog-');
	await c.subscribe(channel);
	c.ws._socket.pause();
	for (let i = 0; i < 60; i++) await trigger(main, channel, 'bulk', 'x'.repeat(10000));
	c.send('{"event":"pusher:ping","data":{}}');
	await c.ws._socket.resume();
	let before = 0;
	for (;;) {
		const { frame: f } = await c.next('the pong');
		if (f.event === 'pusher:pong') break;
		before++;
	}
	for (let i = before; i < 60; i++) assert.equal((await c.next()).frame.event, 'bulk');
	await c.ping();
});

test('C9 a control ping gets its payload back', async () => {
	const c = await Client.open(main);
	for (const payload of ['', 'hello', Buffer.alloc(125, 0xfe)]) {
		const pong = new Promise((resolve) => c.ws.once('pong', resolve));
		c.ws.ping(payload);
		assert.ok(Buffer.from(payload).equals(await pong));
	}
});

test('pings and pongs may carry anything, or nothing', async () => {
	const c = await Client.open(main);
	for (const data of ['', ',"data":{}', ',"data":"{}"', ',"data":7', ',"data":null', ',"data":[[]],"x":1']) {
		c.send(`{"event":"pusher:pong"${data}}`);
		c.send(`{"event":"pusher:ping"${data}}`);
		await c.expect('{"event":"pusher:pong","data":"{}"}');
	}
});

test('frames in the segment of the request head are processed', async () => {
	const text = Buffer.from('{"event":"pusher:ping","data":{}}');
	const early = Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]);
	const got = await tcp([Buffer.concat([Buffer.from(`GET /app/${main.key}?protocol=7 HTTP/1.1\r\nHost: x\r\n` +
		'Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
		'Sec-WebSocket-Version: 13\r\n\r\n'), early])], 'pusher:pong');
	assert.ok(got.indexOf('connection_established') < got.indexOf('pusher:pong'), got);
});

test('what is no command is answered, and ten in ten seconds close', async () => {
	const c = await Client.open(main);
	const malformed = ['{', '[]', '"x"', '7', 'null', '{}', '{"event":1}', '{"event":null}', ''];
	for (const text of malformed) {
		c.send(text);
		await c.expect(error(null, 'Invalid message format'));
	}
	c.say('pusher:hello', {});
	await c.expect(error(null, 'Unsupported event received on socket: pusher:hello'));
	await c.expectClosed(1008);
});

test('faults of a client that only asks too much close nothing', async () => {
	const c = await Client.open(main);
	for (let i = 0; i < 12; i++) {
		c.say('pusher:subscribe', { channel: 'private-x', auth: 'no' });
		assert.equal((await c.next()).frame.event, 'pusher:subscription_error');
		await c.expect(error(4009, 'Connection is unauthorized'));
		c.say('pusher:signin', { auth: 'no', user_data: '{"id":"1"}' });
		await c.expect(error(4009, 'Connection is unauthorized'));
		c.say('client-x', {}, 'private-x');
		assert.equal((await c.next()).frame.event, 'pusher:error');
	}
	for (const data of [{}, { channel: 7 }, { channel: null }]) {
		c.say('pusher:subscribe', data);
		await c.expect(error(null, 'Invalid subscription (must contain a channel)'));
		c.say('pusher:unsubscribe', data);
		await c.expect(error(null, 'Invalid subscription (must contain a channel)'));
	}
	await c.quiet();
});

test('data of a control event may be a string of JSON', async () => {
	const c = await Client.open(main);
	const channel = name('double-');
	c.say('pusher:subscribe', JSON.stringify({ channel }));
	await c.expect(succeeded(channel));
	c.say('pusher:unsubscribe', JSON.stringify({ channel }));
	await c.quiet();
});

test('a connection that does not authorise in time is closed, others stay', async () => {
	const [silent, subscribed, signedIn] = [await Client.open(timed), await Client.open(timed),
		await Client.open(timed)];
	await subscribed.subscribe('private-x');
	signedIn.signin({ id: '1' });
	await signedIn.next();
	await silent.subscribe('public-x');
	await silent.expectClosed(4009, 'Connection not authorized within timeout');
	await subscribed.quiet();
	await signedIn.quiet();
});

test('protocol 5 is told of its end by a frame, too; 4 is asked by a control ping', async () => {
	const c = await Client.open(timed, { query: 'protocol=5' });
	await c.expect(error(4009, 'Connection not authorized within timeout'));
	await c.expectClosed(4009);
});

test('limits of an application of its own', async () => {
	const [a, b] = await spread(modest);
	const channel = name('private-');
	for (const c of [a, b]) await c.subscribe(channel);
	a.say('client-x', 'x'.repeat(50), channel);
	await b.expect(frame('client-x', channel, 'x'.repeat(50)));
	a.say('client-x', 'x'.repeat(51), channel);
	await a.expect(error(4301, 'The event data should be less than 10 KB.'));
	a.say('client-x', 'third', channel);
	await a.expect(error(4301, 'The rate limit for sending client events exceeded the quota.'));
	a.say('pusher:subscribe', { channel: 'x'.repeat(61) });
	assert.equal((await a.next()).frame.event, 'pusher:subscription_error');
	await a.expect(error(null, 'Channel name is too long'));
	const publish = (data) => api(modest, 'POST', '/events', { name: 'e', channels: [channel], data });
	assert.equal((await publish('x'.repeat(100))).status, 200);
	const r = await publish('x'.repeat(101));
	assert.equal(r.status, 413);
	assert.equal(r.text, 'The data content of this event exceeds the allowed maximum (100 bytes).');
	await b.expect(frame('e', channel, 'x'.repeat(100)));
});

test('nothing leaks from one application to another', async () => {
	const origin = rotating.origin;
	const channel = 'private-shared';
	const [a, b] = [await Client.open(main), await Client.open(rotating, { origin })];
	await a.subscribe(channel);
	await b.subscribe(channel);
	await b.next(); // its subscription count
	await trigger(main, channel, 'of-main', '1');
	await a.expect(frame('of-main', channel, '1'));
	await trigger(rotating, channel, 'of-rotating', '2', { socket_id: a.id });
	await b.expect(frame('of-rotating', channel, '2'));
	a.say('client-x', 1, channel);
	b.say('client-y', 2, channel);
	await a.quiet();
	b.say('pusher:subscribe', { channel: 'private-other', auth: `${main.key}:${'0'.repeat(64)}` });
	assert.equal((await b.next()).frame.event, 'pusher:subscription_error');
	const list = await api(strict, 'GET', '/channels');
	assert.equal(list.text, '{"channels":{}}');
	const foreign = await api({ ...rotating, id: main.id }, 'GET', '/channels');
	assert.equal(foreign.status, 401);
	assert.equal(foreign.text, 'Unknown auth_key');
	assert.equal((await spread(strict))[0].app, strict);
	assert.equal(env.APP_ID, main.id);
});
