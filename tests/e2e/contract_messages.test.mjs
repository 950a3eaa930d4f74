// Messages: numbering, sending once, editing, deleting, replies, history, shapes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import { api, disconnectAll, pusher, subscribe } from './lib/clients.mjs';
import { base, env, sql } from './lib/house.mjs';
import { addChat, addUser, addUsers, send } from './lib/people.mjs';
import { until } from './lib/wait.mjs';

after(disconnectAll);

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const FORBIDDEN = { message: 'This action is unauthorized.' };
const messages = (chat) => `/api/websocket/chats/${chat.id ?? chat}/messages`;
const one = (m) => `/api/websocket/messages/${m.id ?? m}`;

async function pair() {
	const [ann, ben] = addUsers('Ann', 'Ben');
	return { ann, ben, chat: await addChat(ann, [ben]) };
}

async function listener(user, chat) {
	const client = await pusher(user.token);
	return subscribe(client, chat.channel);
}

const heard = (channel, event, match = () => true) =>
	channel.tape.next((e) => e.event === event && match(e.data), `${event} on ${channel.name}`);

test('a message has the shape of the contract', async () => {
	const { ann, chat } = await pair();
	const client_id = randomUUID();
	const m = await send(ann, chat, 'hé "quoted" \u2028 🙂\n', { client_id, meta: { a: [1, { b: null }] } });
	assert.deepEqual(Object.keys(m), ['id', 'chat_id', 'seq', 'prev_seq', 'user', 'body', 'reply_to',
		'meta', 'client_id', 'created_at', 'edited_at', 'deleted_at']);
	assert.deepEqual({ ...m, id: 0, created_at: '' }, {
		id: 0, chat_id: chat.id, seq: 1, prev_seq: 0, user: { id: Number(ann.id), name: 'Ann' },
		body: 'hé "quoted" \u2028 🙂\n', reply_to: null, meta: { a: [1, { b: null }] }, client_id,
		created_at: '', edited_at: null, deleted_at: null,
	});
	assert.match(m.created_at, TIME);
});

test('seq is 1, 2, 3 ... in commit order, and events leave in that order', async () => {
	const { ann, ben, chat } = await pair();
	const channels = [await listener(ann, chat), await listener(ben, chat)];
	const sent = await Promise.all(Array.from({ length: 60 }, (_, i) => send(i % 2 ? ann : ben, chat, `m${i}`)));
	const numbers = sent.map((m) => m.seq).sort((a, b) => a - b);
	assert.deepEqual(numbers, Array.from({ length: 60 }, (_, i) => i + 1));
	for (const channel of channels) {
		const seen = [];
		while (seen.length < 60) seen.push((await heard(channel, 'message.sent')).data.message);
		assert.deepEqual(seen.map((m) => m.seq), Array.from({ length: 60 }, (_, i) => i + 1));
		assert.ok(seen.every((m) => m.prev_seq === m.seq - 1));
		for (const m of sent) assert.deepEqual(seen[m.seq - 1], m);
	}
});

test('a client_id is one message for three days, by sender and chat', async () => {
	const { ann, ben, chat } = await pair();
	const second = await addChat(ann, [ben]);
	const channel = await listener(ben, chat);
	const client_id = randomUUID();
	const post = (user, where, body = 'x') => api(user, 'POST', messages(where), { body, client_id });
	const all = await Promise.all(Array.from({ length: 8 }, () => post(ann, chat)));
	assert.deepEqual(all.map((r) => r.status).sort(), [200, 200, 200, 200, 200, 200, 200, 201]);
	for (const r of all) assert.deepEqual(r.body, all[0].body);
	assert.equal((await post(ann, chat, 'another text')).body.message.body, 'x');
	assert.equal((await post(ben, chat)).status, 201);
	assert.equal((await post(ann, second)).status, 201);
	await send(ann, chat, 'mark');
	await heard(channel, 'message.sent', (d) => d.message.body === 'mark');
	assert.equal(channel.tape.items.filter((e) => e.event === 'message.sent').length, 2);
	// upper case is the same id
	const upper = await api(ann, 'POST', messages(chat), { body: 'x', client_id: client_id.toUpperCase() });
	assert.equal(upper.status, 200);
	sql(`UPDATE chat.message_key SET created_at = now() - interval '4 days' WHERE client_id = '${client_id}'`);
	sql('CALL chat.cleanup()');
	assert.equal((await post(ann, chat)).status, 201);
	// without one each request is a new message
	const a = await send(ann, chat, 'same');
	const b = await send(ann, chat, 'same');
	assert.notEqual(a.id, b.id);
});

