// The Pusher protocol as pusher-js and the Pusher server SDK use it.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import { disconnectAll, pusher, raw, server, subscribe } from './lib/clients.mjs';
import { base, env } from './lib/house.mjs';
import { until } from './lib/wait.mjs';

after(disconnectAll);

/** Presence and private channels of no chat: signed here, as an application's backend does. */
function sign(socketId, channel, member) {
	const data = member && JSON.stringify(member);
	const text = [socketId, channel, ...(data ? [data] : [])].join(':');
	const mac = createHmac('sha256', env.APP_SECRET).update(text).digest('hex');
	return { auth: `${env.APP_KEY}:${mac}`, ...(data ? { channel_data: data } : {}) };
}

async function member(id, info) {
	const client = await pusher();
	client.config.channelAuthorizer = (params, done) =>
		done(null, sign(params.socketId, params.channelName, id && { user_id: id, user_info: info }));
	return client;
}

const name = (prefix) => `${prefix}${randomUUID()}`;

test('an event reaches every subscriber once, and not the excluded socket', async () => {
	const channel = name('news-');
	const [a, b, c] = await Promise.all([pusher(), pusher(), pusher()]);
	const [ca, cb, cc] = await Promise.all([a, b, c].map((p) => subscribe(p, channel)));
	await server.trigger(channel, 'first', { text: 'grüße', n: 1 }, {
		socket_id: b.connection.socket_id,
	});
	await server.trigger(channel, 'last', 'end');
	for (const ch of [ca, cb, cc]) await ch.tape.next((e) => e.event === 'last');
	for (const ch of [ca, cc]) {
		assert.deepEqual(ch.tape.items.filter((e) => e.event === 'first').map((e) => e.data), [
			{ text: 'grüße', n: 1 },
		]);
	}
	assert.equal(cb.tape.items.filter((e) => e.event === 'first').length, 0);
});

test('events of one publisher keep their order on every socket', async () => {
	const channel = name('order-');
	const subs = [];
	for (let i = 0; i < 4; i++) subs.push(await subscribe(await pusher(), channel));
	for (let i = 0; i < 30; i++) await server.trigger(channel, 'n', i);
	for (const s of subs) {
		await s.tape.next((e) => e.event === 'n' && e.data === 29);
		assert.deepEqual(
			s.tape.items.filter((e) => e.event === 'n').map((e) => e.data),
			[...Array(29).keys()],
		);
	}
});

test('a batch, and one event to many channels', async () => {
	const [x, y] = [name('x-'), name('y-')];
	const p = await pusher();
	const [cx, cy] = [await subscribe(p, x), await subscribe(p, y)];
	await server.trigger([x, y], 'both', 1);
	await server.triggerBatch([
		{ channel: x, name: 'b1', data: 'one' },
		{ channel: x, name: 'b2', data: 'two' },
		{ channel: y, name: 'b3', data: 'three' },
	]);
	await cy.tape.next((e) => e.event === 'b3');
	assert.deepEqual(cx.tape.items.slice(-3).map((e) => e.event), ['both', 'b1', 'b2']);
	assert.deepEqual(cy.tape.items.slice(-1).map((e) => e.event), ['both']);
});

test('a private channel needs a good signature', async () => {
	const channel = name('private-');
	const good = await member();
	const c = await subscribe(good, channel);
	await server.trigger(channel, 'e', {});
	await c.tape.next((e) => e.event === 'e');

	const bad = await pusher();
	bad.config.channelAuthorizer = (params, done) => done(null, { auth: `${env.APP_KEY}:${'0'.repeat(64)}` });
	await assert.rejects(subscribe(bad, channel), (e) => e.type === 'AuthError' && e.status === 401);
	const error = await bad.tape.next((e) => e.event === 'pusher:error' || e.event === 'error');
	assert.ok(error);
	assert.equal(bad.connection.state, 'connected');
});

test('presence: snapshot, joins and leaves, one member for each user', async () => {
	const channel = name('presence-');
	const ada = await member('1', { name: 'Ada' });
	const a = await subscribe(ada, channel);
	assert.equal(a.members.count, 1);
	assert.deepEqual(a.members.me, { id: '1', info: { name: 'Ada' } });

	const bob = await member('2', { name: 'Bob' });
	const b = await subscribe(bob, channel);
	assert.equal(b.members.count, 2);
	assert.deepEqual(b.members.get('1'), { id: '1', info: { name: 'Ada' } });
	const added = await a.tape.next((e) => e.event === 'pusher:member_added');
	assert.deepEqual(added.data, { id: '2', info: { name: 'Bob' } });

	// a second connection of Bob is nobody new, and its end is no leave
	const bob2 = await member('2', { name: 'Bob' });
	await subscribe(bob2, channel);
	bob2.unsubscribe(channel);
	await server.trigger(channel, 'mark', 1);
	await a.tape.next((e) => e.event === 'mark');
	assert.equal(a.tape.items.filter((e) => e.event.startsWith('pusher:member_')).length, 0);

	bob.unsubscribe(channel);
	const removed = await a.tape.next((e) => e.event === 'pusher:member_removed');
	assert.equal(removed.data.id, '2');
	assert.equal(a.members.count, 1);
});

