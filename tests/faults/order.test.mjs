// What operators say by chatctl: a drain, whose progress they see, and a reload.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';

import { bare, stopAll } from '../e2e/lib/bare.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { connect } from './lib/wire.mjs';

after(stopAll);

const build = process.env.CHAT_DEV_BUILD ?? path.join(path.dirname(fileURLToPath(import.meta.url)), '../../build/dev');
const run = promisify(execFile);
const CONF = `
[worker]
workers = 1
drain_rate = 2
[app "a"]
key = a-key
secret = a-secret
`;

const chatctl = (house, ...words) =>
	run(path.join(build, 'ctl/chatctl'), [...words, '--config', path.join(house.dir, 'chat.conf')]);
const status = async (house) => JSON.parse((await chatctl(house, 'status', '--json')).stdout);
const crowd = (house, n) => Promise.all([...Array(n)].map(() => connect(house.port, 'a-key')));

/** Until other workers serve in the place of these; gives them. */
const replaced = (house, pids) => until(() => {
	const now = house.workers();
	return now.length === pids.length && now.every((pid) => !pids.includes(pid)) && now;
}, 'other workers');

test('chatctl drain and reload: the progress shows in the status, clients are sent on', async () => {
	const house = await bare(CONF);
	await until(async () => (await status(house)).workers.length === 1, 'a worker');
	const before = house.workers();
	const clients = await crowd(house, 12);
	const [one] = (await until(async () => {
		const s = await status(house);
		return s.workers.some((w) => w.connections === 12) && s;
	}, 'clients that are known')).workers.filter((w) => w.connections > 0);
	await chatctl(house, 'drain', String(one.number));
	const seen = await until(async () =>
		(await status(house)).workers.find((w) => w.number === one.number && w.draining), 'a drain that is seen');
	assert.ok(seen.drain_left > 0);
	await until(() => clients.filter((c) => c.closed === 4200).length === 12, 'its clients');
	const between = await replaced(house, before);
	await chatctl(house, 'reload');
	await replaced(house, between);
	await house.stop();
});
