// A session of psql that is kept, because to start one costs more than a question. Made anew when it ends.
import { spawn } from 'node:child_process';

const END = '-- end of the answer';

export function psql(url) {
	let child = null;
	let queue = Promise.resolve();

	function open() {
		child = spawn('psql', ['-XAtq', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-d', url], { stdio: ['pipe', 'pipe', 'pipe'] });
		child.stdin.on('error', () => {});
		child.said = '';
		child.stderr.on('data', (d) => (child.said += d));
	}

	function once(query) {
		return new Promise((resolve, reject) => {
			if (child === null) open();
			const one = child;
			let text = '';
			const take = (d) => {
				text += d;
				if (!text.endsWith(`${END}\n`)) return;
				one.off('close', fail);
				one.stdout.off('data', take);
				resolve(text.slice(0, -END.length - 1).split('\n').filter(Boolean).map((row) => row.split('\t')));
			};
			const fail = () => {
				if (child === one) child = null;
				reject(new Error(one.said.trim().split('\n')[0] || 'psql has ended'));
			};
			one.stdout.on('data', take);
			one.on('close', fail);
			one.stdin.write(`${query};\n\\echo '${END}'\n`);
		});
	}

	return {
		/** The rows of a query, each an array of strings. Questions are asked one after the other. */
		ask: (query) => {
			const answer = queue.then(() => once(query));
			queue = answer.catch(() => {});
			return answer;
		},
		end: () => child?.stdin.end(),
	};
}
