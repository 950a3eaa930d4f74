// What publishers, writers of messages, and newcomers do while a fault is injected.
import { createHash, createHmac, randomUUID } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';

import { EVENT } from './crowd.mjs';

const ANSWER_MS = 30000;
const pause = (ms) => new Promise((next) => setTimeout(next, ms));

/** {status, body}; status 0 is no answer at all. */
function request(env, method, target, body, headers, agent) {
	return new Promise((resolve) => {
		const req = http.request({ host: env.HOST, port: env.PORT, method, path: target, agent, headers,
			timeout: ANSWER_MS }, (res) => {
			const parts = [];
			res.on('data', (d) => parts.push(d));
			res.on('end', () => resolve({ status: res.complete ? res.statusCode : 0, body: Buffer.concat(parts).toString() }));
			res.on('error', () => resolve({ status: 0 }));
			res.on('close', () => resolve({ status: 0 }));
		});
		req.on('error', () => resolve({ status: 0 }));
		req.on('timeout', () => req.destroy());
		req.end(body);
	});
}

/** A call of the HTTP API of Pusher. */
export function signed(env, method, path, text = '', agent) {
	const whole = `/apps/${env.APP_ID}${path}`;
	const md5 = text ? `&body_md5=${createHash('md5').update(text).digest('hex')}` : '';
	const query = `auth_key=${env.APP_KEY}&auth_timestamp=${Math.floor(Date.now() / 1000)}&auth_version=1.0${md5}`;
	const sign = createHmac('sha256', env.APP_SECRET).update(`${method}\n${whole}\n${query}`).digest('hex');
	return request(env, method, `${whole}?${query}&auth_signature=${sign}`, text || undefined,
		text ? { 'Content-Type': 'application/json' } : {}, agent);
}

/** Several that publish, each one after the other, `rate` a second together, until stop(). */
export function publishers(book, env, channels, { count, rate, random }) {
	let on = true;
	const runs = [...Array(count)].map(async (_, n) => {
		// Every second one keeps its connection, and so its worker.
		const agent = new http.Agent({ keepAlive: n % 2 === 0, maxSockets: 1 });
		while (on) {
			const to = random.some(channels, random.below(4) === 0 ? 2 : 1);
			const entry = book.publish(`publisher ${n}`, to);
			const body = JSON.stringify({ name: EVENT, channels: to, data: String(entry.id) });
			const { status } = await signed(env, 'POST', '/events', body, agent);
			book.answer(entry, status);
			await pause(random.real() * 2000 * count / rate);
		}
		agent.destroy();
	});
	return async () => {
		on = false;
		await Promise.all(runs);
	};
}

/** Sends a message until it is acknowledged, always under the same client_id. */
async function sendOnce(book, env, { user, chat }, agent) {
	const entry = book.message(user.id, chat.channel);
	const body = JSON.stringify({ body: `message of ${user.id}`, client_id: randomUUID() });
	for (;;) {
		const r = await request(env, 'POST', `/api/websocket/chats/${chat.id}/messages`, body, {
			Authorization: `Bearer ${user.token}`, Accept: 'application/json', 'Content-Type': 'application/json',
		}, agent);
		if (r.status === 200 || r.status === 201) {
			entry.seq = JSON.parse(r.body).message.seq;
			book.answer(entry, r.status);
			return;
		}
		if (r.status !== 0 && r.status !== 503) throw new Error(`a message was answered with ${r.status}: ${r.body}`);
		await pause(100);
	}
}

/** Writers of messages; `seats` are {user, chat}. */
export function writers(book, env, seats, { count, rate, random }) {
	let on = true;
	const runs = [...Array(count)].map(async (_, n) => {
		const agent = new http.Agent({ keepAlive: n % 2 === 0, maxSockets: 1 });
		while (on) {
			await sendOnce(book, env, random.pick(seats), agent);
			await pause(random.real() * 2000 * count / rate);
		}
		agent.destroy();
	});
	const all = Promise.all(runs);
	all.catch(() => {}); // stop() gives it
	return async () => {
		on = false;
		await all;
	};
}

/** People who begin and stop to type, until stop(). */
export function typists(env, seats, { rate, random }) {
	let on = true;
	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
	const run = (async () => {
		while (on) {
			const { user, chat } = random.pick(seats);
			await request(env, 'POST', `/api/websocket/chats/${chat.id}/typing`,
				JSON.stringify({ is_typing: random.below(2) === 0 }),
				{ Authorization: `Bearer ${user.token}`, 'Content-Type': 'application/json' }, agent);
			await pause(random.real() * 2000 / rate);
		}
		agent.destroy();
	})();
	return async () => {
		on = false;
		await run;
	};
}

/** Clients that leave, or are cut off, and come again a while later, until stop(); gives how many. */
export function churn(crowd, { rate, random }) {
	let on = true;
	let count = 0;
	const away = new Map(); // client -> timer
	const run = (async () => {
		while (on) {
			const client = random.pick(crowd.wanted.filter((c) => c.ready));
			if (client && random.below(4) === 0) {
				client.cut();
			} else if (client) {
				client.leave();
				away.set(client, setTimeout(() => {
					away.delete(client);
					client.start();
				}, random.between(0, 6000)));
			}
			count++;
			await pause(random.real() * 2000 / rate);
		}
	})();
	return async () => {
		on = false;
		await run;
		for (const [client, timer] of away) {
			clearTimeout(timer);
			client.start();
		}
		return count;
	};
}

const UPGRADE = (env) => `GET /app/${env.APP_KEY}?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n` +
	'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

/** One that connects: 'served', 'refused', 'dropped' before an answer, or 'late'. */
function knockOnce(env) {
	return new Promise((resolve) => {
		const s = net.connect(Number(env.PORT), env.HOST);
		const timer = setTimeout(() => done('late'), ANSWER_MS);
		const done = (how) => {
			clearTimeout(timer);
			s.destroy();
			resolve(how);
		};
		s.on('connect', () => s.write(UPGRADE(env)));
		s.on('data', (d) => done(d.toString('latin1').startsWith('HTTP/1.1 101') ? 'served' : 'dropped'));
		s.on('error', (e) => done(e.code === 'ECONNREFUSED' ? 'refused' : 'dropped'));
		s.on('close', () => done('dropped'));
	});
}

/** Newcomers that connect all the time; stop() gives {served, refused, dropped, late}. */
export function knockers(env, { count = 4, every = 40 } = {}) {
	let on = true;
	const counts = { served: 0, refused: 0, dropped: 0, late: 0 };
	const runs = [...Array(count)].map(async () => {
		while (on) {
			counts[await knockOnce(env)]++;
			await pause(every);
		}
	});
	return async () => {
		on = false;
		await Promise.all(runs);
		return counts;
	};
}
