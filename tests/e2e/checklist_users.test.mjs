// Conformance: signin, events to users, watchlists, termination. Texts are exact.
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, test } from 'node:test';

import PusherServer from 'pusher';
import Pusher from 'pusher-js';

import { main, strict } from './lib/apps.mjs';
import { disconnectAll, pusher, pusherOptions } from './lib/clients.mjs';
import { env } from './lib/house.mjs';
import { api, Client, closeAll, error, frame, name, sign, signUser, spread, succeeded, subscriptionError,
	trigger } from './lib/protocol.mjs';
import { Tape, until } from './lib/wait.mjs';

after(() => {
	closeAll();
	disconnectAll();
});

const server = new PusherServer({
	appId: main.id, key: main.key, secret: main.secret, host: env.HOST, port: env.PORT, useTLS: false,
});

const success = (text) => frame('pusher:signin_success', undefined, JSON.stringify({ user_data: text }));
const watch = (...events) => frame('pusher_internal:watchlist_events', undefined, JSON.stringify({ events }));
const online = (...user_ids) => ({ name: 'online', user_ids });
const offline = (...user_ids) => ({ name: 'offline', user_ids });

/** Ids of one test only: users are of the whole application. */
const id = (letter) => `${letter}-${randomUUID()}`;

async function signedIn(c, user) {
	const text = JSON.stringify(user);
	c.signin(text);
	await c.expect(success(text));
}

test('U1 a signin is answered with the very text', async () => {
	const c = await Client.open(main);
	const user = id('u');
	const text = `{"id":"${user}", "user_info":{"name":"Z\\u00e9\\/é","n":1.10} }`;
	c.say('pusher:signin', signUser(main, c.id, text));
	await c.expect(success(text));
	// again as the same, but not as another one
	c.say('pusher:signin', signUser(main, c.id, text));
	await c.expect(success(text));
	c.signin({ id: id('v') });
	await c.expect(error(4009, 'Connection is signed in as another user'));
	await c.quiet();
});

test('U1 what is no good signin', async () => {
	const c = await Client.open(main);
	const no = error(4009, 'Connection is unauthorized');
	for (const text of ['{"id":7}', '{"id":""}', '{}', '[]', '"7"', '', '{', '{"id":null}', '{"id":["7"]}',
		'{"id":"a b"}', '{"id":"a/b"}', '{"id":"é"}', `{"id":"${'x'.repeat(129)}"}`]) {
		c.say('pusher:signin', signUser(main, c.id, text));
		await c.expect(no);
	}
	const good = signUser(main, c.id, '{"id":"7"}');
	for (const data of [{}, { auth: good.auth }, { user_data: good.user_data }, { ...good, user_data: '{"id":"8"}' },
		{ ...good, auth: good.auth.slice(0, -1) }, { ...good, auth: null }, { ...good, auth: 7 },
		{ ...good, user_data: { id: '7' } }, signUser(main, '1.1', '{"id":"7"}'),
		signUser({ ...main, secret: 'other' }, c.id, '{"id":"7"}'),
		{ auth: sign(main, c.id, ':user::{"id":"7"}x').auth, user_data: '{"id":"7"}' }]) {
		c.say('pusher:signin', data);
		await c.expect(no);
	}
	await c.quiet();
});

test('U2 #server-to-user- is for the user alone', async () => {
	const [a, b] = await spread(main);
	const [me, other] = [id('me'), id('other')];
	const mine = `#server-to-user-${me}`;
	const unauthorized = async (c, channel) => c.expect(
		subscriptionError(channel, 'AuthError', 'The connection is unauthorized.', 401),
		error(4009, 'Connection is unauthorized'));
	a.ask(mine);
	await unauthorized(a, mine);
	await signedIn(a, { id: me });
	await signedIn(b, { id: other });
	a.ask(mine);
	await a.expect(succeeded(mine));
	b.ask(mine);
	await unauthorized(b, mine);
	await trigger(main, mine, 'hello', '{"a":1}');
	await a.expect(frame('hello', mine, '{"a":1}'));
	await b.quiet();
	const list = await api(main, 'GET', '/channels', '', { filter_by_prefix: '#' });
	assert.equal(list.text, '{"channels":{}}');
	a.say('client-x', 1, mine);
	await a.expect(error(null, 'Client event rejected - only supported on private and presence channels'));
});

test('U2 sendToUser reaches every tab of a pusher-js user', async () => {
	const me = id('js');
	const tapes = [];
	for (let i = 0; i < 2; i++) {
		const client = await pusher();
		client.config.userAuthenticator = ({ socketId }, done) => done(null, signUser(main, socketId, { id: me }));
		const tape = new Tape();
		client.user.bind('hello', (data) => tape.push(data));
		tapes.push(tape);
		client.signin();
		await until(() => client.user.serverToUserChannel?.subscribed, 'the channel of the user');
	}
	await server.sendToUser(me, 'hello', { n: 1 });
	for (const tape of tapes) assert.deepEqual(await tape.next(), { n: 1 });
});

