// The steps of docs/MIGRATING.md as they are written there, with the .env of an application that
// used Reverb, and with one that used soketi or hosted Pusher.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

import PusherClient from 'pusher-js';
import Pusher from 'pusher';

import { chatctl, program } from './lib/other_house.mjs';
import { until, within } from './lib/wait.mjs';

const dir = mkdtempSync('/var/tmp/chat-move-');
chmodSync(dir, 0o755);
const endings = [];
after(async () => {
	for (const end of endings.reverse()) await end();
	rmSync(dir, { recursive: true, force: true });
});

function freePort() {
	return new Promise((resolve) => {
		const s = createServer().listen(0, '127.0.0.1', () => {
			const { port } = s.address();
			s.close(() => resolve(port));
		});
	});
}

/** A chat.conf as the package ships it, for folders of the test's own. */
function freshConf(name) {
	const conf = path.join(dir, name, 'chat.conf');
	const run = path.join(dir, name, 'run');
	const user = userInfo().uid === 0 ? 'user = daemon\n' : '';
	mkdirSync(path.join(dir, name, 'conf.d'), { recursive: true });
	writeFileSync(conf, `include = ${path.join(dir, name, 'conf.d')}
[broker]\n${user}run_dir = ${run}\nendpoint = ipc://${run}/broker.sock
[worker]\n${user}web_root =\n[database]\nconninfo =\n[admin]\nlisten =\n`);
	return conf;
}

async function serve(conf, port) {
	const log = path.join(path.dirname(conf), 'log');
	const child = spawn(program('chatctl'), ['serve', '--config', conf, '--host', '127.0.0.1',
		'--port', String(port), '--workers', '2'], { stdio: ['ignore', 'pipe', 'pipe'] });
	for (const out of [child.stdout, child.stderr]) out.pipe(createWriteStream(log, { flags: 'a' }));
	const exit = new Promise((resolve) => child.on('exit', resolve));
	endings.push(async () => {
		child.kill('SIGTERM');
		assert.equal(await within(exit, 'the end of chatctl serve'), 0, readFileSync(log, 'utf8'));
	});
	await until(async () => (await fetch(`http://127.0.0.1:${port}/up`)).ok, `the server: ${log}`);
}

function parseEnv(text) {
	return Object.fromEntries(text.split('\n').filter(Boolean).map((line) => {
		const at = line.indexOf('=');
		return [line.slice(0, at), line.slice(at + 1).replace(/^(["'])(.*)\1$/, '$2')];
	}));
}

/** The backend's and the client's own settings stand in the same .env; only host and port move. */
async function talks(env, port, family) {
	const backend = new Pusher({
		appId: env[`${family}_APP_ID`], key: env[`${family}_APP_KEY`], secret: env[`${family}_APP_SECRET`],
		host: '127.0.0.1', port: String(port), useTLS: false,
	});
	const client = new PusherClient(env[`${family}_APP_KEY`], {
		cluster: '', wsHost: '127.0.0.1', wsPort: port, forceTLS: false, enabledTransports: ['ws'],
		channelAuthorization: {
			customHandler: ({ socketId, channelName }, done) =>
				done(null, backend.authorizeChannel(socketId, channelName)),
		},
	});
	endings.push(() => client.disconnect());
	const channel = client.subscribe('private-orders.7');
	await within(new Promise((resolve) => channel.bind('pusher:subscription_succeeded', resolve)), 'the subscription');
	const heard = new Promise((resolve) => channel.bind('shipped', resolve));
	await backend.trigger('private-orders.7', 'shipped', { id: 7 });
	assert.deepEqual(await within(heard, 'the event'), { id: 7 });
}

const SOURCES = {
	REVERB: `APP_NAME=Shop\nBROADCAST_CONNECTION=reverb\n
REVERB_APP_ID=813211\nREVERB_APP_KEY=ahgvkt8j4sbkd3kdkkyq\nREVERB_APP_SECRET=yqjcnlzpkugfmo2bkr2z
REVERB_HOST="localhost"\nREVERB_PORT=8080\nREVERB_SCHEME=http
VITE_REVERB_APP_KEY="\${REVERB_APP_KEY}"\n`,
	PUSHER: `BROADCAST_DRIVER=pusher\nPUSHER_APP_ID=1593721\nPUSHER_APP_KEY=d3bd1f93e4e4d91cd2a4
PUSHER_APP_SECRET='c0c5ea6ee9e0bd3d5a83'\nPUSHER_HOST=127.0.0.1\nPUSHER_PORT=6001\nPUSHER_SCHEME=http
PUSHER_APP_CLUSTER=mt1\n`,
};

for (const [family, text] of Object.entries(SOURCES)) {
	test(`an application that used ${family} moves over, and could move back`, async () => {
		const conf = freshConf(family.toLowerCase());
		const dotenv = path.join(path.dirname(conf), '.env');
		const taken = path.join(path.dirname(conf), 'conf.d/shop.conf');
		const port = await freePort();
		writeFileSync(dotenv, text);

		// 1. Take the application over.
		const imported = chatctl('import-env', dotenv, '--output', taken);
		assert.equal(imported.status, 0, imported.err);
		const checked = chatctl('check', '--config', conf);
		assert.equal(checked.status, 0, checked.err);
		assert.match(checked.out, /1 application/);

		// 2. Start the server on another port, and look. 3. Point client and backend to it.
		await serve(conf, port);
		const env = parseEnv(text);
		await talks(env, port, family);

		// The way back: the same key and secret for Laravel.
		const exported = chatctl('export-env', '--config', conf);
		assert.equal(exported.status, 0, exported.err);
		const back = parseEnv(exported.out);
		for (const what of ['APP_ID', 'APP_KEY', 'APP_SECRET'])
			assert.equal(back[`REVERB_${what}`], env[`${family}_${what}`]);
	});
}
