// A database that a Laravel application made and filled, mapped by the statements of the preset.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { clientsOf, disconnectAll, subscribe } from './lib/clients.mjs';
import { chatctl, openHouse, root } from './lib/other_house.mjs';
import { sha256 } from './lib/people.mjs';
import { until, within } from './lib/wait.mjs';

const PRESETS = path.join(root, 'sql/presets');

// As `php artisan migrate` makes them for PostgreSQL.
const TABLES = `
CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(255) NOT NULL, email varchar(255) NOT NULL UNIQUE,
	email_verified_at timestamp(0) without time zone, password varchar(255) NOT NULL, remember_token varchar(100),
	created_at timestamp(0) without time zone, updated_at timestamp(0) without time zone);
CREATE TABLE chats (id bigserial PRIMARY KEY, name varchar(255), created_at timestamp(0) without time zone,
	updated_at timestamp(0) without time zone);
CREATE TABLE chat_participants (id bigserial PRIMARY KEY,
	chat_id bigint NOT NULL REFERENCES chats ON DELETE CASCADE, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	created_at timestamp(0) without time zone, updated_at timestamp(0) without time zone, UNIQUE (chat_id, user_id));
CREATE TABLE messages (id bigserial PRIMARY KEY, chat_id bigint NOT NULL REFERENCES chats ON DELETE CASCADE,
	user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, body text NOT NULL,
	created_at timestamp(0) without time zone, updated_at timestamp(0) without time zone);
CREATE TABLE personal_access_tokens (id bigserial PRIMARY KEY, tokenable_type varchar(255) NOT NULL,
	tokenable_id bigint NOT NULL, name varchar(255) NOT NULL, token varchar(64) NOT NULL UNIQUE, abilities text,
	last_used_at timestamp(0) without time zone, expires_at timestamp(0) without time zone,
	created_at timestamp(0) without time zone, updated_at timestamp(0) without time zone);
CREATE INDEX personal_access_tokens_tokenable ON personal_access_tokens (tokenable_type, tokenable_id);
`;

// Messages of two chats by turns, so that the ids of each chat have gaps; one has gone for good.
const DATA = `
INSERT INTO users (name, email, password, created_at, updated_at)
	SELECT n, lower(n) || '@example.org', 'x', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
	FROM unnest(ARRAY['Ada', 'Grace', 'Alan', 'Edsger']) n;
INSERT INTO chats (name, created_at, updated_at) VALUES ('Team', '2024-05-01 10:00', '2024-05-01 10:00'),
	(NULL, '2024-05-02 10:00', '2024-05-02 10:00');
INSERT INTO chat_participants (chat_id, user_id, created_at) VALUES (1, 2, now()), (1, 1, now()), (1, 3, now()),
	(2, 1, now()), (2, 2, now());
INSERT INTO messages (chat_id, user_id, body, created_at, updated_at)
	SELECT 1 + (i % 3 = 0)::int, 1 + (i % 2), 'old ' || i, timestamp '2024-05-03 10:00' + i * interval '1 minute', NULL
	FROM generate_series(1, 390) i;
DELETE FROM messages WHERE id = 100;
`;

let house;
let clients;
let api;
const user = {};

function addToken(id, { plain = randomUUID(), expires = 'NULL', type = 'App\\Models\\User' } = {}) {
	const [[tokenId]] = house.sql(`INSERT INTO personal_access_tokens
		(tokenable_type, tokenable_id, name, token, abilities, expires_at, created_at)
		VALUES ('${type}', ${id}, 'web', '${sha256(plain)}', '["*"]', ${expires}, now() AT TIME ZONE 'UTC')
		RETURNING id`);
	return { id, tokenId, token: `${tokenId}|${plain}` };
}

before(async () => {
	house = await openHouse({
		conf: `[chat]\npreset = ${PRESETS}/laravel.conf\nmembers_may_add = yes\n`,
		prepare: (sql, url) => {
			sql(TABLES + DATA);
			for (let i = 0; i < 2; i++) { // it may be run again
				execFileSync('psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-d', url, '-f', `${PRESETS}/laravel.sql`],
					{ stdio: ['ignore', 'inherit', 'ignore'] });
			}
		},
	});
	clients = clientsOf(house);
	({ api } = clients);
	['Ada', 'Grace', 'Alan', 'Edsger'].forEach((name, i) => (user[name] = { ...addToken(i + 1), name }));
});

