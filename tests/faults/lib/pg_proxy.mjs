// A proxy in front of PostgreSQL's unix socket that can be cut, made slow, or made to answer with errors.
import { rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

const PORT = 5432;

function message(type, body) {
	const head = Buffer.alloc(5);
	head.write(type, 0);
	head.writeInt32BE(body.length + 4, 1);
	return Buffer.concat([head, body]);
}

/** ErrorResponse of an SQLSTATE. */
function errorOf(code, severity, text) {
	const fields = [['S', severity], ['V', severity], ['C', code], ['M', text]];
	const parts = fields.map(([k, v]) => Buffer.concat([Buffer.from(k + v), Buffer.from([0])]));
	return message('E', Buffer.concat([...parts, Buffer.from([0])]));
}

/** Listens in `dir` as PostgreSQL would, and speaks to the server in `target`. */
export async function pgProxy(dir, target) {
	const file = path.join(dir, `.s.PGSQL.${PORT}`);
	const pairs = new Set();
	const proxy = { refuse: null, delay: 0, deaf: false, dir }; // deaf: what the server says is lost
	const server = net.createServer((client) => {
		client.on('error', () => {});
		if (proxy.refuse) {
			client.once('data', () => client.end(errorOf(proxy.refuse, 'FATAL', `refused with ${proxy.refuse}`)));
			return;
		}
		const upstream = net.connect(path.join(target, `.s.PGSQL.${PORT}`));
		const pair = { client, upstream };
		pairs.add(pair);
		const end = () => {
			pairs.delete(pair);
			client.destroy();
			upstream.destroy();
		};
		for (const s of [client, upstream]) {
			s.on('error', end);
			s.on('close', end);
		}
		client.on('data', (d) => {
			if (proxy.delay) setTimeout(() => upstream.write(d), proxy.delay);
			else upstream.write(d);
		});
		upstream.on('data', (d) => {
			if (!proxy.deaf) client.write(d);
		});
	});
	await new Promise((resolve) => server.listen(file, resolve));
	/** Ends all sessions, with an error first if a code is given. */
	proxy.cut = (code) => {
		for (const { client, upstream } of [...pairs]) {
			if (code) client.write(errorOf(code, 'FATAL', `ended with ${code}`));
			client.end();
			upstream.destroy();
		}
	};
	proxy.sessions = () => pairs.size;
	proxy.close = async () => {
		proxy.cut();
		await new Promise((resolve) => server.close(resolve));
		rmSync(file, { force: true });
	};
	return proxy;
}
