// Conformance: client events, cache channels, subscription counts. Texts are exact.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { main, rotating, strict } from './lib/apps.mjs';
import { api, Client, closeAll, error, frame, name, spread, succeeded, trigger } from './lib/protocol.mjs';

after(closeAll);

const origin = rotating.origin;

test('E1 a client event goes to the others, another tab of the sender included', async () => {
	const [a, tab] = await spread(main);
	const b = await Client.open(main);
	for (const kind of ['private-', 'private-cache-', 'private-encrypted-', 'private-encrypted-cache-']) {
		const channel = name(kind);
		for (const c of [a, tab, b]) {
			await c.subscribe(channel);
			if (kind.includes('cache-')) await c.next();
		}
		a.say('client-x', { on: true }, channel);
		for (const c of [tab, b]) await c.expect(frame('client-x', channel, '{"on":true}'));
	}
	await a.quiet();
});

test('E1 user_id only on presence channels, from the subscription and never from the frame', async () => {
	const [a, b] = await spread(main);
	for (const kind of ['presence-', 'presence-cache-']) {
		const channel = name(kind);
		await a.subscribe(channel, '{"user_id":7}');
		if (kind.includes('cache-')) await a.next();
		await b.subscribe(channel, { user_id: 'b' });
		if (kind.includes('cache-')) await b.next();
		await a.next();
		a.send(`{"event":"client-x","channel":"${channel}","data":{"n":1.10},"user_id":"forged","extra":1}`);
		await b.expect(frame('client-x', channel, '{"n":1.10}', '7'));
	}
	const channel = name('private-');
	for (const c of [a, b]) await c.subscribe(channel);
	a.send(`{"event":"client-x","channel":"${channel}","data":"s","user_id":"forged"}`);
	await b.expect(frame('client-x', channel, 's'));
});

test('E2 each rejection leaves the connection open', async () => {
	const c = await Client.open(main);
	const channel = name('private-');
	await c.subscribe(channel);
	await c.subscribe('public-x');
	const rejected = async (text, code, message) => {
		c.send(text);
		await c.expect(error(code, message));
	};
	await rejected(`{"event":"client-x","channel":"${name('private-')}"}`, 4009,
		'The client is not a member of the specified channel.');
	await rejected('{"event":"client-x","channel":"public-x"}', null,
		'Client event rejected - only supported on private and presence channels');
	await rejected(`{"event":"x","channel":"${channel}"}`, null, 'Unsupported event received on socket: x');
	await rejected('{"event":"client-x"}', null, 'Invalid client event (must contain channel and data)');
	await rejected('{"event":"client-x","channel":7}', null, 'Invalid client event (must contain channel and data)');
	await rejected(`{"event":"client-${'x'.repeat(194)}","channel":"${channel}"}`, 4301,
		'Event name is too long. Maximum allowed size is 200.');
	await c.quiet();
	const off = await Client.open(strict);
	await off.subscribe(channel);
	off.say('client-x', 1, channel);
	await off.expect(error(4301, 'The app does not have client messaging enabled.'));
	await off.quiet();
});

test('E2 names of 200 characters pass, counted as characters', async () => {
	const [a, b] = await spread(main);
	const channel = name('private-');
	for (const c of [a, b]) await c.subscribe(channel);
	for (const event of [`client-${'x'.repeat(193)}`, `client-${'é'.repeat(193)}`]) {
		a.say(event, 1, channel);
		await b.expect(frame(event, channel, '1'));
	}
	a.say(`client-${'é'.repeat(194)}`, 1, channel);
	await a.expect(error(4301, 'Event name is too long. Maximum allowed size is 200.'));
});

