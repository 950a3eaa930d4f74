// Hundreds of clients that come back when they are cut off, and note in the book what they get.
import { createHmac } from 'node:crypto';

import Pusher from '../../e2e/node_modules/pusher-js/dist/node/pusher.js';
import WebSocket from '../../e2e/node_modules/ws/wrapper.mjs';

import { until } from '../../e2e/lib/wait.mjs';

/** Event whose data is the number of a publish in the book. */
export const EVENT = 'ledger';
const AGAIN_MS = 200; // between two attempts to connect or subscribe
const NOTES = 20; // of each user in a run

export const isPresence = (channel) => channel.startsWith('presence-');

/** What both kinds of clients have in common: channels, members, and when they were away. */
class Client {
	/** `user` is {id, token}; `channels` are names. `crowd` has book, env and what people are seen of. */
	constructor(crowd, name, user, channels) {
		Object.assign(this, { crowd, name, user, channels });
		this.wanted = false; // to be connected
		this.connection = null; // in the book
		this.members = new Map(); // presence channel -> Set of user ids as this client sees them
	}

	get ready() {
		return this.connection !== null && this.channels.every((c) => this.connection.subscribed.has(c));
	}

	opened(socketId) {
		this.connection = this.crowd.book.connect(this.name);
		this.crowd.note(this, `connected as ${socketId}`);
	}

	lost(how) {
		if (this.connection === null) return;
		this.crowd.book.close(this.connection, how);
		this.connection = null;
		this.crowd.note(this, `lost: ${how}`);
		this.crowd.changed();
		for (const channel of this.members.keys()) this.crowd.left(channel, this.user);
		this.members.clear();
	}

	/** An event of the server; `data` is text or what was in it. */
	heard(event, channel, data) {
		const { book } = this.crowd;
		switch (event) {
		case EVENT:
			return book.deliver(this.connection, channel, Number(data));
		case 'message.sent':
			return book.deliverMessage(this.connection, channel, value(data).message.seq);
		case 'pusher:subscription_succeeded':
		case 'pusher_internal:subscription_succeeded':
			if (isPresence(channel)) {
				this.members.set(channel, new Set(idsOf(value(data))));
				this.crowd.came(channel, this.user);
			}
			book.subscribe(this.connection, channel);
			this.crowd.note(this, `in ${channel}`);
			return this.crowd.changed();
		case 'pusher:member_added':
		case 'pusher_internal:member_added':
			return this.members.get(channel)?.add(idOf(value(data)));
		case 'pusher:member_removed':
		case 'pusher_internal:member_removed':
			this.members.get(channel)?.delete(idOf(value(data)));
			return this.crowd.removed(this, channel, idOf(value(data)));
		}
	}
}

const value = (data) => (typeof data === 'string' ? JSON.parse(data) : data);
const idOf = (member) => String(member.user_id ?? member.id);
const idsOf = (data) => data.presence?.ids ?? Object.keys(data.members);

function signatureOf(env, socketId, channel, user) {
	if (!/^(private|presence)-/.test(channel)) return {};
	const member = isPresence(channel) ? JSON.stringify({ user_id: user.id }) : null;
	const text = [socketId, channel, ...(member ? [member] : [])].join(':');
	const auth = `${env.APP_KEY}:${createHmac('sha256', env.APP_SECRET).update(text).digest('hex')}`;
	return { auth, ...(member ? { channel_data: member } : {}) };
}

/** A WebSocket and nothing else. */
export class BareClient extends Client {
	start() {
		this.wanted = true;
		this.#connect();
	}

	#connect() {
		const { env } = this.crowd;
		const ws = new WebSocket(`ws://${env.HOST}:${env.PORT}/app/${env.APP_KEY}?protocol=7&client=ledger`,
			{ perMessageDeflate: false });
		this.ws = ws;
		ws.on('message', (text) => this.#take(ws, JSON.parse(text)));
		ws.on('error', () => {});
		ws.on('close', (code) => {
			if (ws !== this.ws || !this.wanted) return;
			this.lost(code);
			if (code === 4100) this.crowd.complain(`${this.name} was closed with 4100`);
			this.retry = setTimeout(() => this.#connect(), code === 4200 ? 0 : AGAIN_MS);
		});
	}

	#subscribe(channel) {
		const data = { channel, ...signatureOf(this.crowd.env, this.socketId, channel, this.user) };
		this.ws.send(JSON.stringify({ event: 'pusher:subscribe', data }));
	}

	#take(ws, m) {
		if (ws !== this.ws) return;
		if (m.event === 'pusher:connection_established') {
			this.socketId = JSON.parse(m.data).socket_id;
			this.opened(this.socketId);
			for (const c of this.channels) this.#subscribe(c);
		} else if (m.event === 'pusher:ping') {
			ws.send('{"event":"pusher:pong","data":{}}');
		} else if (m.event === 'pusher:subscription_error') {
			this.crowd.count('subscription_error');
			setTimeout(() => this.ws === ws && ws.readyState === 1 && this.#subscribe(m.channel), AGAIN_MS);
		} else if (this.connection) {
			this.heard(m.event, m.channel, m.data);
		}
	}

	/** Cut off without a word; comes back if it is wanted. */
	cut() {
		this.lost('cut');
		this.ws.terminate();
	}

