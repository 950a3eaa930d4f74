// The database is away: what answers at once, what goes on, what catches up.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import { api, disconnectAll, pusher, server, subscribe } from './lib/clients.mjs';
import { env, shell, sql } from './lib/house.mjs';
import { addChat, addUser, addUsers, send } from './lib/people.mjs';
import { until } from './lib/wait.mjs';

after(async () => {
	disconnectAll();
	shell(env.PG_START_CMD);
});

test('an outage: live traffic goes on, calls are told to come back, all catches up', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const stranger = addUser('Cyd');
	const chat = await addChat(ann, [ben]);
	await send(ann, chat, 'before');
	const [a, b] = [await pusher(ann.token), await pusher(ben.token)];
	const users = await subscribe(b, 'presence-users');
	const live = await subscribe(b, chat.channel);
	const room = await subscribe(b, chat.presence_channel);
	const mine = await subscribe(a, chat.presence_channel);
	const open = await subscribe(b, 'news');
	// the answers of the rules are remembered
	await api(ann, 'POST', `/api/websocket/chats/${chat.id}/typing`, { is_typing: false });
	await subscribe(a, 'presence-users');
	await users.tape.next((e) => e.event === 'user.status.changed' && e.data.user.id === Number(ann.id));

	shell(env.PG_STOP_CMD);
	const client_id = randomUUID();
	const post = () => api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body: 'during', client_id });
	const away = await post();
	assert.equal(away.status, 503);
	assert.equal(typeof away.body.message, 'string');
	assert.ok(Number(away.headers.get('retry-after')) >= 1);
	for (const [method, path] of [['GET', 'active-chats'], ['GET', `chats/${chat.id}/messages`]]) {
		assert.equal((await api(ann, method, `/api/websocket/${path}`)).status, 503, path);
	}
	// a token that was checked goes on, one that was not is told to come back
	assert.equal((await api(ann, 'GET', '/api/websocket/connection-info')).status, 200);
	assert.equal((await api(stranger, 'GET', '/api/websocket/connection-info')).status, 503);

	// live Pusher traffic, client events, typing and presence come from memory
	await server.trigger('news', 'flash', { n: 1 });
	await open.tape.next((e) => e.event === 'flash');
	mine.trigger('client-nudge', { n: 1 });
	await room.tape.next((e) => e.event === 'client-nudge');
	assert.equal((await api(ann, 'POST', `/api/websocket/chats/${chat.id}/typing`, { is_typing: true })).status, 200);
	await room.tape.next((e) => e.event === 'user.typing' && e.data.is_typing);
	a.disconnect();
	await room.tape.next((e) => e.event === 'pusher:member_removed');
	await users.tape.next((e) => e.event === 'user.status.changed' &&
		e.data.user.id === Number(ann.id) && !e.data.user.is_online);

	shell(env.PG_START_CMD);
	const sent = await until(async () => {
		const r = await post();
		return [200, 201].includes(r.status) && r.body.message;
	}, 'the message');
	assert.equal(sent.seq, 2);
	await live.tape.next((e) => e.event === 'message.sent' && e.data.message.id === sent.id);
	// each connection of the broker comes back in its own time
	const again = await until(async () => {
		const r = await post();
		return r.status !== 503 && r;
	}, 'the same message again');
	assert.deepEqual([again.status, again.body.message], [200, sent]);
	assert.deepEqual(sql(`SELECT count(*) FROM chat.message WHERE client_id = '${client_id}'`), [['1']]);
	await until(() => sql(`SELECT 1 FROM chat.last_seen WHERE user_id = '${ann.id}' AND NOT is_online
		AND last_seen IS NOT NULL`)[0], 'last seen in the table');
	await until(() => sql(`SELECT 1 FROM chat.who_is_online WHERE user_id = '${ben.id}'`)[0], 'the mirror');
	await until(async () => (await api(ben, 'GET', '/api/websocket/active-chats')).status === 200,
		'look-ups');
	await until(async () => (await api(ben, 'POST', '/api/websocket/chats', { participant_ids: [] })).status !== 503,
		'chats');
});

test('PostgreSQL crashes: the mirror is written anew, and no message is lost', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const b = await pusher(ben.token);
	await subscribe(b, chat.presence_channel);
	await until(() => sql(`SELECT 1 FROM chat.who_is_where WHERE channel = '${chat.presence_channel}'`)[0], 'the mirror');
	const kept = await send(ann, chat, 'kept');
	// the end of one server process by SIGKILL makes PostgreSQL recover and empty its unlogged tables
	const [[pid]] = sql("SELECT pid FROM pg_stat_activity WHERE usename = 'chat-broker' LIMIT 1");
	process.kill(Number(pid), 'SIGKILL');
	await until(() => sql(`SELECT 1 FROM chat.who_is_where WHERE channel = '${chat.presence_channel}'`)[0],
		'the mirror to be written anew');
	const next = await until(async () => {
		const r = await api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body: 'next' });
		return r.status === 201 && r.body.message;
	}, 'the next message');
	const page = await until(async () => {
		const r = await api(ben, 'GET', `/api/websocket/chats/${chat.id}/messages`);
		return r.status === 200 && r.body.data;
	}, 'the history');
	assert.deepEqual(page.map((m) => m.id).filter((id) => id <= kept.id), [kept.id]);
	assert.ok(next.seq > kept.seq);
});
