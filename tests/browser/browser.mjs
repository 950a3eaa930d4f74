// Debian's Chromium without a screen, and the demo page as a user sees it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

const here = path.dirname(fileURLToPath(import.meta.url));
const artifacts = path.resolve(process.env.ARTIFACTS ?? path.join(here, '../../build/browser'));
const PATIENCE = Number(process.env.CHAT_PATIENCE ?? 30_000);

export const DESKTOP = { width: 1100, height: 760 };
export const PHONE = { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** A browser with a profile of its own; close() forgets it. */
export async function openBrowser() {
	const profile = mkdtempSync(path.join(tmpdir(), 'chat-browser-'));
	const browser = await puppeteer.launch({
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		headless: true,
		userDataDir: profile,
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage',
			'--disable-background-networking', '--disable-component-update', '--disable-sync'],
	});
	return {
		open: (url, viewport, scheme) => Page.open(browser, url, viewport, scheme),
		close: async () => {
			await browser.close();
			rmSync(profile, { recursive: true, force: true });
		},
	};
}

/** One user at one device: a tab with its own storage. Each wait ends with its condition or fails. */
class Page {
	errors = []; // what the page has thrown or complained about

	static async open(browser, url, viewport = DESKTOP, scheme = 'light') {
		const self = new Page();
		self.context = await browser.createBrowserContext();
		self.tab = await self.context.newPage();
		self.tab.setDefaultTimeout(PATIENCE);
		await self.tab.setViewport(viewport);
		await self.tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
		const session = await self.tab.createCDPSession();
		// Several tabs cannot have the focus; without it nothing counts as read.
		await session.send('Emulation.setFocusEmulationEnabled', { enabled: true });
		// What a browser emulates as offline leaves its WebSockets alone; so these can be cut.
		await self.tab.evaluateOnNewDocument(() => {
			const Plain = window.WebSocket;
			window.testNet = { cut: false, sockets: [] };
			window.WebSocket = class extends Plain {
				constructor(...args) {
					super(...args);
					window.testNet.sockets.push(this);
					if (window.testNet.cut)
						this.close();
				}
			};
		});
		self.tab.on('pageerror', (error) => self.errors.push(String(error)));
		self.tab.on('console', (message) => {
			if (message.type() === 'error' && !/net::ERR_|WebSocket/.test(message.text()))
				self.errors.push(message.text());
		});
		await self.tab.goto(url);
		return self;
	}

	/** Waits until fn(...args), run in the page, is truthy. */
	until(fn, ...args) {
		return this.tab.waitForFunction(fn, { polling: 'mutation' }, ...args).catch((error) => {
			throw new Error(`never came true: ${fn} with ${JSON.stringify(args)}: ${error.message}`);
		});
	}

	async connected() {
		await this.until(() => document.querySelector('#app').dataset.connection === 'connected');
	}

	async openChat(id) {
		await this.tab.waitForSelector(`a[href="#chat-${id}"]`);
		await this.tab.click(`a[href="#chat-${id}"]`);
		await this.until(() => !document.querySelector('#conversation').hidden);
	}

	async write(text) {
		await this.tab.type('#text', text);
	}

	async send(text) {
		await this.write(text);
		await this.tab.keyboard.press('Enter');
	}

	/** Waits until these texts, and no others that begin with prefix, stand in the log in this order. */
	async shows(prefix, texts) {
		await this.until((start, wanted) => {
			const bodies = [...document.querySelectorAll('#log .body')].map((node) => node.textContent);
			return JSON.stringify(bodies.filter((b) => b.startsWith(start))) === wanted;
		}, prefix, JSON.stringify(texts));
	}

	/** Waits until the tick of an own message says sent, delivered or read. */
	async ticked(text, progress) {
		await this.until((body, wanted) => [...document.querySelectorAll('#log .mine')].some((node) =>
			node.querySelector('.body').textContent === body && wanted.includes(node.dataset.progress)),
		text, progress);
	}

	async state(part) {
		await this.until((wanted) => document.querySelector('#chat-state').textContent.includes(wanted), part);
	}

	/** As if the network had gone: no new connection, and the old one is cut. */
	async goOffline() {
		await this.tab.evaluate(() => {
			window.testNet.cut = true;
			window.testNet.sockets.forEach((socket) => socket.close());
		});
		await this.tab.setOfflineMode(true);
		await this.until(() => document.querySelector('#app').dataset.connection !== 'connected');
	}

	async goOnline() {
		await this.tab.evaluate(() => (window.testNet.cut = false));
		await this.tab.setOfflineMode(false);
		await this.connected();
	}

	async shot(name) {
		mkdirSync(artifacts, { recursive: true });
		await this.tab.screenshot({ path: path.join(artifacts, `${name}.png`) });
	}

	async close() {
		await this.context.close();
	}
}
