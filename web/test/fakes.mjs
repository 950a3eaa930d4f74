/* A clock, a pusher and a server in memory: everything that ChatClient touches, under the test's hand. */

import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto; /* browsers have it; Node.js 18 not yet */

/** Time moves only by advance(); every promise that can settle does so before it returns. */
export class FakeClock {
	#now = 1_000_000;
	#timers = [];

	now = () => this.#now;

	setTimeout = (fn, ms) => {
		const timer = { fn, at: this.#now + ms };
		this.#timers.push(timer);
		return timer;
	};

	clearTimeout = (timer) => {
		this.#timers = this.#timers.filter((t) => t !== timer);
	};

	async advance(ms) {
		const until = this.#now + ms;
		for (;;) {
			await settle();
			this.#timers.sort((a, b) => a.at - b.at);
			if (this.#timers.length === 0 || this.#timers[0].at > until)
				break;
			const timer = this.#timers.shift();
			this.#now = timer.at;
			timer.fn();
		}
		this.#now = until;
	}
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle() {
	for (let i = 0; i < 5; i++)
		await new Promise((resolve) => setImmediate(resolve));
}

class Bindings {
	#fns = new Map();

	bind(name, fn) {
		this.#fns.set(name, [...(this.#fns.get(name) ?? []), fn]);
	}

	unbind(name, fn) {
		this.#fns.set(name, (this.#fns.get(name) ?? []).filter((f) => f !== fn));
	}

	emit(name, data) {
		for (const fn of this.#fns.get(name) ?? [])
			fn(data);
	}
}

export class FakePusher {
	connection = Object.assign(new Bindings(), { state: 'connected', socket_id: '1.1' });
	channels = new Map();
	asked = []; /* names of subscribe calls */

	subscribe(name) {
		this.asked.push(name);
		if (!this.channels.has(name))
			this.channels.set(name, new Bindings());
		return this.channels.get(name);
	}

	unsubscribe(name) {
		this.channels.delete(name);
	}

	enter(state) {
		this.connection.state = state;
		this.connection.emit('state_change', { current: state });
	}
}

const ME = { id: 1, name: 'Ada' };
const OTHER = { id: 2, name: 'Bob' };

/** A server with one chat, number 1, of Ada (the client) and Bob. */
export class FakeServer {
	messages = [];
	requests = []; /* {method, path, body, socket} */
	faults = []; /* answers for the next requests that match: {match, status | lost | gone, retryAfter} */
	paused = null; /* {match, wait}: a request that is let go later */
	receipts = [];

	/** Commits a message; prev_seq as the shipped schema has it. */
	write(user, body, client_id = null) {
		const seq = (this.messages.at(-1)?.seq ?? 0) + 1;
		const message = {
			id: 100 + seq, chat_id: 1, seq, prev_seq: seq - 1, user, body, client_id,
			reply_to: null, meta: null, created_at: `t${seq}`, edited_at: null, deleted_at: null,
		};
		this.messages.push(message);
		return { ...message };
	}

	bob(body) {
		return this.write(OTHER, body);
	}

	ada(body, client_id) {
		return this.write(ME, body, client_id);
	}

	change(seq, fields) {
		return { ...Object.assign(this.messages.find((m) => m.seq === seq), fields) };
	}

	count(method, part) {
		return this.requests.filter((r) => r.method === method && r.path.includes(part)).length;
	}

	fetch = async (url, { method, headers, body }) => {
		const request = { method, path: url, body: body && JSON.parse(body), socket: headers['X-Socket-ID'] };
		this.requests.push(request);
		if (this.paused && url.includes(this.paused.match))
			await this.paused.wait;
		const fault = this.faults.find((f) => url.includes(f.match));
		if (fault) {
			this.faults.splice(this.faults.indexOf(fault), 1);
			if (fault.lost)
				throw new TypeError('network error'); /* before the server had it */
			if (fault.gone)
				this.#answer(request); /* the server did it, its answer was lost */
			if (fault.gone)
				throw new TypeError('network error');
			return reply(fault.status, { message: 'No.' }, fault.retryAfter);
		}
		return this.#answer(request);
	};

	#answer({ method, path, body }) {
		const url = new URL(path, 'http://server');
		if (method === 'GET' && url.pathname.endsWith('/messages'))
			return reply(200, this.#history(url.searchParams));
		if (method === 'GET' && url.pathname.endsWith('/receipts'))
			return reply(200, { data: this.receipts });
		if (method === 'POST' && url.pathname.endsWith('/messages')) {
			const first = this.messages.find((m) => m.client_id === body.client_id);
			return first ? reply(200, { message: { ...first } })
				     : reply(201, { message: this.ada(body.body, body.client_id) });
		}
		const ack = url.pathname.match(/messages\/(\d+)\/(read|delivered)$/);
		if (ack)
			return reply(200, { seq: Number(ack[1]) - 100 });
		if (method === 'PATCH')
			return reply(200, { message: this.change(Number(url.pathname.split('/').at(-1)) - 100,
								 { body: body.body, edited_at: 't99' }) });
		return reply(200, {});
	}

	#history(query) {
		const limit = Number(query.get('limit'));
		const after = query.get('after_seq');
		const before = Number(query.get('before_seq') ?? Infinity);
		const all = this.messages.filter((m) => (after === null ? m.seq < before : m.seq > Number(after)));
		const data = (after === null ? all.slice(-limit) : all.slice(0, limit)).map((m) => ({ ...m }));
		return { data, has_more: all.length > data.length };
	}
}

function reply(status, body, retryAfter) {
	return {
		ok: status < 300,
		status,
		headers: new Map(retryAfter ? [['Retry-After', String(retryAfter)]] : []),
		json: async () => JSON.parse(JSON.stringify(body)),
	};
}

export class FakeStorage {
	#items = new Map();
	getItem = (key) => this.#items.get(key) ?? null;
	setItem = (key, value) => void this.#items.set(key, value);
}
