// Shapes of answers, origins, limits, and the settings of the rules.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { api, disconnectAll, pusher, subscribe } from './lib/clients.mjs';
import { base, env } from './lib/house.mjs';
import { openHouse } from './lib/other_house.mjs';
import { addChat, addUser, addUsers, lifeIn, send } from './lib/people.mjs';

let house;
let there;

before(async () => {
	house = await openHouse({
		conf: `
[chat]
members_may_add = no
new_members_see = all
typing_timeout = 500ms
[limits]
message_rate = 1
message_burst = 3
typing_rate = 1
typing_burst = 2
receipt_rate = 1
receipt_burst = 4
authorize_rate = 1
authorize_burst = 5
failed_token_rate = 1
failed_token_burst = 6
max_message_body = 100
max_chat_name = 10
max_participants = 3
[chat]
public_url = https://chat.example.org/live
`,
	});
	there = lifeIn(house);
});

after(async () => {
	disconnectAll();
	await house?.close();
});

const num = (u) => Number(u.id);

test('unknown paths, methods, bodies', async () => {
	const ann = addUser();
	const nothing = await api(ann, 'GET', '/api/websocket/nothing');
	assert.deepEqual([nothing.status, nothing.body], [404, { message: 'Not Found.' }]);
	const method = await api(ann, 'PUT', '/api/websocket/chats', {});
	assert.equal(method.status, 405);
	assert.equal(typeof method.body.message, 'string');
	assert.match(method.headers.get('allow'), /POST/);
	for (const body of ['{', '[]', 'x', '"x"', 'null', '7']) {
		const r = await api(ann, 'POST', '/api/websocket/online-status', body);
		assert.equal(r.status, 400, body);
		assert.equal(typeof r.body.message, 'string');
	}
	const large = await fetch(`${base}/api/websocket/chats/1/messages`, {
		method: 'POST',
		headers: { Authorization: `Bearer ${ann.token}` },
		body: Buffer.alloc(3 << 20, 0x20),
	}).catch((e) => e); // the server need not read what it refuses
	if (!(large instanceof Error)) assert.equal(large.status, 413);
	assert.equal((await api(ann, 'GET', '/api/websocket/connection-info')).status, 200);
});

test('origins: only those of the application, also on refusals', async () => {
	const ann = addUser();
	const from = (origin, method, path, more = {}) => fetch(base + path, { method, headers: { Origin: origin, ...more } });
	const path = '/api/websocket/active-chats';
	const asked = { 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'authorization,x-socket-id' };
	const pre = await from(env.CORS_ORIGIN, 'OPTIONS', path, asked);
	assert.equal(pre.status, 204);
	assert.equal(pre.headers.get('access-control-allow-origin'), env.CORS_ORIGIN);
	assert.match(pre.headers.get('access-control-allow-methods'), /GET/);
	assert.match(pre.headers.get('access-control-allow-headers'), /authorization/i);
	assert.match(pre.headers.get('vary'), /Origin/);
	const strange = await from('https://evil.example', 'OPTIONS', path, asked);
	assert.equal(strange.headers.get('access-control-allow-origin'), null);
	const auth = { Authorization: `Bearer ${ann.token}` };
	for (const [headers, status] of [[auth, 200], [{}, 401]]) {
		const good = await from(env.CORS_ORIGIN, 'GET', path, headers);
		assert.equal(good.status, status);
		assert.equal(good.headers.get('access-control-allow-origin'), env.CORS_ORIGIN);
		const bad = await from('https://evil.example', 'GET', path, headers);
		assert.equal(bad.headers.get('access-control-allow-origin'), null);
	}
	const broadcasting = await from(env.CORS_ORIGIN, 'OPTIONS', '/broadcasting/auth', asked);
	assert.equal(broadcasting.headers.get('access-control-allow-origin'), env.CORS_ORIGIN);
});

test('connection-info: the request, or public_url', async () => {
	const ann = addUser('Ann');
	const { body } = await api(ann, 'GET', '/api/websocket/connection-info');
	assert.deepEqual(body, {
		broadcaster: 'reverb', key: env.APP_KEY, wsHost: env.HOST, wsPort: Number(env.PORT), wssPort: Number(env.PORT),
		wsPath: '', forceTLS: false, enabledTransports: ['ws', 'wss'], authEndpoint: '/broadcasting/auth',
		userAuthentication: { endpoint: '/broadcasting/user-auth', headers: {} },
		user: { id: num(ann), name: 'Ann' },
		channels: { user: `private-user.${ann.id}`, presence: 'presence-users' },
	});
	const other = there.addUser();
	const told = (await there.api(other, 'GET', '/api/websocket/connection-info')).body;
	assert.deepEqual([told.wsHost, told.wssPort, told.wsPath, told.forceTLS, told.authEndpoint],
		['chat.example.org', 443, '/live', true, '/live/broadcasting/auth']);
});

