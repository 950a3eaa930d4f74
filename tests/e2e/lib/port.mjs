import { createServer } from 'node:net';

/** A TCP port that nobody uses at this moment. */
export function freePort() {
	return new Promise((resolve) => {
		const s = createServer().listen(0, '127.0.0.1', () => {
			const { port } = s.address();
			s.close(() => resolve(port));
		});
	});
}
