// Who a caller and a connection are: bearer tokens, revocation, identification.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import { api, disconnectAll, raw, server } from './lib/clients.mjs';
import { base, sql } from './lib/house.mjs';
import { addChat, addToken, addUser, addUsers } from './lib/people.mjs';
import { until } from './lib/wait.mjs';

after(disconnectAll);

const INFO = '/api/websocket/connection-info';
const status = async (user) => (await api(user, 'GET', INFO)).status;

/** An established bare connection; `id` is its socket id. */
async function socket() {
	const s = await raw();
	const { data } = await s.next('pusher:connection_established');
	s.id = JSON.parse(data).socket_id;
	s.subscribe = async (channel, auth) => {
		s.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel, ...auth } }));
		return s.tape.next((m) => m.channel === channel &&
			/^pusher_internal:subscription_succeeded$|^pusher:subscription_error$/.test(m.event), channel);
	};
	return s;
}

async function authorize(user, socketId, channel) {
	const r = await api(user, 'POST', '/broadcasting/auth', { socket_id: socketId, channel_name: channel });
	assert.equal(r.status, 200, JSON.stringify(r.body));
	return r.body;
}

/** Whom the tables show behind a socket, once they show it in that channel. */
async function userOf(s, channel) {
	const row = () => sql(`SELECT coalesce(c.user_id, 'nobody') FROM chat.connections c
		WHERE c.socket_id = '${s.id}' AND EXISTS (SELECT FROM chat.who_is_where w
		WHERE w.socket_id = c.socket_id AND w.channel = '${channel}')`)[0];
	return (await until(row, `${channel} in the tables`))[0];
}

test('a token is known by id and secret, or by the secret alone', async () => {
	const user = addUser('Ann');
	assert.equal(await status(user), 200);
	assert.equal(await status({ token: user.plain }), 200);
	const prefixed = addToken(user, { plain: `shop_${randomUUID()}4f2a9c01` });
	assert.equal(await status(prefixed), 200);
	const lower = await fetch(base + INFO, { headers: { Authorization: `bearer ${user.token}` } });
	assert.equal(lower.status, 200);
});

test('what is no token is refused in the shape of Laravel', async () => {
	const user = addUser();
	const other = addUser();
	const wrong = [`${user.tokenId}|${other.plain}`, `${other.tokenId}|wrong`, `|${user.plain}`,
		`x|${user.plain}`, `${user.tokenId}|`, '', `${user.tokenId}`, `-1|${user.plain}`,
		`99999999999999999999|${user.plain}`, `${user.tokenId}|${'x'.repeat(3000)}`];
	for (const token of wrong) {
		const r = await api({ token }, 'GET', INFO);
		assert.equal(r.status, 401, token.slice(0, 80));
		assert.deepEqual(r.body, { message: 'Unauthenticated.' });
	}
	const basic = await fetch(base + INFO, { headers: { Authorization: `Basic ${user.token}` } });
	assert.equal(basic.status, 401);
});

test('every call needs a token', async () => {
	const calls = [['GET', INFO], ['POST', '/api/websocket/online-status'],
		['POST', '/api/websocket/chats/1/typing'], ['POST', '/api/websocket/messages/1/read'],
		['POST', '/api/websocket/messages/1/delivered'], ['GET', '/api/websocket/active-chats'],
		['GET', '/api/websocket/chats/1/messages'], ['POST', '/api/websocket/chats/1/messages'],
		['PATCH', '/api/websocket/messages/1'], ['DELETE', '/api/websocket/messages/1'],
		['POST', '/api/websocket/chats'], ['POST', '/api/websocket/chats/1/participants'],
		['DELETE', '/api/websocket/chats/1/participants/1'], ['GET', '/api/websocket/chats/1/receipts'],
		['PATCH', '/api/websocket/me'], ['GET', '/api/websocket/users/online'],
		['POST', '/broadcasting/auth'], ['POST', '/broadcasting/user-auth']];
	for (const [method, path] of calls) {
		const r = await api(null, method, path, method === 'GET' ? undefined : {});
		assert.equal(r.status, 401, `${method} ${path}`);
		assert.deepEqual(r.body, { message: 'Unauthenticated.' });
	}
});

test('a token of another kind of owner is none', async () => {
	const user = addUser();
	assert.equal(await status(addToken(user, { type: 'App\\Models\\Admin' })), 401);
	assert.equal(await status(addToken({ id: 'nobody', name: '' })), 401);
});

test('expiry is judged in UTC, whatever zone the session would have', async () => {
	const zones = ['America/New_York', 'Asia/Tokyo'];
	for (const zone of zones) {
		sql(`ALTER ROLE "chat-broker" SET timezone = '${zone}'`);
		sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chat-broker'");
		const user = addUser();
		await until(async () => await status(user) === 200, 'the connections to come back');
		const past = addToken(user, { expires: "now() AT TIME ZONE 'UTC' - interval '1 hour'" });
		const soon = addToken(user, { expires: "now() AT TIME ZONE 'UTC' + interval '1 hour'" });
		assert.equal(await status(past), 401, zone);
		assert.equal(await status(soon), 200, zone);
	}
	sql('ALTER ROLE "chat-broker" RESET timezone');
});

