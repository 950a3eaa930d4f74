// Who is in the house while it is hurt: people with chats, members, and listeners.
import { BareClient, Crowd, PusherClient } from './crowd.mjs';

const CHATS = 3;
const PARTICIPANTS = 8; // of each chat, with pusher-js
export const MEMBERS = 'presence-ledger';

/** What the other clients subscribe to, in turn. */
const MIX = [
	['ledger-1', 'private-ledger-1'],
	['ledger-2', MEMBERS],
	['private-ledger-2'],
	['ledger-1', MEMBERS],
	['private-ledger-1', 'private-ledger-2', 'ledger-2'],
];

/** {crowd, seats, channels, presence}: `count` clients that are all there. */
export async function gather(home, book, count) {
	// They read the house's environment when they are loaded.
	const { addChat, addUsers } = await import('../../e2e/lib/people.mjs');
	const crowd = new Crowd(book, home.env, Number(home.env.PRESENCE_GRACE_S) * 1000);
	const seats = [];
	const presence = [MEMBERS];
	for (let i = 0; i < CHATS; i++) {
		const users = addUsers(...[...Array(PARTICIPANTS)].map((_, n) => `Person ${i}-${n}`));
		const chat = await addChat(users[0], users.slice(1), { name: `Room ${i}` });
		presence.push(chat.presence_channel);
		for (const user of users) {
			seats.push({ user, chat });
			crowd.add(new PusherClient(crowd, `pusher-js of ${user.name}`, user, [chat.channel, chat.presence_channel, 'ledger-1']));
			// a second device, which only listens
			crowd.add(new BareClient(crowd, `device of ${user.name}`, user, [chat.channel]));
		}
	}
	while (crowd.clients.length < count) {
		const n = crowd.clients.length;
		// every seventh is a second connection of somebody
		const id = `member-${n % 7 === 0 ? n - MIX.length : n}`;
		crowd.add(new BareClient(crowd, `client ${n}`, { id }, MIX[n % MIX.length]));
	}
	for (const c of crowd.clients) c.start();
	await crowd.gathered(60000);
	return { crowd, seats, presence, channels: ['ledger-1', 'ledger-2', 'private-ledger-1', 'private-ledger-2', ...presence] };
}

/** Members who can go for good without anybody else of their name staying. */
export function lonely(crowd) {
	const of = (id) => crowd.wanted.filter((c) => c.user.id === id && c.channels.includes(MEMBERS));
	return crowd.wanted.filter((c) => c.channels.includes(MEMBERS) && of(c.user.id).length === 1);
}

/** Chats as the database and the history of the API have them; gives faults as the book does. */
export async function stored(home, seats, messages) {
	const { api } = await import('../../e2e/lib/clients.mjs');
	const faults = [];
	for (const chat of new Set(seats.map((s) => s.chat))) {
		const sent = messages.filter((m) => m.channel === chat.channel);
		if (sent.length === 0) continue;
		const seqs = sent.map((m) => m.seq).sort((a, b) => a - b);
		const [low, high] = [seqs[0], seqs.at(-1)];
		const say = (kind, text) => faults.push({ kind, text: `${chat.channel}: ${text}` });
		const rows = await home.sql(`SELECT seq, client_id FROM chat.message WHERE chat_id = ${chat.id}
			AND seq BETWEEN ${low} AND ${high} ORDER BY seq`);
		if (new Set(seqs).size !== seqs.length) say('chat_doubled', 'two messages were told the same seq');
		if (rows.length !== high - low + 1) say('chat_lost', `the table has ${rows.length} of ${low} to ${high}`);
		if (rows.length > sent.length) say('chat_doubled', `the table has ${rows.length}, ${sent.length} were sent`);
		if (new Set(rows.map((r) => r[1])).size !== rows.length) say('chat_doubled', 'a client_id stands twice in the table');
		const reader = seats.find((s) => s.chat === chat).user;
		const fetched = [];
		for (let at = low - 1; at < high;) {
			const r = await api(reader, 'GET', `/api/websocket/chats/${chat.id}/messages?after_seq=${at}&limit=200`);
			if (r.status !== 200 || r.body.data.length === 0) {
				say('chat_lost', `history after ${at}: ${r.status}`);
				break;
			}
			fetched.push(...r.body.data.map((m) => m.seq));
			at = fetched.at(-1);
		}
		const missing = seqs.filter((s) => !fetched.includes(s));
		if (missing.length > 0) say('chat_lost', `history has no ${missing.slice(0, 5)}`);
		if (fetched.some((s, i) => i > 0 && s <= fetched[i - 1])) say('chat_misordered', 'history is not in order');
	}
	return faults;
}