after(async () => {
	disconnectAll();
	await house?.close();
});

const messages = (chat) => `/api/websocket/chats/${chat}/messages`;
const ids = (chat, where = 'true') =>
	house.sql(`SELECT id FROM messages WHERE chat_id = ${chat} AND ${where} ORDER BY id`).flat().map(Number);
const heard = (channel, event, match = () => true) =>
	channel.tape.next((e) => e.event === event && match(e.data), `${event} on ${channel.name}`);

async function ok(who, method, where, body, status = 200) {
	const r = await api(who, method, where, body);
	assert.equal(r.status, status, `${method} ${where}: ${JSON.stringify(r.body)}`);
	return r.body;
}

const mine = async (who, chat) => (await ok(who, 'GET', '/api/websocket/active-chats')).data
	.find((c) => c.id === chat);

test('chatctl check prepares every statement and says what is wrong where', () => {
	const check = (conf) => {
		const file = path.join(house.dir, 'check.conf');
		writeFileSync(file, conf);
		return chatctl('check', ...house.args, `--config=${file}`);
	};
	const good = check('');
	assert.equal(good.status, 0, good.err);
	assert.match(good.out, /the database is right: \d+ statements, \d+ of them configured/);
	const bad = [
		['[sql "receipts"]\nquery = SELECT 1 AS user_id,\n\tp.nothing FROM chat_participants p\n',
			/\[sql "receipts"\] query: line 2, column 1: column p\.nothing does not exist/],
		['[sql "receipts"]\nquery = SELECT user_id::text AS user_id FROM chat_participants WHERE chat_id = $1\n',
			/\[sql "receipts"\] query: column user_name is missing/],
		['[sql "shares_chat"]\nquery = SELECT $1 AS user_id WHERE $2 IS NULL AND $3 IS NULL\n',
			/\[sql "shares_chat"\] query: .*\$3/],
		[`[sql "create_chat"]\nquery = SELECT 'created' AS status, gen_random_uuid() AS chat_id, $3 AS unknown
\tWHERE $1 <> '' AND $2 <> '' AND $4\n`, /\[sql "create_chat"\] query: column chat_id must be a whole number/],
		['[sql "lock_chats"]\nquery = SELEC 1\n', /\[sql "lock_chats"\] query: line 1, column 1: syntax error/],
		['[sql "users"]\nquery = SELECT id::text AS user_id, name AS user_name, email AS user_info, now() AS last_seen,\n' +
			"\t'' AS policy, now() AS hidden_since FROM users WHERE $1 <> '' AND id::text = ANY ($2)\n",
			/\[sql "users"\] query: permission denied for table users/],
		['[sql "no_such"]\nquery = SELECT 1\n', /\[sql "no_such"\]: there is no statement of that name/],
	];
	for (const [conf, said] of bad) {
		const r = check(conf);
		assert.equal(r.status, 78, r.out + r.err);
		assert.match(r.err, said);
		assert.equal(r.err.trim().split('\n').length, 1, r.err);
	}
});

test('Sanctum tokens of the house: good, expired, of somebody else, revoked', async () => {
	const info = '/api/websocket/connection-info';
	assert.deepEqual((await ok(user.Ada, 'GET', info)).user, { id: 1, name: 'Ada' });
	await ok({ token: user.Ada.token.split('|')[1] }, 'GET', info);
	const hour = "interval '1 hour'";
	await ok(addToken(1, { expires: `now() AT TIME ZONE 'UTC' - ${hour}` }), 'GET', info, undefined, 401);
	await ok(addToken(1, { expires: `now() AT TIME ZONE 'UTC' + ${hour}` }), 'GET', info);
	await ok(addToken(1, { type: 'App\\Models\\Admin' }), 'GET', info, undefined, 401);
	await until(() => house.sql(`SELECT 1 FROM personal_access_tokens WHERE id = ${user.Ada.tokenId}
		AND last_used_at > now() AT TIME ZONE 'UTC' - ${hour}`)[0], 'last_used_at');
	const short = addToken(1);
	const client = await clients.pusher(short.token);
	await subscribe(client, 'private-user.1');
	house.sql(`DELETE FROM personal_access_tokens WHERE id = ${short.tokenId}`);
	await until(() => client.connection.state !== 'connected', 'the end of the connection');
	await ok(short, 'GET', info, undefined, 401);
});

