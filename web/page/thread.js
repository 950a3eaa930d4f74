import { $, ago, avatar, clockTime, dayName, el, icon, sameDay } from './dom.js';
import { partnerOf, titleOf } from './inbox.js';

const NEAR = 80; /* px from an edge that still count as at it */
const TOGETHER = 5 * 60_000; /* messages of one user within this stand as one group */
const BODY_MOST = 8_000; /* bytes, the server's default */
const PROGRESS = { sent: 'Sent', delivered: 'Delivered', read: 'Read' };

/** The open chat: its messages, who is typing, the composer. One at a time; show() changes it. */
export class Thread {
	#client;
	#people;
	#inbox;
	#chat = null;
	#room = null;
	#ends = [];
	#nodes = new Map(); /* seq → li */
	#drafts = new Map();
	#below = 0; /* messages that came while the user read further up */
	#loadingOlder = false;
	#wasAtBottom = true;

	constructor(client, people, inbox) {
		this.#client = client;
		this.#people = people;
		this.#inbox = inbox;
		people.on('change', () => this.#renderState());
		inbox.on('change', () => this.#chatChanged());

		$('send').append(icon('send'));
		$('back').append(icon('back'));
		$('composer').addEventListener('submit', (event) => {
			event.preventDefault();
			this.#send();
		});
		$('text').addEventListener('keydown', (event) => {
			if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
				event.preventDefault();
				this.#send();
			}
		});
		$('text').addEventListener('input', () => this.#wrote());
		$('text').addEventListener('blur', () => this.#room?.stopTyping());
		$('scroller').addEventListener('scroll', () => this.#scrolled(), { passive: true });
		$('to-bottom').addEventListener('click', () => this.#toBottom());
		document.addEventListener('visibilitychange', () => this.#see());
		window.addEventListener('focus', () => this.#see());
		new ResizeObserver(() => this.#below === 0 && this.#wasAtBottom && this.#toBottom()).observe($('scroller'));
		setInterval(() => this.#renderState(), 20_000); /* "5 minutes ago" grows older */
	}

	get chatId() {
		return this.#chat?.id ?? null;
	}

	/** Shows a chat of the inbox, or none (null). */
	show(chat) {
		if (chat?.id === this.#chat?.id)
			return;
		this.#leave();
		this.#chat = chat;
		$('no-chat').hidden = chat !== null;
		$('conversation').hidden = chat === null;
		if (chat !== null)
			this.#enter();
	}

	#enter() {
		const room = this.#client.room(this.#chat.id);
		this.#room = room;
		this.#ends = [
			room.on('message', (message) => this.#arrived(message)),
			room.on('change', (message) => this.#changed(message)),
			room.on('older', () => this.#renderAll(true)),
			room.on('outbox', () => this.#renderPending()),
			room.on('cursors', () => this.#renderTicks()),
			room.on('typing', () => this.#renderState()),
			room.on('participants', () => this.#inbox.load()),
			room.on('closed', (status) => this.#closed(status)),
		];
		$('text').value = this.#drafts.get(room.id) ?? '';
		this.#grow();
		this.#renderAll();
		this.#renderPending();
		this.#renderState();
		this.#toBottom();
		room.open().then(() => room === this.#room && this.#opened()).catch(() => {});
		if (matchMedia('(min-width: 700px)').matches)
			$('text').focus();
	}

	#opened() {
		this.#renderAll();
		this.#toBottom();
	}

	#leave() {
		if (!this.#room)
			return;
		this.#drafts.set(this.#room.id, $('text').value);
		for (const end of this.#ends.splice(0))
			end();
		this.#room.close();
		this.#room = null;
		this.#nodes.clear();
		this.#below = 0;
	}

	#closed(status) {
		$('history-start').textContent = status === 403 ? 'This chat is no longer yours.'
								: 'This chat cannot be shown now.';
	}

	#chatChanged() {
		const chat = this.#chat && this.#inbox.get(this.#chat.id);
		if (!chat)
			return;
		this.#chat = chat;
		this.#renderState();
		this.#renderTicks();
	}

	/* --- messages --- */

	#arrived(message) {
		const mine = this.#client.isMe(message.user.id);
		const stay = this.#atBottom();
		const before = this.#room.messages.at(-2);
		$('log').append(...this.#message(message, before));
		this.#inbox.newest(message);
		this.#renderStart();
		if (stay || mine) {
			this.#toBottom();
		} else {
			this.#below++;
			this.#renderToBottom();
		}
		this.#see();
	}

	#changed(message) {
		const i = this.#room.messages.indexOf(message);
		const old = this.#nodes.get(message.seq);
		old?.replaceWith(this.#message(message, this.#room.messages[i - 1]).at(-1));
		this.#inbox.newest(message);
	}

	/* All messages anew; the user goes on seeing the same ones. */
	#renderAll(keepPlace = false) {
		const scroller = $('scroller');
		const fromEnd = scroller.scrollHeight - scroller.scrollTop;
		this.#nodes.clear();
		const { messages } = this.#room;
		$('log').replaceChildren(...messages.flatMap((m, i) => this.#message(m, messages[i - 1])));
		this.#renderStart();
		if (keepPlace)
			scroller.scrollTop = scroller.scrollHeight - fromEnd;
	}

	#renderStart() {
		const { hasOlder, messages } = this.#room;
		$('history-start').textContent = hasOlder ? 'Loading older messages…'
						: messages.length > 0 ? '' : 'Nothing here yet. Say hello!';
	}

	/* The nodes of one message: a new day before it if need be, and itself last. */
	#message(message, before) {
		const mine = this.#client.isMe(message.user.id);
		const newDay = !before || !sameDay(before.created_at, message.created_at);
		const joined = !newDay && before.user.id === message.user.id &&
			new Date(message.created_at) - new Date(before.created_at) < TOGETHER;
		const named = !mine && !joined && this.#chat.participants.length > 2;
		const text = message.deleted_at ? 'Message deleted' : message.body;
		const node = el('li', { class: `message ${mine ? 'mine' : 'theirs'}${joined ? ' joined' : ''}` },
			el('div', { class: `bubble${message.deleted_at ? ' deleted' : ''}` },
				named ? el('span', { class: 'author' }, message.user.name)
				      : el('span', { class: 'hidden-label' }, mine ? 'You: ' : `${message.user.name}: `),
				el('span', { class: 'body', dir: 'auto' }, text),
				el('span', { class: 'meta' },
					message.edited_at && !message.deleted_at ? 'edited ' : null,
					el('time', { datetime: message.created_at }, clockTime(message.created_at)),
					mine ? el('span', { class: 'tick' }) : null)));
		node.dataset.seq = message.seq;
		this.#nodes.set(message.seq, node);
		if (mine)
			this.#tick(node, message);
		if (!newDay)
			return [node];
		return [el('li', { class: 'day' }, el('span', {}, dayName(message.created_at))), node];
	}

	#renderTicks() {
		for (const message of this.#room?.messages ?? []) {
			const node = this.#nodes.get(message.seq);
			if (node && this.#client.isMe(message.user.id))
				this.#tick(node, message);
		}
	}

	#tick(node, message) {
		const progress = this.#room.progress(message, this.#chat.participants.map((user) => user.id));
		if (node.dataset.progress === progress)
			return;
		node.dataset.progress = progress;
		node.querySelector('.tick').replaceChildren(icon(progress === 'sent' ? 'one' : 'two'),
			el('span', { class: 'hidden-label' }, PROGRESS[progress]));
	}

	/* --- what is not sent yet --- */

	#renderPending() {
		const stay = this.#atBottom();
		$('pending').replaceChildren(...this.#room.outbox.map((entry) => this.#pendingMessage(entry)));
		if (stay)
			this.#toBottom();
	}

	#pendingMessage({ client_id, body, created_at, state, error }) {
		const failed = state === 'failed';
		const act = (what) => () => this.#client.outbox[what](this.#room.id, client_id);
		return el('li', { class: `message mine ${failed ? 'failed' : 'waiting'}` },
			el('div', { class: 'bubble' },
				el('span', { class: 'body', dir: 'auto' }, body),
				el('span', { class: 'meta' }, el('time', {}, clockTime(created_at)),
					el('span', { class: 'tick' }, icon(failed ? 'alert' : 'clock'),
						el('span', { class: 'hidden-label' }, failed ? 'Not sent' : 'Sending')))),
			failed ? el('p', { class: 'failure', role: 'alert' }, `Not sent: ${error.message} `,
				el('button', { type: 'button', onclick: act('retry') }, 'Try again'), ' ',
				el('button', { type: 'button', onclick: act('discard') }, 'Discard')) : null);
	}

	#send() {
		const text = $('text');
		const body = text.value.trim();
		if (body === '' || !this.#room)
			return;
		if (new TextEncoder().encode(body).length > BODY_MOST) {
			text.setCustomValidity('This message is too long.');
			text.reportValidity();
			return;
		}
		text.value = '';
		this.#grow();
		this.#room.send(body).catch(() => {}); /* a failure stands in the outbox */
		this.#toBottom();
		text.focus();
	}

	#wrote() {
		$('text').setCustomValidity('');
		this.#grow();
		if ($('text').value === '')
			this.#room.stopTyping();
		else
			this.#room.typing();
	}

	#grow() {
		const text = $('text');
		text.style.height = 'auto';
		text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
		$('send').disabled = text.value.trim() === '';
	}

	/* --- who is there --- */

	#renderState() {
		if (!this.#chat || !this.#room)
			return;
		const partner = partnerOf(this.#chat, this.#client);
		const title = titleOf(this.#chat, this.#client);
		const typists = this.#room.typists.map((user) => user.name);
		const stay = this.#atBottom();
		$('chat-title').textContent = title;
		$('chat-avatar').replaceChildren(avatar(partner?.id ?? `chat-${this.#chat.id}`, title,
			partner ? this.#people.isOnline(partner.id) : null));
		$('chat-state').textContent = typists.length > 0 ? typing(typists, partner)
					    : partner ? this.#presence(partner) : this.#company();
		$('chat-state').classList.toggle('accent', typists.length > 0);
		$('typing').hidden = typists.length === 0;
		if (stay)
			this.#toBottom();
	}

	#presence(user) {
		if (this.#people.isOnline(user.id))
			return 'online';
		const seen = this.#people.lastSeen(user.id);
		return seen ? `last seen ${ago(seen)}` : 'offline';
	}

	#company() {
		const { participants, participant_count } = this.#chat;
		const online = participants.filter((user) => this.#people.isOnline(user.id)).length;
		return `${participant_count ?? participants.length} people, ${online} online`;
	}

	/* --- place --- */

	#atBottom() {
		const { scrollHeight, scrollTop, clientHeight } = $('scroller');
		return scrollHeight - scrollTop - clientHeight < NEAR;
	}

	#toBottom() {
		$('scroller').scrollTop = $('scroller').scrollHeight;
		this.#wasAtBottom = true;
		this.#below = 0;
		this.#renderToBottom();
		this.#see();
	}

	#renderToBottom() {
		const button = $('to-bottom');
		button.hidden = this.#wasAtBottom && this.#below === 0;
		button.replaceChildren(icon('down'), this.#below > 0 ? `${this.#below} new` : 'Newest');
	}

	async #scrolled() {
		this.#wasAtBottom = this.#atBottom();
		if (this.#wasAtBottom) {
			this.#below = 0;
			this.#see();
		}
		this.#renderToBottom();
		if ($('scroller').scrollTop > NEAR || this.#loadingOlder || !this.#room?.hasOlder)
			return;
		this.#loadingOlder = true;
		await this.#room.older().catch(() => {});
		this.#loadingOlder = false;
	}

	/* Read is what stands on a screen that somebody looks at. */
	#see() {
		if (!this.#room || !document.hasFocus() || document.visibilityState !== 'visible' || !this.#atBottom())
			return;
		this.#room.markRead();
		if (this.#room.messages.length > 0)
			this.#inbox.seen(this.#room.id);
	}
}

function typing(names, partner) {
	if (partner)
		return 'typing…';
	return names.length > 2 ? `${names.length} people are typing…`
	     : `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} typing…`;
}
