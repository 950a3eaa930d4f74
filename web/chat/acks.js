const ACK_DELAY = 200;

/**
 * How far this user has received and read, by chat. Both are cursors: one request for the newest message stands for
 * all before it, and reading implies delivery. Moves within ACK_DELAY are joined; of each chat one request is out.
 */
export class Acks {
	#client;
	#chats = new Map(); /* chat id → {told, due: {delivered, read}, busy} */
	#timer = null;

	constructor(client) {
		this.#client = client;
	}

	/** The server's word on the user's own cursors. */
	told(chatId, { delivered_seq, read_seq }) {
		const { told } = this.#of(chatId);
		told.read = Math.max(told.read, read_seq ?? 0);
		told.delivered = Math.max(told.delivered, delivered_seq ?? 0, told.read);
	}

	/** A message has reached this device. */
	delivered(message) {
		this.#move(message, 'delivered');
	}

	/** The user has seen this message, and so all before it. */
	read(message) {
		this.#move(message, 'read');
	}

	#of(chatId) {
		if (!this.#chats.has(chatId)) {
			this.#chats.set(chatId, {
				told: { delivered: 0, read: 0 },
				due: { delivered: null, read: null },
				busy: false,
			});
		}
		return this.#chats.get(chatId);
	}

	#move(message, kind) {
		const chat = this.#of(message.chat_id);
		if (message.seq <= Math.max(chat.told[kind], chat.due[kind]?.seq ?? 0))
			return;
		chat.due[kind] = { id: message.id, seq: message.seq };
		this.#timer ??= this.#client.clock.setTimeout(() => {
			this.#timer = null;
			for (const id of this.#chats.keys())
				this.#flush(id);
		}, ACK_DELAY);
	}

	#next(chat) {
		for (const kind of ['read', 'delivered']) {
			const due = chat.due[kind];
			chat.due[kind] = null;
			if (due && due.seq > chat.told[kind])
				return { ...due, kind };
		}
		return null;
	}

	async #flush(chatId) {
		const chat = this.#of(chatId);
		if (chat.busy)
			return;
		chat.busy = true;
		let ack;
		while (!this.#client.closed && (ack = this.#next(chat))) {
			try {
				const path = `/api/websocket/messages/${ack.id}/${ack.kind}`;
				const answer = await this.#client.patiently(() => this.#client.request('POST', path));
				this.told(chatId, { [`${ack.kind}_seq`]: answer?.seq });
			} catch {
				/* the message is no longer the user's: nothing to tell */
			}
		}
		chat.busy = false;
	}
}
