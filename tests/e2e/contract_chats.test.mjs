// Chats and who takes part in them: making, adding, leaving, owners, the inbox.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { api, disconnectAll, pusher, raw, subscribe } from './lib/clients.mjs';
import { sql } from './lib/house.mjs';
import { addChat, addUser, addUsers, send } from './lib/people.mjs';
import { within } from './lib/wait.mjs';

after(disconnectAll);

const FORBIDDEN = { message: 'This action is unauthorized.' };
const CHATS = '/api/websocket/chats';
const num = (u) => Number(u.id);
const people = (chat) => `${CHATS}/${chat.id}/participants`;
const add = (by, chat, user) => api(by, 'POST', people(chat), { user_id: num(user) });
const remove = (by, chat, user) => api(by, 'DELETE', `${people(chat)}/${user.id}`);

/** The user's own channel, with a tape. */
async function inbox(user) {
	return subscribe(await pusher(user.token), `private-user.${user.id}`);
}

const heard = (channel, event, match = () => true) =>
	channel.tape.next((e) => e.event === event && match(e.data), `${event} on ${channel.name}`);

async function activeChats(user, query = '') {
	const r = await api(user, 'GET', `/api/websocket/active-chats${query}`);
	assert.equal(r.status, 200, JSON.stringify(r.body));
	return r.body;
}

test('a chat has the shape of the contract, and each participant is told', async () => {
	const [ann, ben, cyd] = addUsers('Ann', 'Ben', 'Cyd');
	const boxes = [await inbox(ann), await inbox(ben), await inbox(cyd)];
	const r = await api(ann, 'POST', CHATS, { name: 'Trip', participant_ids: [num(ben), num(cyd), num(ben)] });
	assert.equal(r.status, 201);
	const { chat } = r.body;
	assert.deepEqual(Object.keys(chat).sort(), ['id', 'name', 'direct', 'channel', 'presence_channel', 'owner_id',
		'participants', 'participant_count', 'last_message', 'last_seq', 'unread_count', 'read_seq',
		'delivered_seq', 'updated_at'].sort());
	assert.deepEqual({ ...chat, participants: [], updated_at: '' }, {
		id: chat.id, name: 'Trip', direct: false, channel: `private-chat.${chat.id}`,
		presence_channel: `presence-chat.${chat.id}`, owner_id: num(ann), participants: [],
		participant_count: 3, last_message: null, last_seq: 0, unread_count: 0, read_seq: 0,
		delivered_seq: 0, updated_at: '',
	});
	assert.deepEqual(chat.participants.map((p) => [p.id, p.name]),
		[[num(ann), 'Ann'], [num(ben), 'Ben'], [num(cyd), 'Cyd']]);
	for (const p of chat.participants) assert.deepEqual(Object.keys(p), ['id', 'name', 'is_online', 'last_seen_at']);
	for (const box of boxes) {
		const { data } = await heard(box, 'chat.created');
		assert.equal(data.chat.id, chat.id);
		assert.equal(data.chat.participant_count, 3);
	}
});

test('chats are made with users that exist, and good names', async () => {
	const ann = addUser('Ann');
	const bad = [
		[{ participant_ids: [987654321] }, 'participant_ids'], [{ participant_ids: 'x' }, 'participant_ids'],
		[{ participant_ids: ['7'] }, 'participant_ids'], [{ participant_ids: [1.5] }, 'participant_ids'],
		[{}, 'participant_ids'], [{ participant_ids: [], name: 7 }, 'name'],
		[{ participant_ids: [], name: 'n'.repeat(256) }, 'name'], [{ participant_ids: [], direct: 1 }, 'direct'],
		[{ participant_ids: [], direct: true }, 'participant_ids'],
		[{ participant_ids: [num(ann)], direct: true }, 'participant_ids'],
	];
	const [[before]] = sql(`SELECT count(*) FROM chat.participant WHERE user_id = '${ann.id}'`);
	for (const [body, field] of bad) {
		const r = await api(ann, 'POST', CHATS, body);
		assert.equal(r.status, 422, `${JSON.stringify(body).slice(0, 50)}: ${JSON.stringify(r.body)}`);
		assert.ok(r.body.errors[field], JSON.stringify(r.body));
	}
	assert.deepEqual(sql(`SELECT count(*) FROM chat.participant WHERE user_id = '${ann.id}'`), [[before]]);
	const alone = await api(ann, 'POST', CHATS, { participant_ids: [], name: null });
	assert.equal(alone.status, 201);
	assert.equal(alone.body.chat.name, null);
	assert.equal(alone.body.chat.participant_count, 1);
});

