// Two people chat in a real browser, against a running server.
//
// The server is named by the variables of `./dev run --print-env FILE`, in the environment or in the file that
// CHAT_ENV_FILE names. Screenshots go to ARTIFACTS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';

import { PHONE, openBrowser } from './browser.mjs';

function readServer() {
	const file = process.env.CHAT_ENV_FILE;
	if (!file)
		return process.env;
	const text = execFileSync('sh', ['-c', 'set -a; . "$1"; env -0', 'sh', file], { encoding: 'utf8' });
	return Object.fromEntries(text.split('\0').filter(Boolean).map((line) => {
		const at = line.indexOf('=');
		return [line.slice(0, at), line.slice(at + 1)];
	}));
}

const server = readServer();
const url = (user) => `http://${server.HOST}:${server.PORT}/?user=${server[`USER${user}_ID`]}`;
const chat = server.CHAT_ID;

// The server may have served other tests: each here looks only at what begins with its own word.
const word = () => randomBytes(4).toString('hex');

describe('the demo page', () => {
	let browser;
	let pages = [];

	const open = async (user, ...how) => {
		const page = await browser.open(url(user), ...how);
		pages.push(page);
		await page.connected();
		return page;
	};
	const two = async () => {
		const both = [await open(1), await open(2, undefined, 'dark')];
		for (const page of both)
			await page.openChat(chat);
		return both;
	};

	before(async () => {
		browser = await openBrowser();
	});

	afterEach(async () => {
		const errors = pages.flatMap((page) => page.errors);
		for (const page of pages)
			await page.close();
		pages = [];
		assert.deepEqual(errors, []);
	});

	after(() => browser?.close());

	test('asks who one is, and remembers it for this tab', async () => {
		const page = await browser.open(`http://${server.HOST}:${server.PORT}/`);
		pages.push(page);
		await page.tab.waitForSelector('.choice');
		await page.shot('welcome');
		await page.tab.click('.choice');
		await page.connected();
		await page.tab.reload();
		await page.connected();
	});

	test('two people chat: typing, delivered, read', async () => {
		const w = word();
		const [ada, bob] = await two();
		await bob.write(`${w} hello`);
		await ada.state('typing');
		await ada.shot('typing');
		await bob.tab.keyboard.press('Enter');
		await ada.shows(w, [`${w} hello`]);
		await ada.until(() => !document.querySelector('#chat-state').textContent.includes('typing'));
		await bob.ticked(`${w} hello`, ['read']);

		await ada.send(`${w} and you?`);
		await bob.shows(w, [`${w} hello`, `${w} and you?`]);
		await ada.ticked(`${w} and you?`, ['read']);
		await ada.shot('chat-light');
		await bob.shot('chat-dark');
	});

	test('typing ends without a message', async () => {
		const [ada, bob] = await two();
		await bob.write('never sent');
		await ada.state('typing');
		await bob.tab.click('#text', { count: 3 });
		await bob.tab.keyboard.press('Backspace');
		await ada.state('online');
	});

	test('a message is delivered to a list of chats, and read when it is opened', async () => {
		const w = word();
		const ada = await open(1);
		const bob = await open(2);
		await ada.openChat(chat);
		await ada.send(`${w} are you there?`);
		await ada.ticked(`${w} are you there?`, ['delivered']);
		await bob.until((id) => document.querySelector(`a[href="#chat-${id}"] .badge`), chat);
		await bob.shot('unread');
		await bob.openChat(chat);
		await ada.ticked(`${w} are you there?`, ['read']);
		await bob.until((id) => !document.querySelector(`a[href="#chat-${id}"] .badge`), chat);
	});

	test('who is online, and when the other was last seen', async () => {
		const ada = await open(1);
		await ada.openChat(chat);
		const bob = await open(2);
		await ada.state('online');
		await bob.close();
		pages = [ada];
		await ada.state('last seen');
		await ada.shot('last-seen');
	});

	test('a reload shows everything once', async () => {
		const w = word();
		const texts = [1, 2, 3, 4, 5].map((n) => `${w} ${n}`);
		const [ada, bob] = await two();
		for (const text of texts)
			await ada.send(text);
		await bob.shows(w, texts);
		await bob.tab.reload();
		await bob.shows(w, texts);
		await ada.tab.reload();
		await ada.shows(w, texts);
		await ada.ticked(texts[4], ['read']);
	});

	test('a lost connection loses and doubles nothing, either way', async () => {
		const w = word();
		const [ada, bob] = await two();
		await ada.send(`${w} before`);
		await bob.shows(w, [`${w} before`]);
		await bob.goOffline();
		await bob.send(`${w} from bob`);
		await bob.until(() => document.querySelectorAll('#pending .waiting').length === 1);
		await bob.tab.$eval('#banner', (banner) => Promise.all(banner.getAnimations().map((a) => a.finished)));
		await bob.shot('offline');
		await ada.send(`${w} from ada 1`);
		await ada.send(`${w} from ada 2`);
		await ada.ticked(`${w} from ada 2`, ['sent', 'delivered']);
		await bob.goOnline();
		const all = ['before', 'from ada 1', 'from ada 2', 'from bob'].map((text) => `${w} ${text}`);
		await ada.shows(w, all);
		await bob.shows(w, all);
		await bob.until(() => document.querySelectorAll('#pending li').length === 0);
		await ada.ticked(`${w} from ada 2`, ['read']);
	});

	test('older messages come while scrolling up', async () => {
		const w = word();
		const ada = await open(1);
		await ada.openChat(chat);
		const texts = Array.from({ length: 60 }, (_, n) => `${w} ${n + 1}`);
		const sent = await ada.tab.evaluate(async (id, token, bodies) => {
			for (const body of bodies) {
				for (;;) {
					const response = await fetch(`/api/websocket/chats/${id}/messages`, {
						method: 'POST',
						headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
						body: JSON.stringify({ body }),
					});
					if (response.status === 201)
						break;
					if (response.status !== 429)
						return `HTTP ${response.status}`;
					const wait = Number(response.headers.get('Retry-After')) * 1000;
					await new Promise((resolve) => setTimeout(resolve, wait));
				}
			}
			return 'all';
		}, chat, server.USER1_TOKEN, texts);
		assert.equal(sent, 'all');
		await ada.shows(w, texts);
		await ada.tab.reload();
		await ada.shows(w, texts.slice(-50));
		await ada.tab.$eval('#scroller', (node) => (node.scrollTop = 0));
		await ada.shows(w, texts);
	});

	test('a group of three is made in the dialog', async () => {
		const w = word();
		const ada = await open(1);
		const cleo = await open(3);
		await ada.tab.click('#new-chat');
		await ada.tab.waitForSelector('#dialog-people li:nth-child(2)');
		for (const label of await ada.tab.$$('#dialog-people label'))
			await label.click();
		await ada.tab.type('#dialog-name', `${w} circle`);
		await ada.shot('new-chat');
		await ada.tab.click('#dialog-create');
		await ada.until((name) => document.querySelector('#chat-title').textContent === name, `${w} circle`);
		await ada.send(`${w} welcome`);
		await cleo.until((name) => [...document.querySelectorAll('.chat-name')].some((node) =>
			node.textContent.startsWith(name)), `${w} circle`);
		await cleo.until((name) => [...document.querySelectorAll('.chat-last')].some((node) =>
			node.textContent.includes(name)), `${w} welcome`);
	});

	test('a phone shows the list and the chat as two screens', async () => {
		const w = word();
		const bob = await open(2);
		await bob.openChat(chat);
		const ada = await open(1, PHONE);
		const visible = (id) => ada.until((selector) => document.querySelector(selector).checkVisibility(), id);
		await ada.tab.waitForSelector('.chat');
		await visible('#chats');
		await ada.shot('phone-list');
		await ada.openChat(chat);
		await visible('#log');
		await ada.until(() => !document.querySelector('#chats').checkVisibility());
		await ada.send(`${w} from the phone`);
		await bob.shows(w, [`${w} from the phone`]);
		await bob.send(`${w} looks good here`);
		await ada.shows(w, [`${w} from the phone`, `${w} looks good here`]);
		await ada.ticked(`${w} from the phone`, ['read']);
		await ada.shot('phone-chat');
		const wide = await ada.tab.evaluate(() => document.documentElement.scrollWidth > innerWidth);
		assert.equal(wide, false);
		await ada.tab.click('#back');
		await visible('#chats');
	});
});
