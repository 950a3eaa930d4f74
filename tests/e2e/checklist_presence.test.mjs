// Conformance: members of presence channels. Texts are exact.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { main } from './lib/apps.mjs';
import { api, Client, closeAll, error, frame, name, sign, spread, subscriptionError, succeeded,
	trigger } from './lib/protocol.mjs';

after(closeAll);

const added = (channel, user_id, info = 'null') => frame('pusher_internal:member_added', channel,
	`{"user_id":${JSON.stringify(user_id)},"user_info":${info}}`);
const removed = (channel, user_id) => frame('pusher_internal:member_removed', channel,
	`{"user_id":${JSON.stringify(user_id)}}`);

async function invalid(c, channel) {
	await c.expect(subscriptionError(channel, 'InvalidData', 'The channel_data is invalid.', 400),
		error(null, 'Invalid channel_data: a JSON object with a user_id is needed'));
}

async function tooLarge(c, channel) {
	await c.expect(subscriptionError(channel, 'LimitReached', 'The channel_data is too large.', 4301),
		error(null, 'user_id or user_info of channel_data is too large'));
}

test('P1 the snapshot: self included, ids as strings, hash an object, count', async () => {
	const [a, b] = await spread(main);
	const channel = name('presence-');
	a.ask(channel, { user_id: '7', user_info: { name: 'Z' } });
	await a.expect(succeeded(channel, { ids: ['7'], hash: { 7: { name: 'Z' } }, count: 1 }));
	b.ask(channel, '{"user_id":9}');
	await b.expect(frame('pusher_internal:subscription_succeeded', channel,
		'{"presence":{"ids":["7","9"],"hash":{"7":{"name":"Z"},"9":null},"count":2}}'));
	await a.expect(added(channel, '9'));
	assert.equal((await api(main, 'GET', `/channels/${channel}/users`)).text, '{"users":[{"id":"7"},{"id":"9"}]}');
});

test('P2 1 and "1" are one member; what is no id is refused', async () => {
	const [a, b] = await spread(main);
	const channel = name('presence-');
	await a.subscribe(channel, '{"user_id":1}');
	const f = await b.subscribe(channel, '{"user_id":"1"}');
	assert.deepEqual(JSON.parse(f.data).presence, { ids: ['1'], hash: { 1: null }, count: 1 });
	await a.quiet();
	const c = await Client.open(main);
	for (const id of ['true', 'false', 'null', '""', '[]', '{}', '["1"]']) {
		c.ask(channel, `{"user_id":${id}}`);
		await invalid(c, channel);
	}
	for (const data of ['', '{', '[]', '"1"', '1', 'null', '{}', '{"id":"1"}', '{"user_id":"1"} x']) {
		c.say('pusher:subscribe', { channel, ...sign(main, c.id, channel, data) });
		const first = await c.next();
		assert.equal(first.frame.event, 'pusher:subscription_error', data);
		assert.equal((await c.next()).frame.event, 'pusher:error');
	}
	c.say('pusher:subscribe', { channel, ...sign(main, c.id, channel) });
	await invalid(c, channel);
	c.say('pusher:subscribe', { channel, auth: sign(main, c.id, channel, '{"user_id":"1"}').auth,
		channel_data: { user_id: '1' } });
	assert.equal((await c.next()).frame.event, 'pusher:subscription_error');
	assert.equal((await c.next()).frame.event, 'pusher:error');
	await a.quiet();
});

test('P2 a number is an id as it is written', async () => {
	const c = await Client.open(main);
	for (const [written, id] of [['1.5', '1.5'], ['12345678901234567890', '12345678901234567890'], ['-7', '-7']]) {
		const channel = name('presence-');
		const f = await c.subscribe(channel, `{"user_id":${written}}`);
		assert.deepEqual(JSON.parse(f.data).presence.ids, [id]);
	}
	const channel = name('presence-');
	const id = 'ü/"\\ #😀';
	const f = await c.subscribe(channel, { user_id: id });
	assert.deepEqual(JSON.parse(f.data).presence, { ids: [id], hash: { [id]: null }, count: 1 });
});

test('P2 128 characters of id pass, 129 do not', async () => {
	const c = await Client.open(main);
	const channel = name('presence-');
	await c.subscribe(channel, { user_id: 'x'.repeat(128) });
	const other = name('presence-');
	c.ask(other, { user_id: 'x'.repeat(129) });
	await tooLarge(c, other);
});

test('P3 a second tab is nobody new, and only the last one to go leaves', async () => {
	const [a, b] = await spread(main);
	const tab = await Client.open(main);
	const channel = name('presence-');
	await a.subscribe(channel, { user_id: 'a' });
	await b.subscribe(channel, { user_id: 'b', user_info: 'first' });
	await a.expect(added(channel, 'b', '"first"'));
	const f = await tab.subscribe(channel, { user_id: 'b', user_info: 'second' });
	assert.deepEqual(JSON.parse(f.data).presence, { ids: ['a', 'b'], hash: { a: null, b: 'first' }, count: 2 });
	await a.quiet();
	await b.quiet();
	tab.unsubscribe(channel);
	await tab.quiet();
	await a.quiet();
	b.unsubscribe(channel);
	await a.expect(removed(channel, 'b'));
	await b.quiet();
	await a.quiet();
});

test('P3 unsubscribe, then the end of the connection, is one leave', async () => {
	const [a, b] = await spread(main);
	const channel = name('presence-');
	await a.subscribe(channel, { user_id: 'a' });
	await b.subscribe(channel, { user_id: 'b' });
	b.unsubscribe(channel);
	await b.close();
	await a.expect(added(channel, 'b'), removed(channel, 'b'));
	await a.quiet();
});

