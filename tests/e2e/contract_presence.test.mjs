// Typing, online status, appearing offline, who may see last_seen_at.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { api, disconnectAll, pusher, subscribe } from './lib/clients.mjs';
import { env, sql } from './lib/house.mjs';
import { addChat, addUser, addUsers, send } from './lib/people.mjs';
import { until, within } from './lib/wait.mjs';

after(disconnectAll);

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const num = (u) => Number(u.id);
const typing = (user, chat, is_typing, headers) =>
	api(user, 'POST', `/api/websocket/chats/${chat.id}/typing`, { is_typing }, headers);
const setOnline = (user, is_online) => api(user, 'POST', '/api/websocket/online-status', { is_online });

async function people(user, ids) {
	const query = ids ? `?ids=${ids.map((u) => u.id).join(',')}` : '';
	const r = await api(user, 'GET', `/api/websocket/users/online${query}`);
	assert.equal(r.status, 200, JSON.stringify(r.body));
	return r.body.data;
}

/** A client of the user that presence counts. */
async function online(user) {
	const client = await pusher(user.token);
	client.users = await subscribe(client, 'presence-users');
	return client;
}

/** Somebody who watches what presence-users tells. */
async function watcher() {
	const { users } = await online(addUser('Watcher'));
	return {
		status: (user, is_online) => users.tape.next((e) => e.event === 'user.status.changed' &&
			e.data.user.id === num(user) && e.data.user.is_online === is_online, `${user.name} online: ${is_online}`),
		left: (user) => users.tape.items.filter((e) => e.event === 'user.status.changed' &&
			e.data.user.id === num(user)),
	};
}

/** An event that comes after all that was caused before. */
async function mark(w) {
	const user = addUser('Mark');
	await online(user);
	await w.status(user, true);
}

async function room() {
	const [ann, ben] = addUsers('Ann', 'Ben');
	const chat = await addChat(ann, [ben]);
	const channel = await subscribe(await pusher(ben.token), chat.presence_channel);
	const told = (is_typing) => channel.tape.next((e) => e.event === 'user.typing' &&
		e.data.is_typing === is_typing, `typing ${is_typing}`);
	return { ann, ben, chat, channel, told };
}

test('typing is told and ends by itself', async () => {
	const { ann, chat, told } = await room();
	const r = await typing(ann, chat, true);
	assert.deepEqual([r.status, r.body], [200, { is_typing: true, expires_in: 6 }]);
	assert.deepEqual((await told(true)).data,
		{ chat_id: chat.id, user: { id: num(ann), name: 'Ann' }, is_typing: true });
	await told(false);
});

test('typing ends with a message, a stop, a leave, the last connection, the participant', async () => {
	const { ann, ben, chat, channel, told } = await room();
	await typing(ann, chat, true);
	await told(true);
	await send(ann, chat, 'typed');
	await told(false);

	await typing(ann, chat, true);
	await told(true);
	const r = await typing(ann, chat, false);
	assert.deepEqual(r.body, { is_typing: false, expires_in: 6 });
	await told(false);

	const mine = await pusher(ann.token);
	const joined = await subscribe(mine, chat.presence_channel);
	await typing(ann, chat, true);
	await told(true);
	joined.unsubscribe();
	await told(false);

	const other = await online(ann);
	mine.disconnect();
	await typing(ann, chat, true);
	await told(true);
	other.disconnect();
	await told(false);

	const cyd = addUser('Cyd');
	await api(ann, 'POST', `/api/websocket/chats/${chat.id}/participants`, { user_id: num(cyd) });
	await typing(cyd, chat, true);
	await told(true);
	await api(ann, 'DELETE', `/api/websocket/chats/${chat.id}/participants/${cyd.id}`);
	await told(false);

	// a stop without a start tells nobody
	await typing(ben, chat, false);
	await typing(ann, chat, true);
	await told(true);
	assert.deepEqual(channel.tape.items.filter((e) => e.event === 'user.typing'), []);
});

