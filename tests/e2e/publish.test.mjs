// chat.publish() and chat.broadcast_on(): events from SQL, if and only if their transaction commits.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import { disconnectAll, pusher, raw, subscribe } from './lib/clients.mjs';
import { env, pids, shell, sql } from './lib/house.mjs';
import { openHouse } from './lib/other_house.mjs';
import { lifeIn } from './lib/people.mjs';
import { until, within } from './lib/wait.mjs';

after(disconnectAll);

/** A psql session that stays open; say() resolves with what the statements print. */
function session() {
	const child = spawn('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', env.PGURL], { stdio: ['pipe', 'pipe', 'inherit'] });
	let text = '';
	let wake = () => {};
	child.stdout.on('data', (data) => {
		text += data;
		wake();
	});
	return {
		async say(statements) {
			const mark = randomUUID();
			child.stdin.write(`${statements};\n\\echo ${mark}\n`);
			const whole = (async () => {
				while (!text.includes(mark)) await new Promise((resolve) => (wake = resolve));
			})();
			await within(whole, statements);
			const said = text.slice(0, text.indexOf(mark));
			text = text.slice(text.indexOf(mark) + mark.length + 1);
			return said.trim();
		},
		end: () => child.stdin.end(),
	};
}

/** A bare subscriber of a public channel: frames as they come. */
async function listener(channel, client = { raw }) {
	const s = await client.raw();
	s.id = JSON.parse((await s.next('pusher:connection_established')).data).socket_id;
	s.ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel } }));
	await s.next('pusher_internal:subscription_succeeded');
	s.frame = (event) => s.tape.next((m) => m.event === event && m.channel === channel, event);
	return s;
}

const name = (what) => `sql-${what}-${randomUUID()}`;

test('an event comes if, and only if, its transaction commits', async () => {
	const channel = name('commit');
	const s = await listener(channel);
	const db = session();
	await db.say(`BEGIN; SELECT chat.publish('${channel}', 'undone', '{"n": 1}')`);
	await db.say('ROLLBACK');
	await db.say(`BEGIN; SAVEPOINT a; SELECT chat.publish('${channel}', 'undone', '{"n": 2}');
		ROLLBACK TO a; SELECT chat.publish('${channel}', 'done', '{"n": 3, "text": "é \\" 🙂"}')`);
	const other = await listener(channel);
	await db.say('COMMIT');
	for (const one of [s, other]) {
		const frame = await one.frame('done');
		assert.deepEqual(JSON.parse(frame.data), { n: 3, text: 'é " 🙂' });
		assert.equal(typeof frame.outbox_id, 'number'); // beside an unchanged data
		assert.deepEqual(one.tape.items.filter((m) => m.event === 'undone'), []);
	}
	await until(() => sql('SELECT count(*) FROM chat.outbox')[0][0] === '0', 'an empty outbox');
	db.end();
});

test('stock clients hear it on private channels, data as it is', async () => {
	const client = await pusher(env.USER1_TOKEN);
	const channel = await subscribe(client, `private-user.${env.USER1_ID}`);
	sql(`SELECT chat.publish('private-user.${env.USER1_ID}', 'order.paid', '{"order": 7}')`);
	const e = await channel.tape.next((x) => x.event === 'order.paid');
	assert.deepEqual(e.data, { order: 7 });
});

test('order: within a transaction, and after a commit; nothing skipped whatever commits first', async () => {
	const channel = name('order');
	const s = await listener(channel);
	const [slow, quick] = [session(), session()];
	await slow.say(`BEGIN; SELECT chat.publish('${channel}', 'e', '1'); SELECT chat.publish('${channel}', 'e', '2')`);
	await quick.say(`BEGIN; SELECT chat.publish('${channel}', 'e', '3'); COMMIT`);
	assert.equal(JSON.parse((await s.frame('e')).data), 3); // has the higher id, came first
	await slow.say(`SELECT chat.publish('${channel}', 'e', '4'); COMMIT`);
	for (const n of [1, 2, 4]) assert.equal(JSON.parse((await s.frame('e')).data), n);
	await quick.say(Array.from({ length: 500 }, (_, i) => `SELECT chat.publish('${channel}', 'e', '${i}')`).join(';'));
	for (let i = 0; i < 500; i++) assert.equal(JSON.parse((await s.frame('e')).data), i);
	slow.end();
	quick.end();
});