test('E2 an app may let client events through on public channels', async () => {
	const [a, b] = await Promise.all([Client.open(rotating, { origin }), Client.open(rotating, { origin })]);
	const channel = name('public-');
	const count = (n) => frame('pusher_internal:subscription_count', channel, `{"subscription_count":${n}}`);
	await a.subscribe(channel);
	await a.expect(count(1));
	await b.subscribe(channel);
	await b.expect(count(2));
	await a.expect(count(2));
	a.send(`{"event":"client-x","channel":"${channel}","data":{},"user_id":"forged"}`);
	await b.expect(frame('client-x', channel, '{}'));
	const other = await Client.open(rotating, { origin });
	other.say('client-x', 1, channel);
	await other.expect(error(4009, 'The client is not a member of the specified channel.'));
});

test('E3 the eleventh within a second is refused, and counts too', async () => {
	const [a, b] = await spread(main);
	const channel = name('private-');
	for (const c of [a, b]) await c.subscribe(channel);
	for (let i = 0; i < 20; i++) a.say('client-n', i, channel);
	const refusal = error(4301, 'The rate limit for sending client events exceeded the quota.');
	const first = await a.next();
	assert.equal(first.text, refusal);
	for (let i = 0; i < 10; i++) await b.expect(frame('client-n', channel, String(i)));
	// with time it may send again
	for (let passed = false; !passed;) {
		a.say('client-later', 1, channel);
		a.say('pusher:ping', {});
		for (;;) {
			const { text } = await a.next();
			if (text.includes('pusher:pong')) break;
			assert.equal(text, refusal);
		}
		passed = b.got.some((text) => text.includes('client-later'));
	}
});

test('E4 data of any kind arrives as a string', async () => {
	const [a, b] = await spread(main);
	const channel = name('private-');
	for (const c of [a, b]) await c.subscribe(channel);
	const rows = [['', 'null'], [',"data":null', 'null'], [',"data":0', '0'], [',"data":""', ''],
		[',"data":"str"', 'str'], [',"data":"{\\"a\\":1}"', '{"a":1}'], [',"data":true', 'true'],
		[',"data":{"a":[1.10,"é\\u00e9\\/"]}', '{"a":[1.10,"é\\u00e9\\/"]}'], [',"data":[ 1 ]', '[ 1 ]']];
	for (const [data, text] of rows) {
		a.send(`{"event":"client-x","channel":"${channel}"${data}}`);
		await b.expect(frame('client-x', channel, text));
	}
});

test('E4 10240 bytes of data pass, 10241 do not', async () => {
	const [a, b] = await spread(main);
	const channel = name('private-');
	for (const c of [a, b]) await c.subscribe(channel);
	const array = (n) => JSON.stringify(['x'.repeat(n - 4)]);
	for (const [ok, over] of [[array(10240), array(10241)],
		[JSON.stringify('"'.repeat(10240)), JSON.stringify('"'.repeat(10241))]]) {
		a.send(`{"event":"client-x","channel":"${channel}","data":${ok}}`);
		const f = (await b.next()).frame;
		assert.equal(f.data.length, 10240);
		a.send(`{"event":"client-x","channel":"${channel}","data":${over}}`);
		await a.expect(error(4301, 'The event data should be less than 10 KB.'));
	}
});

test('the last of two equal keys counts, for all purposes', async () => {
	const [a, b] = await spread(main);
	const [x, y] = [name('private-'), name('private-')];
	await a.subscribe(x);
	await b.subscribe(x);
	a.send(`{"event":"client-x","channel":"${y}","channel":"${x}","data":1,"data":2}`);
	await b.expect(frame('client-x', x, '2'));
	a.send(`{"event":"client-x","channel":"${x}","channel":"${y}"}`);
	await a.expect(error(4009, 'The client is not a member of the specified channel.'));
});

test('E5 client events are never cached', async () => {
	const [a, b] = await spread(main);
	const channel = name('private-cache-');
	await a.subscribe(channel);
	await a.next();
	a.say('client-x', 1, channel);
	await b.subscribe(channel);
	await b.expect(frame('pusher:cache_miss', channel, '{}'));
});