test('the first answer is repeated as the message is now', async () => {
	const { ann, chat } = await pair();
	const client_id = randomUUID();
	const m = await send(ann, chat, 'first', { client_id });
	const edited = await api(ann, 'PATCH', one(m), { body: 'second' });
	const again = await api(ann, 'POST', messages(chat), { body: 'first', client_id });
	assert.equal(again.status, 200);
	assert.deepEqual(again.body, edited.body);
});

test('editing: own messages, told to all, a deleted one stays', async () => {
	const { ann, ben, chat } = await pair();
	const channel = await listener(ben, chat);
	const m = await send(ann, chat, 'old', { meta: { k: 1 } });
	const r = await api(ann, 'PATCH', one(m), { body: 'new' });
	assert.equal(r.status, 200);
	assert.match(r.body.message.edited_at, TIME);
	assert.deepEqual(r.body.message, { ...m, body: 'new', edited_at: r.body.message.edited_at });
	assert.deepEqual((await heard(channel, 'message.updated')).data, r.body);
	for (const [user, id] of [[ben, m], [addUser(), m], [ann, 999999999]]) {
		const bad = await api(user, 'PATCH', one(id), { body: 'mine' });
		assert.equal(bad.status, 403);
		assert.deepEqual(bad.body, FORBIDDEN);
	}
	for (const body of ['', 7, null, undefined, 'x'.repeat(8001)]) {
		const bad = await api(ann, 'PATCH', one(m), { body });
		assert.equal(bad.status, 422);
		assert.ok(bad.body.errors.body);
	}
	await api(ann, 'DELETE', one(m));
	const late = await api(ann, 'PATCH', one(m), { body: 'late' });
	assert.equal(late.status, 422);
	assert.ok(late.body.errors.body[0].includes('deleted'));
});

test('deleting keeps the place, empties body and meta, once', async () => {
	const { ann, ben, chat } = await pair();
	const channel = await listener(ben, chat);
	const m = await send(ann, chat, 'gone', { meta: { k: 1 } });
	assert.equal((await api(ben, 'DELETE', one(m))).status, 403);
	const r = await api(ann, 'DELETE', one(m));
	assert.equal(r.status, 200);
	assert.match(r.body.message.deleted_at, TIME);
	assert.deepEqual(r.body.message, { ...m, body: '', meta: null, deleted_at: r.body.message.deleted_at });
	assert.deepEqual((await heard(channel, 'message.deleted')).data, r.body);
	const again = await api(ann, 'DELETE', one(m));
	assert.equal(again.status, 200);
	assert.deepEqual(again.body, r.body);
	const next = await send(ann, chat, 'next');
	assert.equal(next.seq, m.seq + 1);
	await heard(channel, 'message.sent', (d) => d.message.seq === next.seq);
	assert.deepEqual(channel.tape.items.filter((e) => e.event === 'message.deleted'), []);
	const page = await api(ben, 'GET', messages(chat));
	assert.deepEqual(page.body.data, [r.body.message, next]);
});

test('a reply names a message of the same chat', async () => {
	const { ann, ben, chat } = await pair();
	const elsewhere = await send(ann, await addChat(ann, [ben]), 'elsewhere');
	const m = await send(ann, chat, 'question');
	const reply = await send(ben, chat, 'answer', { reply_to: m.id });
	assert.equal(reply.reply_to, m.id);
	for (const reply_to of [elsewhere.id, 999999999, 0, -1, 1.5, '7', true, 2 ** 53, []]) {
		const r = await api(ben, 'POST', messages(chat), { body: 'x', reply_to });
		assert.equal(r.status, 422, `reply_to ${reply_to}: ${JSON.stringify(r.body)}`);
		assert.ok(r.body.errors.reply_to);
		assert.equal(r.body.message, r.body.errors.reply_to[0]);
	}
	assert.equal((await send(ben, chat, 'plain', { reply_to: null })).reply_to, null);
});