test('P4 nobody is told of himself; an unsubscribe and a subscribe again are told to the others', async () => {
	const [a, b] = await spread(main);
	const channel = name('presence-');
	await a.subscribe(channel, { user_id: 'a' });
	await b.subscribe(channel, { user_id: 'b' });
	await a.expect(added(channel, 'b'));
	b.unsubscribe(channel);
	await b.subscribe(channel, { user_id: 'b' });
	await b.quiet();
	await a.expect(removed(channel, 'b'), added(channel, 'b'));
});

test('P5 user_info: any JSON, as it was written', async () => {
	const [a, b] = await spread(main);
	for (const info of ['null', 'true', 'false', '0', '""', '"text"', '[]', '[1.10]', '{"n":12345678901234567890}',
		'{"a":{"b":[1.10,1e400,-0]},"s":"\\u00e9\\/é"}', '{ "spaces" : [ 1 , 2 ] }']) {
		const channel = name('presence-');
		await a.subscribe(channel, { user_id: 'a' });
		b.ask(channel, `{"user_id":"b","user_info":${info}}`);
		await b.expect(frame('pusher_internal:subscription_succeeded', channel,
			`{"presence":{"ids":["a","b"],"hash":{"a":null,"b":${info}},"count":2}}`));
		await a.expect(added(channel, 'b', info));
	}
});

test('P5 1024 bytes of user_info pass, 1025 do not', async () => {
	const c = await Client.open(main);
	const channel = name('presence-');
	const info = (n) => JSON.stringify('x'.repeat(n - 2));
	await c.subscribe(channel, `{"user_id":"1","user_info":${info(1024)}}`);
	const other = name('presence-');
	c.ask(other, `{"user_id":"1","user_info":${info(1025)}}`);
	await tooLarge(c, other);
	await c.quiet();
});

test('P6 a new connection of a user before the old one is gone: silence both times', async () => {
	const [a, old] = await spread(main);
	const channel = name('presence-');
	await a.subscribe(channel, { user_id: 'a' });
	await old.subscribe(channel, { user_id: 'b' });
	await a.expect(added(channel, 'b'));
	const fresh = await Client.open(main);
	await fresh.subscribe(channel, { user_id: 'b' });
	old.lose();
	await fresh.quiet();
	await a.quiet();
	fresh.unsubscribe(channel);
	await a.expect(removed(channel, 'b'));
	await a.quiet();
});

test('P9 who is signed in needs no channel_data', async () => {
	const [a, b] = await spread(main);
	const channel = name('presence-');
	await a.subscribe(channel, { user_id: 'a' });
	const bare = () => b.say('pusher:subscribe', { channel, ...sign(main, b.id, channel) });
	bare();
	await invalid(b, channel);
	b.signin({ id: 'b', user_info: { name: 'Bea' } });
	assert.equal((await b.next()).frame.event, 'pusher:signin_success');
	bare();
	await b.expect(succeeded(channel, { ids: ['a', 'b'], hash: { a: null, b: { name: 'Bea' } }, count: 2 }));
	await a.expect(added(channel, 'b', '{"name":"Bea"}'));
});

test('P10 every worker shows the same snapshot, and every socket every change', async () => {
	const channel = name('presence-');
	const clients = await spread(main, 8);
	for (const [i, c] of clients.entries()) await c.subscribe(channel, { user_id: `u${i}` });
	for (const [i, c] of clients.entries()) {
		await c.expect(...clients.slice(i + 1).map((_, k) => added(channel, `u${i + 1 + k}`)));
	}
	const whole = [];
	for (const [i, c] of clients.entries()) {
		const f = await c.subscribe(channel, { user_id: `u${i}` });
		whole.push(f.data);
	}
	assert.equal(new Set(whole).size, 1);
	for (const c of clients) await c.quiet();
});

test('a storm of joins: everybody gets every member once, then the leaves', async () => {
	const channel = name('presence-');
	const n = 500;
	const clients = [];
	let listed = 0;
	for (let i = 0; i < n; i++) clients.push(await Client.open(main));
	for (const [i, c] of clients.entries()) c.ask(channel, { user_id: `u${i}` });
	for (const [i, c] of clients.entries()) {
		const f = (await c.next()).frame;
		assert.equal(f.event, 'pusher_internal:subscription_succeeded');
		const seen = new Set(JSON.parse(f.data).presence.ids);
		assert.ok(seen.has(`u${i}`));
		listed += seen.size;
		while (seen.size < n) {
			const { frame: g } = await c.next();
			assert.equal(g.event, 'pusher_internal:member_added');
			const id = JSON.parse(g.data).user_id;
			assert.equal(seen.has(id), false, `${id} twice`);
			seen.add(id);
		}
	}
	assert.equal(listed, (n * (n + 1)) / 2); // each was told of all that came after it
	for (const c of clients.slice(1)) c.unsubscribe(channel);
	const gone = new Set();
	while (gone.size < n - 1) {
		const { frame: g } = await clients[0].next();
		assert.equal(g.event, 'pusher_internal:member_removed');
		gone.add(JSON.parse(g.data).user_id);
	}
	await clients[0].quiet();
});

test('a channel of members only lives by its subscriptions', async () => {
	const channel = name('presence-');
	const c = await Client.open(main);
	await c.subscribe(channel, { user_id: '1' });
	c.unsubscribe(channel);
	await c.quiet();
	assert.equal((await api(main, 'GET', `/channels/${channel}`)).text, '{"occupied":false}');
	await trigger(main, channel, 'to-nobody', '1');
	await c.quiet();
});
