/* Small helpers of the page: elements, icons, avatars, times. Text is only ever set as text. */

export const $ = (id) => document.getElementById(id);

/** An element: el('li', { class: 'x', hidden: true, onclick: fn, 'aria-label': 'y' }, 'text', child …). */
export function el(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith('on'))
			node.addEventListener(name.slice(2), value);
		else if (value === true)
			node.setAttribute(name, '');
		else if (value !== false && value !== null && value !== undefined)
			node.setAttribute(name, value);
	}
	fill(node, ...children);
	return node;
}

/** Puts these in place of what is in a node; null is left out. */
export function fill(node, ...children) {
	node.replaceChildren(...children.filter((child) => child !== null));
}

const ICONS = {
	pencil: 'M4 20l1-5L16.5 3.5a2.1 2.1 0 0 1 3 0l1 1a2.1 2.1 0 0 1 0 3L9 19l-5 1zM14 6l4 4',
	people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.3a3.5 3.5 0 0 1 0 6.5M18 14.3c2.2.8 3.5 2.8 3.5 5.7',
	back: 'M15 5l-7 7 7 7',
	send: 'M4 12l16-8-6 17-3-7zM11 14l9-10',
	down: 'M6 9l6 6 6-6',
	clock: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2',
	one: 'M5 12.5l4.5 4.5L19 7',
	two: 'M1.5 12.5L6 17l9.5-10M10.5 15.5L12 17l9.5-10',
	alert: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5v5.5M12 16v.5',
};

/** A line drawing; purely visual, so its meaning has to stand beside it as text or label. */
export function icon(name) {
	const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
	const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
	svg.setAttribute('viewBox', '0 0 24 24');
	svg.setAttribute('class', 'icon');
	svg.setAttribute('aria-hidden', 'true');
	line.setAttribute('d', ICONS[name]);
	svg.append(line);
	return svg;
}

/** A round with initials; the colour follows the id. online: true, false, or null for no dot. */
export function avatar(id, name, online = null) {
	const initials = name.split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase();
	const hue = [...String(id)].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 8, 3);
	const dot = online === null ? null : el('span', { class: online ? 'dot on' : 'dot' });
	return el('span', { class: `avatar hue-${hue}`, 'aria-hidden': 'true' }, initials, dot);
}

/** Puts the nodes into a list in this order, moving only what stands elsewhere (so that focus stays). */
export function arrange(list, nodes) {
	nodes.forEach((node, i) => {
		if (list.children[i] !== node)
			list.insertBefore(node, list.children[i] ?? null);
	});
	while (list.children.length > nodes.length)
		list.lastElementChild.remove();
}

const language = navigator.language;
const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
const UNITS = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000]];

/** 5 minutes ago, yesterday … */
export function ago(time) {
	const passed = Math.max(0, Date.now() - new Date(time));
	for (const [unit, ms] of UNITS) {
		if (passed >= ms)
			return relative.format(-Math.floor(passed / ms), unit);
	}
	return 'just now';
}

export const clockTime = (time) => new Date(time).toLocaleTimeString(language, { timeStyle: 'short' });

export const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

/** Today, Yesterday, or the date. */
export function dayName(time) {
	const now = Date.now();
	if (sameDay(time, now))
		return 'Today';
	if (sameDay(time, now - 86_400_000))
		return 'Yesterday';
	return new Date(time).toLocaleDateString(language, { dateStyle: 'long' });
}

/** The hour of today, else the day: for a list. */
export function shortTime(time) {
	if (sameDay(time, Date.now()))
		return clockTime(time);
	return new Date(time).toLocaleDateString(language, { day: 'numeric', month: 'short' });
}
