// The least that a server on node's `ws` could do: it speaks as much of the Pusher protocol as chat-bench needs,
// checks no signature and keeps nothing. One process, as node has it.
//
//     node ws.mjs ENV_FILE

import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'

const { WebSocketServer } = createRequire(new URL('../../e2e/package.json', import.meta.url))('ws')

const channels = new Map() // name -> sockets
let count = 0

function send(name, text, except) {
	for (const socket of channels.get(name) ?? []) if (socket !== except) socket.send(text)
}

function frame(event, channel, data) {
	return JSON.stringify({ event, channel, data })
}

function leave(socket, name) {
	channels.get(name)?.delete(socket)
	socket.names.delete(name)
}

function onMessage(socket, text) {
	const m = JSON.parse(text)
	if (m.event === 'pusher:subscribe') {
		const name = m.data.channel
		if (!channels.has(name)) channels.set(name, new Set())
		channels.get(name).add(socket)
		socket.names.add(name)
		socket.send(frame('pusher_internal:subscription_succeeded', name, '{}'))
	} else if (m.event === 'pusher:unsubscribe') {
		leave(socket, m.data.channel)
	} else if (m.event === 'pusher:ping') {
		socket.send('{"event":"pusher:pong","data":"{}"}')
	} else if (m.event.startsWith('client-')) {
		send(m.channel, frame(m.event, m.channel, m.data), socket)
	}
}

function onRequest(request, response) {
	const parts = []
	request.on('data', part => parts.push(part))
	request.on('end', () => {
		const m = JSON.parse(Buffer.concat(parts).toString())
		for (const name of m.channels ?? [m.channel]) send(name, frame(m.name, name, m.data))
		response.setHeader('Content-Type', 'application/json')
		response.end('{}')
	})
}

const server = createServer({ keepAliveTimeout: 0 }, onRequest)
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', socket => {
	socket.names = new Set()
	socket.on('message', text => onMessage(socket, text))
	socket.on('close', () => [...socket.names].forEach(name => leave(socket, name)))
	socket.send(frame('pusher:connection_established', undefined,
		JSON.stringify({ socket_id: `1.${++count}`, activity_timeout: 120 })))
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
	writeFileSync(process.argv[2], `HOST=127.0.0.1\nPORT=${server.address().port}\nAPP_ID=bench\nAPP_KEY=bench\n`
		+ `APP_SECRET=bench\nWORKER_PIDS=${process.pid}\n`)
})
