// Who may subscribe to which channel: the shipped table, aliases, names of events, and a table of
// the configuration's own.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { api, disconnectAll, echo, pusher, raw, server, subscribe } from './lib/clients.mjs';
import { base, env } from './lib/house.mjs';
import { openHouse } from './lib/other_house.mjs';
import { addChat, addUser, addUsers, lifeIn, send } from './lib/people.mjs';
import { Tape, until } from './lib/wait.mjs';

let house;
let there; // clients and people of the other house

before(async () => {
	house = await openHouse({
		conf: `
[chat]
event_names = echo
[channel "private-team.{user}.*"]
rule = owner
[channel "private-order.{order}"]
rule = deny
[channel "private-orders.*"]
rule = sees_orders
[channel "presence-lobby"]
rule = authenticated
presence = yes
[channel "private-user.{user}"]
rule = authenticated
[channel "news"]
rule = authenticated
[channel "*"]
rule = deny
[sql "sees_orders"]
query = SELECT 1 FROM public.orders o WHERE o.user_id = $1 AND 'private-orders.' || o.id = $2
`,
		prepare: (sql) => sql(`CREATE TABLE orders (id bigint, user_id text);
			GRANT SELECT ON orders TO chat_broker`),
	});
	there = lifeIn(house);
});

after(async () => {
	disconnectAll();
	await house?.close();
});

async function socketId(client) {
	const s = await client.raw();
	s.id = JSON.parse((await s.next('pusher:connection_established')).data).socket_id;
	return s;
}

const ask = (client, user, channel_name, socket_id = '1.1') =>
	client.api(user, 'POST', '/broadcasting/auth', { socket_id, channel_name });

const here = { api, raw, server };

test('the shipped table: owner, participants, anybody who is authenticated, nobody else', async () => {
	const [ann, ben, eve] = addUsers('Ann', 'Ben', 'Eve');
	const chat = await addChat(ann, [ben]);
	const may = async (user, channel) => {
		const r = await ask(here, user, channel);
		if (r.status !== 200) assert.deepEqual([r.status, r.body], [403, { message: 'This action is unauthorized.' }]);
		return r.status === 200;
	};
	const rows = [
		[`private-user.${ann.id}`, true, false, false],
		[`private-chat.${chat.id}`, true, true, false],
		[`presence-chat.${chat.id}`, true, true, false],
		[`presence-presence-chat.${chat.id}`, true, true, false],
		['presence-users', true, true, true],
		['presence-presence-users', true, true, true],
		[`private-presence-chat.${chat.id}`, false, false, false],
		[`private-chat.0${chat.id}`, false, false, false],
		['private-chat.999999999', false, false, false],
		['private-chat.', false, false, false],
		['private-anything', false, false, false],
		[`private-encrypted-user.${ann.id}`, false, false, false],
	];
	for (const [channel, ...expected] of rows) {
		const got = [await may(ann, channel), await may(ben, channel), await may(eve, channel)];
		assert.deepEqual(got, expected, channel);
	}
});

test('authorisations are those of the Pusher protocol, asked by form or JSON', async () => {
	const ann = addUser('Ann "A" Ünï');
	const s = await socketId(here);
	const form = await fetch(`${base}/broadcasting/auth`, {
		method: 'POST',
		headers: { Authorization: `Bearer ${ann.token}` },
		body: new URLSearchParams({ socket_id: s.id, channel_name: 'presence-users' }),
	});
	const got = await form.json();
	assert.deepEqual(got, (await ask(here, ann, 'presence-users', s.id)).body);
	assert.deepEqual(Object.keys(got), ['auth', 'channel_data']);
	assert.deepEqual(JSON.parse(got.channel_data),
		{ user_id: ann.id, user_info: { id: Number(ann.id), name: 'Ann "A" Ünï' } });
	const sdk = server.authorizeChannel(s.id, 'private-x');
	assert.equal(got.auth.split(':')[0], sdk.auth.split(':')[0]);
	const own = (await ask(here, ann, `private-user.${ann.id}`, s.id)).body;
	assert.deepEqual(own, { auth: server.authorizeChannel(s.id, `private-user.${ann.id}`).auth });
	for (const [body, field] of [[{ channel_name: 'presence-users' }, 'socket_id'], [{ socket_id: s.id }, 'channel_name'],
		[{ socket_id: 'x', channel_name: 'presence-users' }, 'socket_id'],
		[{ socket_id: 7, channel_name: 'presence-users' }, 'socket_id']]) {
		const r = await api(ann, 'POST', '/broadcasting/auth', body);
		assert.equal(r.status, 422, JSON.stringify(r.body));
		assert.ok(r.body.errors[field]);
	}
	assert.equal((await api(ann, 'POST', '/broadcasting/user-auth', {})).status, 422);
});