test('what the application wrote is there: chats, newest messages, unread counts', async () => {
	const { data } = await ok(user.Ada, 'GET', '/api/websocket/active-chats');
	assert.deepEqual(data.map((c) => c.id), [2, 1]);
	const [two, one] = data;
	const last = ids(1).at(-1);
	assert.deepEqual([one.name, one.direct, one.owner_id, one.last_seq], ['Team', false, 2, last]);
	assert.deepEqual(one.participants.map((p) => p.name), ['Grace', 'Ada', 'Alan']);
	assert.deepEqual(one.last_message, { id: last, chat_id: 1, seq: last, prev_seq: ids(1).at(-2),
		user: { id: 2, name: 'Grace' }, body: 'old 389', reply_to: null, meta: null, client_id: null,
		created_at: '2024-05-03T16:29:00.000Z', edited_at: null, deleted_at: null });
	assert.equal(one.updated_at, '2024-05-03T16:29:00.000Z');
	assert.equal(one.unread_count, 100); // counted so far
	assert.equal(two.unread_count, ids(2, 'user_id <> 1').length);
	assert.equal(two.owner_id, 1);
	assert.deepEqual((await ok(user.Edsger, 'GET', '/api/websocket/active-chats')).data, []);
	const page = await ok(user.Ada, 'GET', '/api/websocket/active-chats?limit=1');
	assert.deepEqual(page.data.map((c) => c.id), [2]);
	const rest = await ok(user.Ada, 'GET', `/api/websocket/active-chats?limit=1&cursor=${page.next_cursor}`);
	assert.deepEqual([rest.data.map((c) => c.id), rest.next_cursor], [[1], null]);
});

test('history by pages: ids as places, each naming the one before it', async () => {
	const all = ids(1);
	const seen = [];
	for (let before = '', more = true; more;) {
		const r = await ok(user.Alan, 'GET', `${messages(1)}?limit=100${before}`);
		seen.unshift(...r.data);
		more = r.has_more;
		before = `&before_seq=${seen[0].seq}`;
	}
	assert.deepEqual(seen.map((m) => m.seq), all);
	seen.forEach((m, i) => assert.equal(m.prev_seq, i === 0 ? 0 : all[i - 1]));
	const behind = await ok(user.Alan, 'GET', `${messages(1)}?after_seq=${all.at(-3)}`);
	assert.deepEqual([behind.data.map((m) => m.seq), behind.has_more], [all.slice(-2), false]);
	await ok(user.Edsger, 'GET', messages(1), undefined, 403);
	await ok(user.Alan, 'GET', messages(2), undefined, 403);
	await ok(user.Alan, 'GET', messages(999999), undefined, 403);
});

