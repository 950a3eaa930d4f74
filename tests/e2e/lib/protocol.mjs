// The protocol byte by byte: bare WebSockets whose frames are compared as text, signed bare HTTP.
import assert from 'node:assert/strict';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';

import WebSocket from 'ws';

import { within, Tape } from './wait.mjs';

/** Where the server of this file is; a test file sets it once. */
export const place = { host: '127.0.0.1', port: 0 };

export function name(prefix) {
	return `${prefix}${randomUUID()}`;
}

export function hmac(secret, text) {
	return createHmac('sha256', secret).update(text).digest('hex');
}

/** { auth, channel_data } of a subscription as a backend signs it; data is a member or a text. */
export function sign(app, socketId, channel, data) {
	const text = data === undefined || typeof data === 'string' ? data : JSON.stringify(data);
	const parts = text === undefined ? [socketId, channel] : [socketId, channel, text];
	return {
		auth: `${app.key}:${hmac(app.secret, parts.join(':'))}`,
		...(text === undefined ? {} : { channel_data: text }),
	};
}

export function signUser(app, socketId, user) {
	const text = typeof user === 'string' ? user : JSON.stringify(user);
	return { auth: `${app.key}:${hmac(app.secret, `${socketId}::user::${text}`)}`, user_data: text };
}

/** A server frame as we write it. */
export function frame(event, channel, data, user_id) {
	return JSON.stringify({ event, channel, data, user_id });
}

export function succeeded(channel, presence) {
	return frame('pusher_internal:subscription_succeeded', channel,
		presence === undefined ? '{}' : JSON.stringify({ presence }));
}

export function error(code, message) {
	return `{"event":"pusher:error","data":{"code":${code},"message":${JSON.stringify(message)}}}`;
}

export function subscriptionError(channel, type, text, status) {
	return frame('pusher:subscription_error', channel, JSON.stringify({ type, error: text, status }));
}

/** What every client may rely on: see the table of types in docs/PROTOCOL.md. */
function check(text) {
	const f = JSON.parse(text);
	assert.deepEqual(Object.keys(f).filter((k) => !['event', 'channel', 'data', 'user_id'].includes(k)), []);
	assert.equal(typeof f.event, 'string', text);
	if (f.event === 'pusher:error') {
		assert.ok(f.data.code === null || Number.isInteger(f.data.code), text);
		assert.equal(typeof f.data.message, 'string', text);
		assert.equal('channel' in f, false, text);
	} else {
		assert.equal(typeof f.data, 'string', text);
	}
	if ('user_id' in f) assert.equal(typeof f.user_id, 'string', text);
	return f;
}

const open = new Set();

export function closeAll() {
	for (const c of open) c.ws.terminate();
	open.clear();
}

/** A bare WebSocket; every frame that comes is checked, and kept until a test takes it. */
export class Client {
	constructor(app, { path, query = 'protocol=7&client=test&version=1', origin, headers = {} } = {}) {
		this.app = app;
		this.tape = new Tape();
		this.got = [];
		const target = path ?? `/app/${app.key}?${query}`;
		this.ws = new WebSocket(`ws://${place.host}:${place.port}${target}`,
			{ perMessageDeflate: false, origin, headers });
		this.ws.on('message', (data, binary) => {
			const text = data.toString();
			assert.equal(binary, false);
			this.got.push(text);
			this.tape.push({ text, frame: check(text) });
		});
		this.ws.on('close', (code, reason) => this.tape.push({ closed: code, reason: reason.toString() }));
		this.ws.on('error', (e) => this.tape.push({ failed: e.message }));
		open.add(this);
	}

	/** Connected and established; `id` is the socket id. */
	static async open(app, options) {
		const c = new Client(app, options);
		const { frame: f } = await c.next('connection_established');
		assert.equal(f.event, 'pusher:connection_established', JSON.stringify(f));
		c.id = JSON.parse(f.data).socket_id;
		return c;
	}

	/** Which worker process has it: a part of the id that is opaque to everybody but this test. */
	get worker() {
		return BigInt(this.id.split('.')[0]) >> 28n;
	}

	next(what = 'a frame') {
		return this.tape.next(() => true, what);
	}

	/** The next frames are exactly these texts. */
	async expect(...texts) {
		for (const text of texts) {
			const item = await this.next(text);
			assert.equal(item.text ?? JSON.stringify(item), text);
		}
	}

	async expectClosed(code, reason) {
		const item = await this.next(`close ${code}`);
		assert.equal(item.closed, code, JSON.stringify(item));
		if (reason !== undefined) assert.equal(item.reason, reason);
	}

	send(text) {
		this.ws.send(text);
	}

	say(event, data, channel) {
		this.send(JSON.stringify({ event, data, channel }));
	}