test('U3 a watchlist: who is there, who comes, who goes', async () => {
	const [w, x] = await spread(main);
	const [watcher, seen, away] = [id('w'), id('seen'), id('away')];
	await signedIn(x, { id: seen });
	await signedIn(w, { id: watcher, watchlist: [seen, away] });
	await w.expect(watch(online(seen), offline(away)));
	// first and last connection only
	const [p, q] = await spread(main);
	await signedIn(p, { id: away });
	await w.expect(watch(online(away)));
	await signedIn(q, { id: away });
	await p.close();
	await w.quiet();
	await q.close();
	await w.expect(watch(offline(away)));
	await x.quiet();
	// a second connection of the watcher is told, too
	const second = await Client.open(main);
	await signedIn(second, { id: watcher, watchlist: [away] });
	await second.expect(watch(offline(away)));
	const back = await Client.open(main);
	await signedIn(back, { id: away });
	for (const c of [w, second]) await c.expect(watch(online(away)));
});

test('U3 an empty list says nothing; more than a hundred are cut', async () => {
	const c = await Client.open(main);
	await signedIn(c, { id: id('w'), watchlist: [] });
	await c.quiet();
	const many = await Client.open(main);
	const ids = Array.from({ length: 101 }, (_, i) => id(`n${i}`));
	await signedIn(many, { id: id('w'), watchlist: ids });
	const limit = error(4302, 'Watchlist limit exceeded. Only the first 100 user IDs are accepted.');
	const list = watch(offline(...ids.slice(0, 100)));
	const got = [(await many.next()).text, (await many.next()).text];
	assert.deepEqual(got.sort(), [limit, list].sort());
	const [last, kept] = await spread(main);
	await signedIn(last, { id: ids[100] });
	await signedIn(kept, { id: ids[99] });
	await many.expect(watch(online(ids[99])));
});

test('U3 an app without watchlists', async () => {
	const c = await Client.open(strict);
	await signedIn(c, { id: id('w'), watchlist: ['x'] });
	await c.quiet();
});

test('U4 terminate closes every connection of the user with 4009, on every worker', async () => {
	const me = id('t');
	const clients = await spread(main, 4);
	const [other] = await spread(main);
	for (const c of clients) await signedIn(c, { id: me });
	await signedIn(other, { id: id('o') });
	const r = await server.terminateUserConnections(me);
	assert.equal(r.status, 200);
	assert.equal(await r.text(), '{}');
	for (const c of clients) await c.expectClosed(4009);
	await other.quiet();
});

test('U4 members of presence channels are closed as well, unless the app says no', async () => {
	const me = id('t');
	const c = await Client.open(main);
	await c.subscribe(name('presence-'), { user_id: me });
	assert.equal((await api(main, 'POST', `/users/${me}/terminate_connections`)).text, '{}');
	await c.expectClosed(4009);
	const [member, user] = await spread(strict);
	await member.subscribe(name('presence-'), { user_id: me });
	await signedIn(user, { id: me });
	assert.equal((await api(strict, 'POST', `/users/${me}/terminate_connections`, '{}')).text, '{}');
	await user.expectClosed(4200);
	await member.quiet();
});

test('U4 nobody there is a success, and ids may hold anything', async () => {
	assert.equal((await api(main, 'POST', `/users/${id('none')}/terminate_connections`)).text, '{}');
	for (const user of ['u 1', 'a/b', 'é', '100%', '%2F', '?&=']) {
		const c = await Client.open(main);
		await c.subscribe(name('presence-'), { user_id: user });
		const r = await api(main, 'POST', `/users/${encodeURIComponent(user)}/terminate_connections`);
		assert.equal(r.status, 200, `${user}: ${r.text}`);
		await c.expectClosed(4009);
	}
	// the node library signs the id as it stands and leaves the escapes to others
	for (const user of ['u 1', 'a/b', 'é']) {
		const c = await Client.open(main);
		await c.subscribe(name('presence-'), { user_id: user });
		assert.equal((await server.terminateUserConnections(user)).status, 200);
		await c.expectClosed(4009);
	}
});

test('encrypted channels: what was published encrypted is what pusher-js shows', async () => {
	const key = Buffer.alloc(32, 1).toString('base64');
	const backend = new PusherServer({
		appId: main.id, key: main.key, secret: main.secret, host: env.HOST, port: env.PORT, useTLS: false,
		encryptionMasterKeyBase64: key,
	});
	for (const kind of ['private-encrypted-', 'private-encrypted-cache-']) {
		const channelName = name(kind);
		const client = new Pusher(main.key, {
			...pusherOptions(),
			channelAuthorization: {
				customHandler: ({ socketId, channelName: ch }, done) =>
					done(null, backend.authorizeChannel(socketId, ch)),
			},
		});
		const channel = client.subscribe(channelName);
		const tape = new Tape();
		channel.bind('secret', (data) => tape.push(data));
		await until(() => channel.subscribed, 'the subscription');
		const watcher = await Client.open(main);
		await watcher.subscribe(channelName);
		if (kind.includes('cache-')) await watcher.next();
		await backend.trigger(channelName, 'secret', { text: 'grüße' });
		assert.deepEqual(await tape.next(), { text: 'grüße' });
		const { data } = (await watcher.next()).frame;
		assert.deepEqual(Object.keys(JSON.parse(data)).sort(), ['ciphertext', 'nonce']);
		client.disconnect();
	}
	const shared = createHash('sha256').update('private-encrypted-x').update(Buffer.alloc(32, 1)).digest('base64');
	assert.equal(backend.authorizeChannel('1.1', 'private-encrypted-x').shared_secret, shared);
});
