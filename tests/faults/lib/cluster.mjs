// PostgreSQL clusters of a test's own, that may be stopped, promoted or filled, and a server on them.
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { sqlOf } from '../../e2e/lib/house.mjs';
import { chatctl, openHouse, root } from '../../e2e/lib/other_house.mjs';
import { lifeIn } from '../../e2e/lib/people.mjs';

const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => b - a);
const bin = `/usr/lib/postgresql/${versions[0]}/bin`;
const asRoot = process.getuid() === 0;

/** Runs a program of PostgreSQL, as the user postgres where root runs the tests. */
function run(name, ...args) {
	const argv = [path.join(bin, name), ...args];
	if (asRoot) argv.unshift('runuser', '-u', 'postgres', '--');
	return execFileSync(argv[0], argv.slice(1), { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

function ownByPostgres(dir) {
	const id = (flag) => Number(execFileSync('id', [flag, 'postgres']).toString());
	if (asRoot) chownSync(dir, id('-u'), id('-g'));
}

function clusterIn(dir) {
	const data = path.join(dir, 'data');
	const cluster = { dir, data };
	const ctl = (...args) => run('pg_ctl', '-D', data, '-s', '-w', '-t', '60', ...args);

	cluster.url = `postgresql://postgres@/chat?host=${dir}&port=5432`;
	cluster.conf = (text) => appendFileSync(path.join(data, 'postgresql.conf'), text);
	cluster.start = () => ctl('-l', path.join(dir, 'log'), 'start');
	cluster.stop = (mode = 'fast') => ctl('-m', mode, 'stop');
	cluster.promote = () => ctl('promote');
	cluster.drop = () => {
		if (existsSync(path.join(data, 'postmaster.pid'))) cluster.stop('immediate');
		rmSync(dir, { recursive: true, force: true });
	};
	cluster.sql = sqlOf(cluster.url);
	/** A session that holds what `text` takes, until its end. */
	cluster.hold = async (text) => {
		const child = spawn('psql', ['-XAtq', '-d', cluster.url], { stdio: ['pipe', 'pipe', 'inherit'] });
		child.stdin.write(`${text}\nSELECT 'held';\n`);
		await new Promise((resolve) => child.stdout.once('data', resolve));
		const ended = new Promise((resolve) => child.on('exit', resolve));
		return { end: () => {
			child.stdin.end();
			return ended;
		} };
	};
	return cluster;
}

function newDir() {
	const dir = mkdtempSync('/var/tmp/pgc-');
	chmodSync(dir, 0o755);
	ownByPostgres(dir);
	return dir;
}

/** A running cluster with the chat's schema; `conf` is more text of postgresql.conf. */
export function openCluster(conf = '') {
	const cluster = clusterIn(newDir());
	run('initdb', '-D', cluster.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8',
		'--no-sync', '--no-instructions');
	cluster.conf(`
listen_addresses = ''
unix_socket_directories = '${cluster.dir}'
fsync = off
shared_buffers = 16MB
max_connections = 40
${conf}
`);
	cluster.start();
	sqlOf(cluster.url.replace('/chat?', '/postgres?'))('CREATE DATABASE chat');
	const migrated = chatctl('migrate', '--sql-dir', path.join(root, 'sql'), '--conninfo', cluster.url);
	if (migrated.status !== 0) throw new Error(migrated.err);
	cluster.sql('CREATE ROLE "chat-broker" LOGIN; GRANT chat_broker TO "chat-broker"');
	return cluster;
}

/** A streaming standby of `primary`, running. */
export function standbyOf(primary) {
	const cluster = clusterIn(newDir());
	run('pg_basebackup', '-h', primary.dir, '-U', 'postgres', '-D', cluster.data, '-R', '-X', 'stream', '-c', 'fast');
	cluster.conf(`\nunix_socket_directories = '${cluster.dir}'\n`);
	cluster.start();
	return cluster;
}

/** A server whose database stands in the clusters, tried in turn; with the life of its clients. */
export async function houseOn(clusters, conf = '') {
	const house = await openHouse({ start: false });
	const hosts = clusters.map((c) => c.dir).join(',');
	const attrs = clusters.length > 1 ? ' target_session_attrs=read-write' : '';
	appendFileSync(house.files[1], `
[database]
conninfo = host=${hosts} port=5432 dbname=chat user=chat-broker${attrs}
database_wait = 1s
[limits]
message_rate = 1000
message_burst = 1000
${conf}
`);
	house.sql = (query) => house.cluster.sql(query);
	house.cluster = clusters[0];
	try {
		await house.start();
	} catch (e) {
		await house.close();
		throw e;
	}
	return { house, life: lifeIn(house) };
}
