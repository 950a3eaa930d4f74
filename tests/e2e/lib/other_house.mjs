// A second server with a database and a configuration of its own, on the same PostgreSQL.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { env, sql, sqlOf } from './house.mjs';
import { until, within } from './wait.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const APP = { id: 'other', key: 'other-key', secret: 'other-secret' };
let count = 0;

export function program(name) {
	const build = process.env.CHAT_DEV_BUILD || path.join(root, 'build/dev');
	return path.join(build, { chatctl: 'ctl' }[name] ?? name.slice(5), name);
}

function freePort() {
	return new Promise((resolve) => {
		const s = createServer().listen(0, '127.0.0.1', () => {
			const { port } = s.address();
			s.close(() => resolve(port));
		});
	});
}

function urlOf(database) {
	const url = env.PGURL.replace(/@\/[^?]*/, `@/${database}`);
	const params = new URLSearchParams(url.slice(url.indexOf('?')));
	const conninfo = (user) => `host=${params.get('host')} port=${params.get('port')} dbname=${database} user=${user}`;
	return { url, conninfo };
}

/** Runs chatctl; gives {status, out, err}. */
export function chatctl(...words) {
	try {
		const out = execFileSync(program('chatctl'), words, { stdio: ['ignore', 'pipe', 'pipe'] });
		return { status: 0, out: out.toString(), err: '' };
	} catch (e) {
		return { status: e.status, out: String(e.stdout), err: String(e.stderr) };
	}
}

class Daemon {
	constructor(name, args, log) {
		this.log = log;
		this.name = name;
		this.ended = null;
		const out = openSync(log, 'a');
		this.child = spawn(program(name), args, { stdio: ['ignore', out, out] });
		this.exit = new Promise((resolve) => this.child.on('exit', (code, signal) => {
			this.ended = code ?? signal;
			resolve(this.ended);
		}));
	}

	get pid() {
		return this.child.pid;
	}

	lastWords() {
		return readFileSync(this.log, 'utf8').slice(-3000);
	}

	/** Orderly; fails when it did not end well, as a sanitizer's finding makes it. */
	async stop() {
		this.child.kill('SIGTERM');
		const again = setTimeout(() => this.child.kill('SIGTERM'), 2000);
		const how = await within(this.exit, `the end of ${this.name}`);
		clearTimeout(again);
		if (how !== 0) throw new Error(`${this.name} ended with ${how}: ${this.lastWords()}`);
	}

	async kill() {
		this.child.kill('SIGKILL');
		await this.exit;
	}
}

function template(place, ports, user) {
	return `
[broker]
user = ${user}
endpoint = ipc://${place.run}/broker.sock
run_dir = ${place.run}
node = ${place.name}
[worker]
user = ${user}
listen = 127.0.0.1:${ports.worker}
workers = 1
web_root =
[database]
conninfo = ${place.conninfo('chat-broker')}
[presence]
grace = 1s
[chat]
offline_grace = 2s
[admin]
listen = 127.0.0.1:${ports.admin}
[app "${APP.id}"]
key = ${APP.key}
secret = ${APP.secret}
client_events = members
`;
}

/**
 * Makes the database, applies sql/, calls prepare(sql, url) and starts the daemons. Where `conf` sets
 * something that the template sets too, `conf` counts.
 */
export async function openHouse({ conf = '', prepare = () => {}, start = true } = {}) {
	const dir = mkdtempSync('/var/tmp/chat-house-');
	const name = `other_${process.pid}_${++count}`;
	const user = process.getuid() === 0 ? 'daemon' : '';
	const ports = { worker: await freePort(), admin: await freePort() };
	const place = { name, run: path.join(dir, 'run'), ...urlOf(name) };
	const house = { dir, name, conninfo: place.conninfo, sql: sqlOf(place.url), parts: [] };

	chmodSync(dir, 0o755);
	mkdirSync(place.run, 0o750);
	if (user) {
		const id = (flag) => Number(execFileSync('id', [flag, user]).toString());
		chownSync(place.run, id('-u'), id('-g'));
	}
	house.files = [path.join(dir, 'chat.conf'), path.join(dir, 'more.conf')];
	writeFileSync(house.files[0], template(place, ports, user));
	writeFileSync(house.files[1], conf);
	house.args = house.files.map((f) => `--config=${f}`);
	house.env = { ...env, HOST: '127.0.0.1', PORT: String(ports.worker), APP_ID: APP.id,
		APP_KEY: APP.key, APP_SECRET: APP.secret, PGURL: place.url, ADMIN_PORT: String(ports.admin) };
	house.base = `http://127.0.0.1:${ports.worker}`;

	house.startBroker = () => {
		house.broker = new Daemon('chat-broker', house.args, path.join(dir, 'broker.log'));
		return until(() => house.isReady(), `the broker: ${path.join(dir, 'broker.log')}`);
	};
	house.isReady = async () => {
		if (house.broker.ended !== null) throw new Error(house.broker.lastWords());
		const r = await fetch(`http://127.0.0.1:${ports.admin}/status`);
		const { database } = await r.json();
		return database.state === 'up' && database.connections.every((c) => c.ready);
	};
	house.start = async () => {
		await house.startBroker();
		house.worker = new Daemon('chat-worker', house.args, path.join(dir, 'worker.log'));
		await until(async () => (await fetch(`${house.base}/up`)).ok, 'the worker');
	};
	house.close = async () => {
		try {
			if (house.worker) await house.worker.stop();
			if (house.broker && house.broker.ended === null) await house.broker.stop();
		} finally {
			sql(`DROP DATABASE ${name} WITH (FORCE)`);
			rmSync(dir, { recursive: true, force: true });
		}
	};

	sql(`CREATE DATABASE ${name}`);
	const migrated = chatctl('migrate', '--sql-dir', path.join(root, 'sql'), '--conninfo', place.url);
	if (migrated.status !== 0) throw new Error(migrated.err);
	await prepare(house.sql, place.url);
	if (start) await house.start();
	return house;
}