test('a member that reloads its page within the grace leaves for nobody', async () => {
	const channel = name('presence-');
	const a = await subscribe(await member('1'), channel);
	const bob = await member('2');
	await subscribe(bob, channel);
	await a.tape.next((e) => e.event === 'pusher:member_added');
	bob.disconnect();
	await subscribe(await member('2'), channel);
	const other = await member('3');
	await subscribe(other, channel);
	await a.tape.next((e) => e.event === 'pusher:member_added' && e.data.id === '3');
	assert.equal(a.tape.items.filter((e) => e.event.startsWith('pusher:member_')).length, 0);
});

test('client events go to the others, with the sender on presence channels', async () => {
	const channel = name('presence-');
	const ada = await member('1');
	const a = await subscribe(ada, channel);
	const b = await subscribe(await member('2'), channel);
	assert.ok(a.trigger('client-typing', { on: true }));
	const got = await b.tape.next((e) => e.event === 'client-typing');
	assert.deepEqual(got.data, { on: true });
	assert.equal(got.meta?.user_id ?? '1', '1');
	await server.trigger(channel, 'mark', 1);
	await a.tape.next((e) => e.event === 'mark');
	assert.equal(a.tape.items.filter((e) => e.event === 'client-typing').length, 0);
});

test('unsubscribing ends the events, and the channel when it was the last', async () => {
	const channel = name('gone-');
	const p = await pusher();
	const c = await subscribe(p, channel);
	const occupied = async () =>
		(await (await server.get({ path: `/channels/${channel}` })).json()).occupied;
	assert.equal(await occupied(), true);
	p.unsubscribe(channel);
	await until(async () => !(await occupied()), 'an empty channel');
	await server.trigger(channel, 'e', 1);
	const again = await subscribe(p, channel);
	await server.trigger(channel, 'mark', 1);
	await again.tape.next((e) => e.event === 'mark');
	assert.equal(c.tape.items.filter((e) => e.event === 'e').length, 0);
});

test('the HTTP API tells channels and users', async () => {
	const channel = name('presence-');
	await subscribe(await member('7'), channel);
	const get = async (path, params) => (await server.get({ path, params })).json();
	assert.deepEqual(await get('/channels', { filter_by_prefix: channel, info: 'user_count' }), {
		channels: { [channel]: { user_count: 1 } },
	});
	assert.deepEqual(await get('/channels', { filter_by_prefix: 'nobody-is-here-' }), { channels: {} });
	assert.deepEqual(await get(`/channels/${channel}`, { info: 'user_count,subscription_count' }), {
		occupied: true,
		user_count: 1,
		subscription_count: 1,
	});
	assert.deepEqual(await get(`/channels/${channel}/users`), { users: [{ id: '7' }] });
	const r = await server.trigger(channel, 'e', 1, { info: 'user_count' });
	assert.deepEqual(await r.json(), { channels: { [channel]: { user_count: 1 } } });
});

test('a bad signature, an old one and an unknown application are refused', async () => {
	const post = (path) => fetch(base + path, { method: 'POST', body: '{}' });
	const now = Math.floor(Date.now() / 1000);
	const q = (t) => `auth_key=${env.APP_KEY}&auth_timestamp=${t}&auth_version=1.0&body_md5=${'0'.repeat(32)}&auth_signature=${'0'.repeat(64)}`;
	assert.equal((await post(`/apps/${env.APP_ID}/events?${q(now)}`)).status, 401);
	assert.equal((await post(`/apps/${env.APP_ID}/events?${q(now - 700)}`)).status, 401);
	assert.equal((await post(`/apps/nobody/events?${q(now)}`)).status, 404);
	assert.equal((await post(`/apps/${env.APP_ID}/events`)).status, 401);
	await assert.rejects(async () => server.trigger('bad channel!', 'e', 1));
});

test('an unknown key ends with 4001, and pusher-js does not come back', async () => {
	const c = await raw('/app/nobody?protocol=7&client=js&version=8.0');
	const error = await c.next('pusher:error');
	assert.equal(error.data.code, 4001);
	assert.equal((await c.next('closed')).closed, 4001);
});

test('connection_established, ping and pong', async () => {
	const c = await raw();
	const first = await c.next('pusher:connection_established');
	assert.equal(typeof first.data, 'string');
	const data = JSON.parse(first.data);
	assert.match(data.socket_id, /^\d+\.\d+$/);
	assert.equal(typeof data.activity_timeout, 'number');
	c.say('pusher:ping', {});
	await c.next('pusher:pong');
});

test('broken messages are answered and close nothing', async () => {
	const c = await raw();
	await c.next('pusher:connection_established');
	for (const text of ['{', '[]', '"x"', '{"event":1}', '{"event":"pusher:subscribe","data":{}}']) {
		c.ws.send(text);
		await c.next('pusher:error');
	}
	c.say('pusher:ping', {});
	await c.next('pusher:pong');
});

test('a frame that is too large closes only its own socket', async () => {
	const [bad, good] = [await raw(), await raw()];
	await bad.next('pusher:connection_established');
	bad.ws.send('x'.repeat(1 << 20));
	const end = await bad.next('closed');
	assert.ok([1009, 1006].includes(end.closed), String(end.closed));
	good.say('pusher:ping', {});
	await good.next('pusher:pong');
});