test('history is ascending, keyset-paged, at most 200', async () => {
	const { ann, ben, chat } = await pair();
	assert.deepEqual((await api(ben, 'GET', messages(chat))).body, { data: [], has_more: false });
	sql(`SELECT count(*) FROM generate_series(1, 230) i, LATERAL chat.post_messages(ARRAY[${chat.id}]::bigint[],
		ARRAY['${ann.id}'], ARRAY[null]::uuid[], ARRAY['m' || i], ARRAY[null]::bigint[], ARRAY[null]::json[])`);
	const get = async (query) => {
		const r = await api(ben, 'GET', `${messages(chat)}?${query}`);
		assert.equal(r.status, 200, JSON.stringify(r.body));
		return { seqs: r.body.data.map((m) => m.seq), has_more: r.body.has_more };
	};
	const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
	assert.deepEqual(await get(''), { seqs: range(181, 230), has_more: true });
	assert.deepEqual(await get('limit=200'), { seqs: range(31, 230), has_more: true });
	assert.deepEqual(await get('limit=1000'), { seqs: range(31, 230), has_more: true });
	assert.deepEqual(await get('before_seq=31&limit=200'), { seqs: range(1, 30), has_more: false });
	assert.deepEqual(await get('before_seq=1'), { seqs: [], has_more: false });
	assert.deepEqual(await get('after_seq=0&limit=3'), { seqs: [1, 2, 3], has_more: true });
	assert.deepEqual(await get('after_seq=227'), { seqs: [228, 229, 230], has_more: false });
	assert.deepEqual(await get('after_seq=230'), { seqs: [], has_more: false });
	assert.deepEqual(await get('after_seq=9007199254740991'), { seqs: [], has_more: false });
	for (const [query, field] of [['limit=0', 'limit'], ['limit=x', 'limit'], ['before_seq=-1', 'before_seq'],
		['after_seq=1.5', 'after_seq'], ['before_seq=9007199254740993', 'before_seq'], ['limit=', 'limit']]) {
		const r = await api(ben, 'GET', `${messages(chat)}?${query}`);
		assert.equal(r.status, 422, query);
		assert.ok(r.body.errors[field], query);
	}
});

test('bad input is named by field, and nothing is stored', async () => {
	const { ann, chat } = await pair();
	const bad = [
		[{}, 'body'], [{ body: null }, 'body'], [{ body: '' }, 'body'], [{ body: ['x'] }, 'body'],
		[{ body: 'x'.repeat(8001) }, 'body'], [{ body: 'é'.repeat(4001) }, 'body'],
		[{ body: 'nul \u0000' }, 'body'],
		[{ body: 'x', client_id: 7 }, 'client_id'], [{ body: 'x', client_id: 'no-uuid' }, 'client_id'],
		[{ body: 'x', meta: [] }, 'meta'], [{ body: 'x', meta: 'text' }, 'meta'],
		[{ body: 'x', meta: { a: 'x'.repeat(8000) } }, 'meta'],
	];
	for (const [body, field] of bad) {
		const r = await api(ann, 'POST', messages(chat), body);
		assert.equal(r.status, 422, `${JSON.stringify(body).slice(0, 60)}: ${JSON.stringify(r.body)}`);
		assert.equal(typeof r.body.message, 'string');
		assert.deepEqual(Object.keys(r.body.errors), [field]);
		assert.ok(Array.isArray(r.body.errors[field]));
	}
	const both = await api(ann, 'POST', messages(chat), { body: 7, client_id: 7 });
	assert.deepEqual(Object.keys(both.body.errors), ['body', 'client_id']);
	assert.match(both.body.message, /and 1 more error\)$/);
	for (const body of ['{', '[]', '"x"', '{"body":"x"} ', '']) {
		const r = await api(ann, 'POST', messages(chat), body);
		if (body.endsWith(' ')) assert.equal(r.status, 201); // white space behind it is JSON
		else assert.ok(r.status === 400 || (body === '' && r.status === 422), `${body}: ${r.status}`);
	}
	const utf8 = await fetch(base + messages(chat), {
		method: 'POST',
		headers: { Authorization: `Bearer ${ann.token}`, 'Content-Type': 'application/json' },
		body: Buffer.from([...Buffer.from('{"body":"'), 0xff, 0xfe, ...Buffer.from('"}')]),
	});
	assert.equal(utf8.status, 400);
	assert.deepEqual(sql(`SELECT count(*) FROM chat.message WHERE chat_id = ${chat.id}`), [['1']]);
});

