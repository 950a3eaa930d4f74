import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ChatClient } from '../chat.js';
import { uuid } from '../chat/base.js';
import { FakeClock, FakePusher, FakeServer, FakeStorage, settle } from './fakes.mjs';

/* A client of user 1 with the room of chat 1 opened, after the server has written some messages. */
async function start({ before = 0, storage = null, server = new FakeServer() } = {}) {
	const clock = new FakeClock();
	const pusher = new FakePusher();
	for (let i = 0; i < before; i++)
		server.bob(`old ${i + 1}`);
	const client = new ChatClient({
		pusher, token: '1|secret', user: { id: 1, name: 'Ada' }, fetch: server.fetch, clock, storage,
	});
	const room = client.room(1);
	await room.open();
	await settle();
	const emit = async (event, data) => {
		pusher.channels.get('private-chat.1').emit(event, data);
		await settle();
	};
	return {
		client, clock, pusher, room, server, emit,
		sent: (message) => emit('message.sent', { message }),
		bodies: () => room.messages.map((m) => m.body),
	};
}

const seqs = (room) => room.messages.map((m) => m.seq);

test('opening loads the newest page, scrolling the one before', async () => {
	const { room, server } = await start({ before: 120 });
	assert.deepEqual([room.messages[0].seq, room.messages.at(-1).seq, room.hasOlder], [71, 120, true]);
	await room.older();
	await room.older();
	assert.deepEqual([room.messages.length, room.messages[0].seq, room.hasOlder], [120, 1, false]);
	await room.older();
	assert.equal(server.count('GET', 'before_seq'), 2);
});

test('events append in order without any request', async () => {
	const { room, server, sent } = await start({ before: 2 });
	const requests = server.requests.length;
	await sent(server.bob('three'));
	await sent(server.bob('four'));
	assert.deepEqual(seqs(room), [1, 2, 3, 4]);
	assert.equal(server.requests.length, requests);
});

test('a lost event is fetched when the next one shows the hole', async () => {
	const { room, server, sent } = await start({ before: 2 });
	server.bob('lost');
	server.bob('lost too');
	await sent(server.bob('after'));
	assert.deepEqual(seqs(room), [1, 2, 3, 4, 5]);
	assert.equal(server.count('GET', 'after_seq=2'), 1);
});

test('a doubled event is dropped', async () => {
	const { room, server, sent } = await start();
	const heard = [];
	room.on('message', (m) => heard.push(m.seq));
	const message = server.bob('once');
	await sent(message);
	await sent(message);
	assert.deepEqual([seqs(room), heard], [[1], [1]]);
});

test('events out of order come out in order', async () => {
	const { room, server, sent } = await start();
	const [one, two, three] = [server.bob('1'), server.bob('2'), server.bob('3')];
	await sent(three);
	await sent(one);
	await sent(two);
	assert.deepEqual(seqs(room), [1, 2, 3]);
});

test('events during a catch-up are held, and a second hole among them takes another round', async () => {
	const { room, server, emit, sent, bodies } = await start({ before: 1 });
	let go;
	server.paused = { match: 'after_seq', wait: new Promise((resolve) => (go = resolve)) };
	server.bob('lost');
	await sent(server.bob('shows the hole'));
	await sent(server.bob('during'));
	await emit('message.updated', { message: server.change(4, { body: 'edited', edited_at: 't9' }) });
	assert.deepEqual(seqs(room), [1]);
	server.paused = null;
	go();
	await settle();
	assert.deepEqual(bodies(), ['old 1', 'lost', 'shows the hole', 'edited']);

	server.bob('lost again');
	await sent(server.bob('last'));
	assert.deepEqual(seqs(room), [1, 2, 3, 4, 5, 6]);
});

test('a hole that the server does not fill is closed by has_more:false', async () => {
	const { room, server, sent } = await start();
	await sent({ ...server.bob('first of ours'), seq: 18, prev_seq: 17 });
	server.messages = [];
	await sent({ ...server.bob('joined'), seq: 19, prev_seq: 18 });
	assert.deepEqual(seqs(room).slice(-1), [19]);
	const fetches = server.count('GET', 'after_seq');
	await sent({ ...server.bob('next'), seq: 20, prev_seq: 19 });
	assert.equal(server.count('GET', 'after_seq'), fetches);
});

