// Receipts: cursors that only move forward, unread counts, chat.sync.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { api, disconnectAll, pusher, raw, server, subscribe } from './lib/clients.mjs';
import { sql } from './lib/house.mjs';
import { addChat, addUsers, send } from './lib/people.mjs';

after(disconnectAll);

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const num = (u) => Number(u.id);
const move = (user, m, what) => api(user, 'POST', `/api/websocket/messages/${m.id}/${what}`);
const heard = (channel, event, match = () => true) =>
	channel.tape.next((e) => e.event === event && match(e.data), `${event} on ${channel.name}`);
const left = (channel, event) => channel.tape.items.filter((e) => e.event === event).map((e) => e.data);

async function room() {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	return { ann, ben, chat };
}

const receipts = async (user, chat) => {
	const r = await api(user, 'GET', `/api/websocket/chats/${chat.id}/receipts`);
	assert.equal(r.status, 200);
	return r.body.data;
};

const mine = async (user, chat) => (await api(user, 'GET', '/api/websocket/active-chats')).body.data
	.find((c) => c.id === chat.id);

test('delivered and read: answers, events, and where the cursors stand', async () => {
	const { ann, ben, chat } = await room();
	const live = await subscribe(await pusher(ann.token), chat.channel);
	const [m1, m2, m3] = [await send(ann, chat, '1'), await send(ann, chat, '2'), await send(ann, chat, '3')];
	const none = { user_id: num(ben), delivered_seq: 0, delivered_at: null, read_seq: 0, read_at: null };
	assert.deepEqual((await receipts(ben, chat)).find((r) => r.user_id === num(ben)), none);

	const d = await move(ben, m2, 'delivered');
	assert.equal(d.status, 200);
	assert.match(d.body.delivered_at, TIME);
	assert.deepEqual(d.body, { chat_id: chat.id, message_id: m2.id, seq: 2, delivered_at: d.body.delivered_at,
		unread_count: 3 });
	assert.deepEqual((await heard(live, 'message.delivered')).data, { chat_id: chat.id,
		user: { id: num(ben), name: 'Ben' }, seq: 2, message_id: m2.id, delivered_at: d.body.delivered_at });

	const r = await move(ben, m3, 'read'); // reading implies delivered: one event
	assert.deepEqual(r.body, { chat_id: chat.id, message_id: m3.id, seq: 3, read_at: r.body.read_at, unread_count: 0 });
	assert.deepEqual((await heard(live, 'message.read')).data, { chat_id: chat.id,
		user: { id: num(ben), name: 'Ben' }, seq: 3, message_id: m3.id, read_at: r.body.read_at });

	// backwards: where the cursor stands, no event
	const back = await move(ben, m1, 'read');
	assert.deepEqual([back.status, back.body.seq, back.body.message_id, back.body.read_at], [200, 3, m3.id, r.body.read_at]);
	const again = await move(ben, m1, 'delivered');
	assert.deepEqual([again.body.seq, again.body.message_id], [3, m3.id]);
	await send(ann, chat, 'mark');
	await heard(live, 'message.sent', (x) => x.message.body === 'mark');
	assert.deepEqual([left(live, 'message.read'), left(live, 'message.delivered')], [[], []]);
	const row = (await receipts(ann, chat)).find((x) => x.user_id === num(ben));
	assert.deepEqual([row.delivered_seq, row.read_seq, row.read_at], [3, 3, r.body.read_at]);
});

test("the sender's own cursors follow without an event; unread counts those of others", async () => {
	const { ann, ben, chat } = await room();
	const live = await subscribe(await pusher(ben.token), chat.channel);
	await send(ann, chat, '1');
	const m2 = await send(ann, chat, '2');
	assert.equal((await mine(ann, chat)).unread_count, 0);
	assert.equal((await mine(ben, chat)).unread_count, 2);
	const me = (await receipts(ann, chat)).find((r) => r.user_id === num(ann));
	assert.deepEqual([me.delivered_seq, me.read_seq, me.read_at], [2, 2, m2.created_at]);
	await api(ann, 'DELETE', `/api/websocket/messages/${m2.id}`);
	assert.equal((await mine(ben, chat)).unread_count, 2); // deleted ones included
	const m3 = await send(ben, chat, 'answer'); // who writes has read
	assert.deepEqual([(await mine(ben, chat)).unread_count, (await mine(ben, chat)).read_seq], [0, 3]);
	assert.equal((await mine(ann, chat)).unread_count, 1);
	await heard(live, 'message.sent', (x) => x.message.id === m3.id);
	assert.deepEqual(left(live, 'message.read'), []);
});