test('what fits exactly is stored, unknown fields are ignored', async () => {
	const { ann, chat } = await pair();
	const body = 'é'.repeat(4000);
	const meta = { a: 'x'.repeat(8000 - '{"a":""}'.length) };
	const m = await send(ann, chat, body, { meta, unknown: [1], chat_id: 1 });
	assert.equal(m.body, body);
	assert.deepEqual(m.meta, meta);
	assert.equal(m.chat_id, chat.id);
});

test('who has no part is answered as if there were nothing', async () => {
	const { ann, chat } = await pair();
	const m = await send(ann, chat);
	const eve = addUser('Eve');
	const calls = (id, message) => [
		['GET', messages(id)], ['POST', messages(id), { body: 'x' }], ['PATCH', one(message), { body: 'x' }],
		['DELETE', one(message)], ['POST', `${one(message)}/read`, {}], ['POST', `${one(message)}/delivered`, {}],
		['GET', `/api/websocket/chats/${id}/receipts`],
		['POST', `/api/websocket/chats/${id}/participants`, { user_id: Number(eve.id) }],
		['DELETE', `/api/websocket/chats/${id}/participants/${ann.id}`],
		['POST', `/api/websocket/chats/${id}/typing`, { is_typing: true }],
	];
	for (const [id, message] of [[chat.id, m.id], [999999999, 999999999], [2 ** 53 - 1, 2 ** 53 - 1]]) {
		for (const [method, path, body] of calls(id, message)) {
			const r = await api(eve, method, path, body);
			assert.equal(r.status, 403, `${method} ${path}: ${JSON.stringify(r.body)}`);
			assert.deepEqual(r.body, FORBIDDEN);
		}
	}
	for (const path of [messages('x'), messages('0'), messages('01'), messages('9007199254740992'),
		messages('99999999999999999999999'), messages('-1')]) {
		const r = await api(ann, 'GET', path);
		assert.ok([403, 404].includes(r.status), `${path}: ${r.status}`);
	}
});

test('a locked chat holds up nobody else', async () => {
	const { ann, ben, chat } = await pair();
	const free = await addChat(ann, [ben]);
	const holder = spawn('psql', ['-XAtq', '-d', env.PGURL], { stdio: ['pipe', 'pipe', 'inherit'] });
	holder.stdin.write(`BEGIN; SELECT 'locked' FROM chat.chat WHERE chat_id = ${chat.id} FOR UPDATE;\n`);
	await new Promise((resolve) => holder.stdout.once('data', resolve));
	let done = false;
	const waiting = send(ann, chat, 'behind the lock').then((m) => (done = true, m));
	const others = await Promise.all(Array.from({ length: 20 }, (_, i) => send(ben, free, `free ${i}`)));
	assert.equal(others.length, 20);
	assert.equal(done, false);
	holder.stdin.end('COMMIT;\n');
	const m = await waiting.catch((e) => e);
	if (m instanceof Error) assert.match(m.message, /503|Service Unavailable/);
	await until(async () => (await api(ann, 'POST', messages(chat), { body: 'after' })).status === 201, 'the chat');
});
