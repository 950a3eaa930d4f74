import { ApiError, uuid } from './base.js';

const SEND_FOR = 48 * 3_600_000; /* the server remembers a client_id for three days */

/**
 * Messages on their way to the server. Those of one chat go one after the other, so they keep their order; each
 * keeps its client_id over retries, reconnects and reloads, so the server takes it once.
 */
export class Outbox {
	#client;
	#storage;
	#queues = new Map(); /* chat id → entries, oldest first */
	#draining = new Set();

	constructor(client, storage) {
		this.#client = client;
		this.#storage = storage;
	}

	/**
	 * Entries of a chat: {client_id, body, reply_to, meta, created_at, state: sending | sent | failed, error}. One
	 * that is sent stays until the open room has it among its messages, which may take a catch-up.
	 */
	of(chatId) {
		return this.#queues.get(chatId) ?? [];
	}

	/** Takes a message; resolves to it once the server has committed it, rejects if it never will. */
	add(chatId, { body, reply_to = null, meta = null }) {
		const entry = { client_id: uuid(), body, reply_to, meta, created_at: this.#client.clock.now() };
		return this.#enqueue(chatId, entry);
	}

	/** Tries a failed entry again, under the same client_id. */
	retry(chatId, clientId) {
		const entry = this.#find(chatId, clientId);
		if (entry?.state !== 'failed')
			return;
		entry.state = 'sending';
		entry.created_at = this.#client.clock.now();
		this.#changed(chatId);
		this.#drain(chatId);
	}

	/** Forgets a failed entry. */
	discard(chatId, clientId) {
		if (this.#find(chatId, clientId)?.state === 'failed')
			this.#remove(chatId, clientId);
	}

	/** A message of ours stands in the chat: its entry, if still there, is done, even when its answer was lost. */
	settle(message) {
		const entry = message.client_id ? this.#find(message.chat_id, message.client_id) : undefined;
		if (!entry)
			return;
		this.#remove(message.chat_id, message.client_id);
		entry.resolve(message);
	}

	/** Goes on with what a page before this one left unsent. */
	resume() {
		try {
			const stored = JSON.parse(this.#storage?.getItem(this.#key()) ?? '{}');
			for (const [chatId, entries] of Object.entries(stored)) {
				for (const entry of entries)
					this.#enqueue(Number(chatId), entry).catch(() => {});
			}
		} catch {
			/* not ours, or damaged: nothing to go on with */
		}
	}

	#key() {
		return `chat-outbox:${this.#client.user.id}`;
	}

	#find(chatId, clientId) {
		return this.of(chatId).find((entry) => entry.client_id === clientId);
	}

	#enqueue(chatId, entry) {
		const done = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
		entry.state = 'sending';
		entry.error = null;
		this.#queues.set(chatId, [...this.of(chatId), entry]);
		this.#changed(chatId);
		this.#drain(chatId);
		return done;
	}

	#remove(chatId, clientId) {
		this.#queues.set(chatId, this.of(chatId).filter((entry) => entry.client_id !== clientId));
		this.#changed(chatId);
	}

	#changed(chatId) {
		const all = {};
		for (const [id, entries] of this.#queues) {
			const unsent = entries.filter(({ state }) => state !== 'sent');
			if (unsent.length > 0) {
				all[id] = unsent.map(({ client_id, body, reply_to, meta, created_at }) =>
					({ client_id, body, reply_to, meta, created_at }));
			}
		}
		try {
			this.#storage?.setItem(this.#key(), JSON.stringify(all));
		} catch {
			/* storage is full or forbidden: it only serves reloads */
		}
		this.#client.emit('outbox', chatId);
	}

	async #drain(chatId) {
		if (this.#draining.has(chatId))
			return;
		this.#draining.add(chatId);
		let entry;
		while ((entry = this.of(chatId).find(({ state }) => state === 'sending')) && !this.#client.closed)
			await this.#send(chatId, entry);
		this.#draining.delete(chatId);
	}

	async #send(chatId, entry) {
		const { client_id, body, reply_to, meta } = entry;
		const path = `/api/websocket/chats/${chatId}/messages`;
		const until = entry.created_at + SEND_FOR;
		try {
			const answer = await this.#client.patiently(() => {
				if (!this.#find(chatId, client_id))
					return null; /* settled meanwhile by an event or a catch-up */
				if (this.#client.clock.now() >= until)
					throw new ApiError(0, 'The server could not be reached for too long.');
				return this.#client.request('POST', path, { body, client_id, reply_to, meta });
			}, until);
			if (!answer)
				return;
			entry.state = 'sent';
			this.#changed(chatId);
			entry.resolve(answer.message);
			this.#client.emit('sent', chatId, answer.message);
			if (!this.#client.room(chatId).isOpen)
				this.#remove(chatId, client_id);
		} catch (error) {
			if (!this.#find(chatId, client_id))
				return;
			entry.state = 'failed';
			entry.error = error;
			this.#changed(chatId);
			entry.reject(error);
		}
	}
}