test('receipts that come at once move once, to the furthest', async () => {
	const { ann, ben, chat } = await room();
	const all = [];
	for (let i = 0; i < 20; i++) all.push(await send(ann, chat, `${i}`));
	const live = await subscribe(await pusher(ann.token), chat.channel);
	const answers = await Promise.all(all.map((m) => move(ben, m, 'read')));
	assert.ok(answers.every((r) => r.status === 200));
	assert.ok(answers.every((r, i) => r.body.seq >= i + 1));
	await heard(live, 'message.read', (d) => d.seq === 20);
	const told = left(live, 'message.read').map((d) => d.seq);
	assert.deepEqual(told, [...told].sort((a, b) => a - b));
	assert.ok(told.length < 20);
});

test('cursors of all participants, for participants', async () => {
	const { ann, ben, chat } = await room();
	const rows = await receipts(ben, chat);
	assert.deepEqual(rows.map((r) => r.user_id), [num(ann), num(ben)]);
	for (const r of rows) {
		assert.deepEqual(r, { user_id: r.user_id, delivered_seq: 0, delivered_at: null, read_seq: 0, read_at: null });
	}
});

test('a participant who joins has read everything', async () => {
	const { ann, chat } = await room();
	const [cyd] = addUsers('Cyd');
	await send(ann, chat, '1');
	await api(ann, 'POST', `/api/websocket/chats/${chat.id}/participants`, { user_id: num(cyd) });
	const row = (await receipts(cyd, chat)).find((r) => r.user_id === num(cyd));
	assert.deepEqual([row.delivered_seq, row.read_seq], [1, 1]);
	assert.match(row.read_at, TIME);
	assert.equal((await mine(cyd, chat)).unread_count, 0);
});

test('chat.sync tells a connection where chat and cursors stand', async () => {
	const { ann, ben, chat } = await room();
	const m1 = await send(ann, chat, '1');
	await send(ann, chat, '2');
	await move(ben, m1, 'read');
	const s = await raw();
	const id = JSON.parse((await s.next('pusher:connection_established')).data).socket_id;
	const auth = await api(ben, 'POST', '/broadcasting/auth', { socket_id: id, channel_name: chat.channel });
	s.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: chat.channel, ...auth.body } }));
	const frames = [];
	while (frames.length < 2) frames.push(await s.tape.next((m) => m.channel === chat.channel));
	assert.equal(frames[0].event, 'pusher_internal:subscription_succeeded');
	assert.equal(frames[1].event, 'chat.sync');
	assert.deepEqual(JSON.parse(frames[1].data), { chat_id: chat.id, last_seq: 2, read_seq: 1, delivered_seq: 1 });
	await send(ann, chat, 'mark');
	await s.next('message.sent');
	assert.ok(!s.tape.items.some((m) => m.event === 'chat.sync' && JSON.parse(m.data).last_seq === 3));
});

test('chat.sync to a connection that nothing identifies has no cursors', async () => {
	const { ann, chat } = await room();
	await send(ann, chat, '1');
	const s = await raw();
	const id = JSON.parse((await s.next('pusher:connection_established')).data).socket_id;
	const auth = server.authorizeChannel(id, chat.channel);
	s.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: chat.channel, ...auth } }));
	const sync = await s.next('chat.sync');
	assert.deepEqual(JSON.parse(sync.data), { chat_id: chat.id, last_seq: 1, read_seq: null, delivered_seq: null });
});

test('numbers in the tables are those of the API', async () => {
	const { ann, ben, chat } = await room();
	await send(ann, chat, '1');
	assert.deepEqual(sql(`SELECT user_id, unread FROM chat.unread WHERE chat_id = ${chat.id}`), [[ben.id, '1']]);
});
