// RFC 6455 from outside, against ws-echo: framing, fragments, UTF-8, close, limits, handshake.
//
//	WS_ECHO=BUILD/tests/ws-echo node --test ws.test.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { acceptOf, BINARY, CLOSE, closePayload, CONT, frame, KEY, open, PING, PONG, startEcho, TEXT } from './wire.mjs';

let echo;
const more = { fin: false };

before(async () => {
	echo = await startEcho();
});

after(async () => {
	assert.equal(await echo.stop(), 0);
});

/** Sends the frames and asserts that the echo is `payload`; leaves a connection that still works. */
async function echoes(ws, opcode, payload) {
	const got = await ws.next();
	assert.equal(got.opcode, opcode);
	assert.ok(Buffer.from(payload).equals(got.payload), `${got.payload.length} bytes come back`);
}

async function closesNormally(ws) {
	await ws.send(frame(CLOSE, closePayload(1000)));
	assert.equal(await ws.closed(), 1000);
}

/** After these frames the server closes with the code, and everything before was answered. */
async function refuses(code, frames, answered = []) {
	const ws = await open(echo.port);
	await ws.send(...frames);
	for (const [opcode, payload] of answered) await echoes(ws, opcode, payload);
	assert.equal(await ws.closed(), code);
}

test('payloads of all lengths around the forms of the length', async () => {
	const ws = await open(echo.port);
	for (const opcode of [TEXT, BINARY]) {
		for (const n of [0, 1, 125, 126, 127, 128, 65535, 65536, 131072]) {
			const payload = Buffer.alloc(n, opcode === TEXT ? '*' : 0xfe);
			await ws.send(frame(opcode, payload));
			await echoes(ws, opcode, payload);
		}
	}
	await closesNormally(ws);
});

test('messages in pieces of any size', async () => {
	const payload = 'κόσμε '.repeat(40);
	for (const step of [1, 2, 3, 7, 64, 997]) {
		const ws = await open(echo.port);
		await ws.drip(Buffer.concat([frame(TEXT, payload), frame(PING, 'p'), frame(BINARY, payload)]), step);
		await echoes(ws, TEXT, payload);
		await echoes(ws, PONG, 'p');
		await echoes(ws, BINARY, payload);
		await closesNormally(ws);
	}
});

test('many messages in one segment come back in order', async () => {
	const ws = await open(echo.port);
	const frames = [];
	for (let i = 0; i < 5000; i++) frames.push(frame(TEXT, `m${i}`));
	ws.send(...frames);
	for (let i = 0; i < 5000; i++) await echoes(ws, TEXT, `m${i}`);
	await closesNormally(ws);
});

test('frames right behind the request head', async () => {
	const ws = await open(echo.port, {}, Buffer.concat([frame(TEXT, 'early'), frame(PING, '')]));
	await echoes(ws, TEXT, 'early');
	await echoes(ws, PONG, '');
	await closesNormally(ws);
});

test('pings: empty, text, bytes, 125; pongs unasked for are nothing', async () => {
	const ws = await open(echo.port);
	for (const payload of ['', 'hello', Buffer.from([0, 255, 254, 253]), Buffer.alloc(125, 0xfe)]) {
		await ws.send(frame(PONG, 'unasked'), frame(PING, payload));
		await echoes(ws, PONG, payload);
	}
	for (let i = 0; i < 10; i++) await ws.send(frame(PING, `n${i}`));
	for (let i = 0; i < 10; i++) await echoes(ws, PONG, `n${i}`);
	await closesNormally(ws);
});

test('reserved bits', async () => {
	for (let rsv = 1; rsv < 8; rsv++) {
		for (const opcode of [TEXT, BINARY, PING, CLOSE]) {
			await refuses(1002, [frame(TEXT, 'before'), frame(opcode, '', { rsv }), frame(PING)],
				[[TEXT, 'before']]);
		}
	}
});

test('reserved opcodes', async () => {
	for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
		await refuses(1002, [frame(TEXT, 'before'), frame(opcode, 'x'), frame(PING)], [[TEXT, 'before']]);
		await refuses(1002, [frame(opcode)]);
	}
});

test('control frames: longer than 125, fragmented', async () => {
	for (const opcode of [PING, PONG, CLOSE]) {
		await refuses(1002, [frame(opcode, Buffer.alloc(126))]);
		await refuses(1002, [frame(opcode, 'x', { form: 16 })]);
		await refuses(1002, [frame(opcode, 'x', more), frame(CONT, 'y')]);
	}
});