test("the guide's doubled names are channels of their own with the same rule and events", async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const e = await echo(ben);
	const members = await new Promise((resolve) => e.join(`presence-chat.${chat.id}`).here(resolve));
	assert.deepEqual(members, [{ id: Number(ben.id), name: 'Ben' }]);
	const typing = new Tape();
	e.join(`presence-chat.${chat.id}`).listen('.user.typing', (d) => typing.push(d));
	await api(ann, 'POST', `/api/websocket/chats/${chat.id}/typing`, { is_typing: true });
	assert.equal((await typing.next()).user.id, Number(ann.id));
	const status = new Tape();
	await new Promise((resolve) => e.join('presence-users').here(resolve));
	e.join('presence-users').listen('.user.status.changed', (d) => status.push(d));
	await subscribe(await pusher(ann.token), 'presence-users');
	await status.next((d) => d.user.id === Number(ann.id) && d.user.is_online);
});

test('event_names = both: the plain name first, then the one of the guide', async () => {
	assert.equal(env.EVENT_NAMES, 'both');
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const channel = await subscribe(await pusher(ben.token), chat.channel);
	await send(ann, chat);
	const names = [];
	while (names.length < 2) names.push(await channel.tape.next((e) => e.event.endsWith('sent')));
	assert.deepEqual(names.map((e) => e.event), ['message.sent', 'App\\Events\\message\\sent']);
	assert.deepEqual(names[0].data, names[1].data);
});

test('event_names = echo: only the name that Echo makes of the plain one', async () => {
	const [ann, ben] = there.addUsers('Ann', 'Ben');
	const chat = await there.addChat(ann, [ben]);
	const e = await there.echo(ben);
	const tape = new Tape();
	e.private(`chat.${chat.id}`).listen('message.sent', (d) => tape.push(d));
	await until(() => e.connector.channels[chat.channel].subscription.subscribed, 'the channel');
	const client = await there.pusher(ben.token);
	const channel = await subscribe(client, chat.channel);
	const m = await there.send(ann, chat);
	assert.deepEqual((await tape.next()).message, m);
	await channel.tape.next((x) => x.event === 'App\\Events\\message\\sent');
	assert.deepEqual(channel.tape.items.filter((x) => x.event === 'message.sent'), []);
});

test('a table of the configuration: the first match decides, statements too', async () => {
	const [ann, ben] = there.addUsers('Ann', 'Ben');
	const may = async (user, channel) => {
		const r = await ask(there, user, channel);
		assert.ok([200, 403].includes(r.status), `${channel}: ${r.status}`);
		return r.status === 200;
	};
	assert.equal(await may(ann, `private-team.${ann.id}.backend`), true);
	assert.equal(await may(ben, `private-team.${ann.id}.backend`), false);
	assert.equal(await may(ann, 'private-order.7'), false);
	assert.equal(await may(ben, `private-user.${ann.id}`), true); // in place of the shipped row
	assert.equal(await may(ben, 'private-unknown'), false);
	house.sql(`INSERT INTO orders VALUES (7, '${ann.id}')`);
	assert.equal(await may(ann, 'private-orders.7'), true);
	assert.equal(await may(ben, 'private-orders.7'), false);
	assert.equal(await may(ann, 'private-orders.8'), false);
	const lobby = await ask(there, ann, 'presence-lobby');
	assert.equal(JSON.parse(lobby.body.channel_data).user_id, ann.id);
	// the rows that ship still stand behind it
	const chat = await there.addChat(ann, [ben]);
	assert.equal(await may(ben, chat.channel), true);
});

test('deny makes public channels need a signature', async () => {
	const s = await socketId(there);
	const join = (channel, auth) => {
		s.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel, ...auth } }));
		return s.tape.next((m) => m.channel === channel &&
			/subscription_(succeeded|error)$/.test(m.event), channel);
	};
	const refused = await join('open-air', {});
	assert.equal(refused.event, 'pusher:subscription_error');
	const data = typeof refused.data === 'string' ? JSON.parse(refused.data) : refused.data;
	assert.equal(data.status, 401);
	// what the backend has signed is allowed
	const signed = await join('private-of-the-backend', there.server.authorizeChannel(s.id, 'private-of-the-backend'));
	assert.equal(signed.event, 'pusher_internal:subscription_succeeded');
	// in the house without that row public channels are open
	const free = await socketId(here);
	free.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: 'open-air' } }));
	await free.next('pusher_internal:subscription_succeeded');
});