test('interleaved publishers: each keeps its own order, all arrive once', async () => {
	const channel = name('many');
	const s = await listener(channel);
	const all = Array.from({ length: 5 }, session);
	await Promise.all(all.map(async (db, who) => {
		for (let i = 0; i < 40; i += 4) {
			const four = [0, 1, 2, 3].map((k) => `SELECT chat.publish('${channel}', 'e', '[${who}, ${i + k}]')`);
			await db.say(`BEGIN; ${four.join(';')}; ${i % 8 === 4 ? 'ROLLBACK' : 'COMMIT'}`);
		}
		db.end();
	}));
	const seen = Array.from({ length: 5 }, () => []);
	for (let n = 0; n < 100; n++) {
		const [who, i] = JSON.parse((await s.frame('e')).data);
		seen[who].push(i);
	}
	const expected = Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 8 < 4);
	for (const one of seen) assert.deepEqual(one, expected);
	assert.deepEqual(s.tape.items.filter((m) => m.event === 'e'), []);
});

test('socket_id is left out, app_id chooses the application', async () => {
	const channel = name('socket');
	const [mine, other] = [await listener(channel), await listener(channel)];
	sql(`SELECT chat.publish('${channel}', 'e', '1', socket_id => '${mine.id}')`);
	await other.frame('e');
	sql(`SELECT chat.publish('${channel}', 'e', '2', app_id => 'no-such-app')`);
	sql(`SELECT chat.publish('${channel}', 'e', '3', app_id => '${env.APP_ID}')`);
	for (const s of [mine, other]) assert.equal(JSON.parse((await s.frame('e')).data), 3);
	await until(() => sql('SELECT count(*) FROM chat.outbox')[0][0] === '0', 'no row stays for ever');
});

test('bad names and sizes are refused in the transaction', () => {
	const bad = ["'bad name', 'e', '1'", "'', 'e', '1'", "NULL, 'e', '1'", "'c', '', '1'", "'c', NULL, '1'",
		"repeat('c', 201), 'e', '1'", "'c', repeat('e', 201), '1'", "'c', 'e', '1', socket_id => 'x'",
		"'c', 'e', to_jsonb(repeat('x', 1048577))"];
	for (const args of bad) assert.throws(() => sql(`SELECT chat.publish(${args})`), args);
});

test('the outbox keeps what is published while no broker runs; a killed one repeats, workers drop', async () => {
	const channel = name('kill');
	const s = await listener(channel);
	for (let round = 0; round < 3; round++) {
		const from = round * 300;
		const db = session();
		const flood = (async () => {
			for (let i = from; i < from + 300; i += 10) {
				await db.say(Array.from({ length: 10 }, (_, k) =>
					`SELECT chat.publish('${channel}', 'e', '${i + k}')`).join(';'));
			}
			db.end();
		})();
		await s.tape.next((m) => m.event === 'e'); // in the middle of it
		process.kill(pids().broker, 'SIGKILL');
		await flood;
		shell(env.BROKER_START_CMD);
		const seen = new Set();
		for (let i = 0; i < 299; i++) seen.add(JSON.parse((await s.frame('e')).data));
		assert.equal(seen.size, 299, 'each once');
	}
	const ids = s.tape.items.filter((m) => m.event === 'e');
	assert.deepEqual(ids, []);
	await until(() => sql('SELECT count(*) FROM chat.outbox')[0][0] === '0', 'an empty outbox');
});

test('the wake-up adapts: NOTIFY while it is quiet, none while it is busy', async () => {
	const channel = name('wake');
	const s = await listener(channel);
	const sleeping = () => sql('SELECT coalesce((SELECT sleeping FROM chat.outbox_wake), true)')[0][0];
	await until(() => sleeping() === 't', 'a quiet broker');
	const count = 20000;
	const db = session();
	const flood = db.say(`DO $$ BEGIN FOR i IN 1..${count} LOOP
		PERFORM chat.publish('${channel}', 'e', to_jsonb(i)); IF i % 100 = 0 THEN COMMIT; END IF;
		END LOOP; END $$`);
	const watch = session();
	let busy = false;
	for (let i = 1; i <= count; i++) {
		assert.equal(JSON.parse((await s.frame('e')).data), i);
		if (i % 1000 === 0) busy ||= await watch.say('SELECT sleeping FROM chat.outbox_wake') === 'f';
	}
	await flood;
	assert.ok(busy, 'the broker looked by itself');
	db.end();
	watch.end();
	await until(() => sleeping() === 't', 'a quiet broker again');
	sql(`SELECT chat.publish('${channel}', 'last', '1')`);
	await s.frame('last');
});