test('frames without a mask', async () => {
	for (const opcode of [TEXT, BINARY, PING, CLOSE]) {
		await refuses(1002, [frame(opcode, opcode === CLOSE ? closePayload(1000) : 'x', { masked: false })]);
	}
});

test('lengths that are not in their shortest form, or have the highest bit set', async () => {
	await refuses(1002, [frame(TEXT, Buffer.alloc(125), { form: 16 })]);
	await refuses(1002, [frame(TEXT, '', { form: 16 })]);
	await refuses(1002, [frame(BINARY, Buffer.alloc(65535), { form: 64 })]);
	await refuses(1002, [Buffer.from('82ff8000000000000000', 'hex')]);
});

test('a frame that announces more than is allowed is refused by its head', async () => {
	await refuses(1009, [Buffer.from('82ff0000000001000001', 'hex')]); /* 16 MiB and one */
	await refuses(1009, [Buffer.from('82ff7fffffffffffffff', 'hex')]);
});

test('fragments: joined, empty ones too, with control frames in between', async () => {
	const ws = await open(echo.port);
	await ws.send(frame(TEXT, 'a', more), frame(CONT, 'b'));
	await echoes(ws, TEXT, 'ab');
	await ws.send(frame(TEXT, '', more), frame(CONT, '', more), frame(CONT, ''));
	await echoes(ws, TEXT, '');
	await ws.send(frame(TEXT, '', more), frame(CONT, 'middle', more), frame(CONT, ''));
	await echoes(ws, TEXT, 'middle');
	await ws.send(frame(BINARY, '1', more), frame(PING, 'p1'), frame(CONT, '2', more));
	await echoes(ws, PONG, 'p1');
	await ws.send(frame(PONG, 'p2'), frame(PING, 'p3'), frame(CONT, '3'));
	await echoes(ws, PONG, 'p3');
	await echoes(ws, BINARY, '123');
	await closesNormally(ws);
});

test('fragments out of place', async () => {
	await refuses(1002, [frame(CONT, 'of nothing')]);
	await refuses(1002, [frame(CONT, 'of nothing', more)]);
	await refuses(1002, [frame(TEXT, 'whole'), frame(CONT, 'of nothing')], [[TEXT, 'whole']]);
	await refuses(1002, [frame(TEXT, 'a', more), frame(TEXT, 'b')]);
	await refuses(1002, [frame(TEXT, 'a', more), frame(BINARY, 'b', more)]);
});

const GOOD = ['', 'hello$world', 'hello¢world', 'hello€world', 'hello𤭢world', 'κόσμε', '\0', '\x7f', '\u0080',
	'\u07ff', '\u0800', '\ud7ff', '\ue000', '\ufffd', '\ufffe', '\uffff', '\u{10000}', '\u{10ffff}',
	'\u{1fffe}', '\u{10fffe}'];
const BAD = ['80', 'bf', '80bf', 'c0', 'c080', 'c0af', 'c1bf', 'c2', 'c220', 'e08080', 'e09fbf', 'e0a0', 'e220',
	'e28220', 'eda080', 'edafbf', 'edb080', 'edbfbf', 'eda080edb080', 'f0808080', 'f08fbfbf', 'f09080', 'f4908080',
	'f5808080', 'f7bfbfbf', 'f888808080', 'fbbfbfbfbf', 'fc8480808080', 'fdbfbfbfbfbf', 'fe', 'ff', 'fefeffff',
	'ceba80', 'f4af', 'cebae1'];

test('UTF-8 that is right, split between any two bytes', async () => {
	const ws = await open(echo.port);
	for (const text of GOOD) {
		const bytes = Buffer.from(text);
		await ws.send(frame(TEXT, bytes));
		await echoes(ws, TEXT, bytes);
		for (let at = 0; at <= bytes.length; at++) {
			await ws.send(frame(TEXT, bytes.subarray(0, at), more), frame(CONT, bytes.subarray(at)));
			await echoes(ws, TEXT, bytes);
		}
	}
	await closesNormally(ws);
});

test('UTF-8 that is wrong, whole and split', async () => {
	for (const hex of BAD) {
		const bytes = Buffer.from(`68656c6c6f${hex}`, 'hex');
		await refuses(1007, [frame(TEXT, bytes)]);
		for (let at = 0; at <= bytes.length; at++) {
			await refuses(1007, [frame(TEXT, bytes.subarray(0, at), more), frame(CONT, bytes.subarray(at))]);
		}
		const ws = await open(echo.port);
		await ws.send(frame(BINARY, bytes));
		await echoes(ws, BINARY, bytes);
		ws.end();
	}
});

