/*
 * Makes the static folder that the worker serves ([worker] web_root) out of the page, the helper and the two
 * client libraries: node build.mjs [FOLDER], by default dist/. The folder is flat and has no inline scripts.
 */

import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, 'dist'));

/* The parts of the helper, each after those that it uses when it is loaded. */
const PARTS = ['base', 'acks', 'outbox', 'typing', 'room', 'client'];

const VENDORED = {
	'pusher.min.js': 'pusher-js/dist/web/pusher.min.js',
	'pusher.min.js.LICENSE.txt': 'pusher-js/LICENCE',
	'echo.js': 'laravel-echo/dist/echo.js',
	'echo.js.LICENSE.txt': 'laravel-echo/LICENSE.md',
};

/* One file out of the parts, without their imports of each other and, if told so, without exports. */
async function joinHelper() {
	const entry = await readFile(path.join(here, 'chat.js'), 'utf8');
	const head = entry.slice(0, entry.indexOf('*/') + 2);
	const parts = await Promise.all(PARTS.map((name) => readFile(path.join(here, 'chat', `${name}.js`), 'utf8')));
	const body = parts.join('\n').replace(/^import .*;\n+/gm, '').replace(/^export /gm, '');
	return { head, body };
}

const { head, body } = await joinHelper();
await mkdir(out, { recursive: true });
await writeFile(path.join(out, 'chat.js'), `${head}\n\n${body}\nexport { ApiError, ChatClient, Emitter };\n`);
await writeFile(path.join(out, 'chat.global.js'),
	`${head}\n\nwindow.ChatClient = (() => {\n'use strict';\n\n${body}\nreturn Object.assign(ChatClient, { ApiError });\n})();\n`);

for (const file of await readdir(path.join(here, 'page')))
	await copyFile(path.join(here, 'page', file), path.join(out, file));

for (const [name, from] of Object.entries(VENDORED)) {
	const text = await readFile(path.join(here, 'node_modules', from), 'utf8');
	await writeFile(path.join(out, name), text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n'));
}
console.log(`built ${out}`);