	/** The signature is added where the name asks for one. */
	ask(channel, data) {
		const auth = /^(private|presence)-/.test(channel) ? sign(this.app, this.id, channel, data) : { auth: '' };
		this.say('pusher:subscribe', { ...auth, channel });
	}

	async subscribe(channel, data) {
		this.ask(channel, data);
		const { frame: f } = await this.next(`the answer for ${channel}`);
		assert.equal(f?.event, 'pusher_internal:subscription_succeeded', JSON.stringify(f));
		assert.equal(f.channel, channel);
		return f;
	}

	unsubscribe(channel) {
		this.say('pusher:unsubscribe', { channel });
	}

	signin(user) {
		this.say('pusher:signin', signUser(this.app, this.id, user));
	}

	/** Nothing more came than what was taken: the answer to something new is the next frame. */
	async quiet() {
		const channel = name('quiet-');
		this.ask(channel);
		await this.expect(succeeded(channel));
		this.unsubscribe(channel);
	}

	async ping() {
		this.send('{"event":"pusher:ping","data":{}}');
		await this.expect('{"event":"pusher:pong","data":"{}"}');
	}

	/** Closes in order and waits until the server has, too. */
	async close() {
		this.ws.close(1000);
		while ((await this.next('the close')).closed === undefined);
	}

	/** The connection is lost without a word. */
	lose() {
		this.ws.terminate();
	}
}

/** `count` clients, not all of them on one worker. */
export async function spread(app, count = 2) {
	for (;;) {
		const clients = [];
		for (let i = 0; i < count; i++) clients.push(await Client.open(app));
		if (new Set(clients.map((c) => c.worker)).size > 1) return clients;
		for (const c of clients) await c.close();
	}
}

/* ---- HTTP ---- */

/** The query that signs a request as the documentation says; `extra` stands in it as given. */
export function signedQuery(app, method, path, body = '', params = {}, time = Math.floor(Date.now() / 1000)) {
	const all = {
		auth_key: app.key,
		auth_timestamp: String(time),
		auth_version: '1.0',
		...(body.length > 0 ? { body_md5: createHash('md5').update(body).digest('hex') } : {}),
		...params,
	};
	const plain = Object.keys(all).sort().map((k) => `${k}=${all[k]}`).join('&');
	const query = Object.keys(all).sort().map((k) => `${k}=${encodeURIComponent(all[k])}`).join('&');
	return `${query}&auth_signature=${hmac(app.secret, `${method}\n${path}\n${plain}`)}`;
}

/** { status, headers, text } of any request. */
export function ask(method, target, body, { headers = {}, agent } = {}) {
	return within(new Promise((resolve, reject) => {
		const req = http.request({ host: place.host, port: place.port, method, path: target, agent, headers },
			(res) => {
				const parts = [];
				res.on('data', (d) => parts.push(d));
				res.on('end', () => resolve({
					status: res.statusCode,
					headers: res.headers,
					text: Buffer.concat(parts).toString(),
				}));
				res.on('error', reject);
			});
		req.on('error', reject);
		req.end(body);
	}), `${method} ${target.slice(0, 100)}`);
}

/** A signed call; `path` begins behind /apps/ID. */
export function api(app, method, path, body = '', params = {}, options = {}) {
	const whole = `/apps/${app.id}${path}`;
	const text = typeof body === 'string' ? body : JSON.stringify(body);
	const query = signedQuery(app, method, whole, text, params, options.time);
	const headers = text.length > 0 ? { 'Content-Type': 'application/json' } : {};
	return ask(method, `${whole}?${query}`, text.length > 0 ? text : undefined,
		{ ...options, headers: { ...headers, ...options.headers } });
}

/** Publishes, and is accepted; the answer's text. */
export async function trigger(app, channel, event, data = '{}', extra = {}) {
	const channels = Array.isArray(channel) ? channel : [channel];
	const r = await api(app, 'POST', '/events', { name: event, channels, data, ...extra });
	assert.equal(r.status, 200, r.text);
	return r.text;
}

/** Bytes over a bare TCP connection; gives everything until the server closes. */
export function tcp(pieces, until = null) {
	return within(new Promise((resolve, reject) => {
		const socket = net.connect(place.port, place.host).setNoDelay();
		const got = [];
		const done = () => {
			socket.destroy();
			resolve(Buffer.concat(got).toString('latin1'));
		};
		socket.on('error', reject).on('close', done);
		socket.on('data', (d) => {
			got.push(d);
			if (until !== null && Buffer.concat(got).toString('latin1').includes(until)) done();
		});
		(async () => {
			for (const piece of pieces) await new Promise((next) => socket.write(piece, next));
		})().catch(() => {}); // the server may have closed first
	}), 'an answer over TCP');
}
