import { Emitter, isLater } from './base.js';
import { Typing } from './typing.js';

const PAGE = 50; /* messages of one history request */
const PAGE_CATCH_UP = 200; /* the server's most */
const HELD_MOST = 1_000;

/**
 * One chat. Its messages stand in order and without holes, whatever the connection does.
 *
 * A hole is a message whose prev_seq is above the last seq seen. What comes after a hole is held back, the hole is
 * fetched by after_seq, and has_more:false closes it, whatever prev_seq says: older messages may not be the user's.
 * Each fetch is a round; what was heard before a round began is settled by it, what was heard during it may show
 * another hole and so need one more.
 *
 * Emits message(message), change(message), older(messages), outbox(), cursors(), typing(),
 * participants(what, event) with what = added or removed, and closed(status of the refusal).
 */
export class Room extends Emitter {
	#client;
	#ends = []; /* what close() has to call */
	#opening = null;
	#loaded = false;
	#last = 0; /* every message up to here is in messages, or older than them, or not the user's */
	#heard = { seq: 0, round: 0 }; /* the highest seq known to exist, and the round in which we heard of it */
	#held = new Map(); /* seq → {message, round}, behind a hole */
	#round = 0;
	#catchingUp = null;
	#syncs = 0; /* chat.sync events since open(): all but the first mean a reconnect */
	#typing;

