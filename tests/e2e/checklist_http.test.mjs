// Conformance: the HTTP API of backends. Statuses, bodies and error texts are exact.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, test } from 'node:test';

import PusherServer from 'pusher';

import { disabled, main, rotating, rotatingOld } from './lib/apps.mjs';
import { env } from './lib/house.mjs';
import { api, ask, Client, closeAll, frame, hmac, name, signedQuery, spread, tcp, trigger } from './lib/protocol.mjs';

after(closeAll);

const server = new PusherServer({
	appId: main.id, key: main.key, secret: main.secret, host: env.HOST, port: env.PORT, useTLS: false,
});

const now = () => Math.floor(Date.now() / 1000);

async function says(promise, status, text) {
	const r = await promise;
	assert.equal(r.text, text);
	assert.equal(r.status, status);
	if (status >= 400) assert.match(r.headers['content-type'], /^text\/plain/);
	else assert.equal(r.headers['content-type'], 'application/json');
	return r;
}

const publish = (body) => api(main, 'POST', '/events', body);
const event = (more) => ({ name: 'e', channels: ['x'], data: '{}', ...more });

test('H1 the node library, as it signs and sends', async () => {
	const c = await Client.open(main);
	const channel = name('presence-');
	await c.subscribe(channel, { user_id: '1' });
	const get = async (path, params) => (await server.get({ path, params })).text();
	assert.equal(await get('/channels', { filter_by_prefix: channel, info: 'user_count,subscription_count' }),
		`{"channels":{"${channel}":{"user_count":1,"subscription_count":1}}}`);
	assert.equal(await get(`/channels/${channel}/users`), '{"users":[{"id":"1"}]}');
	const r = await server.trigger([channel], 'App\\Events\\Sent é', { a: 'é/' }, { info: 'user_count' });
	assert.equal(await r.text(), `{"channels":{"${channel}":{"user_count":1}}}`);
	await c.expect(frame('App\\Events\\Sent é', channel, '{"a":"é/"}'));
	assert.equal(await (await server.triggerBatch([{ channel, name: 'b', data: 'x' }])).text(), '{}');
	await c.expect(frame('b', channel, 'x'));
});

test('H1 queries as PHP escapes them', async () => {
	const path = `/apps/${main.id}/channels`;
	const info = 'user_count,subscription_count';
	const text = [`auth_key=${main.key}`, `auth_timestamp=${now()}`, 'auth_version=1.0',
		'filter_by_prefix=presence-', `info=${info}`].join('&');
	const raw = text.replace(info, 'user_count%2Csubscription_count').replace('presence-', 'presence%2D');
	const r = await ask('GET', `${path}?${raw}&auth_signature=${hmac(main.secret, `GET\n${path}\n${text}`)}`);
	assert.equal(r.status, 200, r.text);
});

test('H1 both secrets of an application that rotates them', async () => {
	for (const app of [rotating, rotatingOld]) {
		await says(api(app, 'GET', '/channels', '', { filter_by_prefix: 'nothing-' }), 200, '{"channels":{}}');
	}
	assert.equal((await api({ ...rotating, secret: 'other' }, 'GET', '/channels')).status, 401);
});

test('H2 the window of time', async () => {
	for (const off of [-598, 598]) {
		assert.equal((await api(main, 'GET', '/channels', '', {}, { time: now() + off })).status, 200);
	}
	for (const off of [-603, 603, -100000]) {
		const r = await api(main, 'GET', '/channels', '', {}, { time: now() + off });
		assert.equal(r.status, 401);
		assert.match(r.text, /^Timestamp expired: Given timestamp \(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\) not within 600s of server time \(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)$/);
	}
	for (const time of ['', 'now', '-5', '1e9', '0x10']) {
		await says(api(main, 'GET', '/channels', '', {}, { time }), 401, 'Invalid auth_timestamp');
	}
	assert.equal((await api(main, 'GET', '/channels', '', {}, { time: `${now()}.5` })).status, 200);
});