test('chat.sync with a higher number catches up over several pages, a level one asks nothing', async () => {
	const { room, server, emit } = await start({ before: 3 });
	await emit('chat.sync', { chat_id: 1, last_seq: 3, read_seq: null, delivered_seq: null });
	assert.equal(server.count('GET', 'after_seq'), 0);
	for (let i = 0; i < 450; i++)
		server.bob('missed');
	await emit('chat.sync', { chat_id: 1, last_seq: 453, read_seq: 0, delivered_seq: 0 });
	assert.equal(room.messages.length, 453);
	assert.equal(server.count('GET', 'after_seq'), 3);
});

test('chat.sync above what the user may see asks once', async () => {
	const { server, emit } = await start();
	await emit('chat.sync', { chat_id: 1, last_seq: 9, read_seq: 9, delivered_seq: 9 });
	await emit('chat.sync', { chat_id: 1, last_seq: 9, read_seq: 9, delivered_seq: 9 });
	assert.equal(server.count('GET', 'after_seq'), 1);
});

test('a catch-up goes on after failures of the server and of the network', async () => {
	const { room, server, clock, sent } = await start();
	server.faults = [{ match: 'after_seq', status: 503, retryAfter: 2 }, { match: 'after_seq', lost: true }];
	server.bob('lost');
	await sent(server.bob('shows the hole'));
	await clock.advance(10_000);
	assert.deepEqual(seqs(room), [1, 2]);
});

test('a room that is no longer ours closes', async () => {
	const { room, server, pusher, emit } = await start({ before: 1 });
	let reason = null;
	room.on('closed', (status) => (reason = status));
	server.faults = [{ match: 'after_seq', status: 403 }];
	await emit('chat.sync', { chat_id: 1, last_seq: 9, read_seq: 0, delivered_seq: 0 });
	assert.deepEqual([reason, room.isOpen, pusher.channels.size], [403, false, 0]);
});

test('after a reconnect edits, deletions and cursors that moved meanwhile are found', async () => {
	const { room, server, emit, bodies } = await start({ before: 3 });
	const sync = { chat_id: 1, last_seq: 3, read_seq: 0, delivered_seq: 0 };
	await emit('chat.sync', sync);
	server.change(1, { body: '', deleted_at: 't8' });
	server.change(2, { body: 'edited', edited_at: 't9' });
	server.receipts = [{ user_id: 2, delivered_seq: 3, read_seq: 2 }];
	await emit('chat.sync', sync);
	assert.deepEqual(bodies(), ['', 'edited', 'old 3']);
	assert.deepEqual(room.cursors.get('2'), { delivered_seq: 3, read_seq: 3 }); /* their own third message */
});

test('edits and deletions change a message once, and never back', async () => {
	const { room, server, emit, bodies } = await start({ before: 2 });
	const changes = [];
	room.on('change', (m) => changes.push(m.body));
	const edited = server.change(2, { body: 'better', edited_at: 't5' });
	await emit('message.updated', { message: edited });
	await emit('message.updated', { message: edited });
	await emit('message.deleted', { message: server.change(2, { body: '', deleted_at: 't6' }) });
	await emit('message.updated', { message: edited });
	assert.deepEqual(changes, ['better', '']);
	assert.deepEqual(bodies(), ['old 1', '']);
});

test('editing shows the answer, since no event comes to us', async () => {
	const { room, bodies } = await start();
	const message = await room.send('teh');
	await room.edit(message, 'the');
	assert.deepEqual(bodies(), ['the']);
});

