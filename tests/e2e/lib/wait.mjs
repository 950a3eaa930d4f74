// Waiting for conditions; never for time alone.

export const PATIENCE = Number(process.env.CHAT_PATIENCE ?? 20000);

/** A promise that fails, saying what was awaited. */
export function within(promise, what, ms = PATIENCE) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks again and again until the answer is truthy; returns it. */
export async function until(ask, what, ms = PATIENCE) {
	const end = Date.now() + ms;
	let last;
	for (;;) {
		try {
			last = await ask();
			if (last) return last;
		} catch (e) {
			last = e;
		}
		if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}; last: ${last}`);
		await new Promise((next) => setTimeout(next, 20));
	}
}

/** What a source has emitted, in order, with a way to wait for the next. */
export class Tape {
	constructor() {
		this.items = [];
		this.wake = [];
	}

	push(item) {
		this.items.push(item);
		for (const wake of this.wake.splice(0)) wake();
	}

	/** Takes the first item that matches. */
	async next(match = () => true, what = 'an item', ms = PATIENCE) {
		const end = Date.now() + ms;
		for (;;) {
			const at = this.items.findIndex(match);
			if (at >= 0) return this.items.splice(at, 1)[0];
			const left = end - Date.now();
			if (left <= 0) {
				const seen = JSON.stringify(this.items).slice(0, 2000);
				throw new Error(`waited ${ms} ms for ${what}; have ${seen}`);
			}
			await new Promise((wake) => {
				const timer = setTimeout(wake, left);
				this.wake.push(() => {
					clearTimeout(timer);
					wake();
				});
			});
		}
	}
}
