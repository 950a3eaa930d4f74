// The running server under test: what `./dev run --print-env FILE` wrote, and ways to hurt it.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Reads shell-quoted KEY=VALUE lines. */
export function parseEnv(text) {
	const env = {};
	for (const line of text.split('\n')) {
		const at = line.indexOf('=');
		if (at <= 0) continue;
		const value = execFileSync('sh', ['-c', `printf %s ${line.slice(at + 1)}`]);
		env[line.slice(0, at)] = value.toString();
	}
	return env;
}

if (!process.env.CHAT_ENV_FILE) throw new Error('CHAT_ENV_FILE names no file: use run.mjs');

export const env = parseEnv(readFileSync(process.env.CHAT_ENV_FILE, 'utf8'));
export const base = `http://${env.HOST}:${env.PORT}`;
export const users = [1, 2, 3].map((n) => ({
	id: env[`USER${n}_ID`],
	token: env[`USER${n}_TOKEN`],
}));
export const chatId = Number(env.CHAT_ID);

/** The pids of now: parts that died have been started again. */
export function pids() {
	const text = execFileSync('sh', ['-c', process.env.CHAT_STATUS_CMD]).toString();
	const now = parseEnv(text);
	return {
		broker: Number(now.BROKER_PID),
		supervisor: Number(now.SUPERVISOR_PID),
		workers: now.WORKER_PIDS.split(/[ ,]+/).filter(Boolean).map(Number),
	};
}

export function shell(command) {
	const r = spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: 60000 });
	if (r.status !== 0) throw new Error(`${command}: exit ${r.status}: ${r.stderr}`);
	return r.stdout;
}

/** A function that gives the rows of a query, each an array of strings. */
export function sqlOf(url) {
	return (query) => {
		const out = execFileSync('psql', ['-XAtq', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-d', url,
			'-c', query]).toString();
		return out.split('\n').filter(Boolean).map((row) => row.split('\t'));
	};
}

export const sql = sqlOf(env.PGURL);
