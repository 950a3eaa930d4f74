// The ledger finds what it is for: each kind of fault is made by hand, and so is what is none.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Book } from './lib/book.mjs';

let book;
let ann;
let ben;

beforeEach(() => {
	book = new Book();
	[ann, ben] = ['ann', 'ben'].map((name) => {
		const c = book.connect(name);
		book.subscribe(c, 'news');
		book.subscribe(c, 'private-chat.1');
		return c;
	});
});

function publish(publisher = 'p', status = 200) {
	const entry = book.publish(publisher, ['news']);
	book.answer(entry, status);
	return entry.id;
}

function message(seq, status = 201) {
	const entry = book.message('7', 'private-chat.1');
	entry.seq = seq;
	book.answer(entry, status);
	return seq;
}

const get = (c, ...ids) => ids.forEach((id) => book.deliver(c, 'news', id));
const hear = (c, ...seqs) => seqs.forEach((seq) => book.deliverMessage(c, 'private-chat.1', seq));
const kinds = () => book.judge().faults.map((f) => f.kind);

test('all came once and in order', () => {
	const ids = [publish(), publish(), publish()];
	const seqs = [message(1), message(2)];
	for (const c of [ann, ben]) {
		get(c, ...ids);
		hear(c, ...seqs);
	}
	assert.equal(book.outstanding(), 0);
	const result = book.judge();
	assert.deepEqual(result, { ok: 3, unanswered: 0, messages: 2, deliveries: 10, fetched: 0, faults: [] });
});

test('one is missing at an open connection', () => {
	const [a, b] = [publish(), publish()];
	get(ann, a, b);
	get(ben, b);
	assert.equal(book.outstanding(), 1);
	assert.deepEqual(kinds(), ['lost']);
});

test('who subscribed while it was under way may have it or not', () => {
	const entry = book.publish('p', ['news']);
	const cyd = book.connect('cyd');
	book.subscribe(cyd, 'news');
	book.answer(entry, 200);
	get(ann, entry.id);
	get(ben, entry.id);
	assert.deepEqual(kinds(), []);
});

test('a connection that ended misses the last ones, but none before one that it got', () => {
	const [a, b, c] = [publish(), publish(), publish()];
	get(ann, a, b, c);
	get(ben, a, b);
	book.close(ben, 1006);
	assert.deepEqual(kinds(), []);
	const [d, e] = [publish(), publish()];
	get(ann, d, e);
	const cyd = book.connect('cyd');
	book.subscribe(cyd, 'news');
	const [f, g] = [publish(), publish()];
	get(ann, f, g);
	get(cyd, g);
	book.close(cyd, 1006);
	assert.deepEqual(kinds(), ['lost']);
});

test('one came twice', () => {
	const a = publish();
	get(ann, a, a);
	get(ben, a);
	assert.deepEqual(kinds(), ['doubled']);
});

test('one came again after all was settled', () => {
	const a = publish();
	get(ann, a);
	get(ben, a);
	assert.deepEqual(kinds(), []);
	get(ann, a);
	assert.deepEqual(kinds(), ['doubled']);
});

test('what was not answered comes once or never, also late', () => {
	const [a, b] = [publish('p', 503), publish('q', 0)];
	get(ann, a);
	assert.deepEqual(kinds(), []);
	get(ben, b);
	assert.deepEqual(kinds(), []);
	const c = publish('p', 503);
	get(ann, c, c);
	assert.deepEqual(kinds(), ['doubled']);
});

test('a publish that was sent after the answer of another one comes after it', () => {
	const [a, b] = [publish('p'), publish('q')];
	get(ann, b, a);
	get(ben, b, a);
	assert.deepEqual(kinds(), ['misordered', 'misordered']);
});

test('of two at the same time either may be first, for all alike', () => {
	const pair = () => {
		const entries = [book.publish('p', ['news']), book.publish('q', ['news'])];
		entries.forEach((e) => book.answer(e, 200));
		return entries.map((e) => e.id);
	};
	const [a, b] = pair();
	get(ann, b, a);
	get(ben, b, a);
	assert.deepEqual(kinds(), []);
	const [c, d] = pair();
	get(ann, c, d);
	get(ben, d, c);
	assert.deepEqual(kinds(), ['misordered']);
});

test('across the death of the broker the order is that of each publisher', () => {
	const [a, b] = [publish('p'), publish('q')];
	book.brokerDies();
	get(ann, b, a);
	get(ben, a, b);
	assert.deepEqual(kinds(), []);
	const c = publish('p');
	book.brokerDies();
	const d = publish('p');
	get(ann, d, c);
	get(ben, c, d);
	assert.deepEqual(kinds(), ['misordered']);
});

test('messages: lost, doubled, out of order', () => {
	message(1);
	message(2);
	message(3);
	hear(ann, 1, 3);
	hear(ben, 1, 2, 2, 3);
	assert.deepEqual(kinds().sort(), ['chat_doubled', 'chat_lost']);
	message(4);
	message(5);
	hear(ann, 5, 4);
	hear(ben, 4, 5);
	assert.deepEqual(kinds(), ['chat_misordered']);
	hear(ben, 5); // after all was settled
	assert.deepEqual(kinds(), ['chat_doubled']);
});

test('a message that the broker died over is fetched', () => {
	message(1);
	book.brokerDies();
	message(2);
	hear(ann, 2);
	hear(ben, 1, 2);
	const { fetched, faults } = book.judge();
	assert.deepEqual([fetched, faults], [1, []]);
});
