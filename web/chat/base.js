/* What the other files of the helper share: errors, listeners, the clock, the states of a message. */

/** The clock of pages; tests bring their own. */
export const systemClock = {
	now: () => Date.now(),
	setTimeout: (fn, ms) => setTimeout(fn, ms),
	clearTimeout: (timer) => clearTimeout(timer),
};

/** A request that was refused (status 4xx, 5xx) or has no answer (status 0). */
export class ApiError extends Error {
	constructor(status, message, { errors = null, retryAfter = null } = {}) {
		super(message);
		this.name = 'ApiError';
		this.status = status;
		this.errors = errors; /* of a 422: field → reasons */
		this.retryAfter = retryAfter; /* ms that the server asks to wait, or null */
	}

	/** Whether the very same request may succeed later. */
	get temporary() {
		return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
	}
}

/** Listeners by name. One that throws is reported and disturbs no other. */
export class Emitter {
	#listeners = new Map();

	/** Calls fn(...) at each event of this name. Returns a function that ends it. */
	on(name, fn) {
		const fns = this.#listeners.get(name) ?? new Set();
		this.#listeners.set(name, fns.add(fn));
		return () => fns.delete(fn);
	}

	emit(name, ...args) {
		for (const fn of [...(this.#listeners.get(name) ?? [])]) {
			try {
				fn(...args);
			} catch (error) {
				console.error(error);
			}
		}
	}
}

/** A random UUID, also where crypto.randomUUID is missing (pages that came by plain HTTP). */
export function uuid() {
	if (typeof crypto.randomUUID === 'function')
		return crypto.randomUUID();
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
	return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Whether a is a later state of the message b: deleted beats edited beats new; answers and events may cross. */
export function isLater(a, b) {
	if (Boolean(a.deleted_at) !== Boolean(b.deleted_at))
		return Boolean(a.deleted_at);
	return (a.edited_at ?? '') > (b.edited_at ?? '');
}
