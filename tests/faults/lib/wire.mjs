// Clients that are nothing but a socket: many of them, and every step of them seen.
import { createHmac, createHash } from 'node:crypto';
import net from 'node:net';

import WebSocket from '../../e2e/node_modules/ws/wrapper.mjs';

import { Tape, within } from '../../e2e/lib/wait.mjs';

/** A WebSocket of `app`; gives it once it is established. */
export async function connect(port, key, channels = []) {
	const ws = new WebSocket(`ws://127.0.0.1:${port}/app/${key}?protocol=7&client=test&version=1`);
	const client = { ws, tape: new Tape(), closed: null };
	ws.on('message', (data) => client.tape.push(JSON.parse(data.toString())));
	client.end = new Promise((resolve) => ws.on('close', (code) => {
		client.closed = code;
		client.tape.push({ closed: code });
		resolve(code);
	}));
	await within(new Promise((resolve, reject) => {
		ws.on('open', resolve);
		ws.on('error', reject);
	}), 'an open WebSocket');
	ws.on('error', () => {});
	const hello = await client.tape.next((m) => m.event || 'closed' in m, 'connection_established');
	if (hello.event !== 'pusher:connection_established') throw new Error(JSON.stringify(hello));
	client.socket_id = JSON.parse(hello.data).socket_id;
	for (const channel of channels) {
		ws.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel } }));
		await client.tape.next((m) => m.event === 'pusher_internal:subscription_succeeded', channel);
	}
	return client;
}

/** POST /apps/{id}/events, signed; gives the status, or 0 when the connection broke. */
export async function publish(port, app, channel, name, data) {
	const body = JSON.stringify({ name, channel, data: JSON.stringify(data) });
	const md5 = createHash('md5').update(body).digest('hex');
	const query = `auth_key=${app.key}&auth_timestamp=${Math.floor(Date.now() / 1000)}&auth_version=1.0&body_md5=${md5}`;
	const sign = createHmac('sha256', app.secret)
		.update(`POST\n/apps/${app.id}/events\n${query}`).digest('hex');
	try {
		const r = await fetch(`http://127.0.0.1:${port}/apps/${app.id}/events?${query}&auth_signature=${sign}`, {
			method: 'POST',
			headers: { 'Content-Type': 'application/json', Connection: 'close' },
			body,
		});
		await r.text();
		return r.status;
	} catch {
		return 0;
	}
}

/** Connects by TCP again and again until stop(): a refused connection is an error. */
export function knock(port) {
	let on = true;
	const faults = [];
	let count = 0;
	const once = () => new Promise((resolve) => {
		const s = net.connect(port, '127.0.0.1');
		s.on('connect', () => {
			count++;
			s.destroy();
			resolve();
		});
		s.on('error', (e) => {
			faults.push(e.code);
			resolve();
		});
	});
	const run = (async () => {
		while (on) {
			await once();
			await new Promise((next) => setImmediate(next));
		}
	})();
	return {
		/** Ends it; gives how often it connected, and what went wrong. */
		stop: async () => {
			on = false;
			await run;
			return { count, faults };
		},
	};
}
