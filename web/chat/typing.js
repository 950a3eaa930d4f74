const TYPING_EVERY = 3_000; /* the server repeats a start at most this often */
const TYPING_IDLE = 4_000;
const TYPING_FORGET = 8_000; /* the server ends it after six seconds; this is for a lost event */

/** Who is writing in one chat. tell(bool) says that we are; changed() is called when who changes. */
export class Typing {
	#clock;
	#tell;
	#changed;
	#active = false;
	#again = 0; /* when our next start may be told */
	#idle = null;
	#others = new Map(); /* user id as text → {user, timer} */

	constructor(clock, { tell, changed }) {
		this.#clock = clock;
		this.#tell = tell;
		this.#changed = changed;
	}

	/** The others who are writing: [{id, name}]. */
	get users() {
		return [...this.#others.values()].map(({ user }) => user);
	}

	/** We pressed a key: tells a start at most every TYPING_EVERY, a stop after TYPING_IDLE. */
	start() {
		this.#clock.clearTimeout(this.#idle);
		this.#idle = this.#clock.setTimeout(() => this.stop(), TYPING_IDLE);
		if (this.#active && this.#clock.now() < this.#again)
			return;
		this.#active = true;
		this.#again = this.#clock.now() + TYPING_EVERY;
		this.#tell(true);
	}

	/** We gave up writing. */
	stop() {
		if (this.sent())
			this.#tell(false);
	}

	/** We sent what we wrote: the server ends it by itself. Returns whether we were writing. */
	sent() {
		const was = this.#active;
		this.#clock.clearTimeout(this.#idle);
		this.#active = false;
		return was;
	}

	/** Another one began or went on. */
	add(user) {
		const id = String(user.id);
		this.#clock.clearTimeout(this.#others.get(id)?.timer);
		const timer = this.#clock.setTimeout(() => this.remove(id), TYPING_FORGET);
		this.#others.set(id, { user, timer });
		this.#changed();
	}

	/** Another one stopped, sent a message, or left. */
	remove(userId) {
		const id = String(userId);
		this.#clock.clearTimeout(this.#others.get(id)?.timer);
		if (this.#others.delete(id))
			this.#changed();
	}

	/** The connection is gone: we would not hear of a stop. */
	clear() {
		for (const id of [...this.#others.keys()])
			this.remove(id);
	}
}