test('sending writes the table of the house, once under a client_id', async () => {
	const channel = await subscribe(await clients.pusher(user.Grace.token), 'private-chat.1');
	const sync = await heard(channel, 'chat.sync');
	assert.deepEqual(sync.data, { chat_id: 1, last_seq: ids(1).at(-1), read_seq: 0, delivered_seq: 0 });
	const prev = ids(1).at(-1);
	const client_id = randomUUID();
	const question = { body: 'from the chat', client_id, meta: { k: [1] }, reply_to: prev };
	const { message } = await ok(user.Ada, 'POST', messages(1), question, 201);
	assert.deepEqual({ ...message, created_at: '' }, { id: message.id, chat_id: 1, seq: message.id, prev_seq: prev,
		user: { id: 1, name: 'Ada' }, body: 'from the chat', reply_to: prev, meta: { k: [1] }, client_id,
		created_at: '', edited_at: null, deleted_at: null });
	assert.deepEqual((await heard(channel, 'message.sent')).data.message, message);
	assert.deepEqual(house.sql(`SELECT chat_id, user_id, body, created_at IS NOT NULL FROM messages WHERE id = ${message.id}`),
		[['1', '1', 'from the chat', 't']]);
	assert.deepEqual((await ok(user.Ada, 'POST', messages(1), question)).message, message);
	assert.deepEqual((await ok(user.Grace, 'GET', `${messages(1)}?limit=1`)).data, [message]);
	await ok(user.Edsger, 'POST', messages(1), { body: 'x' }, 403);
	await ok(user.Ada, 'POST', messages(1), { body: 'x', reply_to: ids(2)[0] }, 422);
	const many = await Promise.all(Array.from({ length: 40 }, (_, i) =>
		ok(user[i % 2 ? 'Ada' : 'Grace'], 'POST', messages(1 + (i % 3 === 0)), { body: `m${i}` }, 201)));
	const chain = many.map((r) => r.message).filter((m) => m.chat_id === 1).sort((a, b) => a.seq - b.seq);
	chain.forEach((m, i) => assert.equal(m.prev_seq, i === 0 ? message.seq : chain[i - 1].seq));
	for (const m of chain) assert.deepEqual((await heard(channel, 'message.sent')).data.message, m);
});

test('the application writes and publishes in one transaction; holes show', async () => {
	const channel = await subscribe(await clients.pusher(user.Alan.token), 'private-chat.1');
	house.sql(`BEGIN;
		INSERT INTO messages (chat_id, user_id, body, created_at) VALUES (1, 2, 'by PHP', now() AT TIME ZONE 'UTC');
		SELECT chat.publish('private-chat.1', 'message.sent', jsonb_build_object('message', jsonb_build_object(
			'id', m.id, 'seq', m.id, 'body', m.body))) FROM messages m ORDER BY m.id DESC LIMIT 1;
		COMMIT`);
	const byPhp = (await heard(channel, 'message.sent')).data.message;
	assert.equal(byPhp.body, 'by PHP');
	house.sql("INSERT INTO messages (chat_id, user_id, body, created_at) VALUES (1, 2, 'silent', now() AT TIME ZONE 'UTC')");
	const { message } = await ok(user.Ada, 'POST', messages(1), { body: 'after' }, 201);
	assert.ok(message.prev_seq > byPhp.seq); // a hole: somebody said something in between
	const missing = (await ok(user.Alan, 'GET', `${messages(1)}?after_seq=${byPhp.seq}`)).data;
	assert.deepEqual(missing.map((m) => m.body), ['silent', 'after']);
	assert.deepEqual(missing[1], message);
});

test('receipts: cursors beside the tables of the house, unread by counting', async () => {
	const live = await subscribe(await clients.pusher(user.Ada.token), 'private-chat.1');
	const box = await subscribe(await clients.pusher(user.Alan.token), 'private-user.3');
	const all = ids(1);
	const target = all.at(-4);
	const above = ids(1, `id > ${target} AND user_id <> 3`).length;
	const read = await ok(user.Alan, 'POST', `/api/websocket/messages/${target}/read`);
	assert.deepEqual({ ...read, read_at: '' }, { chat_id: 1, message_id: target, seq: target, read_at: '', unread_count: above });
	assert.equal((await heard(live, 'message.read')).data.seq, target);
	assert.equal((await heard(box, 'chat.activity')).data.unread_count, above);
	const { message } = await ok(user.Ada, 'POST', messages(1), { body: 'one more' }, 201);
	const line = (await heard(box, 'chat.activity')).data;
	assert.deepEqual([line.last_message, line.unread_count], [message, above + 1]);
	const delivered = await ok(user.Alan, 'POST', `/api/websocket/messages/${message.id}/delivered`);
	assert.deepEqual([delivered.seq, delivered.unread_count], [message.id, above + 1]);
	assert.equal((await heard(live, 'message.delivered')).data.message_id, message.id);
	await ok(user.Alan, 'POST', `/api/websocket/messages/${all[0]}/read`); // backwards: nothing
	const rows = (await ok(user.Ada, 'GET', '/api/websocket/chats/1/receipts')).data;
	assert.deepEqual(rows.map((r) => r.user_id), [2, 1, 3]);
	assert.deepEqual([rows[2].delivered_seq, rows[2].read_seq], [message.id, target]);
	assert.equal(rows[1].read_seq, message.id); // the sender's own follow
	assert.equal((await mine(user.Ada, 1)).unread_count, 0);
	await ok(user.Edsger, 'POST', `/api/websocket/messages/${message.id}/read`, undefined, 403);
});

