// The chat as an application's front end uses it, through Laravel Echo, and as a DBA sees it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import { api, disconnectAll, echo, pusher, subscribe } from './lib/clients.mjs';
import { chatId, env, sql, users } from './lib/house.mjs';
import { Tape, until } from './lib/wait.mjs';

const [ada, bob, eve] = users;
const chat = `/api/websocket/chats/${chatId}`;

after(disconnectAll);

async function send(user, body, extra = {}) {
	const r = await api(user, 'POST', `${chat}/messages`, { body, ...extra });
	assert.equal(r.status, 201, JSON.stringify(r.body));
	return r.body.message;
}

test('connection-info is what Echo needs', async () => {
	const r = await api(ada, 'GET', '/api/websocket/connection-info');
	assert.equal(r.status, 200);
	assert.equal(r.body.broadcaster, 'reverb');
	assert.equal(r.body.key, env.APP_KEY);
	assert.equal(String(r.body.wsPort), env.PORT);
	assert.equal(r.body.forceTLS, false);
	assert.equal(String(r.body.user.id), ada.id);
	assert.equal(r.body.channels.user, `private-user.${ada.id}`);
});

test('without a good token there is nothing', async () => {
	for (const user of [undefined, { token: '1|wrong' }, { token: 'x' }]) {
		const r = await api(user, 'GET', '/api/websocket/connection-info');
		assert.equal(r.status, 401);
		assert.deepEqual(r.body, { message: 'Unauthenticated.' });
	}
});

test('a message reaches the others live, and stands in the history', async () => {
	const e = await echo(bob);
	const tape = new Tape();
	e.private(`chat.${chatId}`).listen('.message.sent', (data) => tape.push(data));
	await until(() => e.connector.channels[`private-chat.${chatId}`].subscription.subscribed,
		'the channel');
	const text = `hello ${randomUUID()} ünïcode`;
	const sent = await send(ada, text);
	assert.equal(sent.body, text);
	assert.equal(String(sent.user.id), ada.id);
	assert.equal(sent.prev_seq, sent.seq - 1);
	const got = await tape.next((d) => d.message.body === text);
	assert.deepEqual(got.message, sent);
	const r = await api(bob, 'GET', `${chat}/messages?limit=1`);
	assert.deepEqual(r.body.data, [sent]);
	assert.equal(r.body.has_more, sent.seq > 1);
});

test("the guide's own listener and channel names work", async () => {
	if (env.EVENT_NAMES !== 'both') return;
	const e = await echo(bob);
	const tape = new Tape();
	e.private(`chat.${chatId}`).listen('message.sent', (data) => tape.push(data));
	const joined = new Tape();
	e.join(`presence-chat.${chatId}`).here((members) => joined.push(members));
	const members = await joined.next();
	assert.ok(members.some((m) => String(m.id) === bob.id));
	const text = randomUUID();
	await send(ada, text);
	await tape.next((d) => d.message.body === text);
});

test('the same client_id is one message', async () => {
	const client_id = randomUUID();
	const first = await send(ada, 'once', { client_id });
	const again = await api(ada, 'POST', `${chat}/messages`, { body: 'once', client_id });
	assert.equal(again.status, 200);
	assert.deepEqual(again.body.message, first);
	const other = await api(bob, 'POST', `${chat}/messages`, { body: 'once', client_id });
	assert.equal(other.status, 201);
});

test('history is paged by seq in both directions', async () => {
	const sent = [];
	for (let i = 0; i < 5; i++) sent.push(await send(ada, `page ${i}`));
	const newest = await api(ada, 'GET', `${chat}/messages?limit=3`);
	assert.deepEqual(newest.body.data.map((m) => m.seq), sent.slice(2).map((m) => m.seq));
	const before = await api(ada, 'GET', `${chat}/messages?before_seq=${sent[2].seq}&limit=2`);
	assert.deepEqual(before.body.data.map((m) => m.seq), sent.slice(0, 2).map((m) => m.seq));
	const behind = await api(ada, 'GET', `${chat}/messages?after_seq=${sent[3].seq}`);
	assert.deepEqual(behind.body.data, [sent[4]]);
	assert.equal(behind.body.has_more, false);
});

test('bad input is named, and nothing is stored', async () => {
	const bad = async (body, status, field) => {
		const r = await api(ada, 'POST', `${chat}/messages`, body);
		assert.equal(r.status, status, JSON.stringify(r.body));
		if (field) assert.ok(r.body.errors[field], JSON.stringify(r.body));
	};
	const [[count]] = sql(`SELECT count(*) FROM chat.message WHERE chat_id = ${chatId}`);
	await bad({}, 422, 'body');
	await bad({ body: '' }, 422, 'body');
	await bad({ body: 7 }, 422, 'body');
	await bad({ body: 'x'.repeat(8001) }, 422, 'body');
	await bad({ body: 'x', client_id: 'no uuid' }, 422, 'client_id');
	await bad({ body: 'x', meta: 'no object' }, 422, 'meta');
	await bad({ body: 'x', reply_to: 999999999 }, 422, 'reply_to');
	await bad('{', 400);
	await bad('[]', 400);
	assert.deepEqual(sql(`SELECT count(*) FROM chat.message WHERE chat_id = ${chatId}`), [[count]]);
});