	leave() {
		this.wanted = false;
		clearTimeout(this.retry);
		this.lost('left');
		this.ws.terminate();
	}
}

/** pusher-js as applications use it; the server authorises it as its user. */
export class PusherClient extends Client {
	start() {
		this.wanted = true;
		const { env } = this.crowd;
		const headers = { Authorization: `Bearer ${this.user.token}` };
		this.client = new Pusher(env.APP_KEY, {
			wsHost: env.HOST,
			wsPort: Number(env.PORT),
			forceTLS: false,
			enabledTransports: ['ws'],
			disableStats: true,
			cluster: 'mt1',
			channelAuthorization: {
				endpoint: `http://${env.HOST}:${env.PORT}/broadcasting/auth`, transport: 'ajax', headers,
			},
		});
		this.client.connection.bind('state_change', ({ previous, current }) => {
			if (current === 'connected') this.opened(this.client.connection.socket_id);
			else if (previous === 'connected') this.lost(current);
		});
		for (const name of this.channels) {
			const channel = this.client.subscribe(name);
			channel.bind_global((event, data) => {
				if (event === 'pusher:subscription_error') {
					this.crowd.count('subscription_error');
					setTimeout(() => this.wanted && this.client.subscribe(name), AGAIN_MS);
				} else if (this.connection) {
					this.heard(event, name, data);
				}
			});
		}
	}

	cut() {
		this.lost('cut');
		// The socket below, as a network that goes.
		this.client.connection.connection?.transport?.socket?._stream?.destroy?.();
	}

	leave() {
		this.wanted = false;
		this.lost('left');
		this.client.disconnect();
	}
}

/** All clients, and what each user did at the presence channels. */
export class Crowd {
	#lastChange = 0;
	#hurtAt = Infinity;
	#notes = new Map(); // user id -> what happened to this user's clients in this run
	#back = new Map(); // "channel user" -> when somebody who was cut off in this run came back

	/** `grace` in ms. */
	constructor(book, env, grace) {
		Object.assign(this, { book, env, grace });
		this.clients = [];
		this.complaints = [];
		this.noise = []; // who was told too much
		this.counts = new Map();
	}

	add(client) {
		this.clients.push(client);
		return client;
	}

	remove(client) {
		client.leave();
		this.clients = this.clients.filter((c) => c !== client);
	}

	complain(text) {
		this.complaints.push(text);
	}

	count(what) {
		this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
	}

	/* ---- presence: what is true ---- */

	changed() {
		this.#lastChange = Date.now();
	}

	/** When somebody has come or gone last, in ms. */
	get lastChange() {
		return this.#lastChange;
	}

	/** Ids of the users who are in that channel. */
	present(channel) {
		return new Set(this.clients.filter((c) => c.connection?.subscribed.has(channel)).map((c) => c.user.id));
	}

	left(channel, user) {
		if (!this.present(channel).has(user.id)) this.#back.set(`${channel} ${user.id}`, Infinity);
	}

	came(channel, user) {
		const key = `${channel} ${user.id}`;
		if (this.#back.get(key) === Infinity) this.#back.set(key, Date.now());
	}

	/**
	 * Others were told that `id` has gone: right if that user has left, or was cut off in this run and
	 * not back within the grace. That is counted from the begin of the fault: this process may hear late
	 * of what it has lost.
	 */
	removed(client, channel, id) {
		if (!this.clients.some((c) => c.wanted && c.user.id === id && c.channels.includes(channel))) return;
		const back = this.#back.get(`${channel} ${id}`);
		if (back > this.#hurtAt + this.grace * 0.9) return;
		this.noise.push({ id, text: `${client.name} was told at ${Date.now()} that ${id} has left ${channel}, hurt at ${this.#hurtAt}` });
	}

	/** What happened to a client in this run, for whoever reads of a fault. */
	note(client, text) {
		const notes = this.#notes.get(client.user.id) ?? [];
		if (notes.length < NOTES) notes.push(`${Date.now()} ${client.name} ${text}`);
		this.#notes.set(client.user.id, notes);
	}

	/** Who was told too much, with what is known of it when the run is over. */
	get tooMuch() {
		return this.noise.map(({ id, text }) => `${text}: ${(this.#notes.get(id) ?? []).join(', ') || 'never away'}`);
	}

	/** A new run begins. */
	forget() {
		this.#notes.clear();
		this.#back.clear();
		this.complaints.length = 0;
		this.noise.length = 0;
		this.counts.clear();
	}

	/** A fault is about to be injected. */
	hurt() {
		this.#hurtAt = Date.now();
	}

	/* ---- all of them ---- */

	get wanted() {
		return this.clients.filter((c) => c.wanted);
	}

	/** Until all who are wanted are connected and have their channels. */
	gathered(ms) {
		return until(() => this.wanted.every((c) => c.ready), 'all clients', ms).catch((e) => {
			const late = this.wanted.filter((c) => !c.ready);
			throw new Error(`${e.message}; ${late.length} not ready: ${late.slice(0, 5).map((c) => c.name +
				` ${c.connection ? [...c.connection.subscribed.keys()] : 'no connection'}`).join('; ')}`);
		});
	}

	leave() {
		for (const c of this.clients) if (c.wanted) c.leave();
	}
}
