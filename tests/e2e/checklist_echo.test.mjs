// Laravel Echo with the backend of an application: every method of its channels.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import Echo from 'laravel-echo';
import PusherServer from 'pusher';
import Pusher from 'pusher-js';

import { main, rotating } from './lib/apps.mjs';
import { env } from './lib/house.mjs';
import { closeAll, name, sign, signUser } from './lib/protocol.mjs';
import { Tape, until } from './lib/wait.mjs';

const echoes = [];

after(() => {
	closeAll();
	for (const e of echoes) e.disconnect();
});

const backend = new PusherServer({
	appId: main.id, key: main.key, secret: main.secret, host: env.HOST, port: env.PORT, useTLS: false,
	encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString('base64'),
});

/** An Echo as bootstrap.js of an application makes it; authorised as this member. */
function echo(member, app = main) {
	const e = new Echo({
		broadcaster: 'reverb',
		Pusher,
		key: app.key,
		wsHost: env.HOST,
		wsPort: env.PORT,
		wssPort: env.PORT,
		forceTLS: false,
		enabledTransports: ['ws', 'wss'],
		withoutInterceptors: true,
		userAuthentication: {
			customHandler: ({ socketId }, done) => done(null, signUser(app, socketId, { id: member.user_id })),
		},
		channelAuthorization: {
			customHandler: ({ socketId, channelName }, done) => {
				if (channelName.includes('forbidden')) {
					done(null, { auth: `${app.key}:${'0'.repeat(64)}` });
				} else if (channelName.startsWith('private-encrypted-')) {
					done(null, backend.authorizeChannel(socketId, channelName));
				} else {
					done(null, sign(app, socketId, channelName, channelName.startsWith('presence-')
						? member : undefined));
				}
			},
		},
	});
	echoes.push(e);
	return e;
}

const subscribed = (channel) => new Promise((resolve) => channel.subscribed(resolve));

test('listen: names with a dot in front, names in a namespace', async () => {
	const e = echo({ user_id: '1' });
	const channel = name('orders-');
	const tape = new Tape();
	const c = e.channel(channel);
	c.listen('.order.shipped', (data) => tape.push(['dotted', data]));
	c.listen('OrderShipped', (data) => tape.push(['namespaced', data]));
	c.listenToAll((event, data) => tape.push(['all', event, data]));
	await subscribed(c);
	await backend.trigger(channel, 'order.shipped', { id: 1 });
	await backend.trigger(channel, 'App\\Events\\OrderShipped', { id: 2 });
	assert.deepEqual(await tape.next((x) => x[0] === 'dotted'), ['dotted', { id: 1 }]);
	assert.deepEqual(await tape.next((x) => x[0] === 'namespaced'), ['namespaced', { id: 2 }]);
	assert.equal(tape.items.filter((x) => x[0] === 'all').length, 2);
});

test('private channels: whispers go to the others, refusals to error()', async () => {
	const [a, b] = [echo({ user_id: '1' }), echo({ user_id: '2' })];
	const channel = name('room.');
	const [ca, cb] = [a.private(channel), b.private(channel)];
	const tape = new Tape();
	cb.listenForWhisper('typing', (data) => tape.push(data));
	await Promise.all([subscribed(ca), subscribed(cb)]);
	ca.whisper('typing', { name: 'Ada' });
	assert.deepEqual(await tape.next(), { name: 'Ada' });
	const refused = new Tape();
	a.private(name('forbidden.')).error((e) => refused.push(e));
	assert.deepEqual(await refused.next(), {
		type: 'AuthError', error: 'The connection is unauthorized.', status: 401,
	});
});

test('presence: here, joining, leaving', async () => {
	const [a, b] = [echo({ user_id: 1, user_info: { id: 1, name: 'Ada' } }),
		echo({ user_id: 2, user_info: { id: 2, name: 'Bob' } })];
	const channel = name('lobby.');
	const tape = new Tape();
	const join = (e) => e.join(channel);
	const ca = join(a);
	ca.here((users) => tape.push(['here', users]));
	ca.joining((user) => tape.push(['joining', user]));
	ca.leaving((user) => tape.push(['leaving', user]));
	assert.deepEqual(await tape.next(), ['here', [{ id: 1, name: 'Ada' }]]);
	const here = new Promise((resolve) => join(b).here(resolve));
	assert.deepEqual((await here).map((u) => u.name).sort(), ['Ada', 'Bob']);
	assert.deepEqual(await tape.next(), ['joining', { id: 2, name: 'Bob' }]);
	b.leave(channel);
	assert.deepEqual(await tape.next(), ['leaving', { id: 2, name: 'Bob' }]);
});

test('encrypted private channels', async () => {
	const e = echo({ user_id: '1' });
	const channel = name('vault.');
	const tape = new Tape();
	const c = e.encryptedPrivate(channel);
	c.listen('.secret', (data) => tape.push(data));
	await subscribed(c);
	await backend.trigger(`private-encrypted-${channel}`, 'secret', { code: 7 });
	assert.deepEqual(await tape.next(), { code: 7 });
});

test('socketId() is what toOthers() excludes', async () => {
	const [a, b] = [echo({ user_id: '1' }), echo({ user_id: '2' })];
	const channel = name('news-');
	const [ta, tb] = [new Tape(), new Tape()];
	const [ca, cb] = [a.channel(channel).listen('.e', (d) => ta.push(d)),
		b.channel(channel).listen('.e', (d) => tb.push(d))];
	await Promise.all([subscribed(ca), subscribed(cb)]);
	await backend.trigger(channel, 'e', 'others', { socket_id: a.socketId() });
	await backend.trigger(channel, 'e', 'all');
	assert.equal(await ta.next(), 'all');
	assert.equal(await tb.next(), 'others');
});

test('leaving ends all channels of a name, and a new join begins anew', async () => {
	const e = echo({ user_id: '1', user_info: { id: 1 } });
	const channel = name('gone.');
	await Promise.all([subscribed(e.channel(channel)), subscribed(e.private(channel))]);
	e.leave(channel);
	const occupied = async (n) => (await (await backend.get({ path: `/channels/${n}` })).json()).occupied;
	await until(async () => !(await occupied(channel)) && !(await occupied(`private-${channel}`)), 'empty channels');
	await subscribed(e.private(channel));
	assert.equal(await occupied(`private-${channel}`), true);
});

test('an application of another secret refuses, and says why', async () => {
	const e = echo({ user_id: '1' });
	const refused = new Tape();
	e.connector.pusher.config.channelAuthorizer = ({ socketId, channelName }, done) =>
		done(null, sign(rotating, socketId, channelName));
	e.private(name('x.')).error((error) => refused.push(error));
	assert.equal((await refused.next()).status, 401);
});