test('H2 what is signed wrong', async () => {
	const path = `/apps/${main.id}/events`;
	const body = JSON.stringify(event());
	const good = signedQuery(main, 'POST', path, body);
	const post = (query, text = body) => ask('POST', `${path}?${query}`, text);
	assert.equal((await post(good)).status, 200);
	await says(post(good, `${body} `), 401, 'Invalid body_md5');
	await says(post(good.replace(/&body_md5=[^&]*/, '')), 401, 'Invalid body_md5');
	await says(post(''), 401, 'Unknown auth_key');
	await says(post(good.replace(main.key, 'other')), 401, 'Unknown auth_key');
	for (const [from, to, text] of [['auth_version=1.0', 'auth_version=1.1', /^Unknown auth_version: it must be 1\.0$/],
		['auth_version=1.0&', '', /^Unknown auth_version: it must be 1\.0$/], [/auth_signature=.*/, 'auth_signature=', /auth_signature/],
		[/auth_signature=(.)/, 'auth_signature=x', /auth_signature/]]) {
		const r = await post(good.replace(from, to));
		assert.equal(r.status, 401);
		assert.match(r.text, text);
	}
	await says(post(`${good}&auth_key=${main.key}`), 401, 'auth_key must stand exactly once');
	await says(post(`${good}&body_md5%5B%5D=1`), 401, 'body_md5 must stand exactly once');
	const wrong = await post(good.replace(/[0-9a-f]$/, (x) => (x === '0' ? '1' : '0')));
	assert.equal(wrong.status, 401);
	assert.match(wrong.text, /^Invalid signature\. String to sign was: "POST\\n\/apps\/chatapp\/events\\nauth_key=/);
	assert.equal(wrong.text.includes(main.secret), false);
	const other = signedQuery(main, 'post', path, body);
	assert.equal((await post(other)).status, 401);
});

test('H2 the application: unknown, disabled', async () => {
	await says(api({ ...main, id: 'nobody' }, 'GET', '/channels'), 404, 'Unknown app_id');
	await says(api(disabled, 'GET', '/channels'), 403, 'The application is disabled');
});

test('H3 answers to the byte', async () => {
	const [c] = await spread(main);
	const [presence, plain, cache] = [name('presence-'), name('plain-'), name('cache-')];
	await c.subscribe(presence, { user_id: '1', user_info: { a: 1.10 } });
	await c.subscribe(plain);
	await says(publish(event()), 200, '{}');
	await says(publish(event({ channels: [presence, plain, cache], info: 'subscription_count,user_count' })), 200,
		`{"channels":{"${presence}":{"user_count":1,"subscription_count":1},"${plain}":{"subscription_count":1},` +
		`"${cache}":{"subscription_count":0}}}`);
	await says(publish(event({ channels: [plain], info: 'user_count' })), 200, `{"channels":{"${plain}":{}}}`);
	await says(publish(event({ channels: [plain], info: 'unknown' })), 200, '{}');
	await says(publish({ name: 'e', channel: plain, data: '' }), 200, '{}');
	await says(publish({ name: 'e', channel: 'y', channels: ['x', 'x'], data: '', info: null, socket_id: null }), 200,
		'{}');
	const batch = (...list) => api(main, 'POST', '/batch_events', { batch: list });
	const one = (channel, info) => ({ name: 'b', channel, data: '1', info });
	await says(batch(), 200, '{}');
	await says(batch(one('x'), one('y')), 200, '{}');
	await says(batch(one(presence, 'user_count'), one('x'), one(plain, 'subscription_count')), 200,
		'{"batch":[{"user_count":1},{},{"subscription_count":1}]}');
	const get = (path, params) => api(main, 'GET', path, '', params);
	await says(get('/channels', { filter_by_prefix: 'nobody-' }), 200, '{"channels":{}}');
	await says(get('/channels', { filter_by_prefix: plain }), 200, `{"channels":{"${plain}":{}}}`);
	await says(get('/channels', { filter_by_prefix: presence, info: 'user_count' }), 200,
		`{"channels":{"${presence}":{"user_count":1}}}`);
	await says(get(`/channels/${plain}`), 200, '{"occupied":true}');
	await says(get(`/channels/${plain}`, { info: 'subscription_count' }), 200,
		'{"occupied":true,"subscription_count":1}');
	await says(get(`/channels/${presence}`, { info: 'subscription_count,user_count' }), 200,
		'{"occupied":true,"user_count":1,"subscription_count":1}');
	await says(get('/channels/nobody'), 200, '{"occupied":false}');
	await says(get('/channels/presence-nobody', { info: 'user_count,subscription_count' }), 200,
		'{"occupied":false,"user_count":0,"subscription_count":0}');
	await says(get(`/channels/${presence}/users`), 200, '{"users":[{"id":"1"}]}');
	await says(get(`/channels/${presence}/users`, { with_user_info: '1' }), 200,
		'{"users":[{"id":"1","user_info":{"a":1.1}}]}');
	await says(get('/channels/presence-nobody/users'), 200, '{"users":[]}');
	const { text } = await get('/connections');
	assert.match(text, /^\{"connections":\d+\}$/);
	assert.ok(JSON.parse(text).connections >= 2);
	const up = await ask('GET', '/up');
	assert.equal(up.text, '{"health":"OK"}');
});

test('H3 what is asked in vain', async () => {
	const get = (path, params) => api(main, 'GET', path, '', params);
	await says(get('/channels', { info: 'user_count' }), 400,
		'user_count needs a filter_by_prefix that begins with presence-');
	await says(get('/channels', { info: 'cache', filter_by_prefix: 'cache-' }), 400,
		'info may be user_count and subscription_count');
	await says(get('/channels/x', { info: 'user_count' }), 400, 'user_count is only known of presence channels');
	await says(get('/channels/x', { info: 'cache' }), 400, 'cache is only known of cache channels');
	await says(get('/channels/x', { info: 'colour' }), 400,
		'info may be user_count, subscription_count and cache');
	await says(get('/channels/x/users'), 400, 'Users are only known of presence channels');
	await says(get('/channels/a+b'), 400, 'Invalid channel name: a+b');
	const c = await Client.open(main);
	await c.subscribe('a=b@c,d;e.f');
	await says(get('/channels/a=b@c,d;e.f'), 200, '{"occupied":true}');
	await says(get(`/channels/${encodeURIComponent('a=b@c,d;e.f')}`), 200, '{"occupied":true}');
});

test('H4 limits', async () => {
	await says(publish(event({ data: 'x'.repeat(10240) })), 200, '{}');
	await says(publish(event({ data: '"'.repeat(10240) })), 200, '{}');
	await says(publish(event({ data: 'x'.repeat(10241) })), 413,
		'The data content of this event exceeds the allowed maximum (10240 bytes).');
	const channels = (n) => Array.from({ length: n }, (_, i) => `c${i}`);
	await says(publish(event({ channels: channels(100) })), 200, '{}');
	await says(publish(event({ channels: channels(101) })), 400, 'Too many channels for one event');
	const batch = (n) => api(main, 'POST', '/batch_events',
		{ batch: channels(n).map((channel) => ({ name: 'e', channel, data: '' })) });
	await says(batch(10), 200, '{}');
	await says(batch(11), 400, 'Too many events in one batch');
	await says(publish(event({ name: 'é'.repeat(200) })), 200, '{}');
	await says(publish(event({ name: 'é'.repeat(201) })), 400, `Event name too long: ${'é'.repeat(100)}`);
	await says(publish(event({ channels: ['x'.repeat(200)] })), 200, '{}');
	await says(publish(event({ channels: ['x'.repeat(201)] })), 400, `Channel name too long: ${'x'.repeat(200)}`);
	const big = await publish(JSON.stringify(event({ pad: 'x'.repeat(2 << 20) })));
	assert.equal(big.status, 413);
	await says(publish(JSON.stringify(event({ pad: 'x'.repeat(2000000) }))), 200, '{}');
});

test('H4 parameters of the wrong type or missing: nothing is delivered', async () => {
	const c = await Client.open(main);
	await c.subscribe('x');
	const string = (key) => `This parameter must be a string: ${key}`;
	for (const [body, text] of [
		['{', 'The body is not valid JSON'], ['[]', 'An event must be a JSON object'],
		['"x"', 'An event must be a JSON object'], [event({ name: undefined }), 'Missing parameter: name'],
		[event({ name: 7 }), string('name')], [event({ name: '' }), 'The event name is empty'],
		[event({ data: undefined }), 'Missing parameter: data'],
		[event({ data: { a: 1 } }), 'data must be a JSON string: encode the payload first'],
		[event({ data: 7 }), 'data must be a JSON string: encode the payload first'],
		[event({ data: null }), 'data must be a JSON string: encode the payload first'],
		[event({ channels: undefined }), 'Missing parameter: channels'],
		[event({ channels: [] }), 'Missing parameter: channels'],
		[event({ channels: 'x' }), 'channels must be an array of strings'],
		[event({ channels: ['x', 7] }), 'channels must be an array of strings'],
		[event({ channel: 7 }), string('channel')],
		[event({ channels: ['x', 'bad name'] }), 'Invalid channel name: bad name'],
		[event({ channels: ['x', ''] }), 'Invalid channel name: '],
		[event({ channels: ['#other'] }), 'Invalid channel name: #other'],
		[event({ socket_id: 7 }), string('socket_id')], [event({ info: 7 }), string('info')],
		[event({ socket_id: 'x' }), 'Invalid socket id'], [event({ socket_id: '' }), 'Invalid socket id'],
		[event({ socket_id: '1.2\n' }), 'Invalid socket id'],
		[event({ name: 'pusher:x' }), 'This event name is reserved: pusher:x'],
		[event({ name: 'pusher_internal:x' }), 'This event name is reserved: pusher_internal:x'],
	]) {
		await says(publish(body), 400, text);
	}
	// a batch goes out as a whole or not at all
	await says(api(main, 'POST', '/batch_events', { batch: [{ name: 'e', channel: 'x', data: '1' },
		{ name: 'e', channel: 'bad name', data: '2' }] }), 400, 'Invalid channel name: bad name');
	for (const batch of [undefined, 'x', {}]) {
		await says(api(main, 'POST', '/batch_events', { batch }), 400, 'batch must be an array of events');
	}
	await c.quiet();
});

test('data of any content is delivered as it is', async () => {
	const c = await Client.open(main);
	const channel = name('raw-');
	await c.subscribe(channel);
	for (const data of ['', 'no JSON {', '123', '{"a":1.10}', 'é😀\u0000\u001f\u2028', '"\\\\/', '\ud83d\ude00']) {
		await trigger(main, channel, 'any name: é.\\App"', data);
		const f = (await c.next()).frame;
		assert.equal(f.data, data);
		assert.equal(f.event, 'any name: é.\\App"');
	}
	await trigger(main, channel, 'client-x', '1'); // a backend may
	await c.expect(frame('client-x', channel, '1'));
});

test('parameters may stand in the query when there is no body', async () => {
	const c = await Client.open(main);
	const channel = name('query-');
	await c.subscribe(channel);
	await says(api(main, 'POST', '/events', '', { name: 'q e', data: 'é&=+', 'channels[]': channel }), 200, '{}');
	await c.expect(frame('q e', channel, 'é&=+'));
	await says(api(main, 'POST', '/events', '', { name: 'q', data: '1', channel, socket_id: c.id }), 200, '{}');
	await c.quiet();
});

test('H5 a thousand requests on one connection', async () => {
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	let sockets = 0;
	const create = agent.createConnection.bind(agent);
	agent.createConnection = (...args) => {
		sockets++;
		return create(...args);
	};
	for (let i = 0; i < 1000; i++) {
		const r = await api(main, 'POST', '/events', event(), {}, { agent });
		assert.equal(r.text, '{}');
	}
	assert.equal(sockets, 1);
	agent.destroy();
});

const target = (body, method = 'POST', path = '/events') => {
	const whole = `/apps/${main.id}${path}`;
	return `${whole}?${signedQuery(main, method, whole, body)}`;
};

test('H5 Expect: 100-continue, chunks, HTTP/1.0, pieces', async () => {
	const body = JSON.stringify(event());
	const head = (more, version = '1.1') => `POST ${target(body)} HTTP/${version}\r\nhOST: x\r\n${more}\r\n`;
	const expecting = await tcp([head(`Expect: 100-continue\r\nContent-Length: ${body.length}\r\nConnection: close\r\n`)],
		'100 Continue\r\n\r\n');
	assert.equal(expecting, 'HTTP/1.1 100 Continue\r\n\r\n');
	const chunks = [`${(5).toString(16)}\r\n${body.slice(0, 5)}\r\n`,
		`${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n`, '0\r\n\r\n'];
	assert.match(await tcp([head('Transfer-Encoding: chunked\r\nConnection: close\r\n'), ...chunks]),
		/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n\{\}$/);
	const old = await tcp([head(`Content-Length: ${body.length}\r\n`, '1.0'), body]);
	assert.match(old, /^HTTP\/1\.[01] 200 OK\r\n[^]*\r\n\r\n\{\}$/);
	assert.match(old, /\r\nConnection: close\r\n/i);
	const bytes = Buffer.from(head(`CONTENT-LENGTH: ${body.length}\r\nConnection: close\r\n`) + body);
	const pieces = [];
	for (let i = 0; i < bytes.length; i++) pieces.push(bytes.subarray(i, i + 1));
	assert.match(await tcp(pieces), /^HTTP\/1\.1 200 OK\r\n/);
});

test('pipelined publishes take effect in their order', async () => {
	const [c, d] = await spread(main);
	const channel = name('pipe-');
	for (const x of [c, d]) await x.subscribe(channel);
	let text = '';
	for (let i = 0; i < 20; i++) {
		const body = JSON.stringify({ name: 'n', channels: [channel], data: String(i) });
		text += `POST ${target(body)} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n` +
			`${i === 19 ? 'Connection: close\r\n' : ''}\r\n${body}`;
	}
	const got = await tcp([text]);
	assert.equal(got.split('HTTP/1.1 200 OK').length - 1, 20);
	for (let i = 0; i < 20; i++) {
		for (const x of [c, d]) await x.expect(frame('n', channel, String(i)));
	}
});

test('a publish sent after the answer of another comes after it, whatever the connections', async () => {
	const clients = await spread(main, 4);
	const channel = name('order-');
	for (const x of clients) await x.subscribe(channel);
	for (let i = 0; i < 60; i++) await trigger(main, channel, 'n', String(i)); // each over a connection of its own
	for (let i = 0; i < 60; i++) {
		for (const x of clients) await x.expect(frame('n', channel, String(i)));
	}
	const batch = Array.from({ length: 10 }, (_, i) => ({ name: 'b', channel, data: String(i) }));
	await says(api(main, 'POST', '/batch_events', { batch }), 200, '{}');
	for (let i = 0; i < 10; i++) {
		for (const x of clients) await x.expect(frame('b', channel, String(i)));
	}
});

test('H6 the excluded socket, on any worker; one that is unknown', async () => {
	const [a, b] = await spread(main);
	const channels = [name('x-'), name('y-')];
	for (const c of [a, b]) for (const channel of channels) await c.subscribe(channel);
	for (const [out, other] of [[a, b], [b, a]]) {
		for (let i = 0; i < 5; i++) { // over several workers
			await trigger(main, channels, 'e', String(i), { socket_id: out.id });
			for (const channel of channels) await other.expect(frame('e', channel, String(i)));
		}
		await out.quiet();
	}
	await trigger(main, channels[0], 'all', '1', { socket_id: '999999999.1' });
	for (const c of [a, b]) await c.expect(frame('all', channels[0], '1'));
});

test('paths and methods', async () => {
	const r = await ask('GET', target('', 'GET'));
	assert.equal(r.status, 405);
	assert.equal(r.headers.allow, 'POST');
	assert.equal(r.text, 'Method Not Allowed');
	const options = await ask('OPTIONS', `/apps/${main.id}/events`, undefined, { headers: { Origin: 'https://x.example' } });
	assert.equal(options.status, 405);
	assert.equal(options.headers['access-control-allow-origin'], undefined);
	for (const path of [`/apps/${main.id}`, `/apps/${main.id}/nothing`, '/apps/', `/apps/${main.id}/users/1/nothing`]) {
		const method = path.includes('users') ? 'POST' : 'GET';
		const n = await ask(method, `${path}?${signedQuery(main, method, path)}`);
		assert.equal(n.status, 404, path);
		assert.match(n.headers['content-type'], /^text\/plain/);
	}
	const body = JSON.stringify(event());
	const zipped = await ask('POST', target(body), body, { headers: { 'Content-Encoding': 'gzip' } });
	assert.equal(zipped.status, 415);
	assert.equal((await ask('POST', target(body), body, { headers: { 'content-type': 'application/json; charset=utf-8' } }))
		.status, 200);
});