test('the direct chat of two users is made once, and stays as it is', async () => {
	const [ann, ben, cyd] = addUsers('Ann', 'Ben', 'Cyd');
	const make = (by, other) => api(by, 'POST', CHATS, { participant_ids: [num(other)], direct: true });
	const all = await Promise.all([make(ann, ben), make(ben, ann), make(ann, ben), make(ben, ann)]);
	assert.deepEqual(all.map((r) => r.status).sort(), [200, 200, 200, 201]);
	assert.equal(new Set(all.map((r) => r.body.chat.id)).size, 1);
	const { chat } = all[0].body;
	assert.equal(chat.direct, true);
	assert.equal(chat.owner_id, null);
	assert.equal((await make(ann, cyd)).status, 201);
	for (const r of [await add(ann, chat, cyd), await remove(ann, chat, ben), await remove(ann, chat, ann)]) {
		assert.equal(r.status, 403);
		assert.deepEqual(r.body, FORBIDDEN);
	}
});

test('participants come: who may add, what is told, nothing twice', async () => {
	const [ann, ben, cyd, eve] = addUsers('Ann', 'Ben', 'Cyd', 'Eve');
	const chat = await addChat(ann, [ben]);
	await send(ann, chat, 'before');
	const live = await subscribe(await pusher(ann.token), chat.channel);
	const box = await inbox(cyd);
	const r = await add(ben, chat, cyd); // members may add by default
	assert.equal(r.status, 200);
	assert.equal(r.body.chat.participant_count, 3);
	assert.equal(r.body.chat.last_message.body, 'before'); // Ben sees it
	assert.deepEqual((await heard(live, 'participant.added')).data,
		{ chat_id: chat.id, user: { id: num(cyd), name: 'Cyd' }, owner_id: num(ann) });
	const told = (await heard(box, 'chat.created')).data.chat;
	assert.equal(told.last_message, null);
	assert.equal(told.unread_count, 0);
	assert.equal((await add(ben, chat, cyd)).status, 200);
	assert.equal((await add(eve, chat, eve)).status, 403);
	for (const user_id of [987654321, '7', null, 1.5, {}]) {
		const bad = await api(ann, 'POST', people(chat), { user_id });
		assert.equal(bad.status, 422, JSON.stringify(bad.body));
		assert.ok(bad.body.errors.user_id);
	}
	await send(ann, chat, 'mark');
	await heard(live, 'message.sent', (d) => d.message.body === 'mark');
	assert.deepEqual(live.tape.items.filter((e) => e.event === 'participant.added'), []);
});

test('a new participant starts at the moment of joining', async () => {
	const [ann, ben, cyd] = addUsers('Ann', 'Ben', 'Cyd');
	const chat = await addChat(ann, [ben]);
	const old = await send(ann, chat, 'old');
	await add(ann, chat, cyd);
	const seen = async () => (await activeChats(cyd)).data.find((c) => c.id === chat.id);
	assert.deepEqual([(await seen()).last_message, (await seen()).unread_count, (await seen()).last_seq], [null, 0, 1]);
	const history = await api(cyd, 'GET', `${CHATS}/${chat.id}/messages`);
	assert.deepEqual(history.body, { data: [], has_more: false });
	const after0 = await api(cyd, 'GET', `${CHATS}/${chat.id}/messages?after_seq=0`);
	assert.deepEqual(after0.body, { data: [], has_more: false });
	assert.equal((await api(cyd, 'POST', `/api/websocket/messages/${old.id}/read`)).status, 403);
	const reply = await api(cyd, 'POST', `${CHATS}/${chat.id}/messages`, { body: 'x', reply_to: old.id });
	assert.equal(reply.status, 422);
	assert.ok(reply.body.errors.reply_to);
	const fresh = await send(ann, chat, 'fresh');
	assert.equal((await seen()).last_message.id, fresh.id);
	assert.equal((await seen()).unread_count, 1);
	assert.deepEqual((await api(cyd, 'GET', `${CHATS}/${chat.id}/messages`)).body.data, [fresh]);
});