/** The first byte that can be part of no text; what is only cut off is judged at the end. */
function firstBad(bytes) {
	for (let n = 1; n <= bytes.length; n++) {
		try {
			new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, n), { stream: true });
		} catch {
			return n;
		}
	}
	return 0;
}

test('UTF-8 fails at the first wrong byte, in a frame that is not complete', async () => {
	for (const hex of BAD) {
		const text = Buffer.concat([Buffer.from('κόσμε'), Buffer.from(hex, 'hex')]);
		const upTo = firstBad(text);
		if (upTo === 0) continue;
		/* one frame that announces more, and is never finished */
		for (const opcode of [TEXT, CONT]) {
			const ws = await open(echo.port);
			if (opcode === CONT) await ws.send(frame(TEXT, 'begun', more));
			const whole = frame(opcode, Buffer.concat([text.subarray(0, upTo), Buffer.alloc(1000, 'x')]));
			const head = whole.length - upTo - 1000;
			await ws.send(whole.subarray(0, head + upTo - 1));
			await ws.send(whole.subarray(head + upTo - 1, head + upTo));
			assert.equal(await ws.closed(), 1007);
		}
	}
});

test('a character that a later fragment makes impossible', async () => {
	await refuses(1007, [frame(TEXT, Buffer.from('cebae1', 'hex'), more), frame(CONT, 'x', more)]);
	await refuses(1007, [frame(TEXT, Buffer.from('ce', 'hex'), more), frame(PING, 'p'), frame(CONT, '')],
		[[PONG, 'p']]);
});

test('close codes that may be sent come back', async () => {
	for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
		4999]) {
		for (const reason of ['', 'good bye', 'ünï', 'x'.repeat(123)]) {
			const ws = await open(echo.port);
			await ws.send(frame(CLOSE, closePayload(code, reason)));
			assert.equal(await ws.closed(), code);
		}
	}
});

test('close codes that may not be sent', async () => {
	for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
		await refuses(1002, [frame(CLOSE, closePayload(code))]);
		await refuses(1002, [frame(CLOSE, closePayload(code, 'reason'))]);
	}
});

test('close frames: empty, of one byte, with a bad reason', async () => {
	await refuses(null, [frame(CLOSE)]);
	await refuses(1002, [frame(CLOSE, 'x')]);
	for (const hex of ['80', 'ff', 'c080', 'eda080', 'cebae1']) {
		await refuses(1007, [frame(CLOSE, closePayload(1000, Buffer.from(hex, 'hex')))]);
	}
});

test('nothing counts after a close frame, and a message that was begun is dropped', async () => {
	await refuses(1000, [frame(CLOSE, closePayload(1000)), frame(TEXT, 'late'), frame(PING, 'late')]);
	await refuses(1000, [frame(CLOSE, closePayload(1000)), frame(CLOSE, closePayload(1001))]);
	await refuses(1000, [frame(CLOSE, closePayload(1000)), Buffer.alloc(300000, 0xff)]);
	await refuses(1000, [frame(TEXT, 'a', more), frame(CLOSE, closePayload(1000)), frame(CONT, 'b')]);
	await refuses(1000, [frame(TEXT, 'before'), frame(CLOSE, closePayload(1000))], [[TEXT, 'before']]);
});

test('16 MiB in one frame, in many fragments, in odd pieces', async () => {
	const n = 16 << 20;
	const words = 'Ünïcode κόσμε 𤭢 ';
	const payload = Buffer.from(words.repeat(Math.floor(n / Buffer.byteLength(words))));
	const ws = await open(echo.port);
	ws.send(frame(TEXT, payload));
	await echoes(ws, TEXT, payload);
	for (const size of [4096, 60001, 1 << 20]) {
		const frames = [];
		for (let at = 0; at < payload.length; at += size) {
			frames.push(frame(at === 0 ? TEXT : CONT, payload.subarray(at, at + size),
				{ fin: at + size >= payload.length }));
		}
		ws.send(...frames);
		await echoes(ws, TEXT, payload);
	}
	const bytes = Buffer.alloc(n, 0xfe);
	ws.drip(frame(BINARY, bytes), 50021);
	await echoes(ws, BINARY, bytes);
	await closesNormally(ws);
});

