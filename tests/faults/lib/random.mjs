// Numbers that a seed repeats.

/** A generator of its own for each text, so that the choices of one do not depend on another's. */
export function randomOf(...words) {
	let state = 2166136261;
	for (const c of words.join('/')) state = Math.imul(state ^ c.charCodeAt(0), 16777619);
	const real = () => { // mulberry32
		state = (state + 0x6D2B79F5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	};
	const below = (n) => Math.floor(real() * n);
	return {
		real,
		below,
		/** A whole number of [low, high]. */
		between: (low, high) => low + below(high - low + 1),
		pick: (list) => list[below(list.length)],
		/** `n` different ones of a list. */
		some: (list, n) => {
			const left = [...list];
			return [...Array(Math.min(n, left.length))].map(() => left.splice(below(left.length), 1)[0]);
		},
	};
}