test('X-Socket-ID keeps an event from that socket; a wrong one is ignored', async () => {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const mine = await pusher(ann.token);
	const own = await subscribe(mine, chat.channel);
	const other = await subscribe(await pusher(ben.token), chat.channel);
	await send(ann, chat, 'one', {}, { 'X-Socket-ID': mine.connection.socket_id });
	await other.tape.next((e) => e.event === 'message.sent' && e.data.message.body === 'one');
	for (const wrong of ['1.1', 'x', '', '9'.repeat(100)]) {
		await send(ann, chat, `wrong ${wrong}`, {}, { 'X-Socket-ID': wrong });
		const got = await own.tape.next((e) => e.event === 'message.sent');
		assert.equal(got.data.message.body, `wrong ${wrong}`);
	}
});

/** Calls until it is refused: {passed, refused}. */
async function until429(call) {
	for (let passed = 0; ; passed++) {
		const r = await call(passed);
		if (r.status !== 429) continue;
		assert.deepEqual(r.body, { message: 'Too Many Attempts.' });
		assert.ok(Number(r.headers.get('retry-after')) >= 1);
		return passed;
	}
}

test('limits: by user, each kind on its own, 429 with Retry-After', async () => {
	const [ann, ben] = there.addUsers('Ann', 'Ben');
	const chat = await there.addChat(ann, [ben]);
	const url = `/api/websocket/chats/${chat.id}`;
	const post = (user) => there.api(user, 'POST', `${url}/messages`, { body: 'x' });
	assert.ok(await until429(() => post(ann)) >= 3);
	const m = (await post(ben)).body.message; // another user has a limit of their own
	assert.ok(await until429(() => there.api(ann, 'POST', `${url}/typing`, { is_typing: true })) >= 2);
	assert.ok(await until429((i) => there.api(ann, 'POST', `/api/websocket/messages/${m.id}/${i % 2 ? 'read' : 'delivered'}`)) >= 4);
	assert.ok(await until429(() => there.api(ann, 'POST', '/broadcasting/auth',
		{ socket_id: '1.1', channel_name: 'presence-users' })) >= 5);
	assert.equal((await there.api(ann, 'GET', '/api/websocket/active-chats')).status, 200);
	const again = await there.api(ann, 'POST', `${url}/messages`, { body: 'x' });
	assert.ok([201, 429].includes(again.status));
});

test('failed tokens: by address, and only failing ones are turned away', async () => {
	const ann = there.addUser();
	let n = 0;
	assert.ok(await until429(() => there.api({ token: `x${n++}` }, 'GET', '/api/websocket/active-chats')) >= 6);
	assert.equal((await there.api(ann, 'GET', '/api/websocket/active-chats')).status, 200);
});

test('configured maxima', async () => {
	const [ann, ben, cyd, dan] = there.addUsers('Ann', 'Ben', 'Cyd', 'Dan');
	const chat = await there.addChat(ann, [ben]);
	const long = await there.api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body: 'x'.repeat(101) });
	assert.deepEqual([long.status, Object.keys(long.body.errors)], [422, ['body']]);
	const ids = [ben, cyd, dan, ann].map(num);
	const many = await there.api(ann, 'POST', '/api/websocket/chats', { participant_ids: ids });
	assert.deepEqual([many.status, Object.keys(many.body.errors)], [422, ['participant_ids']]);
	const name = await there.api(ann, 'POST', '/api/websocket/chats', { participant_ids: [], name: 'x'.repeat(11) });
	assert.deepEqual([name.status, Object.keys(name.body.errors)], [422, ['name']]);
});

test('members_may_add = no, new_members_see = all', async () => {
	const [ann, ben, cyd] = there.addUsers('Ann', 'Ben', 'Cyd');
	const chat = await there.addChat(ann, [ben]);
	const m = await there.send(ann, chat, 'old');
	const add = (by) => there.api(by, 'POST', `/api/websocket/chats/${chat.id}/participants`, { user_id: num(cyd) });
	assert.equal((await add(ben)).status, 403);
	assert.equal((await add(ann)).status, 200);
	assert.deepEqual((await there.api(cyd, 'GET', `/api/websocket/chats/${chat.id}/messages`)).body.data, [m]);
	const mine = (await there.api(cyd, 'GET', '/api/websocket/active-chats')).body.data[0];
	assert.deepEqual([mine.last_message, mine.unread_count], [m, 0]);
	const reply = await there.api(cyd, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body: 're', reply_to: m.id });
	assert.equal(reply.status, 201);
	assert.equal((await there.api(cyd, 'POST', `/api/websocket/messages/${m.id}/read`)).status, 200);
});

test('a configured typing_timeout counts in the answer', async () => {
	const ann = there.addUser();
	const chat = await there.addChat(ann, []);
	const r = await there.api(ann, 'POST', `/api/websocket/chats/${chat.id}/typing`, { is_typing: true });
	assert.deepEqual(r.body, { is_typing: true, expires_in: 1 });
});
