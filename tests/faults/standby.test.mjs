// A second broker of the node waits for the guard lock and takes over; clients stay.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { disconnectAll, subscribe } from '../e2e/lib/clients.mjs';
import { openHouse, program } from '../e2e/lib/other_house.mjs';
import { lifeIn } from '../e2e/lib/people.mjs';
import { freePort } from '../e2e/lib/port.mjs';
import { until } from '../e2e/lib/wait.mjs';

let house;
let life;
let standby;

before(async () => {
	house = await openHouse({ start: false });
	const run = path.join(house.dir, 'run');
	// the standby binds a place of its own; workers know both
	writeFileSync(house.files[1], `[worker]\nbrokers = ipc://${run}/broker.sock\n\tipc://${run}/second.sock\n`);
	await house.start();
	life = lifeIn(house);
});

after(async () => {
	disconnectAll();
	standby?.child.kill('SIGTERM');
	await standby?.ended;
	await house?.close();
});

async function startStandby() {
	const port = await freePort();
	const run = path.join(house.dir, 'run');
	const file = path.join(house.dir, 'standby.conf');
	const log = path.join(house.dir, 'standby.log');
	writeFileSync(file, `[broker]\nstandby = yes\nendpoint = ipc://${run}/second.sock\n[admin]\nlisten = 127.0.0.1:${port}\n`);
	const out = openSync(log, 'a');
	const child = spawn(program('chat-broker'), [...house.args, `--config=${file}`], { stdio: ['ignore', out, out] });
	standby = { child, ended: new Promise((resolve) => child.on('exit', resolve)) };
	standby.status = async () => (await fetch(`http://127.0.0.1:${port}/status`)).json();
	standby.log = () => readFileSync(log, 'utf8');
	await until(async () => (await standby.status()).database.state === 'standby', 'a standby').catch((e) => {
		throw new Error(`${e.message}\n${standby.log()}`);
	});
}

test('the standby waits, then serves the same clients', async () => {
	const [ann, ben] = life.addUsers('Ann', 'Ben');
	const chat = await life.addChat(ann, [ben]);
	const client = await life.pusher(ben.token);
	const channel = await subscribe(client, chat.channel);
	const id = client.connection.socket_id;
	await startStandby();
	assert.equal((await standby.status()).ready, false);
	await life.send(ann, chat, 'before');
	await channel.tape.next((e) => e.event === 'message.sent' && e.data.message.body === 'before');

	await house.broker.kill();
	await until(async () => (await standby.status()).ready, 'a standby that serves').catch((e) => {
		throw new Error(`${e.message}\n${standby.log()}`);
	});
	await until(async () => (await standby.status()).workers.length === 1, 'its worker');
	const sent = await until(async () => {
		const r = await life.api(ann, 'POST', `/api/websocket/chats/${chat.id}/messages`,
			{ body: 'after', client_id: '1b671a64-40d5-491e-99b0-da01ff1f3341' });
		return r.status < 300 && r.body.message;
	}, 'an acknowledgement');
	assert.equal(sent.body, 'after');
	await channel.tape.next((e) => e.event === 'message.sent' && e.data.message.body === 'after');
	assert.equal(client.connection.socket_id, id);
});
