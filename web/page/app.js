/*
 * The demo page: asks who you are, connects a stock Laravel Echo as the server tells it to, and joins the parts.
 *
 *	people.js	who is online, last seen
 *	inbox.js	the list of chats
 *	thread.js	the open chat
 *	dialog.js	a new chat
 *	chat.js		the helper: order, repetition, acknowledgements (web/chat/)
 */

import Echo from './echo.js';
import { ApiError, ChatClient } from './chat.js';
import { NewChat } from './dialog.js';
import { $, arrange, avatar, el, icon } from './dom.js';
import { Inbox, titleOf } from './inbox.js';
import { People } from './people.js';
import { Thread } from './thread.js';

const CHOSEN = 'chat-user'; /* in sessionStorage: each tab may be somebody else */

/* The demo users, or null where this server has none. */
async function loadUsers() {
	try {
		const response = await fetch('demo.json', { cache: 'no-store' });
		const { users } = await response.json();
		return users?.length > 0 ? users : null;
	} catch {
		return null;
	}
}

function welcome(title, text, choices) {
	$('app').hidden = true;
	$('welcome').hidden = false;
	$('welcome-title').textContent = title;
	$('welcome-text').textContent = text;
	$('welcome-choices').replaceChildren(...choices);
}

function chooseUser(users) {
	return new Promise((resolve) => {
		welcome('Who are you?', 'Open a second tab or window and be somebody else there, to chat with yourself.',
			users.map((user) => el('button', { class: 'choice', type: 'button', onclick: () => resolve(user) },
				avatar(user.id, user.name), user.name)));
	});
}

/* What the server says about itself and us; asks again until it answers. */
async function askConnection(user) {
	for (;;) {
		try {
			const response = await fetch('/api/websocket/connection-info', {
				headers: { Accept: 'application/json', Authorization: `Bearer ${user.token}` },
				cache: 'no-store',
			});
			const answer = await response.json();
			if (response.ok)
				return answer;
			throw new ApiError(response.status, answer.message);
		} catch (error) {
			await new Promise((resolve) => {
				welcome('The server does not let us in', error.message,
					[el('button', { class: 'button primary', type: 'button', onclick: resolve }, 'Try again')]);
			});
		}
	}
}

const BANNERS = {
	connecting: 'Connecting…',
	unavailable: 'Offline. Messages are kept and sent when the connection is back.',
	disconnected: 'Disconnected.',
	failed: 'This browser cannot open a WebSocket here.',
};

function showConnection(client) {
	const render = (state) => {
		$('banner').textContent = BANNERS[state] ?? '';
		$('banner').hidden = state === 'connected';
		$('me-state').textContent = state === 'connected' ? 'online' : 'not connected';
		$('app').dataset.connection = state;
		$('me-avatar').replaceChildren(avatar(client.user.id, client.user.name, state === 'connected'));
	};
	client.on('state', render);
	render(client.state);
}

function showOnline(client, people, newChat) {
	const render = () => {
		const online = people.all().filter((user) => !client.isMe(user.id) && people.isOnline(user.id));
		$('online-title').textContent = online.length > 0 ? 'Online now' : 'Nobody else is online';
		arrange($('online-people'), online.map((user) => el('li', {},
			el('button', { type: 'button', title: `Chat with ${user.name}`, onclick: () => newChat.direct(user.id).catch(() => {}) },
				avatar(user.id, user.name, true), el('span', {}, user.name.split(' ')[0])))));
	};
	people.on('change', render);
	render();
}

/* The open chat stands in the address, so the back button of a phone leads to the list. */
function route(client, inbox, thread) {
	const follow = () => {
		const id = Number(location.hash.match(/^#chat-(\d+)$/)?.[1] ?? 0);
		const chat = inbox.get(id) ?? null;
		$('app').dataset.screen = chat ? 'chat' : 'list';
		thread.show(chat);
		inbox.select(chat?.id ?? null);
	};
	const title = () => {
		const chat = inbox.get(thread.chatId);
		const name = chat ? titleOf(chat, client) : 'Chat';
		document.title = inbox.unread > 0 ? `(${inbox.unread}) ${name}` : name;
	};
	window.addEventListener('hashchange', () => {
		follow();
		title();
	});
	inbox.on('gone', (chatId) => {
		if (chatId === thread.chatId)
			location.hash = '';
	});
	inbox.on('change', () => {
		if (thread.chatId === null && location.hash !== '' && inbox.get(Number(location.hash.slice(6))))
			follow();
		title();
	});
	follow();
}

function run(user, users, info) {
	const echo = new Echo({ ...info, Pusher: window.Pusher, bearerToken: user.token });
	const client = new ChatClient({ echo, token: user.token, user: info.user, storage: sessionStorage });
	const people = new People(client, info.channels.presence);
	const inbox = new Inbox(client, people, info.channels.user);
	const thread = new Thread(client, people, inbox);
	const newChat = new NewChat(client, people, (chat) => {
		inbox.add(chat);
		location.hash = `#chat-${chat.id}`;
	});

	people.introduce(users.map(({ id, name }) => ({ id, name })));
	$('me-name').textContent = client.user.name;
	$('new-chat').append(icon('pencil'));
	$('switch-user').append(icon('people'));
	$('switch-user').addEventListener('click', () => {
		sessionStorage.removeItem(CHOSEN);
		location.assign(location.pathname);
	});
	$('welcome').hidden = true;
	$('app').hidden = false;
	showConnection(client);
	showOnline(client, people, newChat);
	route(client, inbox, thread);
	inbox.on('failed', (error) => welcome('The server does not let us in', error.message, [
		el('button', { class: 'button primary', type: 'button', onclick: () => location.reload() }, 'Try again')]));
	inbox.load();
}

async function start() {
	const users = await loadUsers();
	if (!users) {
		welcome('No demo users here',
			'This server has no demo.json, the list of users and tokens that ./dev run makes. '
			+ 'Start the server with it, or use chat.js and Laravel Echo in a page of your own.', []);
		return;
	}
	const asked = new URLSearchParams(location.search).get('user') ?? sessionStorage.getItem(CHOSEN);
	const user = users.find(({ id }) => String(id) === asked) ?? await chooseUser(users);
	sessionStorage.setItem(CHOSEN, String(user.id));
	run(user, users, await askConnection(user));
}

start();
