import { $, arrange, avatar, el, fill, shortTime } from './dom.js';
import { Emitter } from './chat.js';

/** The name under which the user sees a chat: its own, else those of the others. */
export function titleOf(chat, client) {
	const others = chat.participants.filter((user) => !client.isMe(user.id));
	return chat.name || others.map((user) => user.name).join(', ') || 'Only you';
}

/** The other one of a chat of two, else null. */
export function partnerOf(chat, client) {
	const others = chat.participants.filter((user) => !client.isMe(user.id));
	return others.length === 1 && chat.participants.length === 2 ? others[0] : null;
}

/**
 * The list of chats: loaded once, kept current by the events of the user's own channel, loaded anew after each
 * reconnect. Acknowledges delivery for chats that are not open.
 *
 * Emits change(), gone(chatId) and failed(error) when the list cannot be loaded.
 */
export class Inbox extends Emitter {
	#client;
	#people;
	#chats = new Map();
	#rows = new Map(); /* chat id → button */
	#fresh = new Set(); /* chats that came by event since the last load began */
	#current = null;

	constructor(client, people, channel) {
		super();
		this.#client = client;
		this.#people = people;
		client.subscribe(channel, {
			'pusher:subscription_succeeded': () => this.load(),
			'chat.activity': (event) => this.#active(event),
			'chat.created': ({ chat }) => this.#put(chat),
			'chat.removed': ({ chat_id }) => this.#drop(chat_id),
		});
		client.on('sent', (chatId, message) => this.#newest(chatId, message));
		people.on('change', () => this.#render());
	}

	get(chatId) {
		return this.#chats.get(chatId);
	}

	/** Messages that the user has not read, in all chats. */
	get unread() {
		return [...this.#chats.values()].reduce((sum, chat) => sum + chat.unread_count, 0);
	}

	/** Loads all chats anew; what was there stays until then. */
	async load() {
		try {
			const chats = [];
			let cursor = null;
			this.#fresh.clear();
			do {
				const page = await this.#client.patiently(() => this.#client.chats({ cursor }));
				if (!page)
					return;
				chats.push(...page.data);
				cursor = page.next_cursor;
			} while (cursor !== null);
			const made = [...this.#fresh].filter((chat) => !chats.some(({ id }) => id === chat.id));
			this.#chats = new Map([...chats, ...made].map((chat) => [chat.id, this.#newer(chat)]));
			this.#learn(chats);
		} catch (error) {
			this.emit('failed', error);
		}
	}

	/** Takes a chat that the user has just made. */
	add(chat) {
		this.#put(chat);
	}

	/** Marks the chat that is open, or none (null). */
	select(chatId) {
		this.#current = chatId;
		this.#render();
	}

	/** The user has seen all of a chat. */
	seen(chatId) {
		const chat = this.#chats.get(chatId);
		if (!chat || chat.unread_count === 0)
			return;
		chat.unread_count = 0;
		this.#render();
	}

	/** A message of an open chat, which may come before, after or without chat.activity. */
	newest(message) {
		this.#newest(message.chat_id, message);
	}

	/* What events said while the list was on its way may be newer than the list. */
	#newer(chat) {
		const had = this.#chats.get(chat.id);
		if ((had?.last_message?.seq ?? 0) <= (chat.last_message?.seq ?? 0))
			return chat;
		const { last_message, unread_count, updated_at } = had;
		return { ...chat, last_message, unread_count, updated_at };
	}

	#put(chat) {
		this.#fresh.add(chat);
		this.#chats.set(chat.id, chat);
		this.#learn([chat]);
	}

	#drop(chatId) {
		this.#fresh.delete(this.#chats.get(chatId));
		this.#chats.delete(chatId);
		this.#render();
		this.emit('gone', chatId);
	}

	#learn(chats) {
		for (const chat of chats) {
			this.#client.acks.told(chat.id, chat);
			this.#received(chat.last_message);
		}
		this.#people.learn(chats.flatMap((chat) => chat.participants)); /* which renders */
	}

	#received(message) {
		if (message && !this.#client.isMe(message.user.id))
			this.#client.acks.delivered(message);
	}

	#active({ chat_id, last_message, unread_count }) {
		const chat = this.#chats.get(chat_id);
		if (!chat) {
			this.load();
			return;
		}
		chat.unread_count = unread_count;
		this.#received(last_message);
		this.#newest(chat_id, last_message);
		this.#render();
	}

	#newest(chatId, message) {
		const chat = this.#chats.get(chatId);
		if (!chat || !message || message.seq < (chat.last_message?.seq ?? 0))
			return;
		chat.last_message = message;
		chat.updated_at = message.created_at;
		this.#render();
	}

	#render() {
		const chats = [...this.#chats.values()].sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1));
		for (const id of this.#rows.keys()) {
			if (!this.#chats.has(id))
				this.#rows.delete(id);
		}
		arrange($('chats'), chats.map((chat) => this.#row(chat)));
		$('no-chats').hidden = chats.length > 0;
		this.emit('change');
	}

	#row(chat) {
		const partner = partnerOf(chat, this.#client);
		const title = titleOf(chat, this.#client);
		const online = partner ? this.#people.isOnline(partner.id) : null;
		const message = chat.last_message;
		const unread = chat.unread_count;
		if (!this.#rows.has(chat.id)) {
			const open = el('a', { class: 'chat', href: `#chat-${chat.id}` });
			this.#rows.set(chat.id, el('li', {}, open));
		}
		const row = this.#rows.get(chat.id);
		const link = row.firstElementChild;
		if (this.#current === chat.id)
			link.setAttribute('aria-current', 'page');
		else
			link.removeAttribute('aria-current');
		link.classList.toggle('unread', unread > 0);
		fill(link,
			avatar(partner?.id ?? `chat-${chat.id}`, title, online),
			el('span', { class: 'chat-name' }, title,
				online ? el('span', { class: 'hidden-label' }, ', online') : null),
			el('time', { class: 'chat-time', datetime: chat.updated_at }, message ? shortTime(message.created_at) : ''),
			el('span', { class: 'chat-last' }, this.#preview(chat)),
			unread === 0 ? null : el('span', { class: 'badge' }, unread > 99 ? '99+' : String(unread),
				el('span', { class: 'hidden-label' }, ' unread')),
		);
		return row;
	}

	#preview(chat) {
		const message = chat.last_message;
		if (!message)
			return 'No messages yet';
		const text = message.deleted_at ? 'Message deleted' : message.body;
		if (this.#client.isMe(message.user.id))
			return `You: ${text}`;
		return partnerOf(chat, this.#client) ? text : `${message.user.name}: ${text}`;
	}
}
