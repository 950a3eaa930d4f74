// What processes hold, and whether that grows.
import { readFileSync } from 'node:fs';

const MIB = 1024;

/** KiB, or null of a process that has gone. */
function field(file, name) {
	try {
		return Number(readFileSync(file, 'utf8').match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))?.[1] ?? NaN) || null;
	} catch {
		return null;
	}
}

export const rss = (pid) => field(`/proc/${pid}/status`, 'VmRSS');
export const pss = (pid) => field(`/proc/${pid}/smaps_rollup`, 'Pss');

/** Whether the address sanitizer is in it, which keeps what was freed. */
export function sanitized(pid) {
	return readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libasan');
}

/** Looks at all daemons until stop(), which gives the most that a broker and a worker held, in MiB. */
export function peaks(house, every = 100) {
	const most = { broker: 0, worker: 0 };
	const look = () => {
		most.broker = Math.max(most.broker, rss(house.now.broker) ?? 0);
		for (const pid of house.workers()) most.worker = Math.max(most.worker, rss(pid) ?? 0);
	};
	const timer = setInterval(look, every);
	return () => {
		clearInterval(timer);
		look();
		return { broker: most.broker / MIB, worker: most.worker / MIB };
	};
}

/** Least squares of [x, y]: how much y grows for each x, and how sure that is. */
export function slope(points) {
	const n = points.length;
	const mean = (i) => points.reduce((sum, p) => sum + p[i], 0) / n;
	const [mx, my] = [mean(0), mean(1)];
	const sum = (f) => points.reduce((all, [x, y]) => all + f(x - mx, y - my), 0);
	const wide = sum((x) => x * x);
	if (wide === 0 || n < 3) return { slope: 0, error: Infinity };
	const a = sum((x, y) => x * y) / wide;
	return { slope: a, error: Math.sqrt(sum((x, y) => (y - a * x) ** 2) / (n - 2) / wide) };
}
