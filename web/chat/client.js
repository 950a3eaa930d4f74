import { ApiError, Emitter, systemClock } from './base.js';
import { Acks } from './acks.js';
import { Outbox } from './outbox.js';
import { Room } from './room.js';

const REQUEST_TIMEOUT = 20_000;
const RETRY_FIRST = 1_000;
const RETRY_MOST = 30_000;

/** One signed-in user: requests, channels and their repetition, rooms. */
export class ChatClient extends Emitter {
	#pusher;
	#token;
	#base;
	#fetch;
	#subscriptions = new Map(); /* channel name → number of our users, pause before the next try */
	#sleepers = new Set(); /* pauses that a new connection ends */
	#rooms = new Map();
	#closed = false;
	#onState = ({ current }) => this.#stateChanged(current);

	/**
	 * echo or pusher: an instance of Laravel Echo or of pusher-js, configured and authorised by the caller.
	 * token: the bearer token of the requests; user: {id, name} of its owner, as connection-info answers it.
	 * base: origin of the server if it is another one; storage: a Storage that keeps unsent messages over a
	 * reload (sessionStorage), or null. fetch and clock are for tests.
	 *
	 * Emits state(name) with pusher-js's connection states, refused(channel, status), sent(chatId, message)
	 * and outbox(chatId).
	 */
	constructor({ echo, pusher, token, user, base = '', storage = null, fetch = null, clock = systemClock }) {
		super();
		this.#pusher = pusher ?? echo.connector.pusher;
		this.#token = token;
		this.#base = base.replace(/\/$/, '');
		this.#fetch = fetch ?? ((...args) => globalThis.fetch(...args));
		this.user = user;
		this.clock = clock;
		this.acks = new Acks(this);
		this.outbox = new Outbox(this, storage);
		this.#pusher.connection.bind('state_change', this.#onState);
		this.outbox.resume();
	}

	/** connecting, connected, unavailable, failed, disconnected or initialized. */
	get state() {
		return this.#pusher.connection.state;
	}

	get closed() {
		return this.#closed;
	}

	isMe(userId) {
		return String(userId) === String(this.user.id);
	}

	/** Ends everything but the connection, which is the caller's. Unsent messages stay in the storage. */
	close() {
		this.#closed = true;
		for (const room of this.#rooms.values())
			room.close();
		this.#pusher.connection.unbind('state_change', this.#onState);
		for (const wake of this.#sleepers)
			wake();
	}

	/**
	 * One request to the API; resolves to the decoded answer, throws an ApiError. It names our socket, which
	 * then gets no event of what it does itself (Echo's toOthers): the answer stands for the event.
	 */
	async request(method, path, body) {
		const headers = { Accept: 'application/json', Authorization: `Bearer ${this.#token}` };
		if (body !== undefined)
			headers['Content-Type'] = 'application/json';
		if (this.#pusher.connection.socket_id)
			headers['X-Socket-ID'] = this.#pusher.connection.socket_id;

		let response;
		let answer;
		try {
			response = await this.#fetch(this.#base + path, {
				method,
				headers,
				body: body === undefined ? undefined : JSON.stringify(body),
				cache: 'no-store',
				signal: AbortSignal.timeout?.(REQUEST_TIMEOUT),
			});
			answer = await response.json();
		} catch (error) {
			if (!response || response.ok)
				throw new ApiError(0, `No answer: ${error.message}`);
		}
		if (response.ok)
			return answer;
		const seconds = Number(response.headers.get('Retry-After'));
		throw new ApiError(response.status, answer?.message ?? `HTTP ${response.status}`, {
			errors: answer?.errors ?? null,
			retryAfter: seconds > 0 ? seconds * 1_000 : null,
		});
	}

	/**
	 * Runs an attempt until it succeeds, fails for good, or the client is closed (undefined then). Waits
	 * longer and longer, or what Retry-After says; a new connection ends a wait of our own early. Past the
	 * moment until, in ms of the clock, a passing failure counts as one for good.
	 */
	async patiently(attempt, until = Infinity) {
		for (let pause = RETRY_FIRST; !this.#closed; pause = Math.min(2 * pause, RETRY_MOST)) {
			try {
				return await attempt();
			} catch (error) {
				if (!error.temporary || this.clock.now() >= until)
					throw error;
				if (error.retryAfter === null)
					await this.#sleep(pause * (0.75 + Math.random() / 2), true);
				else
					await this.#sleep(error.retryAfter, false);
			}
		}
		return undefined;
	}

	/** Chats of the user, newest activity first: {data, next_cursor}. */
	chats({ limit = 50, cursor = null } = {}) {
		const at = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
		return this.request('GET', `/api/websocket/active-chats?limit=${limit}${at}`);
	}

	/** Makes a chat, or finds the direct one of two users: the chat. */
	async createChat({ name = null, participantIds, direct = false }) {
		const answer = await this.request('POST', '/api/websocket/chats', {
			name,
			participant_ids: participantIds,
			direct,
		});
		return answer.chat;
	}

	/** The room of a chat, always the same one for an id; closed until open() is called. */
	room(chatId) {
		const id = Number(chatId);
		if (!this.#rooms.has(id))
			this.#rooms.set(id, new Room(this, id));
		return this.#rooms.get(id);
	}

	/**
	 * Binds handlers ({event name: function}) to a channel and subscribes it if nobody here has yet. Returns a
	 * function that ends it. A subscription that failed for a passing reason is tried again: pusher-js does
	 * so only after a reconnect.
	 */
	subscribe(name, handlers) {
		const entry = this.#subscriptions.get(name) ?? { users: 0, pause: RETRY_FIRST };
		this.#subscriptions.set(name, entry);
		const channel = this.#pusher.subscribe(name); /* the one that is there already, if so */
		const bound = Object.entries(handlers);
		if (entry.users++ === 0) {
			entry.onError = (error) => this.#subscriptionFailed(name, entry, error);
			entry.onSuccess = () => (entry.pause = RETRY_FIRST);
			channel.bind('pusher:subscription_error', entry.onError);
			channel.bind('pusher:subscription_succeeded', entry.onSuccess);
		}
		for (const [event, fn] of bound)
			channel.bind(event, fn);

		let ended = false;
		return () => {
			if (ended)
				return;
			ended = true;
			for (const [event, fn] of bound)
				channel.unbind(event, fn);
			if (--entry.users > 0)
				return;
			channel.unbind('pusher:subscription_error', entry.onError);
			channel.unbind('pusher:subscription_succeeded', entry.onSuccess);
			this.#subscriptions.delete(name);
			this.#pusher.unsubscribe(name);
		};
	}

	async #subscriptionFailed(name, entry, { status = 0 } = {}) {
		if (status !== 0 && status !== 429 && status < 500) {
			this.emit('refused', name, status);
			return;
		}
		const pause = entry.pause;
		entry.pause = Math.min(2 * pause, RETRY_MOST);
		await this.#sleep(pause, false);
		if (entry.users > 0 && !this.#closed && this.state === 'connected')
			this.#pusher.subscribe(name);
	}

	#stateChanged(state) {
		if (state === 'connected') {
			for (const wake of this.#sleepers)
				wake();
		}
		this.emit('state', state);
	}

	#sleep(ms, wakes) {
		return new Promise((resolve) => {
			const end = () => {
				this.clock.clearTimeout(timer);
				this.#sleepers.delete(end);
				resolve();
			};
			const timer = this.clock.setTimeout(end, ms);
			if (wakes)
				this.#sleepers.add(end);
		});
	}
}
