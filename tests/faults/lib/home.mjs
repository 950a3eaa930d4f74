// The house that is hurt: started by `./dev run`, its processes as they are now, and when it is well.
import { exec } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { startHouse } from '../../e2e/lib/start.mjs';
import { until } from '../../e2e/lib/wait.mjs';
import { psql } from './psql.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const PATIENCE = Number(process.env.CHAT_PATIENCE ?? 60000);

export function shell(command) {
	return new Promise((resolve, reject) => {
		exec(command, { encoding: 'utf8' }, (e, out) => (e ? reject(e) : resolve(out)));
	});
}

function childrenOf(pid) {
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
	} catch {
		return [];
	}
}

/** A process that is there and not only waited for. */
export function alive(pid) {
	try {
		return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
	} catch {
		return false;
	}
}

export async function openHome({ workers = 3 } = {}) {
	const dir = mkdtempSync('/var/tmp/chat-faults-');
	chmodSync(dir, 0o755);
	// What a sanitizer keeps of freed memory is not the server's.
	const starting = startHouse(dir, ['--workers', String(workers), '--conf', path.join(here, '../ledger.conf')],
		{ ASAN_OPTIONS: [process.env.ASAN_OPTIONS, 'quarantine_size_mb=8'].filter(Boolean).join(':') });
	const end = async () => {
		const status = await (await starting).stop();
		if (!process.env.CHAT_KEEP) rmSync(dir, { recursive: true, force: true });
		return status;
	};
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => end().finally(() => process.exit(1)));
	const started = await starting;
	process.env.CHAT_ENV_FILE = started.file;
	const { parseEnv } = await import('../../e2e/lib/house.mjs');
	const env = parseEnv(readFileSync(started.file, 'utf8'));
	const home = { dir, env, size: workers, now: { broker: Number(env.BROKER_PID), supervisor: Number(env.SUPERVISOR_PID) } };

	/** The processes that hold the clients. */
	home.workers = () => childrenOf(home.now.supervisor).filter(alive);

	/** Looks who broker and supervisor are; 0 is nobody. */
	home.look = async () => {
		const text = await shell(started.status);
		const pid = (name) => Number(text.match(new RegExp(`^${name}='?(\\d+)`, 'm'))?.[1] ?? 0);
		home.now = { broker: pid('BROKER_PID'), supervisor: pid('SUPERVISOR_PID') };
		return home.now;
	};

	const session = psql(env.PGURL);
	/** The rows of a query, each an array of strings. */
	home.sql = session.ask;

	/** What `chatctl status` shows. */
	home.status = async () => {
		const r = await fetch(`http://127.0.0.1:${env.ADMIN_PORT}/status`,
			{ headers: { Connection: 'close' }, signal: AbortSignal.timeout(2000) });
		return r.json();
	};

	/** Broker, workers and database are there and know each other, and `also` (of the status) holds. */
	home.well = (also = () => true) => until(async () => {
		const s = await home.status();
		home.now.broker = s.pid;
		return s.ready && s.database.state === 'up' && s.database.connections.every((c) => c.ready) &&
			s.workers.length === workers && home.workers().length === workers &&
			s.workers.every((w) => !w.draining) && also(s) && s;
	}, 'a house that is well', PATIENCE);

	/** What sanitizers have found, or the program has said of faults of its own. */
	home.findings = () => readdirSync(path.join(dir, 'data/log')).flatMap((name) =>
		readFileSync(path.join(dir, 'data/log', name), 'utf8').split('\n')
			.filter((line) => /Sanitizer|runtime error:|assertion/i.test(line)).map((line) => `${name}: ${line}`));

	/** Gives the exit status of ./dev run. */
	home.close = async () => {
		session.end();
		return end();
	};
	return home;
}
