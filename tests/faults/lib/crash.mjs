// Ways to hurt a server of the test's own (../e2e/lib/other_house.mjs), and to see that it is well.
import { readFileSync } from 'node:fs';
import http from 'node:http';

import { until } from '../../e2e/lib/wait.mjs';

/** The processes that hold the clients. */
export function workersOf(house) {
	const { pid } = house.worker;
	return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

export async function killBroker(house) {
	await house.broker.kill();
}

/** What `chatctl status` shows. */
export async function status(house) {
	const r = await fetch(`http://127.0.0.1:${house.env.ADMIN_PORT}/status`);
	return r.json();
}

/** The broker is there again, and all its workers have told it what they hold. */
export async function settled(house, workers = workersOf(house).length) {
	return until(async () => {
		const s = await status(house);
		return s.ready && s.workers.length === workers && s;
	}, 'workers that are known');
}

/** kill -9, then another one, as a service manager does it; meanwhile() runs in between. */
export async function restartBroker(house, meanwhile = async () => {}) {
	await killBroker(house);
	await meanwhile();
	await house.startBroker();
	await settled(house);
}

/** A question on the admin socket of a bare server (../e2e/lib/bare.mjs). */
export function ask(house, method, path) {
	return new Promise((resolve, reject) => {
		const req = http.request({ socketPath: `${house.dir}/admin.sock`, method, path }, (res) => {
			let text = '';
			res.on('data', (d) => (text += d));
			res.on('end', () => resolve({ status: res.statusCode, body: JSON.parse(text) }));
		});
		req.on('error', reject);
		req.end();
	});
}
