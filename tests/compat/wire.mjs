// A WebSocket client that breaks every rule it is asked to: frames are put together by hand.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

export const CONT = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Starts ws-echo with these options; `port` is where it listens. */
export async function startEcho(...options) {
	const child = spawn(process.env.WS_ECHO, ['--port', '0', ...options],
		{ stdio: ['ignore', 'pipe', 'inherit'] });
	const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
	const port = await new Promise((resolve, reject) => {
		createInterface({ input: child.stdout }).on('line', (line) => resolve(Number(line.split(':').pop())));
		ended.then((how) => reject(new Error(`ws-echo ended with ${how}`)));
	});
	return {
		port,
		stop: () => {
			child.kill('SIGTERM');
			return ended;
		},
	};
}

/** One frame of a client. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true, form } = {}) {
	const data = Buffer.from(payload);
	const size = form ?? (data.length < 126 ? 7 : data.length < 65536 ? 16 : 64);
	const head = Buffer.alloc({ 7: 2, 16: 4, 64: 10 }[size]);
	head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
	head[1] = (masked ? 0x80 : 0) | (size === 7 ? data.length : size === 16 ? 126 : 127);
	if (size === 16) head.writeUInt16BE(data.length, 2);
	if (size === 64) head.writeBigUInt64BE(BigInt(data.length), 2);
	if (!masked) return Buffer.concat([head, data]);
	const key = randomBytes(4);
	const body = Buffer.from(data);
	for (let i = 0; i < body.length; i++) body[i] ^= key[i & 3];
	return Buffer.concat([head, key, body]);
}

export function closePayload(code, reason = '') {
	const b = Buffer.alloc(2);
	b.writeUInt16BE(code);
	return Buffer.concat([b, Buffer.from(reason)]);
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

function request(extra = {}) {
	const lines = {
		Host: 'localhost',
		Upgrade: 'websocket',
		Connection: 'Upgrade',
		'Sec-WebSocket-Key': KEY,
		'Sec-WebSocket-Version': '13',
		...extra,
	};
	const head = Object.entries(lines).filter(([, value]) => value !== null)
		.map(([name, value]) => `${name}: ${value}\r\n`).join('');
	return `GET /any HTTP/1.1\r\n${head}\r\n`;
}

/** What the server sent: frames after the head, then how the connection ended. */
class Reader {
	constructor(socket) {
		this.bytes = [];
		this.size = 0;
		this.ended = false;
		this.wake = () => {};
		socket.on('data', (d) => {
			this.bytes.push(d);
			this.size += d.length;
			this.wake();
		});
		const end = () => {
			this.ended = true;
			this.wake();
		};
		socket.on('end', end).on('close', end).on('error', end);
	}

	/** n bytes without taking them; null at the end of the stream. */
	async peek(n) {
		while (this.size < n) {
			if (this.ended) return null;
			await new Promise((resolve) => (this.wake = resolve));
		}
		if (this.bytes.length > 1) this.bytes = [Buffer.concat(this.bytes)];
		return (this.bytes[0] ?? Buffer.alloc(0)).subarray(0, n);
	}

	async take(n) {
		const got = await this.peek(n);
		if (got === null) return null;
		this.bytes[0] = this.bytes[0].subarray(n);
		this.size -= n;
		return got;
	}

	async head() {
		for (let n = 4; ; n++) {
			const got = await this.peek(n);
			if (got === null) return (await this.take(this.size)).toString('latin1');
			if (got.subarray(n - 4).toString('latin1') === '\r\n\r\n') {
				return (await this.take(n)).toString('latin1');
			}
		}
	}

	/** { opcode, payload }, or { end: true }; throws when the server's frame is none. */
	async frame() {
		const two = await this.take(2);
		if (two === null) return { end: true };
		if ((two[0] & 0xf0) !== 0x80 || two[1] & 0x80) {
			throw new Error(`not a whole server frame: ${two.toString('hex')}`);
		}
		let n = two[1];
		if (n === 126) n = (await this.take(2)).readUInt16BE();
		else if (n === 127) n = Number((await this.take(8)).readBigUInt64BE());
		return { opcode: two[0] & 15, payload: await this.take(n) };
	}
}

/** An open WebSocket: `more` comes right behind the request, all of it in pieces of `step` bytes. */
export async function open(port, extra = {}, more = Buffer.alloc(0), step = 65536) {
	const socket = connect(port, '127.0.0.1');
	socket.setNoDelay();
	const reader = new Reader(socket);
	const drip = async (bytes, piece = 1) => {
		for (let i = 0; i < bytes.length; i += piece) {
			await new Promise((resolve) => socket.write(bytes.subarray(i, i + piece), resolve));
		}
	};
	await drip(Buffer.concat([Buffer.from(request(extra)), more]), step);
	const head = await reader.head();
	return {
		socket,
		reader,
		head,
		send: (...frames) => new Promise((resolve) => socket.write(Buffer.concat(frames), resolve)),
		/** Bytes one at a time, each written alone. */
		drip,
		next: () => reader.frame(),
		/** The next frame is a close frame, and nothing follows it; returns its code. */
		closed: async () => {
			const f = await reader.frame();
			if (f.opcode !== CLOSE) throw new Error(`no close frame: ${JSON.stringify(f).slice(0, 300)}`);
			const after = await reader.frame();
			if (!after.end) throw new Error('something after the close frame');
			socket.destroy();
			return f.payload.length === 0 ? null : f.payload.readUInt16BE();
		},
		end: () => socket.destroy(),
	};
}

export function acceptOf(key) {
	return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

export { KEY };
