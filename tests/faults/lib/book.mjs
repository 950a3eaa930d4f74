// The ledger: what was sent, what came, and whether the one fits the other. No socket, no house.
//
// Time is a counter of events in this process, where all publishers and clients live: a publish whose
// answer was noted before another one was begun has come before it, without any clock.

/** Of what was answered so long before a broker died, all workers have told that they hold it. */
const STABLE_MS = 3000;

/** One connection of a client: what it has subscribed to, and what it got, in order. */
export class Connection {
	constructor(name, tick) {
		this.name = name;
		this.opened = tick;
		this.ended = null; // how, or null while it is open
		this.subscribed = new Map(); // channel -> tick
		this.got = []; // {id, channel}
		this.had = new Map(); // channel -> Set of ids
		this.messages = new Map(); // channel of a chat -> [seq] in the order in which they came
		this.messagesGot = 0;
	}
}

const faultOf = (kind, text) => ({ kind, text });

export class Book {
	#tick = 0;
	#id = 0;
	#life = 0; // of the broker
	#unanswered = new Set(); // ids of what is settled and may still come once

	constructor() {
		this.connections = new Set();
		this.#clear();
	}

	#clear() {
		this.publishes = new Map();
		this.messages = [];
		this.strays = [];
		for (const c of this.connections) {
			if (c.ended !== null) this.connections.delete(c);
			c.got = [];
			c.had.clear();
			c.messagesGot = 0;
			for (const [channel, seqs] of c.messages) c.messages.set(channel, seqs.slice(-1));
		}
	}

	tick() {
		return ++this.#tick;
	}

	/* ---- what is sent ---- */

	#entry(more) {
		return { sent: this.tick(), answered: Infinity, status: null, life: this.#life, at: Date.now(), ...more };
	}

	/** A publisher sends one after the other. Gives the entry to be closed with the answer. */
	publish(publisher, channels) {
		const entry = this.#entry({ id: ++this.#id, publisher, channels });
		this.publishes.set(entry.id, entry);
		return entry;
	}

	/** A message of a chat; `seq` is known with the answer. */
	message(sender, channel) {
		const entry = this.#entry({ sender, channel, seq: null });
		this.messages.push(entry);
		return entry;
	}

	answer(entry, status) {
		entry.answered = this.tick();
		entry.answeredAt = Date.now();
		entry.status = status;
	}

	/** To be called before the broker is killed: which life has ordered what is under way is not known. */
	brokerDies() {
		const stable = Date.now() - STABLE_MS;
		for (const e of [...this.publishes.values(), ...this.messages]) {
			if (e.life === this.#life && !(e.answeredAt < stable)) e.life = null;
		}
		this.#life++;
	}

	/* ---- what comes ---- */

	connect(name) {
		const c = new Connection(name, this.tick());
		this.connections.add(c);
		return c;
	}

	close(connection, how) {
		connection.ended ??= how;
	}

	subscribe(connection, channel) {
		if (!connection.subscribed.has(channel)) connection.subscribed.set(channel, this.tick());
	}

	deliver(connection, channel, id) {
		if (!this.publishes.has(id)) {
			if (!this.#unanswered.has(id)) this.strays.push(`${connection.name} got ${id} on ${channel} long after`);
			return;
		}
		connection.got.push({ id, channel });
		if (!connection.had.has(channel)) connection.had.set(channel, new Set());
		connection.had.get(channel).add(id);
	}

	deliverMessage(connection, channel, seq) {
		if (!connection.messages.has(channel)) connection.messages.set(channel, []);
		connection.messages.get(channel).push(seq);
		connection.messagesGot++;
	}

	/* ---- whether it fits ---- */

	/** Entries that `c` must have had: all on its channels while it is open. */
	* #owed(c) {
		for (const p of this.publishes.values()) {
			if (p.status !== 200) continue;
			for (const channel of p.channels) {
				if (p.sent > c.subscribed.get(channel) && !c.had.get(channel)?.has(p.id)) yield { p, channel };
			}
		}
	}

	/** How many deliveries to open connections have not come yet. */
	outstanding() {
		let n = 0;
		for (const c of this.connections) {
			if (c.ended !== null) continue;
			n += [...this.#owed(c)].length + this.#owedMessages(c).filter((m) => m.life !== null).length;
		}
		return n;
	}

	#owedMessages(c) {
		return this.messages.filter((m) => m.seq !== null && m.sent > c.subscribed.get(m.channel) &&
			!c.messages.get(m.channel)?.includes(m.seq));
	}

	#judgeOrder(c, faults) {
		const bySender = new Map();
		const byLife = new Map();
		const later = (map, key, p) => {
			const last = map.get(key);
			if (!last || p.sent > last.sent) map.set(key, p);
			return last && last.sent > p.answered ? last : null;
		};
		for (const { id, channel } of c.got) {
			const p = this.publishes.get(id);
			const before = later(bySender, p.publisher, p) ?? (p.life === null ? null : later(byLife, p.life, p));
			if (before && p.status === 200) {
				faults.push(faultOf('misordered', `${c.name} got ${before.id} (${before.publisher}) before ${id} ` +
					`(${p.publisher}) on ${channel}, which had been answered at ${p.answeredAt}`));
			}
		}
		return byLife;
	}

	/** A connection that has ended may miss the last ones, but none before one that it got. */
	#judgeLost(c, lastOfLife, faults) {
		for (const { p, channel } of this.#owed(c)) {
			const last = lastOfLife.get(p.life);
			if (c.ended !== null && !(p.life !== null && last && last.sent > p.answered)) continue;
			faults.push(faultOf('lost', `${c.name} (${c.ended ?? 'open'}) did not get ${p.id} of ${p.publisher} on ` +
				`${channel}, sent at ${p.at}, answered at ${p.answeredAt}`));
		}
	}

	#judgeDoubled(c, faults) {
		const seen = new Set();
		for (const { id, channel } of c.got) {
			const key = `${channel} ${id}`;
			if (seen.has(key)) faults.push(faultOf('doubled', `${c.name} got ${id} twice on ${channel}`));
			seen.add(key);
		}
	}

	#judgeMessages(c, result) {
		for (const [channel, seqs] of c.messages) {
			seqs.forEach((seq, i) => {
				if (i > 0 && seq <= seqs[i - 1]) {
					result.faults.push(faultOf(seqs.indexOf(seq) < i ? 'chat_doubled' : 'chat_misordered',
						`${c.name} got ${seq} after ${seqs[i - 1]} on ${channel}`));
				}
			});
		}
		for (const m of this.#owedMessages(c)) {
			const last = c.messages.get(m.channel)?.at(-1) ?? 0;
			if (c.ended !== null && last < m.seq) continue;
			if (m.life === null) result.fetched++;
			else {
				result.faults.push(faultOf('chat_lost', `${c.name} (${c.ended ?? 'open'}) did not get ${m.seq} of ` +
					`${m.channel}, sent at ${m.at}, answered ${m.status} at ${m.answeredAt}`));
			}
		}
	}

	/** All connections see what one broker has ordered in the same order. */
	#judgeAgreement(faults) {
		const lists = new Map();
		for (const c of this.connections) {
			const mine = new Map();
			for (const { id, channel } of c.got) {
				const { life } = this.publishes.get(id);
				if (life === null) continue;
				const key = `${channel} ${life}`;
				if (!mine.has(key)) mine.set(key, []);
				mine.get(key).push(id);
			}
			for (const [key, ids] of mine) {
				if (!lists.has(key)) lists.set(key, []);
				lists.get(key).push({ c, ids });
			}
		}
		for (const [key, all] of lists) {
			all.sort((a, b) => b.ids.length - a.ids.length);
			const place = new Map(all[0].ids.map((id, i) => [id, i]));
			for (const { c, ids } of all.slice(1)) {
				const places = ids.map((id) => place.get(id)).filter((i) => i !== undefined);
				const at = places.findIndex((p, i) => i > 0 && p < places[i - 1]);
				if (at > 0) {
					faults.push(faultOf('misordered', `${c.name} and ${all[0].c.name} do not agree on ${key}: ` +
						`${all[0].ids[places[at]]} and ${all[0].ids[places[at - 1]]}`));
				}
			}
		}
	}

	/** {deliveries, ok, unanswered, messages, fetched, faults: [{kind, text}]}; what was sent is settled then. */
	judge() {
		const sent = [...this.publishes.values()];
		const result = {
			ok: sent.filter((p) => p.status === 200).length,
			unanswered: sent.filter((p) => p.status !== 200).length,
			messages: this.messages.length,
			deliveries: 0,
			fetched: 0,
			faults: this.strays.map((text) => faultOf('doubled', text)),
		};
		for (const c of this.connections) {
			result.deliveries += c.got.length + c.messagesGot;
			this.#judgeDoubled(c, result.faults);
			this.#judgeLost(c, this.#judgeOrder(c, result.faults), result.faults);
			this.#judgeMessages(c, result);
		}
		this.#judgeAgreement(result.faults);
		for (const p of sent) if (p.status !== 200) this.#unanswered.add(p.id);
		this.#clear();
		return result;
	}
}
