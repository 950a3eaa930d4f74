// Conformance: names, kinds, signatures, subscribe and unsubscribe. Texts are exact.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { main, rotating, rotatingOld } from './lib/apps.mjs';
import { Client, closeAll, error, frame, hmac, name, sign, spread, subscriptionError, succeeded,
	trigger } from './lib/protocol.mjs';

after(closeAll);

async function refused(c, channel, type, text, status, code, message) {
	await c.expect(subscriptionError(channel, type, text, status), error(code, message));
}

const unauthorized = (c, channel) => refused(c, channel, 'AuthError', 'The connection is unauthorized.', 401, 4009,
	'Connection is unauthorized');

const kinds = ['', 'private-', 'presence-', 'cache-', 'private-cache-', 'presence-cache-', 'private-encrypted-',
	'private-encrypted-cache-'];

test('S1 the success frame of every kind', async () => {
	const c = await Client.open(main);
	for (const kind of kinds) {
		const channel = name(kind);
		c.ask(channel, kind.startsWith('presence-') ? { user_id: '1' } : undefined);
		await c.expect(succeeded(channel, kind.startsWith('presence-')
			? { ids: ['1'], hash: { 1: null }, count: 1 } : undefined));
		if (kind.includes('cache-')) await c.expect(frame('pusher:cache_miss', channel, '{}'));
	}
	await c.quiet();
});

test('S1 prefixes count with their hyphen and at the start only', async () => {
	const c = await Client.open(main);
	for (const channel of ['privateer', 'presences', 'cached', 'my-private-x', 'my-cache-x', 'Private-x', 'private_x',
		'encrypted-x']) {
		c.say('pusher:subscribe', { channel, auth: '' });
		await c.expect(succeeded(channel));
	}
	for (const channel of ['private-', 'private-encrypted', 'presence-presence-chat.1']) {
		c.ask(channel, channel.startsWith('presence') ? { user_id: '1' } : undefined);
		assert.equal((await c.next()).frame.event, 'pusher_internal:subscription_succeeded');
		c.unsubscribe(channel);
	}
	await c.quiet();
});

test('S2 what is not signed well is refused with two frames, and nothing else happens', async () => {
	const c = await Client.open(main);
	const channel = name('private-');
	const { auth } = sign(main, c.id, channel);
	const flip = (text, at) => text.slice(0, at) + (text[at] === '0' ? '1' : '0') + text.slice(at + 1);
	const start = main.key.length + 1;
	for (const bad of [undefined, null, '', auth.slice(0, -1), `${auth}0`, flip(auth, start), flip(auth, start + 63),
		`other:${auth.slice(start)}`, auth.slice(start), `${main.key}${auth.slice(start)}`, ` ${auth}`,
		sign(main, '1.1', channel).auth, sign(main, c.id, `${channel}x`).auth,
		`${main.key}:${hmac('other', `${c.id}:${channel}`)}`]) {
		c.say('pusher:subscribe', { channel, auth: bad });
		await unauthorized(c, channel);
	}
	c.say('pusher:subscribe', { channel, auth, shared_secret: 'of the application' });
	await c.expect(succeeded(channel));
});

test('S2 signed channel_data must be there, and the same', async () => {
	const c = await Client.open(main);
	const channel = name('private-');
	c.say('pusher:subscribe', { channel, auth: sign(main, c.id, channel, '{}').auth });
	await unauthorized(c, channel);
	c.say('pusher:subscribe', { channel, auth: sign(main, c.id, channel).auth, channel_data: '{}' });
	await unauthorized(c, channel);
	c.say('pusher:subscribe', { channel, ...sign(main, c.id, channel, '{"any":1}') });
	await c.expect(succeeded(channel));
});

test('S2 both active secrets are good, of this application only', async () => {
	const c = await Client.open(rotating, { origin: rotating.origin });
	for (const app of [rotating, rotatingOld]) {
		const channel = name('private-');
		c.say('pusher:subscribe', { channel, ...sign(app, c.id, channel) });
		await c.expect(succeeded(channel),
			frame('pusher_internal:subscription_count', channel, '{"subscription_count":1}'));
	}
	const channel = name('private-');
	c.say('pusher:subscribe', { channel, ...sign({ ...rotating, secret: main.secret }, c.id, channel) });
	await unauthorized(c, channel);
});

test('S3 channel_data is verified byte by byte, as PHP and others write it', async () => {
	const c = await Client.open(main);
	for (const data of ['{"user_id":"1","user_info":{"url":"http:\\/\\/x.example\\/"}}',
		'{"user_id":"1","user_info":{"name":"Ren\\u00e9"}}', '{"user_id":"1","user_info":{"name":"René"}}',
		'{"user_id":"1","user_info":{"name":"😀 \\ud83d\\ude00"}}', '{"user_id": "1" }   ',
		' {\n"user_id":\t"1"}', '{"user_id":"1","user_id":"1","a":[[]]}']) {
		const channel = name('presence-');
		c.ask(channel, data);
		const f = (await c.next()).frame;
		assert.equal(f.event, 'pusher_internal:subscription_succeeded', data);
		assert.deepEqual(JSON.parse(f.data).presence.ids, ['1']);
		assert.deepEqual(JSON.parse(f.data).presence.hash['1'], JSON.parse(data).user_info ?? null);
		c.unsubscribe(channel);
	}
});