	constructor(client, id) {
		super();
		this.#client = client;
		this.id = id;
		this.messages = []; /* ascending by seq */
		this.hasOlder = false;
		this.cursors = new Map(); /* user id as text → {delivered_seq, read_seq} */
		this.#typing = new Typing(client.clock, {
			tell: (is_typing) => this.#post('typing', { is_typing }).catch(() => {}),
			changed: () => this.emit('typing'),
		});
	}

	get isOpen() {
		return this.#opening !== null;
	}

	/** Messages of ours that are not among messages yet: entries of the Outbox. */
	get outbox() {
		return this.#client.outbox.of(this.id);
	}

	/** The others who are writing: [{id, name}]. */
	get typists() {
		return this.#typing.users;
	}

	/**
	 * Joins the channels and loads the newest page; resolves when it stands. Joining comes first, so that nothing
	 * falls between. May be called again, also after close(): it goes on where it was.
	 */
	open() {
		if (!this.isOpen) {
			const reopened = this.#loaded;
			this.#syncs = 0;
			this.#join();
			this.#opening = this.#catchUp().then(() => (reopened ? this.#refresh() : this.#loadCursors()));
			this.#opening.catch(() => {});
		}
		return this.#opening;
	}

	/** Leaves the channels; messages stay, and unsent ones go on being sent. */
	close() {
		if (!this.isOpen)
			return;
		this.#opening = null;
		this.#typing.stop();
		this.#typing.clear();
		for (const end of this.#ends.splice(0))
			end();
	}

	/** Sends a message; resolves to it when it is committed. Meanwhile it stands in outbox. */
	send(body, { reply_to = null, meta = null } = {}) {
		this.#typing.sent();
		return this.#client.outbox.add(this.id, { body, reply_to, meta });
	}

	/** Edits an own message. */
	async edit(message, body) {
		const answer = await this.#client.request('PATCH', `/api/websocket/messages/${message.id}`, { body });
		this.#receive(answer.message);
	}

	/** Deletes an own message: its place stays, its body is emptied. */
	async remove(message) {
		const answer = await this.#client.request('DELETE', `/api/websocket/messages/${message.id}`);
		this.#receive(answer.message);
	}

	/** Loads the page before the oldest message; resolves to its messages. */
	async older() {
		const before = this.messages[0]?.seq;
		if (!this.hasOlder || before === undefined)
			return [];
		const page = await this.#history(`before_seq=${before}&limit=${PAGE}`);
		if (!page || this.messages[0].seq !== before)
			return []; /* closed, or asked for twice */
		this.messages.unshift(...page.data);
		this.hasOlder = page.has_more;
		this.emit('older', page.data);
		return page.data;
	}

	/** The user has seen the newest message. */
	markRead() {
		const newest = this.messages.findLast((m) => !this.#client.isMe(m.user.id));
		if (newest)
			this.#client.acks.read(newest);
	}

	/** To be called at each keystroke; tells the others now and then, and later that it ended. */
	typing() {
		this.#typing.start();
	}

	/** The user gave up writing. */
	stopTyping() {
		this.#typing.stop();
	}

	/** How far a message of ours has come with these users: sent, delivered (to all of them) or read (by all). */
	progress(message, userIds) {
		const others = userIds.filter((id) => !this.#client.isMe(id));
		const all = (cursor) => others.length > 0 &&
			others.every((id) => (this.cursors.get(String(id))?.[cursor] ?? 0) >= message.seq);
		return all('read_seq') ? 'read' : all('delivered_seq') ? 'delivered' : 'sent';
	}

	#join() {
		const client = this.#client;
		const mine = (fn) => (chatId, ...args) => chatId === this.id && fn(...args);
		const message = (e) => this.#receive(e.message);
		this.#ends = [
			client.on('sent', mine((m) => this.#receive(m))),
			client.on('outbox', mine(() => this.emit('outbox'))),
			client.on('refused', (channel, status) => channel === `private-chat.${this.id}` && this.#lost(status)),
			client.on('state', (state) => state !== 'connected' && this.#typing.clear()),
			client.subscribe(`private-chat.${this.id}`, {
				'message.sent': message,
				'message.updated': message,
				'message.deleted': message,
				'message.delivered': (e) => this.#moved(e.user.id, { delivered_seq: e.seq }),
				'message.read': (e) => this.#moved(e.user.id, { delivered_seq: e.seq, read_seq: e.seq }),
				'participant.added': (e) => this.emit('participants', 'added', e),
				'participant.removed': (e) => this.emit('participants', 'removed', e),
				'chat.sync': (e) => this.#synced(e),
			}),
			client.subscribe(`presence-chat.${this.id}`, {
				'user.typing': (e) => this.#typed(e),
				'pusher:member_removed': ({ id }) => this.#typing.remove(id),
			}),
		];
	}

	#typed({ user, is_typing }) {
		if (is_typing && !this.#client.isMe(user.id))
			this.#typing.add(user);
		else
			this.#typing.remove(user.id);
	}

	#lost(status) {
		this.close();
		this.emit('closed', status);
	}

	#post(what, body) {
		return this.#client.request('POST', `/api/websocket/chats/${this.id}/${what}`, body);
	}

	#history(query) {
		const path = `/api/websocket/chats/${this.id}/messages?${query}`;
		return this.#client.patiently(() => this.#client.request('GET', path));
	}

	/* --- order --- */

	/* A message in any state from an event or an answer, which may repeat, cross or overtake each other. */
	#receive(message) {
		const behindHole = message.seq > this.#last && message.prev_seq > this.#last;
		if (!behindHole && !this.#catchingUp) {
			this.#accept(message);
			return;
		}
		this.#hold(message);
		this.#catchUp().catch(() => {});
	}

	#hold(message) {
		const before = this.#held.get(message.seq);
		this.#hear(message.seq);
		if (before)
			before.message = isLater(message, before.message) ? message : before.message;
		else if (this.#held.size < HELD_MOST)
			this.#held.set(message.seq, { message, round: this.#round });
		/* else it is only heard of, and so fetched */
	}

	#hear(seq) {
		if (seq > this.#heard.seq)
			this.#heard = { seq, round: this.#round };
	}

	/* The message is the next one, or one that we have had. */
	#accept(message) {
		const mine = this.#client.isMe(message.user.id);
		if (message.seq <= this.#last) {
			this.#merge(message);
		} else {
			this.#last = message.seq;
			this.messages.push(message);
			this.#moved(message.user.id, { delivered_seq: message.seq, read_seq: message.seq });
			this.#typing.remove(message.user.id);
			if (!mine)
				this.#client.acks.delivered(message);
			this.emit('message', message);
		}
		if (mine)
			this.#client.outbox.settle(message);
	}

	/* A repeat: drops it unless it is a later state. */
	#merge(message) {
		const i = this.messages.findLastIndex((m) => m.seq === message.seq);
		if (i < 0 || !isLater(message, this.messages[i]))
			return;
		this.messages[i] = message;
		this.emit('change', message);
	}

	#synced({ last_seq, delivered_seq, read_seq }) {
		this.#client.acks.told(this.id, { delivered_seq, read_seq });
		if (last_seq > this.#last) {
			this.#hear(last_seq);
			this.#catchUp().catch(() => {});
		}
		if (this.#syncs++ > 0)
			this.#refresh().catch(() => {});
	}

	#catchUp() {
		this.#catchingUp ??= this.#runRounds();
		return this.#catchingUp;
	}

	async #runRounds() {
		try {
			do {
				this.#round++;
				await (this.#loaded ? this.#fetchAfter() : this.#fetchNewest());
				if (this.#client.closed)
					return;
				this.#release();
			} while (this.#heard.seq > this.#last);
		} catch (error) {
			this.#held.clear();
			this.#heard = { seq: this.#last, round: 0 };
			this.#lost(error.status);
			throw error;
		} finally {
			this.#catchingUp = null;
		}
	}

	async #fetchNewest() {
		const page = await this.#history(`limit=${PAGE}`);
		for (const message of page?.data ?? [])
			this.#accept(message);
		this.hasOlder = page?.has_more ?? false;
		this.#loaded = Boolean(page);
	}

	async #fetchAfter() {
		let page;
		do {
			page = await this.#history(`after_seq=${this.#last}&limit=${PAGE_CATCH_UP}`);
			for (const message of page?.data ?? [])
				this.#accept(message);
		} while (page?.has_more && page.data.length > 0);
	}

	/* The round has ended: what was heard before it is settled. */
	#release() {
		const bySeq = [...this.#held.values()].sort((a, b) => a.message.seq - b.message.seq);
		for (const { message, round } of bySeq) {
			if (message.seq > this.#last && message.prev_seq > this.#last && round >= this.#round)
				break;
			this.#held.delete(message.seq);
			this.#accept(message);
		}
		if (this.#heard.round < this.#round)
			this.#last = Math.max(this.#last, this.#heard.seq);
	}

	/* After an absence: edits, deletions and cursors that moved meanwhile have left no hole. */
	async #refresh() {
		const limit = Math.min(Math.max(this.messages.length, 1), PAGE_CATCH_UP);
		const page = await this.#history(`before_seq=${this.#last + 1}&limit=${limit}`);
		for (const message of page?.data ?? [])
			this.#receive(message);
		await this.#loadCursors();
	}

	/* --- cursors --- */

	async #loadCursors() {
		const path = `/api/websocket/chats/${this.id}/receipts`;
		try {
			const answer = await this.#client.patiently(() => this.#client.request('GET', path));
			for (const row of answer?.data ?? [])
				this.#moved(row.user_id, row);
		} catch {
			/* without it the events alone move the ticks */
		}
	}

	/* Cursors only move forward. Those of a sender follow the own messages without an event. */
	#moved(userId, { delivered_seq, read_seq }) {
		const id = String(userId);
		const before = this.cursors.get(id) ?? { delivered_seq: 0, read_seq: 0 };
		const after = {
			delivered_seq: Math.max(before.delivered_seq, delivered_seq ?? 0),
			read_seq: Math.max(before.read_seq, read_seq ?? 0),
		};
		if (this.#client.isMe(id))
			this.#client.acks.told(this.id, after);
		if (after.delivered_seq === before.delivered_seq && after.read_seq === before.read_seq)
			return;
		this.cursors.set(id, after);
		this.emit('cursors');
	}
}
