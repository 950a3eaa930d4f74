// Two people chat while parts of the server are killed: nothing is lost, nothing comes twice.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import { api, disconnectAll, pusher, server, subscribe } from './lib/clients.mjs';
import { chatId, pids, shell, env, sql, users } from './lib/house.mjs';
import { until } from './lib/wait.mjs';

const [ada, bob] = users;
const chat = `/api/websocket/chats/${chatId}`;

after(disconnectAll);

/** Sends until it is acknowledged, always under the same client_id. */
async function send(user, body) {
	const client_id = randomUUID();
	return until(async () => {
		const r = await api(user, 'POST', `${chat}/messages`, { body, client_id });
		if (r.status !== 200 && r.status !== 201) return null;
		return r.body.message;
	}, `an acknowledgement of ${body}`);
}

/** A client that follows the rule: live events, and a fetch after each (re)subscription. */
async function reader(user) {
	const client = await pusher(user.token);
	const channel = await subscribe(client, `private-chat.${chatId}`);
	const seen = [];
	const [[last]] = sql(`SELECT last_seq FROM chat.chat WHERE chat_id = ${chatId}`);
	let at = Number(last);
	const take = (m) => {
		if (m.seq <= at) return;
		if (m.prev_seq > at) return void fetchMore();
		at = m.seq;
		seen.push(m.body);
	};
	const fetchMore = async () => {
		const r = await api(user, 'GET', `${chat}/messages?after_seq=${at}&limit=200`).catch(() => null);
		if (r?.status === 200) r.body.data.forEach(take);
	};
	channel.bind('message.sent', (d) => take(d.message));
	channel.bind('chat.sync', (d) => d.last_seq > at && fetchMore());
	channel.bind('pusher:subscription_succeeded', fetchMore);
	return { client, channel, seen, fetchMore };
}

async function chatThrough(hurt) {
	const readers = [await reader(ada), await reader(bob)];
	const mark = randomUUID();
	const sent = [];
	for (let i = 0; i < 40; i++) {
		if (i === 10) await hurt();
		const text = `${mark} ${i}`;
		sent.push(text);
		await send(i % 2 ? ada : bob, text);
	}
	for (const r of readers) {
		const mine = () => r.seen.filter((t) => t.startsWith(mark));
		await until(async () => {
			if (mine().length < sent.length) await r.fetchMore();
			return mine().length >= sent.length;
		}, 'all messages');
		assert.deepEqual(mine(), sent);
	}
	const stored = sql(`SELECT body FROM chat.message WHERE chat_id = ${chatId}
		AND body LIKE '${mark}%' ORDER BY seq`).flat();
	assert.deepEqual(stored, sent);
	for (const r of readers) r.client.disconnect();
}

test('kill -9 of a worker', async () => {
	const victim = pids().workers[0];
	await chatThrough(() => process.kill(victim, 'SIGKILL'));
	await until(() => pids().workers.length >= 2 && !pids().workers.includes(victim), 'a new worker');
});

test('kill -9 of the broker', async () => {
	const victim = pids().broker;
	await chatThrough(() => process.kill(victim, 'SIGKILL'));
	await until(() => pids().broker > 0 && pids().broker !== victim, 'a new broker');
});

test('sockets stay through a broker crash, and a publish made meanwhile arrives once', async () => {
	const name = `crash-${randomUUID()}`;
	const subs = [];
	for (let i = 0; i < 4; i++) subs.push(await subscribe(await pusher(), name));
	const ids = subs.map((s) => s.pusher.connection.socket_id);
	process.kill(pids().broker, 'SIGKILL');
	for (let i = 0; i < 10; i++) await until(() => server.trigger(name, 'n', i).then(() => true), 'a 200');
	await server.trigger(name, 'end', 1);
	for (const s of subs) {
		await s.tape.next((e) => e.event === 'end');
		assert.deepEqual(s.tape.items.filter((e) => e.event === 'n').map((e) => e.data),
			[...Array(10).keys()]);
	}
	assert.deepEqual(subs.map((s) => s.pusher.connection.socket_id), ids);
});

test('presence survives a broker crash without a word', async () => {
	const a = await subscribe(await pusher(ada.token), 'presence-users');
	const b = await subscribe(await pusher(bob.token), 'presence-users');
	await until(() => a.members.count >= 2, 'both members');
	a.tape.items.length = 0;
	process.kill(pids().broker, 'SIGKILL');
	const again = await subscribe(await pusher(users[2].token), 'presence-users');
	await until(() => again.members.get(ada.id) && again.members.get(bob.id), 'the old members');
	const words = a.tape.items.filter((e) => e.event === 'pusher:member_removed' &&
		[ada.id, bob.id].includes(e.data.id));
	assert.deepEqual(words, []);
	assert.equal(b.members.get(ada.id).id, ada.id);
	const online = () => sql('SELECT user_id FROM chat.who_is_online').flat();
	await until(() => [ada, bob].every((u) => online().includes(u.id)), 'who_is_online after the crash');
});

test('PostgreSQL away: live events go on, chat writes wait or are 503, then all is well', async () => {
	const name = `live-${randomUUID()}`;
	const s = await subscribe(await pusher(), name);
	shell(env.PG_STOP_CMD);
	try {
		await server.trigger(name, 'e', 1);
		await s.tape.next((e) => e.event === 'e');
		const r = await api(ada, 'POST', `${chat}/messages`, { body: 'while away' });
		assert.equal(r.status, 503);
		assert.ok(Number(r.headers.get('retry-after')) >= 1);
	} finally {
		shell(env.PG_START_CMD);
	}
	const m = await send(ada, 'back');
	assert.equal(m.body, 'back');
	const online = () => sql('SELECT count(*) FROM chat.live_broker').flat()[0];
	await until(() => online() === '1', 'a live broker in the tables');
});
