// Results as lines for people.

const COLUMNS = [
	['fault', (r) => r.name],
	['n', (r) => r.n],
	['200', (r) => r.ok],
	['other', (r) => r.unanswered],
	['deliveries', (r) => r.deliveries],
	['lost', (r) => r.lost],
	['doubled', (r) => r.doubled],
	['order', (r) => r.misordered],
	['chat', (r) => r.messages],
	['fetched', (r) => r.fetched],
	['lost', (r) => r.chat_lost],
	['doubled', (r) => r.chat_doubled],
	['order', (r) => r.chat_misordered],
	['knocks', (r) => r.served],
	['refused', (r) => r.refused],
	['noise', (r) => r.noise],
	['back ms', (r) => r.back],
	['clients ms', (r) => r.clients],
	['API ms', (r) => r.api],
	['tables ms', (r) => r.tables],
	['broker MiB', (r) => Math.round(r.broker)],
	['worker MiB', (r) => Math.round(r.worker)],
	['verdict', (r) => (r.faults.length === 0 ? 'held' : `BROKEN ${r.faults.length}`)],
];

const MOST = ['back', 'clients', 'api', 'tables', 'broker', 'worker'];

/** Adds one run to the row of its fault: counts are summed, measures are the most. */
export function addRun(rows, name, run) {
	if (!rows.has(name)) rows.set(name, { name, n: 0, faults: [] });
	const row = rows.get(name);
	row.n++;
	row.faults.push(...run.faults);
	for (const [key, value] of Object.entries(run)) {
		if (typeof value !== 'number') continue;
		row[key] = MOST.includes(key) ? Math.max(row[key] ?? 0, value) : (row[key] ?? 0) + value;
	}
}

export function table(rows) {
	const lines = [COLUMNS.map(([title]) => title), ...[...rows].map((r) => COLUMNS.map(([, cell]) => String(cell(r))))];
	const widths = COLUMNS.map((_, i) => Math.max(...lines.map((l) => l[i].length)));
	return lines.map((l) => l.map((cell, i) => (i === 0 || i === COLUMNS.length - 1
		? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ').trimEnd()).join('\n');
}