test('owners remove, others only leave, and the longest-standing inherits', async () => {
	const [ann, ben, cyd, dan] = addUsers('Ann', 'Ben', 'Cyd', 'Dan');
	const chat = await addChat(ann, [ben, cyd, dan]);
	const live = await subscribe(await pusher(cyd.token), chat.channel);
	const box = await inbox(dan);
	assert.equal((await remove(ben, chat, dan)).status, 403);
	const r = await remove(ann, chat, dan);
	assert.equal(r.status, 200);
	assert.deepEqual(r.body, {});
	const gone = (user, owner) => heard(live, 'participant.removed', (d) => {
		assert.deepEqual(d, { chat_id: chat.id, user: { id: num(user), name: user.name }, owner_id: num(owner) });
		return true;
	});
	await gone(dan, ann);
	assert.deepEqual((await heard(box, 'chat.removed')).data, { chat_id: chat.id });
	assert.equal((await remove(ann, chat, dan)).status, 200);
	assert.equal((await api(dan, 'GET', `${CHATS}/${chat.id}/messages`)).status, 403);
	assert.equal((await remove(ann, chat, ann)).status, 200);
	await gone(ann, ben);
	assert.equal((await remove(ben, chat, cyd)).status, 200); // Ben owns it now
	assert.deepEqual(sql(`SELECT owner_id FROM chat.chat WHERE chat_id = ${chat.id}`), [[ben.id]]);
	assert.equal((await add(ben, chat, cyd)).status, 200);
	assert.equal((await remove(ben, chat, ben)).status, 200);
	assert.deepEqual(sql(`SELECT owner_id FROM chat.chat WHERE chat_id = ${chat.id}`), [[cyd.id]]);
});

test('who is removed loses the channels at once, aliases too, and does not come back', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const s = await raw();
	const id = JSON.parse((await s.next('pusher:connection_established')).data).socket_id;
	const join = (channel, auth) => s.ws.send(JSON.stringify(
		{ event: 'pusher:subscribe', data: { channel, ...auth } }));
	const names = [chat.channel, chat.presence_channel, `presence-${chat.presence_channel}`];
	const auths = {};
	for (const channel of names) {
		const r = await api(ben, 'POST', '/broadcasting/auth', { socket_id: id, channel_name: channel });
		auths[channel] = r.body;
		join(channel, r.body);
		await s.tape.next((m) => m.event === 'pusher_internal:subscription_succeeded' && m.channel === channel);
	}
	const unused = await raw();
	const unusedId = JSON.parse((await unused.next('pusher:connection_established')).data).socket_id;
	const late = (await api(ben, 'POST', '/broadcasting/auth',
		{ socket_id: unusedId, channel_name: chat.channel })).body;
	assert.equal((await remove(ann, chat, ben)).status, 200);
	for (const channel of names) {
		const e = await s.tape.next((m) => m.event === 'pusher:subscription_error' && m.channel === channel);
		const data = typeof e.data === 'string' ? JSON.parse(e.data) : e.data;
		assert.equal(data.status, 403);
	}
	const error = await s.next('pusher:error');
	assert.equal((typeof error.data === 'string' ? JSON.parse(error.data) : error.data).code, 4009);
	assert.equal(error.channel, undefined);
	await send(ann, chat, 'secret');
	for (const channel of names) {
		join(channel, auths[channel]);
		await s.tape.next((m) => m.event === 'pusher:subscription_error' && m.channel === channel);
	}
	unused.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: chat.channel, ...late } }));
	await unused.tape.next((m) => m.event === 'pusher:subscription_error' && m.channel === chat.channel);
	assert.deepEqual(s.tape.items.filter((m) => m.event === 'message.sent'), []);
	assert.equal((await api(ben, 'POST', '/broadcasting/auth', { socket_id: id, channel_name: chat.channel })).status, 403);
	// a participant again: the same socket may, also with the old signature
	assert.equal((await add(ann, chat, ben)).status, 200);
	join(chat.channel, auths[chat.channel]);
	await s.tape.next((m) => m.event === 'pusher_internal:subscription_succeeded' && m.channel === chat.channel);
});