test('who has no part in a chat is told nothing of it', async () => {
	for (const path of [chat, '/api/websocket/chats/999999']) {
		const r = await api(eve, 'GET', `${path}/messages`);
		assert.equal(r.status, 403);
		assert.deepEqual(r.body, { message: 'This action is unauthorized.' });
	}
	const client = await pusher(eve.token);
	await assert.rejects(subscribe(client, `private-chat.${chatId}`));
});

test('delivered and read move forward and are told once', async () => {
	const a = await subscribe(await pusher(ada.token), `private-chat.${chatId}`);
	const m = await send(ada, 'please read');
	const got = (event) => a.tape.next((e) => e.event === event && e.data.seq === m.seq, event);
	const delivered = await api(bob, 'POST', `/api/websocket/messages/${m.id}/delivered`);
	assert.equal(delivered.status, 200, JSON.stringify(delivered.body));
	assert.equal(delivered.body.seq, m.seq);
	const d = await got('message.delivered');
	assert.equal(String(d.data.user.id), bob.id);
	const read = await api(bob, 'POST', `/api/websocket/messages/${m.id}/read`);
	assert.equal(read.body.unread_count, 0);
	await got('message.read');
	const repeated = await api(bob, 'POST', `/api/websocket/messages/${m.id}/read`);
	assert.equal(repeated.status, 200);
	const mark = await send(ada, 'mark');
	await a.tape.next((e) => e.event === 'message.sent' && e.data.message.seq === mark.seq);
	assert.equal(a.tape.items.filter((e) => e.event === 'message.read' && e.data.seq === m.seq).length, 0);
});

test('typing shows and ends with a message', async () => {
	const b = await subscribe(await pusher(bob.token), `presence-chat.${chatId}`);
	const typing = (on) => b.tape.next((e) => e.event === 'user.typing' && e.data.is_typing === on,
		`typing ${on}`);
	const r = await api(ada, 'POST', `${chat}/typing`, { is_typing: true });
	assert.deepEqual(r.body, { is_typing: true, expires_in: 6 });
	const shown = await typing(true);
	assert.equal(String(shown.data.user.id), ada.id);
	await send(ada, 'typed');
	await typing(false);
	assert.equal((await api(eve, 'POST', `${chat}/typing`, { is_typing: true })).status, 403);
});

test('active chats, newest first, with what is unread', async () => {
	const m = await send(ada, 'unread');
	const r = await api(bob, 'GET', '/api/websocket/active-chats');
	assert.equal(r.status, 200);
	const mine = r.body.data.find((c) => c.id === chatId);
	assert.equal(mine.last_message.seq, m.seq);
	assert.ok(mine.unread_count >= 1);
	assert.deepEqual(mine.participants.map((p) => String(p.id)).sort(), [ada.id, bob.id].sort());
	assert.deepEqual((await api(eve, 'GET', '/api/websocket/active-chats')).body.data
		.filter((c) => c.id === chatId), []);
});

test('the tables show who is where', async () => {
	const online = (user) => sql('SELECT user_id, connections FROM chat.who_is_online')
		.find(([id]) => id === user.id);
	const client = await pusher(eve.token);
	await subscribe(client, 'presence-users');
	await until(() => online(eve), 'Eve in who_is_online');
	const where = () => sql(`SELECT channel FROM chat.who_is_where WHERE user_id = '${eve.id}'`).flat();
	await until(() => where().includes('presence-users'), 'Eve in who_is_where');
	client.disconnect();
	await until(() => !online(eve) || online(eve)[1] === '0', 'Eve gone from who_is_online');
	await until(() => where().length === 0, 'Eve gone from who_is_where');
});

test('a status change is told once, with last seen', async () => {
	const watcher = await subscribe(await pusher(ada.token), 'presence-users');
	const client = await pusher(eve.token);
	await subscribe(client, 'presence-users');
	const status = (on) => watcher.tape.next((e) => e.event === 'user.status.changed' &&
		String(e.data.user.id) === eve.id && e.data.user.is_online === on, `Eve online: ${on}`);
	client.disconnect();
	const off = await status(false);
	assert.ok(Date.parse(off.data.user.last_seen_at) <= Date.now());
	const back = await pusher(eve.token);
	await subscribe(back, 'presence-users');
	await status(true);
});