test('sending names our socket and appends the answer; an event of it is a repeat', async () => {
	const { room, server, sent } = await start({ before: 1 });
	const message = await room.send('hello');
	await settle();
	await sent(message);
	assert.deepEqual(seqs(room), [1, 2]);
	assert.deepEqual(room.outbox, []);
	const post = server.requests.find((r) => r.method === 'POST');
	assert.equal(post.socket, '1.1');
	assert.match(post.body.client_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('503 with Retry-After: the same client_id goes again when the server said, not sooner', async () => {
	const { room, server, clock, pusher } = await start();
	server.faults = [{ match: '/messages', status: 503, retryAfter: 7 }];
	const done = room.send('hello');
	await clock.advance(6_900);
	pusher.enter('connected');
	await settle();
	assert.equal(server.count('POST', '/messages'), 1);
	assert.equal(room.outbox[0].state, 'sending');
	await clock.advance(200);
	assert.equal((await done).body, 'hello');
	const [first, second] = server.requests.filter((r) => r.method === 'POST');
	assert.equal(first.body.client_id, second.body.client_id);
	assert.deepEqual([seqs(room), room.outbox], [[1], []]);
});

test('a lost answer: the repeat under the same client_id brings the first message, once', async () => {
	const { room, server, clock } = await start();
	server.faults = [{ match: '/messages', gone: true }];
	const done = room.send('hello');
	await clock.advance(2_000);
	assert.equal((await done).seq, 1);
	assert.equal(server.messages.length, 1);
	assert.deepEqual(seqs(room), [1]);
});

test('a lost answer: the message itself, seen in a catch-up, settles the entry without a repeat', async () => {
	const { room, server, clock, sent } = await start();
	server.faults = [{ match: '/messages', gone: true }];
	const done = room.send('hello');
	await settle();
	await sent(server.bob('shows the hole'));
	assert.equal((await done).body, 'hello');
	assert.deepEqual([seqs(room), room.outbox], [[1, 2], []]);
	await clock.advance(60_000);
	assert.equal(server.count('POST', '1/messages'), 1);
});

test('a new connection ends the wait of a send that failed by the network', async () => {
	const { room, server, pusher } = await start();
	server.faults = [{ match: '/messages', lost: true }];
	const done = room.send('hello');
	await settle();
	pusher.enter('connecting');
	pusher.enter('connected');
	await settle();
	assert.equal((await done).seq, 1);
});

test('messages keep their order while the first one has to wait', async () => {
	const { room, server, clock, bodies } = await start();
	server.faults = [{ match: '/messages', lost: true }];
	room.send('one');
	room.send('two');
	await clock.advance(5_000);
	assert.deepEqual(bodies(), ['one', 'two']);
});

test('a refused message is kept as failed, can be tried again or discarded', async () => {
	const { room, server, client, bodies } = await start();
	server.faults = [{ match: '/messages', status: 422 }, { match: '/messages', status: 422 }];
	await assert.rejects(room.send('too long'), { status: 422 });
	assert.equal(room.outbox[0].state, 'failed');
	client.outbox.retry(1, room.outbox[0].client_id);
	await settle();
	assert.equal(room.outbox[0].state, 'failed');
	client.outbox.retry(1, room.outbox[0].client_id);
	await settle();
	assert.deepEqual([bodies(), room.outbox], [['too long'], []]);

	server.faults = [{ match: '/messages', status: 422 }];
	await assert.rejects(room.send('no'), { status: 422 });
	client.outbox.discard(1, room.outbox[0].client_id);
	assert.deepEqual(room.outbox, []);
});

test('what a page left unsent goes out after a reload, once', async () => {
	const storage = new FakeStorage();
	const server = new FakeServer();
	const first = await start({ storage, server });
	server.faults = [{ match: '/messages', gone: true }];
	first.room.send('hello').catch(() => {});
	await settle();
	first.client.close();

	const second = await start({ storage, server });
	assert.deepEqual([second.bodies(), second.room.outbox, server.messages.length], [['hello'], [], 1]);
	const third = await start({ storage, server });
	assert.equal(server.count('POST', '1/messages'), 2);
	assert.deepEqual(third.bodies(), ['hello']);
});

test('a message acknowledged behind a hole stays in the outbox until it stands', async () => {
	const { room, server } = await start();
	let go;
	server.paused = { match: 'after_seq', wait: new Promise((resolve) => (go = resolve)) };
	server.bob('lost');
	await room.send('hello');
	await settle();
	assert.deepEqual([seqs(room), room.outbox.map((e) => e.state)], [[], ['sent']]);
	server.paused = null;
	go();
	await settle();
	assert.deepEqual([seqs(room), room.outbox], [[1, 2], []]);
});

test('delivered is told once for many messages, read stands for both', async () => {
	const { room, server, clock, sent } = await start({ before: 3 });
	await clock.advance(1_000);
	assert.equal(server.count('POST', '103/delivered'), 1);
	await sent(server.bob('4'));
	await sent(server.bob('5'));
	await clock.advance(1_000);
	assert.equal(server.count('POST', '/delivered'), 2);
	await sent(server.bob('6'));
	room.markRead();
	room.markRead();
	await clock.advance(1_000);
	assert.equal(server.count('POST', '/delivered'), 2);
	assert.equal(server.count('POST', '106/read'), 1);
	room.markRead();
	await clock.advance(1_000);
	assert.equal(server.count('POST', '/read'), 1);
});

test('what the server knows of our cursors is not told again', async () => {
	const { room, server, clock, emit } = await start({ before: 3 });
	await emit('chat.sync', { chat_id: 1, last_seq: 3, read_seq: 3, delivered_seq: 3 });
	room.markRead();
	await clock.advance(1_000);
	assert.equal(server.count('POST', '/'), 0);
});

test('an acknowledgement survives a failure of the server', async () => {
	const { server, clock, sent } = await start();
	server.faults = [{ match: '/delivered', status: 503, retryAfter: 1 }];
	await sent(server.bob('1'));
	await sent(server.bob('2'));
	await clock.advance(3_000);
	assert.equal(server.count('POST', '102/delivered'), 2);
});

test('cursors of the others make the ticks, and only move forward', async () => {
	const { room, emit } = await start();
	const message = await room.send('hello');
	const event = { chat_id: 1, user: { id: 2, name: 'Bob' }, message_id: message.id };
	assert.equal(room.progress(message, [1, 2]), 'sent');
	await emit('message.delivered', { ...event, seq: 1 });
	assert.equal(room.progress(message, [1, 2]), 'delivered');
	assert.equal(room.progress(message, [1, 2, 3]), 'sent');
	await emit('message.read', { ...event, seq: 1 });
	await emit('message.delivered', { ...event, seq: 0 });
	assert.equal(room.progress(message, [1, 2]), 'read');
});

test('typing is told now and then and ends by itself', async () => {
	const { room, server, clock } = await start();
	const told = () => server.requests.filter((r) => r.path.endsWith('/typing')).map((r) => r.body.is_typing);
	room.typing();
	room.typing();
	await clock.advance(2_900);
	room.typing();
	assert.deepEqual(told(), [true]);
	await clock.advance(200);
	room.typing();
	assert.deepEqual(told(), [true, true]);
	await clock.advance(5_000);
	assert.deepEqual(told(), [true, true, false]);
	room.typing();
	await room.send('done');
	await clock.advance(10_000);
	assert.deepEqual(told(), [true, true, false, true]);
});

test('others type until they stop, send, leave, fall silent, or we lose the connection', async () => {
	const { room, server, clock, pusher, sent } = await start();
	const presence = pusher.channels.get('presence-chat.1');
	const bob = { id: 2, name: 'Bob' };
	const types = (is_typing, user = bob) => presence.emit('user.typing', { chat_id: 1, user, is_typing });
	const names = () => room.typists.map((u) => u.name);

	types(true, { id: 1, name: 'Ada' });
	assert.deepEqual(names(), []);
	types(true);
	assert.deepEqual(names(), ['Bob']);
	types(false);
	assert.deepEqual(names(), []);
	types(true);
	await sent(server.bob('done'));
	assert.deepEqual(names(), []);
	types(true);
	presence.emit('pusher:member_removed', { id: '2' });
	assert.deepEqual(names(), []);
	types(true);
	await clock.advance(8_100);
	assert.deepEqual(names(), []);
	types(true);
	pusher.enter('connecting');
	assert.deepEqual(names(), []);
});

test('a subscription refused for a passing reason is asked for again, one refused for good is not', async () => {
	const { client, clock, pusher } = await start();
	const refused = [];
	client.on('refused', (...args) => refused.push(args));
	const channel = pusher.channels.get('private-chat.1');
	const asked = () => pusher.asked.filter((name) => name === 'private-chat.1').length;
	channel.emit('pusher:subscription_error', { status: 503 });
	await clock.advance(1_500);
	assert.equal(asked(), 2);
	channel.emit('pusher:subscription_error', { status: 403 });
	await clock.advance(60_000);
	assert.equal(asked(), 2);
	assert.deepEqual(refused, [['private-chat.1', 403]]);
});

test('two users of a channel share it; the last one leaves it', async () => {
	const { client, pusher } = await start();
	const heard = [];
	const first = client.subscribe('presence-users', { x: () => heard.push(1) });
	const second = client.subscribe('presence-users', { x: () => heard.push(2) });
	first();
	first();
	pusher.channels.get('presence-users').emit('x');
	assert.deepEqual(heard, [2]);
	second();
	assert.equal(pusher.channels.has('presence-users'), false);
});

test('a room opened again goes on where it was', async () => {
	const { room, server, bodies } = await start({ before: 1 });
	room.close();
	server.bob('missed');
	server.change(1, { body: 'edited', edited_at: 't7' });
	await room.open();
	await settle();
	assert.deepEqual(bodies(), ['edited', 'missed']);
	assert.equal(server.count('GET', 'after_seq=1'), 1);
});

test('a UUID without crypto.randomUUID', (t) => {
	t.mock.method(crypto, 'randomUUID');
	Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true });
	assert.match(uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
	delete crypto.randomUUID;
});