test('repeats only extend, and are told again after a while', async () => {
	const { ann, chat, channel, told } = await room();
	const begin = Date.now();
	let repeats = 0;
	await typing(ann, chat, true);
	await told(true);
	const again = told(true);
	let heard = false;
	again.then(() => (heard = true));
	while (!heard) {
		assert.ok([200, 429].includes((await typing(ann, chat, true)).status));
		repeats++;
		await new Promise((resolve) => setTimeout(resolve, 300));
	}
	assert.ok(repeats >= 2, `${repeats} repeats`);
	assert.ok(Date.now() - begin >= 2500, 'at most every 3 s');
	assert.deepEqual(channel.tape.items.filter((e) => e.event === 'user.typing' && !e.data.is_typing), []);
	await told(false);
});

test("X-Socket-ID keeps typing from that socket; the typist's other devices hear it", async () => {
	const { ann, chat, told } = await room();
	const [one, two] = [await pusher(ann.token), await pusher(ann.token)];
	const [a, b] = [await subscribe(one, chat.presence_channel), await subscribe(two, chat.presence_channel)];
	await typing(ann, chat, true, { 'X-Socket-ID': one.connection.socket_id });
	await told(true);
	await b.tape.next((e) => e.event === 'user.typing');
	await typing(ann, chat, false);
	await a.tape.next((e) => e.event === 'user.typing' && !e.data.is_typing);
	assert.deepEqual(a.tape.items.filter((e) => e.event === 'user.typing'), []);
});

test('only participants type, with a flag', async () => {
	const { ann, chat } = await room();
	const r = await typing(addUser(), chat, true);
	assert.deepEqual([r.status, r.body], [403, { message: 'This action is unauthorized.' }]);
	for (const bad of [1, 'true', null, undefined]) {
		const answer = await typing(ann, chat, bad);
		assert.equal(answer.status, 422);
		assert.ok(answer.body.errors.is_typing);
	}
});

test('client events work beside it', async () => {
	const { ann, chat, channel } = await room();
	const mine = await subscribe(await pusher(ann.token), chat.presence_channel);
	const heard = new Promise((resolve) => channel.bind('client-typing', (...args) => resolve(args)));
	mine.trigger('client-typing', { name: 'Ann' });
	assert.deepEqual(await within(heard, 'client-typing'), [{ name: 'Ann' }, { user_id: ann.id }]);
});

test('online with the first connection, offline after the last and the grace, told once', async () => {
	const w = await watcher();
	const user = addUser('Ann');
	const [one, two] = [await online(user), await online(user)];
	const on = (await w.status(user, true)).data.user;
	assert.deepEqual([on.id, on.name], [num(user), 'Ann']);
	one.disconnect();
	await mark(w);
	const before = Date.now();
	two.disconnect();
	const off = (await w.status(user, false)).data.user;
	assert.match(off.last_seen_at, TIME);
	// the moment the last connection went, not the end of the grace
	assert.ok(Date.parse(off.last_seen_at) < Date.now() - Number(env.OFFLINE_GRACE_S) * 1000 + 500);
	assert.ok(Date.parse(off.last_seen_at) >= before - 500);
	await until(() => sql(`SELECT 1 FROM chat.last_seen WHERE user_id = '${user.id}'
		AND abs(extract(epoch FROM last_seen) * 1000 - ${Date.parse(off.last_seen_at)}) < 2`)[0], 'the table');
	assert.deepEqual(w.left(user), []);
});

test('a short absence is silent', async () => {
	const w = await watcher();
	const user = addUser('Ann');
	const client = await online(user);
	await w.status(user, true);
	client.disconnect();
	const back = await online(user);
	await mark(w);
	assert.deepEqual(w.left(user), []);
	back.disconnect();
	await w.status(user, false);
});

test('appear offline: hidden from others, channels go on, last_seen_at stands still', async () => {
	const w = await watcher();
	const [user, friend] = addUsers('Ann', 'Ben');
	const chat = await addChat(user, [friend]);
	const client = await online(user);
	const own = await subscribe(client, chat.channel);
	await w.status(user, true);
	const r = await setOnline(user, false);
	assert.equal(r.status, 200);
	assert.match(r.body.user.last_seen_at, TIME);
	assert.deepEqual(r.body, { user: { id: num(user), name: 'Ann', is_online: false,
		last_seen_at: r.body.user.last_seen_at } });
	assert.equal((await w.status(user, false)).data.user.last_seen_at, r.body.user.last_seen_at);
	assert.deepEqual((await people(friend)).map((p) => [p.id, p.is_online, p.last_seen_at]),
		[[num(user), false, r.body.user.last_seen_at]]);
	await send(friend, chat, 'still there?');
	await own.tape.next((e) => e.event === 'message.sent');
	await setOnline(user, false); // again: nothing changes
	await mark(w);
	assert.deepEqual(w.left(user), []);
	assert.equal((await people(friend))[0].last_seen_at, r.body.user.last_seen_at);
	// the table of presence for DBAs shows who is really there
	assert.ok(sql(`SELECT 1 FROM chat.who_is_online WHERE user_id = '${user.id}'`)[0]);
	const shown = await setOnline(user, true);
	assert.equal(shown.body.user.is_online, true);
	await w.status(user, true);
	assert.equal((await people(friend))[0].is_online, true);
});

