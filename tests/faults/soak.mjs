// Hours of ordinary life in minutes: clients come and go, publish, chat and type; memory must not grow.
//
//	node soak.mjs [--minutes N] [--seed N] [--clients N]
import { parseArgs } from 'node:util';

import { until } from '../e2e/lib/wait.mjs';
import { Book } from './lib/book.mjs';
import { openHome } from './lib/home.mjs';
import { churn, publishers, typists, writers } from './lib/load.mjs';
import { pss, rss, slope } from './lib/memory.mjs';
import { gather, stored } from './lib/people.mjs';
import { randomOf } from './lib/random.mjs';

const ROUND_MS = 20000; // of load, before what was sent is settled
const SAMPLE_MS = 2000;
const SETTLE_MS = 30000;
const HOUR_MS = 3600000;
// RSS is judged; of PSS, whoever else runs the same program takes a share. A short run cannot see
// little growth: what lies within twice the error of its slope, or is less than so many pages in all,
// is not held against it.
const FLAT_MIB_PER_HOUR = 1;
const FLAT_MIB = 0.25;

const pause = (ms) => new Promise((next) => setTimeout(next, ms));

function options() {
	const { values } = parseArgs({
		options: { minutes: { type: 'string' }, seed: { type: 'string' }, clients: { type: 'string' } },
	});
	return {
		minutes: Number(values.minutes ?? 10),
		seed: Number(values.seed ?? Date.now() % 2 ** 31),
		clients: Number(values.clients ?? 200),
	};
}

/** Looks at every daemon until stop(); `series` are {name, pss: [[ms, KiB]], rss: [[ms, KiB]]}. */
function sampler(home) {
	const series = new Map();
	const look = () => {
		for (const [i, pid] of [home.now.broker, ...home.workers()].entries()) {
			const name = i === 0 ? `broker ${pid}` : `worker ${pid}`;
			if (!series.has(name)) series.set(name, { name, pss: [], rss: [] });
			const now = Date.now();
			const [p, r] = [pss(pid), rss(pid)];
			if (p !== null) series.get(name).pss.push([now, p]);
			if (r !== null) series.get(name).rss.push([now, r]);
		}
	};
	const timer = setInterval(look, SAMPLE_MS);
	look();
	return {
		series,
		stop: () => clearInterval(timer),
	};
}

/** One line for each process; whether all are flat. The first third is the warm-up. */
function report(series, begun) {
	const warm = begun + (Date.now() - begun) / 3;
	let flat = true;
	for (const one of series.values()) {
		const cells = ['pss', 'rss'].map((kind) => {
			const late = one[kind].filter(([at]) => at >= warm);
			const { slope: perMs, error } = slope(late);
			const [perHour, sure] = [perMs, error].map((v) => v * HOUR_MS / 1024);
			const rise = perMs * (late.at(-1)[0] - late[0][0]) / 1024;
			const growing = kind === 'rss' && perHour - 2 * sure > FLAT_MIB_PER_HOUR && rise > FLAT_MIB;
			flat &&= !growing;
			const mib = (at) => ((late.at(at)?.[1] ?? 0) / 1024).toFixed(2);
			return `${kind} ${mib(0)} to ${mib(-1)} MiB, ${perHour.toFixed(2)} ± ${sure.toFixed(2)} MiB/h${growing ? ' GROWS' : ''}`;
		});
		console.log(`${one.name}: ${cells.join('; ')}; ${one.pss.length} samples`);
	}
	return flat;
}

async function round(place, random, total) {
	const { home, book, crowd, seats } = place;
	const stops = [
		publishers(book, home.env, place.channels, { count: 8, rate: 60, random }),
		writers(book, home.env, seats, { count: 4, rate: 12, random }),
		typists(home.env, seats, { rate: 5, random }),
	];
	const stopChurn = churn(crowd, { rate: 10, random });
	await pause(ROUND_MS);
	total.churned += await stopChurn();
	await Promise.all(stops.map((stop) => stop()));
	await crowd.gathered(60000);
	await until(() => book.outstanding() === 0, 'what was answered', SETTLE_MS).catch(() => {}); // judged below
	const messages = [...book.messages];
	const result = book.judge();
	result.faults.push(...await stored(home, seats, messages));
	for (const key of ['ok', 'unanswered', 'messages', 'deliveries']) total[key] += result[key];
	total.faults.push(...result.faults, ...crowd.complaints.splice(0).map((text) => ({ kind: 'client', text })));
	crowd.forget();
}

async function main() {
	const opts = options();
	console.log(`seed ${opts.seed}, ${opts.minutes} minutes, ${opts.clients} clients`);
	const home = await openHome();
	const total = { rounds: 0, ok: 0, unanswered: 0, messages: 0, deliveries: 0, churned: 0, faults: [] };
	let good = false;
	try {
		const book = new Book();
		const place = { home, book, ...await gather(home, book, opts.clients) };
		const random = randomOf(opts.seed, 'soak');
		const begun = Date.now();
		const samples = sampler(home);
		while (Date.now() - begun < opts.minutes * 60000) {
			await round(place, random, total);
			total.rounds++;
			console.log(`round ${total.rounds}: ${total.ok} publishes, ${total.messages} messages, ${total.deliveries} ` +
				`deliveries, ${total.churned} came and went, ${total.faults.length} faults`);
		}
		samples.stop();
		for (const f of total.faults.slice(0, 20)) console.log(`    ${f.kind}: ${f.text}`);
		const flat = report(samples.series, begun);
		console.log(`memory is ${flat ? 'flat' : 'NOT flat'}: RSS may grow over the last two thirds by at most ${FLAT_MIB_PER_HOUR} MiB an hour, ` +
			`beyond twice the error of the slope, or ${FLAT_MIB} MiB in all`);
		// Who died and came again is another process.
		good = flat && total.faults.length === 0 && samples.series.size === home.size + 1 && home.findings().length === 0;
		place.crowd.leave();
	} finally {
		if (await home.close() !== 0) good = false;
	}
	console.log(`seed ${opts.seed}: ${good ? 'held' : 'BROKEN'}`);
	return good ? 0 : 1;
}

process.exitCode = await main();