test('editing and deleting', async () => {
	const live = await subscribe(await clients.pusher(user.Grace.token), 'private-chat.1');
	const { message } = await ok(user.Ada, 'POST', messages(1), { body: 'draft', meta: { a: 1 } }, 201);
	const path = `/api/websocket/messages/${message.id}`;
	const edited = (await ok(user.Ada, 'PATCH', path, { body: 'final' })).message;
	assert.deepEqual(edited, { ...message, body: 'final', edited_at: edited.edited_at });
	assert.ok(edited.edited_at);
	assert.deepEqual((await heard(live, 'message.updated')).data.message, edited);
	assert.deepEqual(house.sql(`SELECT body FROM messages WHERE id = ${message.id}`), [['final']]);
	await ok(user.Grace, 'PATCH', path, { body: 'x' }, 403);
	await ok(user.Grace, 'DELETE', path, undefined, 403);
	const deleted = (await ok(user.Ada, 'DELETE', path)).message;
	assert.deepEqual(deleted, { ...edited, body: '', meta: null, deleted_at: deleted.deleted_at });
	assert.deepEqual((await heard(live, 'message.deleted')).data.message, deleted);
	assert.deepEqual((await ok(user.Ada, 'DELETE', path)).message, deleted);
	await ok(user.Ada, 'PATCH', path, { body: 'x' }, 422);
	assert.deepEqual((await ok(user.Grace, 'GET', `${messages(1)}?limit=1`)).data, [deleted]);
	// what the application wrote can be edited by who wrote it
	const old = ids(1, 'user_id = 1')[0];
	assert.equal((await ok(user.Ada, 'PATCH', `/api/websocket/messages/${old}`, { body: 'new' })).message.body, 'new');
});

test('chats and participants are rows of the house', async () => {
	const made = (await ok(user.Ada, 'POST', '/api/websocket/chats', { name: 'New', participant_ids: [2, 3] }, 201)).chat;
	assert.deepEqual([made.name, made.owner_id, made.participant_count], ['New', 1, 3]);
	const people = () => house.sql(`SELECT user_id FROM chat_participants WHERE chat_id = ${made.id} ORDER BY id`).flat();
	assert.deepEqual(people(), ['1', '2', '3']);
	const url = `/api/websocket/chats/${made.id}/participants`;
	await ok(user.Ada, 'POST', messages(made.id), { body: 'before' }, 201);
	const added = (await ok(user.Grace, 'POST', url, { user_id: 4 })).chat;
	assert.equal(added.participant_count, 4);
	assert.deepEqual((await ok(user.Edsger, 'GET', messages(made.id))).data, []);
	assert.deepEqual([(await mine(user.Edsger, made.id)).last_message, (await mine(user.Edsger, made.id)).unread_count], [null, 0]);
	await ok(user.Grace, 'POST', url, { user_id: 999 }, 422);
	await ok(user.Grace, 'POST', url, { user_id: 4 });
	await ok(user.Grace, 'DELETE', `${url}/4`, undefined, 403);
	await ok(user.Ada, 'DELETE', `${url}/4`);
	await ok(user.Edsger, 'GET', messages(made.id), undefined, 403);
	await ok(user.Ada, 'DELETE', `${url}/1`);
	assert.deepEqual(people(), ['2', '3']);
	assert.equal((await mine(user.Grace, made.id)).owner_id, 2);
	await ok(user.Grace, 'DELETE', `${url}/3`);
	await ok(user.Ada, 'POST', '/api/websocket/chats', { participant_ids: [2, 999] }, 422);
	const direct = (by, other) => api(by, 'POST', '/api/websocket/chats', { participant_ids: [other], direct: true });
	const answers = await Promise.all([direct(user.Ada, 2), direct(user.Grace, 1), direct(user.Ada, 2)]);
	assert.deepEqual(answers.map((r) => r.status).sort(), [200, 200, 201]);
	assert.equal(new Set(answers.map((r) => r.body.chat.id)).size, 1);
	assert.equal((await ok(user.Ada, 'POST', `/api/websocket/chats/${answers[0].body.chat.id}/participants`,
		{ user_id: 3 }, 403)).message, 'This action is unauthorized.');
});