test('a token ends when it expires, although it was remembered', async () => {
	const user = addToken(addUser(), { expires: "now() AT TIME ZONE 'UTC' + interval '2 seconds'" });
	assert.equal(await status(user), 200);
	await until(async () => await status(user) === 401, 'the expiry');
});

test('last_used_at is written, at most once a minute', async () => {
	const [user, later] = addUsers('Ann', 'Ben');
	const used = (u) => sql(`SELECT extract(epoch FROM last_used_at) FROM chat.personal_access_tokens
		WHERE id = ${u.tokenId}`)[0]?.[0];
	assert.equal(await status(user), 200);
	await until(() => used(user), 'last_used_at');
	sql(`UPDATE chat.personal_access_tokens SET last_used_at = now() AT TIME ZONE 'UTC'
		- interval '30 seconds' WHERE id = ${user.tokenId}`);
	const before = used(user);
	assert.equal(await status(user), 200);
	assert.equal(await status(later), 200);
	await until(() => used(later), 'last_used_at of the later one');
	assert.equal(used(user), before);
});

test('a revoked token stops, and closes the connections that it identified', async () => {
	const user = addUser('Ann');
	const second = addToken(user);
	const [mine, other, nobody] = [await socket(), await socket(), await socket()];
	const channel = `private-user.${user.id}`;
	await mine.subscribe(channel, await authorize(user, mine.id, channel));
	await other.subscribe(channel, await authorize(second, other.id, channel));
	await nobody.subscribe('news', {});
	sql(`DELETE FROM chat.personal_access_tokens WHERE id = ${user.tokenId}`);
	const end = await mine.next('closed');
	assert.equal(end.closed, 4009);
	assert.ok(mine.tape.items.some((m) => m.event === 'pusher:error') || end.reason !== '');
	assert.equal(await status(user), 401);
	assert.equal(await status(second), 200);
	for (const s of [other, nobody]) {
		s.say('pusher:ping', {});
		await s.next('pusher:pong');
	}
});

test('tokens that expire by a change, move or are truncated away count as revoked', async () => {
	const user = addUser();
	const changes = [
		(t) => `UPDATE chat.personal_access_tokens SET expires_at = now() AT TIME ZONE 'UTC'
			- interval '1 day' WHERE id = ${t.tokenId}`,
		(t) => `UPDATE chat.personal_access_tokens SET token = repeat('0', 64) WHERE id = ${t.tokenId};
			DELETE FROM chat.personal_access_tokens WHERE id = ${t.tokenId}`,
		(t) => `DELETE FROM chat.app_user WHERE user_id = '${t.id}'`,
	];
	for (const change of changes) {
		const t = addToken(user);
		const s = await socket();
		const auth = await api(t, 'POST', '/broadcasting/user-auth', { socket_id: s.id });
		assert.equal(auth.status, 200);
		s.say('pusher:signin', auth.body);
		await s.next('pusher:signin_success');
		sql(change(t));
		assert.equal((await s.next('closed')).closed, 4009);
		await until(async () => await status(t) === 401, 'the revocation');
	}
});

test('signin identifies: by a signature of the server, or of the backend', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const s = await socket();
	const own = await api(ann, 'POST', '/broadcasting/user-auth', { socket_id: s.id });
	assert.deepEqual(JSON.parse(own.body.user_data),
		{ id: ann.id, user_info: { id: Number(ann.id), name: 'Ann' } });
	s.say('pusher:signin', own.body);
	await s.next('pusher:signin_success');
	await s.subscribe('here', {});
	assert.equal(await userOf(s, 'here'), ann.id);

	const backend = await socket();
	backend.say('pusher:signin', server.authenticateUser(backend.id, { id: ben.id }));
	await backend.next('pusher:signin_success');
	await backend.subscribe('here', {});
	assert.equal(await userOf(backend, 'here'), ben.id);
});

test('a presence subscription identifies by its member', async () => {
	const ann = addUser('Ann');
	const s = await socket();
	const auth = server.authorizeChannel(s.id, 'presence-of-the-backend', { user_id: ann.id });
	await s.subscribe('presence-of-the-backend', auth);
	assert.equal(await userOf(s, 'presence-of-the-backend'), ann.id);
	await until(() => sql(`SELECT 1 FROM chat.who_is_online WHERE user_id = '${ann.id}'`)[0], 'Ann online');
});

test("an authorisation for somebody else's socket identifies nobody", async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const s = await socket();
	const mine = await authorize(ann, s.id, chat.channel);
	await authorize(ben, s.id, chat.channel);
	await s.subscribe(chat.channel, mine); // good, but whose?
	assert.equal(await userOf(s, chat.channel), 'nobody');
	const only = await socket();
	await authorize(ben, only.id, `private-user.${ben.id}`);
	await only.subscribe(chat.channel, await authorize(ann, only.id, chat.channel));
	assert.equal(await userOf(only, chat.channel), ann.id);
});

test('a connection keeps the user that it was first identified as', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const s = await socket();
	const first = `private-user.${ann.id}`;
	const second = `private-user.${ben.id}`;
	await s.subscribe(first, await authorize(ann, s.id, first));
	await s.subscribe(second, await authorize(ben, s.id, second));
	assert.equal(await userOf(s, second), ann.id);
});
