import { $, avatar, el } from './dom.js';

/** The dialog in which the user begins a chat: with one person a direct one, with more a group. */
export class NewChat {
	#client;
	#people;
	#made;

	/** made(chat) is called with the chat. */
	constructor(client, people, made) {
		this.#client = client;
		this.#people = people;
		this.#made = made;
		$('new-chat').addEventListener('click', () => this.#open());
		$('dialog-cancel').addEventListener('click', () => $('dialog').close());
		$('dialog-people').addEventListener('change', () => this.#chosenChanged());
		$('dialog-form').addEventListener('submit', (event) => {
			event.preventDefault();
			this.#create();
		});
	}

	/** Begins, or finds, the chat with one person. */
	async direct(userId) {
		this.#made(await this.#client.createChat({ participantIds: [userId], direct: true }));
	}

	#open() {
		const others = this.#people.all().filter((user) => !this.#client.isMe(user.id));
		$('dialog-people').replaceChildren(...others.map((user) => {
			const box = el('input', { type: 'checkbox', value: String(user.id) });
			box.userId = user.id;
			return el('li', {}, el('label', { class: 'person' }, box,
				avatar(user.id, user.name, this.#people.isOnline(user.id)), user.name));
		}));
		$('dialog-name').value = '';
		$('dialog-error').hidden = true;
		this.#chosenChanged();
		$('dialog').showModal();
	}

	#chosen() {
		return [...$('dialog-people').querySelectorAll('input:checked')].map((box) => box.userId);
	}

	#chosenChanged() {
		const count = this.#chosen().length;
		$('dialog-name-row').hidden = count < 2;
		$('dialog-create').disabled = count === 0;
	}

	async #create() {
		const participantIds = this.#chosen();
		const direct = participantIds.length === 1;
		const name = direct ? null : $('dialog-name').value.trim() || null;
		$('dialog-create').disabled = true;
		try {
			const chat = await this.#client.createChat({ name, participantIds, direct });
			$('dialog').close();
			this.#made(chat);
		} catch (error) {
			$('dialog-error').textContent = error.message;
			$('dialog-error').hidden = false;
			$('dialog-create').disabled = false;
		}
	}
}
