import { Emitter } from './chat.js';

/**
 * Who is there. The server's word on a user's status comes with the participants of our chats and as
 * user.status.changed; of those with whom we share no chat only the membership of presence-users is known.
 *
 * Emits change() when anybody's state may have changed.
 */
export class People extends Emitter {
	#known = new Map(); /* user id as text → {id, name, is_online, last_seen_at} */
	#present = new Map(); /* user id as text → {id, name}: members of presence-users */

	constructor(client, channel) {
		super();
		client.subscribe(channel, {
			'pusher:subscription_succeeded': (members) => {
				this.#present.clear();
				members.each((member) => this.#enter(member));
				this.emit('change');
			},
			'pusher:member_added': (member) => {
				this.#enter(member);
				this.emit('change');
			},
			'pusher:member_removed': ({ id }) => {
				this.#present.delete(String(id));
				this.emit('change');
			},
			'user.status.changed': ({ user }) => this.learn([user]),
		});
	}

	/** Takes users as the server states them. */
	learn(users) {
		for (const user of users)
			this.#known.set(String(user.id), user);
		this.emit('change');
	}

	/** Takes users of whom only the name is known. */
	introduce(users) {
		for (const user of users) {
			if (!this.#known.has(String(user.id)))
				this.#known.set(String(user.id), { ...user, is_online: null, last_seen_at: null });
		}
	}

	isOnline(userId) {
		return this.#known.get(String(userId))?.is_online ?? this.#present.has(String(userId));
	}

	/** When the user was last seen; null when online, never seen, or not for us to know. */
	lastSeen(userId) {
		return this.isOnline(userId) ? null : this.#known.get(String(userId))?.last_seen_at ?? null;
	}

	/** Everybody of whom we know, by name. */
	all() {
		const users = new Map([...this.#present, ...this.#known]);
		return [...users.values()].sort((a, b) => a.name.localeCompare(b.name));
	}

	#enter({ id, info }) {
		this.#present.set(String(id), { id: info?.id ?? id, name: info?.name ?? `User ${id}` });
	}
}