test('a megabyte in fragments of 16 bytes, and 16 KiB byte by byte', async () => {
	const ws = await open(echo.port);
	const payload = Buffer.alloc(1 << 20, 'abcdefgh');
	const frames = [];
	for (let at = 0; at < payload.length; at += 16) {
		frames.push(frame(at === 0 ? TEXT : CONT, payload.subarray(at, at + 16),
			{ fin: at + 16 === payload.length }));
	}
	ws.send(...frames);
	await echoes(ws, TEXT, payload);
	const small = Buffer.alloc(16384, 'é');
	ws.drip(frame(TEXT, small));
	await echoes(ws, TEXT, small);
	await closesNormally(ws);
});

test('limits are options: message size, fragments', async () => {
	const small = await startEcho('--max-message', '1000', '--max-fragments', '4');
	const ws = await open(small.port);
	await ws.send(frame(TEXT, 'x'.repeat(1000)));
	await echoes(ws, TEXT, 'x'.repeat(1000));
	await ws.send(frame(TEXT, '', more), frame(CONT, '', more), frame(CONT, '', more), frame(CONT, ''));
	await echoes(ws, TEXT, '');
	await ws.send(frame(TEXT, 'x'.repeat(1001)));
	assert.equal(await ws.closed(), 1009);
	const second = await open(small.port);
	await second.send(frame(TEXT, 'x'.repeat(600), more), frame(CONT, 'x'.repeat(401)));
	assert.equal(await second.closed(), 1009);
	const third = await open(small.port);
	const empty = () => frame(CONT, '', more);
	await third.send(frame(TEXT, '', more), empty(), empty(), empty(), empty());
	assert.equal(await third.closed(), 1008);
	assert.equal(await small.stop(), 0);
});

test('the peer goes without a close frame, at any point', async () => {
	const bytes = Buffer.concat([frame(TEXT, 'begun', more), frame(CONT, 'x'.repeat(200))]);
	for (let n = 0; n < bytes.length; n += 13) {
		const ws = await open(echo.port);
		await ws.send(bytes.subarray(0, n));
		if (n % 2) ws.socket.end();
		else ws.socket.resetAndDestroy();
		while (!(await ws.next()).end);
		ws.end();
	}
});

test('the handshake: accepted', async () => {
	for (const extra of [{}, { Upgrade: 'WebSocket' }, { Connection: 'keep-alive, Upgrade' },
		{ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
		{ 'Sec-WebSocket-Protocol': 'chat, superchat' }, { Origin: 'http://elsewhere.example' }]) {
		const ws = await open(echo.port, extra);
		assert.match(ws.head, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
		assert.match(ws.head, /\r\nUpgrade: websocket\r\n/);
		assert.match(ws.head, /\r\nConnection: Upgrade\r\n/);
		assert.ok(ws.head.includes(`\r\nSec-WebSocket-Accept: ${acceptOf(KEY)}\r\n`), ws.head);
		assert.doesNotMatch(ws.head, /Sec-WebSocket-(Extensions|Protocol)/i);
		await ws.send(frame(TEXT, 'hello'));
		await echoes(ws, TEXT, 'hello');
		ws.end();
	}
});

test('the handshake: byte by byte', async () => {
	const ws = await open(echo.port, {}, Buffer.from(frame(TEXT, 'slow')), 1);
	assert.match(ws.head, /^HTTP\/1\.1 101 /);
	await echoes(ws, TEXT, 'slow');
	await closesNormally(ws);
});

test('the handshake: refused', async () => {
	const refused = async (status, extra) => {
		const ws = await open(echo.port, extra);
		assert.match(ws.head, new RegExp(`^HTTP/1\\.1 ${status} `), JSON.stringify(extra));
		if (status === 426) assert.match(ws.head, /\r\nSec-WebSocket-Version: 13\r\n/);
		ws.end();
	};
	await refused(426, { Upgrade: null });
	await refused(426, { Upgrade: 'h2c' });
	await refused(426, { Connection: 'close' });
	await refused(426, { 'Sec-WebSocket-Version': null });
	await refused(426, { 'Sec-WebSocket-Version': '8' });
	await refused(400, { 'Sec-WebSocket-Key': null });
	await refused(400, { 'Sec-WebSocket-Key': 'short' });
	await refused(400, { 'Sec-WebSocket-Key': 'x'.repeat(24) });
	await refused(400, { Host: null });
});