test('S4 every legal character, and no other', async () => {
	const c = await Client.open(main);
	const legal = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;';
	for (const channel of [legal, ...legal]) {
		c.ask(channel);
		await c.expect(succeeded(channel));
	}
	for (const bad of [':', '/', '#', '*', '+', ' ', 'é', '\u0000', '\n', '"', '\\', '%20', '!', '{', '😀']) {
		for (const channel of [`x${bad}`, `private-${bad}x`]) {
			c.say('pusher:subscribe', { channel, auth: '' });
			await refused(c, channel, 'InvalidChannel', 'The channel name is invalid.', 400, null,
				`Invalid channel name: ${channel}`);
		}
	}
	c.say('pusher:subscribe', { channel: '', auth: '' });
	await refused(c, '', 'InvalidChannel', 'The channel name is invalid.', 400, null, 'Invalid channel name: ');
});

test('S4 200 characters and 201', async () => {
	const c = await Client.open(main);
	const longest = `x${'y'.repeat(199)}`;
	c.ask(longest);
	await c.expect(succeeded(longest));
	for (const channel of [`${longest}z`, 'x'.repeat(5000)]) {
		c.say('pusher:subscribe', { channel, auth: '' });
		await refused(c, channel, 'LimitReached', 'The channel name is too long.', 4009, null,
			'Channel name is too long');
	}
	await c.quiet();
});

test('S5 an event published while joining comes after the success frame', async () => {
	const channel = name('race-');
	const clients = await spread(main, 4);
	let stop = false;
	const publisher = (async () => {
		for (let i = 0; !stop; i++) await trigger(main, channel, 'n', String(i));
	})();
	for (let round = 0; round < 250; round++) {
		await Promise.all(clients.map(async (c) => {
			c.ask(channel);
			await c.expect(succeeded(channel));
			c.unsubscribe(channel);
			// what was on its way may still come; then the order is proven for the next round
			const mark = `mark-${c.id}-${round}`;
			c.ask(mark);
			let last = -1;
			for (;;) {
				const { frame: f } = await c.next();
				if (f.channel === mark) break;
				assert.equal(f.event, 'n');
				assert.ok(Number(f.data) > last, 'in order');
				last = Number(f.data);
			}
			c.unsubscribe(mark);
		}));
	}
	stop = true;
	await publisher;
});

test('S6 a second subscribe succeeds again and changes nothing', async () => {
	const [a, b] = await spread(main);
	const channel = name('presence-');
	await a.subscribe(channel, { user_id: '1', user_info: 'first' });
	await b.subscribe(channel, { user_id: '2' });
	await a.expect(frame('pusher_internal:member_added', channel, '{"user_id":"2","user_info":null}'));
	const f = await b.subscribe(channel, { user_id: '2' });
	assert.deepEqual(JSON.parse(f.data).presence, { ids: ['1', '2'], hash: { 1: 'first', 2: null }, count: 2 });
	await a.quiet();
	const cache = name('cache-');
	await trigger(main, cache, 'kept', '1');
	await b.subscribe(cache);
	await b.expect(frame('kept', cache, '1'));
	await b.subscribe(cache);
	await b.quiet(); // no second replay
	await trigger(main, channel, 'once', '1');
	await b.expect(frame('once', channel, '1'));
	await b.quiet();
	// it is authorised again, though
	b.say('pusher:subscribe', { channel, auth: `${main.key}:${'0'.repeat(64)}`, channel_data: '{"user_id":"2"}' });
	await unauthorized(b, channel);
	await trigger(main, channel, 'still', '1');
	await b.expect(frame('still', channel, '1'));
});

test('S6 a stray unsubscribe is silent', async () => {
	const c = await Client.open(main);
	c.unsubscribe('nowhere');
	c.unsubscribe('private-nowhere');
	c.unsubscribe('no channel at all!');
	await c.quiet();
});

test('S7 after unsubscribe nothing comes, and no answer either', async () => {
	const [c, other] = await spread(main);
	const channel = name('left-');
	await c.subscribe(channel);
	await other.subscribe(channel);
	c.unsubscribe(channel);
	await c.quiet();
	await trigger(main, channel, 'late', '1');
	await other.expect(frame('late', channel, '1'));
	await c.quiet();
	// success followed at once by unsubscribe
	c.ask(channel);
	c.unsubscribe(channel);
	await c.expect(succeeded(channel));
	await c.quiet();
});

test('S8 the 1001st channel of a connection is refused', async () => {
	const c = await Client.open(main);
	for (let i = 0; i < 1000; i++) c.ask(`many-${i}`);
	for (let i = 0; i < 1000; i++) await c.expect(succeeded(`many-${i}`));
	c.ask('many-1000');
	await refused(c, 'many-1000', 'LimitReached', 'Too many subscriptions on this connection.', 4301, null,
		'Too many subscriptions on this connection');
	c.unsubscribe('many-0');
	c.ask('many-1000');
	await c.expect(succeeded('many-1000'));
});

test('commands of one socket are answered in their order', async () => {
	const c = await Client.open(main);
	const [a, b] = [name('private-'), name('cache-')];
	c.say('pusher:subscribe', { channel: 'not good', auth: '' });
	c.ask(a);
	c.say('client-x', 1, a);
	c.say('pusher:what', {});
	c.ask(b);
	c.say('pusher:subscribe', { channel: a, auth: 'bad' });
	c.signin({ id: '9' });
	c.ask('#server-to-user-9');
	await refused(c, 'not good', 'InvalidChannel', 'The channel name is invalid.', 400, null,
		'Invalid channel name: not good');
	await c.expect(succeeded(a), error(null, 'Unsupported event received on socket: pusher:what'), succeeded(b),
		frame('pusher:cache_miss', b, '{}'));
	await unauthorized(c, a);
	assert.equal((await c.next()).frame.event, 'pusher:signin_success');
	await c.expect(succeeded('#server-to-user-9'));
});