test('hiding ends after an absence longer than the grace, when a new connection opens', async () => {
	const w = await watcher();
	const user = addUser('Ann');
	const client = await online(user);
	await w.status(user, true);
	await setOnline(user, false);
	await w.status(user, false);
	const back = await online(user); // within the grace: stays hidden
	client.disconnect();
	await mark(w);
	assert.deepEqual(w.left(user), []);
	back.disconnect();
	await until(() => !sql(`SELECT 1 FROM chat.who_is_online WHERE user_id = '${user.id}'`)[0], 'the end of the grace');
	await online(user);
	await w.status(user, true);
});

test('online-status wants a flag', async () => {
	const user = addUser();
	for (const is_online of [1, 'yes', null, undefined]) {
		const r = await setOnline(user, is_online);
		assert.equal(r.status, 422);
		assert.ok(r.body.errors.is_online);
	}
});

test('users online: those who share a chat, of them the named ones', async () => {
	const [ann, ben, cyd, eve] = addUsers('Ann', 'Ben', 'Cyd', 'Eve');
	await addChat(ann, [ben, cyd]);
	await online(ben);
	const all = await until(async () => {
		const rows = await people(ann);
		return rows.some((p) => p.is_online) && rows;
	}, 'Ben online');
	assert.deepEqual(all.map((p) => [p.id, p.name, p.is_online]).sort((a, b) => a[0] - b[0]),
		[[num(ben), 'Ben', true], [num(cyd), 'Cyd', false]].sort((a, b) => a[0] - b[0]));
	assert.deepEqual((await people(ann, [cyd, eve])).map((p) => p.id), [num(cyd)]);
	assert.deepEqual(await people(eve), []);
	for (const query of ['?ids=x', '?ids=1,,2', '?ids=1.5']) {
		const r = await api(ann, 'GET', `/api/websocket/users/online${query}`);
		assert.equal(r.status, 422, query);
	}
});

test('last_seen_at is for everyone, for contacts, or for nobody', async () => {
	const w = await watcher();
	const [user, friend] = addUsers('Ann', 'Ben');
	const chat = await addChat(user, [friend]);
	const set = (last_seen) => api(user, 'PATCH', '/api/websocket/me', { last_seen });
	const seen = async () => {
		const listed = (await api(friend, 'GET', '/api/websocket/active-chats')).body.data[0];
		assert.equal(listed.id, chat.id);
		const shown = listed.participants.find((p) => p.id === num(user)).last_seen_at;
		assert.equal((await people(friend))[0].last_seen_at, shown);
		return shown;
	};
	const comeAndGo = async () => {
		const client = await online(user);
		await w.status(user, true);
		client.disconnect();
		return (await w.status(user, false)).data.user.last_seen_at;
	};
	const r = await set('everyone');
	assert.deepEqual([r.status, r.body], [200, { user: { id: num(user), name: 'Ann', is_online: false,
		last_seen_at: null, last_seen: 'everyone' } }]);
	assert.match(await comeAndGo(), TIME);
	assert.match(await seen(), TIME);
	assert.equal((await set('contacts')).body.user.last_seen, 'contacts');
	assert.equal(await comeAndGo(), null); // an event is for all
	assert.match(await seen(), TIME);
	const nobody = await set('nobody');
	assert.match(nobody.body.user.last_seen_at, TIME); // of oneself
	assert.equal(await comeAndGo(), null);
	assert.equal(await seen(), null);
	for (const bad of ['all', 7, null, undefined]) {
		const answer = await set(bad);
		assert.equal(answer.status, 422);
		assert.ok(answer.body.errors.last_seen);
	}
});
