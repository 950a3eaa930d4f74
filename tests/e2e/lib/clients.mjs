// Real clients of the server: pusher-js, Laravel Echo, the Pusher server SDK, bare WebSockets, fetch.
import Echo from 'laravel-echo';
import PusherServer from 'pusher';
import Pusher from 'pusher-js';
import WebSocket from 'ws';

import { base, env } from './house.mjs';
import { Tape, until, within } from './wait.mjs';

const open = new Set();

/** Ends all clients of this file; for `after()`. */
export function disconnectAll() {
	for (const end of open) end();
	open.clear();
}

export function connected(client) {
	return until(() => client.connection.state === 'connected', 'a connection');
}

/** Subscribes and waits for the success; the channel keeps a tape of its events. */
export async function subscribe(client, name) {
	const channel = client.subscribe(name);
	channel.tape = new Tape();
	channel.bind_global((event, data, meta) => channel.tape.push({ event, data, meta }));
	await subscribed(channel);
	return channel;
}

export function subscribed(channel) {
	return within(
		new Promise((resolve, reject) => {
			if (channel.subscribed) resolve();
			channel.bind('pusher:subscription_succeeded', resolve);
			channel.bind('pusher:subscription_error', (e) =>
				reject(Object.assign(new Error(`${channel.name}: ${JSON.stringify(e)}`), e)));
		}),
		`subscription of ${channel.name}`,
	);
}

/** All kinds of clients of one server: `env` and `base` as house.mjs has them of the default one. */
export function clientsOf({ env, base }) {
	function pusherOptions(token) {
		const headers = token ? { Authorization: `Bearer ${token}` } : {};
		return {
			wsHost: env.HOST,
			wsPort: Number(env.PORT),
			forceTLS: false,
			enabledTransports: ['ws'],
			disableStats: true,
			cluster: 'mt1',
			channelAuthorization: { endpoint: `${base}/broadcasting/auth`, transport: 'ajax', headers },
			userAuthentication: { endpoint: `${base}/broadcasting/user-auth`, transport: 'ajax', headers },
		};
	}

	/** A connected pusher-js client; with a token it authorises as that user. */
	async function pusher(token, key = env.APP_KEY) {
		const client = new Pusher(key, pusherOptions(token));
		client.tape = new Tape();
		client.bind_global((event, data) => client.tape.push({ event, data }));
		open.add(() => client.disconnect());
		await connected(client);
		return client;
	}

	/** Laravel Echo as an application sets it up. */
	async function echo(user, options = {}) {
		const info = await api(user, 'GET', '/api/websocket/connection-info');
		const client = new Pusher(info.body.key, pusherOptions(user.token));
		const e = new Echo({ ...info.body, client, ...options });
		open.add(() => e.disconnect());
		await connected(client);
		return e;
	}

	const server = new PusherServer({
		appId: env.APP_ID,
		key: env.APP_KEY,
		secret: env.APP_SECRET,
		host: env.HOST,
		port: env.PORT,
		useTLS: false,
	});

	/** A call of the chat API. */
	async function api(user, method, path, body, headers = {}) {
		const r = await fetch(base + path, {
			method,
			headers: {
				Accept: 'application/json',
				...(user ? { Authorization: `Bearer ${user.token}` } : {}),
				...(body !== undefined ? { 'Content-Type': 'application/json' } : {}),
				...headers,
			},
			body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
		});
		const text = await r.text();
		let json = text;
		try {
			json = JSON.parse(text);
		} catch {
			// plain text
		}
		return { status: r.status, headers: r.headers, body: json };
	}

	/** A bare WebSocket that speaks frames; `socket_id` once it is established. */
	async function raw(path = `/app/${env.APP_KEY}?protocol=7&client=test&version=1`) {
		const ws = new WebSocket(`ws://${env.HOST}:${env.PORT}${path}`);
		const tape = new Tape();
		ws.on('message', (data) => tape.push(JSON.parse(data.toString())));
		ws.on('close', (code, reason) => tape.push({ closed: code, reason: reason.toString() }));
		ws.on('error', (e) => tape.push({ error: e.message }));
		open.add(() => ws.terminate());
		await within(new Promise((resolve, reject) => {
			ws.on('open', resolve);
			ws.on('error', reject);
		}), 'an open WebSocket');
		return {
			ws,
			tape,
			say: (event, data, channel) => ws.send(JSON.stringify({ event, data, channel })),
			next: (event) => tape.next((m) => m.event === event || (event === 'closed' && 'closed' in m),
				event),
		};
	}

	return { pusherOptions, pusher, echo, server, api, raw };
}

export const { pusherOptions, pusher, echo, server, api, raw } = clientsOf({ env, base });