test('K1 a miss is told to each that comes', async () => {
	for (const kind of ['cache-', 'private-cache-', 'private-encrypted-cache-', 'presence-cache-']) {
		const channel = name(kind);
		for (const c of await spread(main)) {
			await c.subscribe(channel, kind.startsWith('presence') ? { user_id: c.id } : undefined);
			await c.expect(frame('pusher:cache_miss', channel, '{}'));
		}
	}
});

test('K2 the last event comes after the success and before what is later, as a live one looks', async () => {
	const [a, b] = await spread(main);
	const channel = name('cache-');
	const data = '{"v":1,"s":"é/\\"\\\\ \\u0007"}';
	await trigger(main, channel, 'price', '{"v":0}');
	await trigger(main, channel, 'price', data, { socket_id: a.id });
	for (const c of [a, b]) {
		c.ask(channel);
		await c.expect(succeeded(channel), frame('price', channel, data));
	}
	await trigger(main, channel, 'next', '2');
	for (const c of [a, b]) await c.expect(frame('next', channel, '2'));
	// it outlives its subscribers
	a.unsubscribe(channel);
	b.unsubscribe(channel);
	await a.quiet();
	a.ask(channel);
	await a.expect(succeeded(channel), frame('next', channel, '2'));
});

test('K4 info=cache', async () => {
	const c = await Client.open(main);
	const channel = name('cache-');
	await c.subscribe(channel);
	assert.equal((await api(main, 'GET', `/channels/${channel}`, '', { info: 'cache' })).text,
		'{"occupied":true,"cache":null}');
	await trigger(main, channel, 'e', '{"a":1}');
	const { text } = await api(main, 'GET', `/channels/${channel}`, '', { info: 'cache' });
	assert.match(text, /^\{"occupied":true,"cache":\{"data":"\{\\"a\\":1\}","ttl":\d+\}\}$/);
	const { ttl } = JSON.parse(text).cache;
	assert.ok(ttl > 1700 && ttl <= 1800, String(ttl));
	const wrong = await api(main, 'GET', '/channels/public-x', '', { info: 'cache' });
	assert.equal(wrong.status, 400);
});

test('K5 counts: for the app that wants them, connections and not users', async () => {
	const channel = name('public-');
	const count = (n) => frame('pusher_internal:subscription_count', channel, `{"subscription_count":${n}}`);
	const clients = [];
	for (let i = 1; i <= 5; i++) {
		const c = await Client.open(rotating, { origin });
		clients.push(c);
		c.ask(channel);
		await c.expect(succeeded(channel));
		for (const each of clients) await each.expect(count(i));
	}
	const last = clients.pop();
	last.unsubscribe(channel);
	for (const each of clients) await each.expect(count(4));
	await clients.pop().close();
	for (const each of clients) await each.expect(count(3));
	// not on presence channels, not for others
	const presence = name('presence-');
	await clients[0].subscribe(presence, { user_id: '1' });
	const c = await Client.open(main);
	await c.subscribe(channel);
	await c.quiet();
	await trigger(rotating, presence, 'mark', '1');
	await clients[0].expect(frame('mark', presence, '1'));
});

test('K5 above a hundred subscriptions the count comes rarely', async () => {
	const channel = name('crowd-');
	const clients = [];
	for (let i = 0; i < 130; i++) clients.push(await Client.open(rotating, { origin }));
	for (const c of clients) {
		c.ask(channel);
		assert.equal((await c.next()).text, succeeded(channel));
		while (c.tape.items.length > 0) await c.next();
	}
	const counts = clients[0].got.filter((text) => text.includes('subscription_count'))
		.map((text) => JSON.parse(JSON.parse(text).data).subscription_count);
	assert.deepEqual(counts.slice(0, 100), Array.from({ length: 100 }, (_, i) => i + 1));
	assert.ok(counts.length < 120, `${counts.length} counts`);
});
