// Clients that do not read, and workers without descriptors: others feel nothing.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, test } from 'node:test';

import { bare, stopAll } from '../e2e/lib/bare.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { ask } from './lib/crash.mjs';
import { connect, publish } from './lib/wire.mjs';

after(stopAll);

const app = { id: 'a', key: 'a-key', secret: 'a-secret' };
const CONF = `
[worker]
workers = 1
[limits]
max_output = 64K
max_event_data = 10000
[app "a"]
key = a-key
secret = a-secret
`;

const workers = async (house) => (await ask(house, 'GET', '/status')).body.workers;

test('a client that never reads is closed, counted, and nobody else waits for it', async () => {
	const house = await bare(CONF);
	const good = await connect(house.port, app.key, ['news']);
	const deaf = await connect(house.port, app.key, ['news']);
	deaf.ws._socket.pause();
	const data = 'x'.repeat(9000);
	let sent = 0;
	let most = 0; // bytes that wait for clients, of what was seen
	await until(async () => {
		for (let i = 0; i < 20; i++) {
			if (await publish(house.port, app, 'news', 'n', { i: sent, data }) === 200) sent++;
		}
		const rows = await workers(house);
		most = Math.max(most, ...rows.map((w) => w.output_bytes));
		return rows.some((w) => w.slow === 1);
	}, 'a slow client that is counted', 60000);
	assert.ok(most <= 2 * 64 * 1024, `${most} bytes waited for two clients`);
	await until(() => good.tape.items.filter((m) => m.event === 'n').length === sent, 'all events');
	assert.deepEqual(good.tape.items.filter((m) => m.event === 'n').map((m) => JSON.parse(m.data).i),
		[...Array(sent).keys()]);
	assert.equal(good.closed, null);
	deaf.ws._socket.resume();
	assert.ok([4100, 1006].includes(await deaf.end));
	await house.stop();
});

test('out of descriptors: newcomers are turned away, those who are there stay', async () => {
	const house = await bare(CONF, { files: 80 });
	const good = await connect(house.port, app.key, ['news']);
	const [pid] = house.workers();
	assert.match(readFileSync(`/proc/${house.pid('chat-worker')}/limits`, 'utf8'), /Max open files +80 +80/);
	const sockets = [...Array(200)].map(() => net.connect(house.port, '127.0.0.1').on('error', () => {}));
	await until(() => /worker\.no_descriptors/.test(house.log('chat-worker')), 'a line that says so');
	good.ws.send('{"event":"pusher:ping","data":{}}');
	await good.tape.next((m) => m.event === 'pusher:pong');
	assert.equal(good.closed, null);
	for (const s of sockets) s.destroy();
	await until(async () => await publish(house.port, app, 'news', 'n', 1) === 200, 'a publish');
	await good.tape.next((m) => m.event === 'n');
	assert.deepEqual(house.workers(), [pid]);
	await house.stop();
});