test('a participant whose row is removed in the database loses the channels too', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const channel = await subscribe(await pusher(ben.token), chat.channel);
	const gone = new Promise((resolve) => channel.bind('pusher:subscription_error', resolve));
	sql(`DELETE FROM chat.participant WHERE chat_id = ${chat.id} AND user_id = '${ben.id}'`);
	assert.equal((await within(gone, 'the end of the subscription')).status, 403);
});

test('active chats: newest activity first, in pages', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chats = [];
	for (let i = 0; i < 5; i++) chats.push(await addChat(ann, [ben], { name: `chat ${i}` }));
	const m = await send(ben, chats[1], 'newest');
	const all = await activeChats(ann);
	assert.deepEqual(all.data.map((c) => c.id), [1, 4, 3, 2, 0].map((i) => chats[i].id));
	assert.equal(all.next_cursor, null);
	assert.deepEqual(all.data[0].last_message, m);
	assert.equal(all.data[0].unread_count, 1);
	assert.equal(all.data[0].updated_at, m.created_at);
	const seen = [];
	for (let cursor = ''; cursor !== null;) {
		const page = await activeChats(ann, `?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
		assert.ok(page.data.length <= 2);
		seen.push(...page.data.map((c) => c.id));
		cursor = page.next_cursor;
	}
	assert.deepEqual(seen, all.data.map((c) => c.id));
	for (const query of ['?limit=0', '?limit=x', '?cursor=bad', '?cursor=1-2-3']) {
		const r = await api(ann, 'GET', `/api/websocket/active-chats${query}`);
		assert.equal(r.status, 422, query);
	}
	assert.deepEqual(await activeChats(addUser()), { data: [], next_cursor: null });
});

test('chat.activity: everybody at a message, the last one edited or deleted, the reader alone', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const [a, b] = [await inbox(ann), await inbox(ben)];
	const line = async (box, unread, match = () => true) => {
		const { data } = await heard(box, 'chat.activity', match);
		assert.equal(data.chat_id, chat.id);
		assert.equal(data.unread_count, unread);
		return data;
	};
	const first = await send(ann, chat, 'one');
	assert.deepEqual((await line(a, 0)).last_message, first);
	assert.deepEqual((await line(b, 1)).last_message, first);
	const second = await send(ann, chat, 'two');
	await line(a, 0);
	await line(b, 2);
	await api(ann, 'PATCH', `/api/websocket/messages/${first.id}`, { body: 'not the last' });
	await api(ann, 'PATCH', `/api/websocket/messages/${second.id}`, { body: 'two!' });
	assert.equal((await line(b, 2)).last_message.body, 'two!');
	assert.equal((await line(a, 0)).last_message.body, 'two!');
	await api(ben, 'POST', `/api/websocket/messages/${second.id}/read`);
	assert.equal((await line(b, 0)).last_message.body, 'two!');
	await api(ann, 'DELETE', `/api/websocket/messages/${second.id}`);
	assert.equal((await line(a, 0)).last_message.body, ''); // Ben's reading was not told to Ann
	assert.notEqual((await line(b, 0)).last_message.deleted_at, null);
	assert.deepEqual(a.tape.items.filter((e) => e.event === 'chat.activity'), []);
});

test('participants shown: 50 of the longest standing, and the count', async () => {
	const ann = addUser('Ann');
	const ids = sql(`INSERT INTO chat.app_user (user_id, name)
		SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint * 1000 + i, 'U' || i
		FROM generate_series(1, 60) i RETURNING user_id`).flat().map(Number);
	const chat = await addChat(ann, ids.map((id) => ({ id })));
	assert.equal(chat.participant_count, 61);
	assert.deepEqual(chat.participants.map((p) => p.id), [num(ann), ...ids.slice(0, 49)]);
	const listed = (await activeChats(ann)).data.find((c) => c.id === chat.id);
	assert.equal(listed.participants.length, 50);
	assert.equal(listed.participant_count, 61);
});
