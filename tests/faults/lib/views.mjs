// Presence as three witnesses tell it: the clients, the HTTP API, the tables.
import { signed } from './load.mjs';

const LOOK_MS = 50;

const same = (a, b) => a.size === b.size && [...a].every((x) => b.has(x));
const list = (set) => [...set].sort().slice(0, 12).join(' ');

/** The first client whose members are not those that are there, or null. */
function clientsSay(crowd, channel, truth) {
	for (const c of crowd.clients) {
		const seen = c.connection && c.members.get(channel);
		if (seen && !same(seen, truth)) return `${c.name} sees ${seen.size}: ${list(seen)}`;
	}
	return null;
}

async function apiSays(crowd, channel, truth) {
	const { status, body } = await signed(crowd.env, 'GET', `/channels/${channel}/users`);
	if (status !== 200) return `the API answers ${status}`;
	const seen = new Set(JSON.parse(body).users.map((u) => String(u.id)));
	return same(seen, truth) ? null : `the API says ${seen.size}: ${list(seen)}`;
}

async function tablesSay(house, channel, truth) {
	const rows = await house.sql(`SELECT DISTINCT user_id FROM chat.who_is_where WHERE channel = '${channel}'`)
		.catch((e) => e);
	if (rows instanceof Error) return `no tables: ${rows.message}`;
	const seen = new Set(rows.flat());
	return same(seen, truth) ? null : `the tables say ${seen.size}: ${list(seen)}`;
}

const WITNESSES = {
	clients: async (house, crowd, channel, truth) => clientsSay(crowd, channel, truth),
	api: (house, crowd, channel, truth) => apiSays(crowd, channel, truth),
	tables: (house, crowd, channel, truth) => tablesSay(house, channel, truth),
};

/**
 * Looks until this witness agrees with the truth. {after, wrong}: how long after both `since` and the
 * last coming or going that was, in ms; `wrong` is what it says of when `ms` have passed.
 */
async function witness(say, house, crowd, channels, since, ms) {
	for (;;) {
		const start = Math.max(since, crowd.lastChange);
		const asked = Date.now();
		let wrong = null;
		for (const channel of channels) {
			const truth = crowd.present(channel);
			const answer = await say(house, crowd, channel, truth);
			if (answer) wrong ??= `${channel} has ${truth.size}, ${answer}`;
		}
		// Who came or went during the look may have made it wrong.
		if (wrong === null && crowd.lastChange <= start) return { after: Math.max(0, asked - start), wrong };
		if (asked - start > ms) return { after: asked - start, wrong: wrong ?? 'people come and go' };
		await new Promise((next) => setTimeout(next, LOOK_MS));
	}
}

/** {clients, api, tables, wrong}: when each of them was right. */
export async function presenceRight(house, crowd, channels, since, ms) {
	const names = Object.keys(WITNESSES);
	const seen = await Promise.all(names.map((n) => witness(WITNESSES[n], house, crowd, channels, since, ms)));
	return {
		...Object.fromEntries(names.map((n, i) => [n, seen[i].after])),
		wrong: seen.map((s) => s.wrong).find((w) => w) ?? null,
	};
}