test('who was removed loses the channel, who leaves a chat of the house hands it on', async () => {
	const client = await clients.pusher(user.Alan.token);
	const channel = await subscribe(client, 'private-chat.1');
	const gone = new Promise((resolve) => channel.bind('pusher:subscription_error', resolve));
	assert.equal((await mine(user.Ada, 1)).owner_id, 2); // the longest-standing
	await ok(user.Grace, 'DELETE', '/api/websocket/chats/1/participants/3');
	assert.equal((await gone).status, 403);
	await ok(user.Grace, 'DELETE', '/api/websocket/chats/1/participants/2');
	assert.equal((await mine(user.Ada, 1)).owner_id, 1);
	await ok(user.Ada, 'POST', '/api/websocket/chats/1/participants', { user_id: 2 });
	// the application does it by itself
	const other = await subscribe(await clients.pusher(user.Grace.token), 'private-chat.1');
	const taken = new Promise((resolve) => other.bind('pusher:subscription_error', resolve));
	house.sql('DELETE FROM chat_participants WHERE chat_id = 1 AND user_id = 2');
	assert.equal((await within(taken, 'the end of the subscription')).status, 403);
	await ok(user.Ada, 'POST', '/api/websocket/chats/1/participants', { user_id: 2 });
});

test('presence, typing and privacy work beside the tables of the house', async () => {
	disconnectAll();
	await until(() => !house.sql('SELECT 1 FROM chat.who_is_online')[0], 'an empty house');
	const watcher = await subscribe(await clients.pusher(user.Ada.token), 'presence-users');
	const client = await clients.pusher(user.Grace.token);
	const room = await subscribe(client, 'presence-chat.2');
	await heard(watcher, 'user.status.changed', (d) => d.user.id === 2 && d.user.is_online);
	await ok(user.Ada, 'POST', '/api/websocket/chats/2/typing', { is_typing: true });
	await heard(room, 'user.typing', (d) => d.user.name === 'Ada');
	await ok(user.Grace, 'PATCH', '/api/websocket/me', { last_seen: 'contacts' });
	client.disconnect();
	await until(() => house.sql("SELECT 1 FROM chat.last_seen WHERE user_id = '2' AND NOT is_online")[0]
		&& house.sql("SELECT 1 FROM chat.user_last_seen WHERE user_id = '2'")[0], 'Grace gone', 60000);
	const known = (await ok(user.Ada, 'GET', '/api/websocket/users/online?ids=2,4')).data;
	assert.equal(known.length, 1);
	assert.ok(known[0].last_seen_at);
	await ok(user.Grace, 'POST', '/api/websocket/online-status', { is_online: false });
	assert.equal((await ok(user.Ada, 'GET', '/api/websocket/users/online?ids=2')).data[0].is_online, false);
});

test('a user of the backend whose id is no number disturbs nobody', async () => {
	const s = await clients.raw();
	const id = JSON.parse((await s.next('pusher:connection_established')).data).socket_id;
	const auth = clients.server.authorizeChannel(id, 'presence-chat.2', { user_id: 'robot' });
	s.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: 'presence-chat.2', ...auth } }));
	await s.next('pusher_internal:subscription_succeeded');
	const ada = await subscribe(await clients.pusher(user.Ada.token), 'presence-users');
	const edsger = await clients.pusher(user.Edsger.token);
	await subscribe(edsger, 'presence-users');
	await heard(ada, 'user.status.changed', (d) => d.user.id === 4);
});

test('nothing went into tables of ours that the house has itself', () => {
	for (const table of ['app_user', 'chat', 'participant', 'message', 'personal_access_tokens']) {
		assert.deepEqual(house.sql(`SELECT count(*) FROM chat.${table}`), [['0']], table);
	}
});
