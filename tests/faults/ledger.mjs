// Injects faults under load and checks a complete ledger of what was sent and what came.
//
//	node ledger.mjs [--seed N] [--times N] [--clients N] [--short] [FAULT...]
//
// See README.md for what is promised, and judged.
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';

import { until } from '../e2e/lib/wait.mjs';
import { Book } from './lib/book.mjs';
import { openHome } from './lib/home.mjs';
import { FAULTS } from './lib/hurt.mjs';
import { knockers, publishers, writers } from './lib/load.mjs';
import { peaks, rss, sanitized } from './lib/memory.mjs';
import { gather, lonely, stored } from './lib/people.mjs';
import { randomOf } from './lib/random.mjs';
import { addRun, table } from './lib/table.mjs';
import { presenceRight } from './lib/views.mjs';

const KINDS = ['lost', 'doubled', 'misordered', 'chat_lost', 'chat_doubled', 'chat_misordered'];
const SETTLE_MS = 30000; // for what was answered to arrive
const SHOWN = 8; // details of a run
// What the queues of one process may hold together: lane_window twice, pending_memory, max_output of
// a handful of deaf clients, and what a crowd that comes back costs.
const MEMORY_MIB = 40;

const pause = (ms) => new Promise((next) => setTimeout(next, ms));
const stamp = () => new Date().toISOString().slice(11, 23);

function options() {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			seed: { type: 'string' },
			times: { type: 'string' },
			clients: { type: 'string' },
			short: { type: 'boolean', default: false },
		},
	});
	for (const name of positionals) assert.ok(FAULTS[name], `no fault ${name}; there are ${Object.keys(FAULTS).join(' ')}`);
	const number = (name, otherwise) => {
		const n = Number(values[name] ?? otherwise);
		assert.ok(Number.isInteger(n) && n >= 0, `--${name} is a number`);
		return n;
	};
	return {
		names: positionals.length > 0 ? positionals : Object.keys(FAULTS),
		short: values.short,
		seed: number('seed', values.short ? 1 : Date.now() % 2 ** 31),
		times: number('times', values.short ? 1 : 20),
		clients: number('clients', values.short ? 200 : 300),
		rate: values.short ? 30 : 60,
		// Promises are given for a machine that has time; sanitizers and busy neighbours take it.
		patience: Number(process.env.CHAT_TIME_FACTOR ?? (values.short ? 4 : 1.5)),
	};
}

/** One fault at a random moment of a load; gives the counts of a row. */
async function hurtOnce(place, name, n) {
	const { home, book, crowd, opts } = place;
	const fault = FAULTS[name];
	const random = randomOf(opts.seed, name, n);
	crowd.forget();
	await home.look();
	await home.well();
	await crowd.gathered(60000);
	const memory = peaks(home);
	const stopKnocking = knockers(home.env);
	const stopWriting = writers(book, home.env, place.seats, { count: 4, rate: opts.rate / 5, random });
	const stopPublishing = publishers(book, home.env, place.channels, { count: 8, rate: opts.rate, random });
	await pause(random.between(300, 2000)); // the random moment
	const leaving = random.some(lonely(crowd), 3);
	const begun = Date.now();
	crowd.hurt();
	for (const c of leaving) c.leave();
	await fault.hurt({ ...place, random });
	await crowd.gathered(60000);
	const back = Date.now() - begun;
	const limit = (crowd.grace + 1000) * opts.patience;
	const presence = presenceRight(home, crowd, place.presence, Date.now(), limit);
	const mark = book.publishes.size;
	await until(() => book.publishes.size >= mark + opts.rate, 'some more publishes', 60000);
	const seen = await presence;
	await Promise.all([stopPublishing(), stopWriting()]);
	const knocks = await stopKnocking();
	await until(() => book.outstanding() === 0, 'what was answered', SETTLE_MS).catch(() => {}); // judged below
	// in the same turn: what comes later belongs to the next run
	const messages = [...book.messages];
	const result = { ...book.judge(), ...knocks, ...memory(), back, ...seen, noise: crowd.noise.length };
	result.faults.push(...await stored(home, place.seats, messages));
	for (const kind of KINDS) result[kind] = result.faults.filter((f) => f.kind === kind).length;
	judgeRest(place, fault, result);
	for (const c of leaving) c.start();
	return result;
}

/** What is no delivery: connects, presence, memory, and who was told too much. */
function judgeRest({ home, crowd, most }, fault, result) {
	const say = (kind, text) => result.faults.push({ kind, text });
	if (fault.open && result.refused > 0) say('refused', `${result.refused} connects were refused`);
	if (fault.served && result.dropped > 0) say('refused', `${result.dropped} connects were dropped`);
	if (result.wrong) say('presence', `not right in time: ${result.wrong}`);
	if (fault.silent) for (const text of crowd.tooMuch) say('noise', text);
	for (const text of crowd.complaints) say('client', text);
	for (const part of ['broker', 'worker']) {
		if (result[part] > most[part]) say('memory', `a ${part} held ${result[part].toFixed(0)} of ${most[part].toFixed(0)} MiB`);
	}
	for (const line of home.findings()) say('finding', line);
}

/** The most that each kind of process may hold, from what they hold at rest. */
function bounds(home) {
	const room = MEMORY_MIB * (sanitized(home.now.broker) ? 4 : 1);
	return {
		broker: rss(home.now.broker) / 1024 + room,
		worker: Math.max(...home.workers().map(rss)) / 1024 + room,
	};
}

async function main() {
	const opts = options();
	console.log(`seed ${opts.seed}, ${opts.times} times, ${opts.clients} clients, ${opts.names.join(' ')}`);
	const home = await openHome();
	const rows = new Map();
	let status = 1;
	try {
		const book = new Book();
		const place = { home, book, opts, ...await gather(home, book, opts.clients) };
		place.most = bounds(home);
		for (let n = 1; n <= opts.times; n++) {
			for (const name of opts.names) {
				const run = await hurtOnce(place, name, n);
				addRun(rows, name, run);
				console.log(`${stamp()} ${name} ${n}: ${run.faults.length === 0 ? 'held' : 'BROKEN'}, ${run.ok} publishes, ` +
					`${run.messages} messages, ${run.deliveries} deliveries, back after ${run.back} ms`);
				for (const f of run.faults.slice(0, SHOWN)) console.log(`    ${f.kind}: ${f.text}`);
				if (run.faults.length > SHOWN) console.log(`    and ${run.faults.length - SHOWN} more`);
			}
		}
		place.crowd.leave();
		status = [...rows.values()].every((r) => r.faults.length === 0) ? 0 : 1;
	} finally {
		console.log(`\n${table(rows.values())}\n\nseed ${opts.seed}`);
		const ended = await home.close();
		if (ended !== 0) {
			console.log(`the house ended with ${ended}`);
			status = 1;
		}
	}
	return status;
}

process.exitCode = await main();