test('broadcast_on: rows of a table as events', async () => {
	const table = `public.orders_${Date.now()}`;
	sql(`CREATE TABLE ${table} (id bigint PRIMARY KEY, customer text, total numeric)`);
	const c = (who) => `orders-${who}-${table.slice(7)}`;
	const template = c('{customer}');
	sql(`SELECT chat.broadcast_on('${table}', '${template}', 'order.new')`);
	sql(`SELECT chat.broadcast_on('${table}', '${c('all')}', 'order.changed', ops => 'UPDATE OR DELETE')`);
	const [seven, all] = [await listener(c('7')), await listener(c('all'))];
	sql(`INSERT INTO ${table} VALUES (1, '7', 9.5), (2, NULL, 1)`);
	// no channel can have that name: the application is told at once
	assert.throws(() => sql(`INSERT INTO ${table} VALUES (3, '{x}', 1)`));
	assert.deepEqual(JSON.parse((await seven.frame('order.new')).data), { id: 1, customer: '7', total: 9.5 });
	sql(`BEGIN; INSERT INTO ${table} VALUES (4, '7', 1); ROLLBACK`);
	sql(`UPDATE ${table} SET total = 10 WHERE id = 1; DELETE FROM ${table} WHERE id = 1`);
	assert.deepEqual(JSON.parse((await all.frame('order.changed')).data), { id: 1, customer: '7', total: 10 });
	assert.deepEqual(JSON.parse((await all.frame('order.changed')).data), { id: 1, customer: '7', total: 10 });
	assert.throws(() => sql(`SELECT chat.broadcast_on('${table}', 'x.{nothing}', 'e')`));
	sql(`SELECT chat.broadcast_on('${table}', '${template}', 'order.new', ops => 'DELETE')`); // changes ops
	sql(`INSERT INTO ${table} VALUES (5, '7', 1); DELETE FROM ${table} WHERE id = 5`);
	assert.equal(JSON.parse((await seven.frame('order.new')).data).id, 5);
	assert.deepEqual(seven.tape.items.filter((m) => m.event === 'order.new'), []);
	sql(`DROP TABLE ${table}`);
});

test('an application role publishes, and sees nobody else\'s events', () => {
	const role = `shop_${Date.now()}`;
	sql(`CREATE ROLE ${role}; GRANT chat_app TO ${role}`);
	sql(`SET ROLE ${role}; SELECT chat.publish('shop', 'e', '1')`);
	assert.throws(() => sql(`SET ROLE ${role}; SELECT * FROM chat.outbox`));
	assert.throws(() => sql(`SET ROLE ${role}; SELECT * FROM chat.message`));
	sql(`SET ROLE ${role}; SELECT count(*) FROM chat.who_is_online`);
	sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
});

test('several applications: app_id names the channel that is meant', async () => {
	const house = await openHouse({ conf: `
[app "second"]
key = second-key
secret = second-secret
` });
	try {
		const there = lifeIn(house);
		const channel = name('app');
		const first = await listener(channel, there);
		const second = await listener(channel, { raw: () => there.raw('/app/second-key?protocol=7&client=test&version=1') });
		house.sql(`SELECT chat.publish('${channel}', 'e', '1', app_id => 'second')`);
		assert.equal(JSON.parse((await second.frame('e')).data), 1);
		house.sql(`SELECT chat.publish('${channel}', 'e', '2')`);
		assert.equal(JSON.parse((await first.frame('e')).data), 2);
		assert.equal(second.tape.items.filter((m) => m.event === 'e').length, 0);
	} finally {
		disconnectAll();
		await house.close();
	}
});
