// The way to PostgreSQL breaks after COMMIT and before its answer: what was asked again is stored once.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { disconnectAll, subscribe } from '../e2e/lib/clients.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { houseOn, openCluster } from './lib/cluster.mjs';
import { pgProxy } from './lib/pg_proxy.mjs';

let dir;
let cluster;
let proxy;
let house;
let life;
let ann;
let chat;
let channel;

before(async () => {
	cluster = openCluster();
	dir = mkdtempSync('/var/tmp/pgp-');
	chmodSync(dir, 0o755);
	proxy = await pgProxy(dir, cluster.dir);
	chmodSync(`${dir}/.s.PGSQL.5432`, 0o777);
	({ house, life } = await houseOn([{ dir, sql: cluster.sql }]));
	const [a, ben] = life.addUsers('Ann', 'Ben');
	ann = a;
	chat = await life.addChat(ann, [ben]);
	channel = await subscribe(await life.pusher(ben.token), chat.channel);
});

after(async () => {
	disconnectAll();
	await house?.close();
	await proxy?.close();
	cluster?.drop();
	rmSync(dir, { recursive: true, force: true });
});

const post = (body, client_id) =>
	life.api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`, { body, client_id });
const stored = (id) => cluster.sql(`SELECT message_id FROM chat.message WHERE client_id = '${id}'`).flat();

/** Sends the messages, loses every answer to them, and breaks the way once they stand in the table. */
async function loseAnswers(messages) {
	await until(() => house.isReady(), 'all connections of the database');
	await insist({ body: 'all that is asked first is known', id: randomUUID() });
	proxy.deaf = true;
	const answers = messages.map(({ body, id }) => post(body, id));
	await until(() => messages.some(({ id }) => stored(id).length > 0), 'a COMMIT');
	proxy.cut();
	proxy.deaf = false;
	return Promise.all(answers);
}

/** Asks again until it is stored; gives the message. */
const insist = ({ body, id }) => until(async () => {
	const r = await post(body, id);
	return r.status < 300 && r.body.message;
}, `${body} to be stored`);

function sentTo(channel) {
	return channel.tape.items.filter((e) => e.event === 'message.sent').map((e) => e.data.message);
}

test('one message, asked for again', async () => {
	const message = { body: 'lost answer', id: randomUUID() };
	const [first] = await loseAnswers([message]);
	assert.ok(first.status === 503 || first.status < 300, `${first.status}`);
	const got = await insist(message);
	assert.deepEqual(stored(message.id), [String(got.id)]);
	const again = await post(message.body, message.id);
	assert.equal(again.status, 200);
	assert.equal(again.body.message.id, got.id);
	await until(() => sentTo(channel).some((m) => m.id === got.id), 'its event');
	assert.equal(sentTo(channel).filter((m) => m.id === got.id).length, 1);
});

test('a whole batch, asked for again: once each, numbers without gaps, events in their order', async () => {
	const messages = [...Array(20)].map((_, i) => ({ body: `batch ${i}`, id: randomUUID() }));
	await loseAnswers(messages);
	const got = await Promise.all(messages.map(insist));
	for (const [i, { id }] of messages.entries()) assert.deepEqual(stored(id), [String(got[i].id)]);
	const seqs = cluster.sql(`SELECT seq FROM chat.message WHERE chat_id = ${chat.id} ORDER BY seq`).flat().map(Number);
	assert.deepEqual(seqs, [...Array(seqs.length)].map((_, i) => i + 1));
	await until(() => got.every((m) => sentTo(channel).some((e) => e.id === m.id)), 'all events');
	const came = sentTo(channel).map((m) => m.seq);
	assert.deepEqual(came, [...new Set(came)].sort((a, b) => a - b));
	await until(() => house.isReady(), 'all connections of the database');
});
