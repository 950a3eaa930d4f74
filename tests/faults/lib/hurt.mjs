// The faults. Each takes {home, crowd, book, random}, injects itself, and resolves when what was hurt
// has been healed by whoever is meant to: a supervisor, a service manager, time.
import { readFileSync } from 'node:fs';

import { until } from '../../e2e/lib/wait.mjs';
import { BareClient } from './crowd.mjs';
import { alive, shell } from './home.mjs';
import { signed } from './load.mjs';

const pause = (ms) => new Promise((next) => setTimeout(next, ms));
const gone = (pid, what) => until(() => !alive(pid), what, 60000);
const numbers = (status) => status.workers.map((w) => w.number);
const DEAF_CHANNEL = 'private-ledger-deaf';
const HEARTBEATS_MS = 3000; // three missed ones, as ledger.conf has them

/** Well again, with `n` workers or more that were not there before. */
async function renewed(home, before, n) {
	await home.well((s) => numbers(s).filter((w) => !before.includes(w)).length >= n);
}

async function workerKill({ home, random }) {
	const before = numbers(await home.status());
	process.kill(random.pick(home.workers()), 'SIGKILL');
	await renewed(home, before, 1);
}

/** Given up by the broker, then awake again before the supervisor loses patience. */
async function workerStall({ home, random }) {
	const before = numbers(await home.status());
	const victim = random.pick(home.workers());
	process.kill(victim, 'SIGSTOP');
	await until(async () => (await home.status()).workers.length < home.size, 'a worker that is given up', 60000);
	process.kill(victim, 'SIGCONT');
	await gone(victim, 'the end of the worker that slept');
	await renewed(home, before, 1);
}

async function workerStuck({ home, random }) {
	const before = numbers(await home.status());
	const victim = random.pick(home.workers());
	process.kill(victim, 'SIGSTOP');
	await gone(victim, 'the end of the worker that sleeps, by its supervisor');
	await renewed(home, before, 1);
}

async function workerLoop({ home, random }) {
	const before = numbers(await home.status());
	for (let i = 0; i < 6; i++) {
		const victim = random.pick(await until(() => home.workers().length > 0 && home.workers(), 'a worker'));
		process.kill(victim, 'SIGKILL');
		await gone(victim, 'its end');
	}
	await renewed(home, before, 1);
}

async function brokerKill({ home, book }) {
	const old = home.now.broker;
	book.brokerDies();
	process.kill(old, 'SIGKILL');
	await gone(old, 'the end of the broker');
	await shell(home.env.BROKER_START_CMD);
	await home.well((s) => s.pid !== old);
}

function brokerSleep(low, high) {
	return async ({ home, random }) => {
		process.kill(home.now.broker, 'SIGSTOP');
		await pause(random.between(low, high));
		process.kill(home.now.broker, 'SIGCONT');
		await home.well();
	};
}

async function supervisorKill({ home }) {
	const old = home.now.supervisor;
	const orphans = home.workers();
	const before = numbers(await home.status());
	process.kill(old, 'SIGKILL');
	await until(async () => ![0, old].includes((await home.look()).supervisor), 'another supervisor', 60000);
	for (const pid of orphans) await gone(pid, 'the end of an orphan');
	await renewed(home, before, home.size);
}

async function pgStop({ home, random }) {
	await shell(home.env.PG_STOP_CMD);
	await pause(random.between(300, 2000));
	await shell(home.env.PG_START_CMD);
	await home.well();
}

const connects = (status) => status.database.connections.map((c) => c.connects);

/** All connections of the database have been made anew since. */
async function reconnected(home, before) {
	await home.well((s) => connects(s).every((n, i) => n > before[i]));
}

async function pgCrash({ home }) {
	const before = connects(await home.status());
	const [[folder]] = await home.sql('SHOW data_directory');
	process.kill(Number(readFileSync(`${folder}/postmaster.pid`, 'utf8').split('\n')[0]), 'SIGQUIT');
	await reconnected(home, before);
}

async function pgBackends({ home }) {
	const before = connects(await home.status());
	await home.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name LIKE 'chat-broker/%'`);
	await reconnected(home, before);
}

async function reload({ home }) {
	const before = numbers(await home.status());
	process.kill(home.now.supervisor, 'SIGHUP');
	await renewed(home, before, home.size);
}

/** They subscribe to what is much, and read nothing of it; two others there hear all. */
async function deaf({ home, crowd, book }) {
	const some = [...Array(4)].map((_, i) => new BareClient(crowd, `deaf ${i}`, { id: `deaf-${i}` }, [DEAF_CHANNEL]));
	const good = [0, 1].map((i) => crowd.add(new BareClient(crowd, `beside the deaf ${i}`, { id: `beside-${i}` },
		[DEAF_CHANNEL])));
	for (const c of [...some, ...good]) c.start();
	await until(() => [...some, ...good].every((c) => c.ready), 'deaf clients');
	for (const c of some) {
		c.wanted = false;
		book.close(c.connection, 'deaf'); // what it gets is not looked at
		c.ws._socket.pause();
	}
	const slow = async () => (await home.status()).workers.reduce((sum, w) => sum + w.slow, 0);
	const before = await slow();
	const data = 'x'.repeat(9000);
	await until(async () => {
		const batch = [...Array(10)].map(() => ({ name: 'much', channel: DEAF_CHANNEL, data }));
		await signed(home.env, 'POST', '/batch_events', JSON.stringify({ batch }));
		return await slow() - before >= some.length;
	}, 'deaf clients that are closed', 60000);
	for (const c of some) c.leave();
	for (const c of good) crowd.remove(c);
}

async function storm({ crowd, random }) {
	for (const c of random.some(crowd.wanted, Math.floor(crowd.wanted.length / 2))) c.cut();
}

/**
 * `silent`: members who are back within the grace have never been away for others.
 * `open`: nobody may be refused; `served`: whoever is let in is answered.
 * What is not promised is not judged: without a service manager that keeps its listeners a new
 * supervisor opens them anew, and clients come back when it has; see manager.test.mjs.
 */
export const FAULTS = {
	'worker-kill': { hurt: workerKill, silent: true, open: true },
	'worker-stall': { hurt: workerStall, open: true },
	'worker-stuck': { hurt: workerStuck, open: true },
	'worker-loop': { hurt: workerLoop, open: true },
	'broker-kill': { hurt: brokerKill, silent: true, open: true },
	'broker-pause': { hurt: brokerSleep(200, 1500), silent: true, open: true },
	'broker-sleep': { hurt: brokerSleep(HEARTBEATS_MS + 500, HEARTBEATS_MS + 2500), silent: true, open: true },
	'supervisor-kill': { hurt: supervisorKill },
	'pg-stop': { hurt: pgStop, silent: true, open: true },
	'pg-crash': { hurt: pgCrash, silent: true, open: true },
	'pg-backends': { hurt: pgBackends, silent: true, open: true },
	reload: { hurt: reload, silent: true, open: true, served: true },
	deaf: { hurt: deaf, silent: true, open: true, served: true },
	storm: { hurt: storm, silent: true, open: true, served: true },
};
