// Users, tokens and chats of a test's own, so that no test stands in the way of another.
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';

import { api, clientsOf } from './clients.mjs';
import { sql } from './house.mjs';

export function sha256(text) {
	return createHash('sha256').update(text).digest('hex');
}

export function quote(text) {
	return `'${String(text).replaceAll("'", "''")}'`;
}

export function peopleOf(sql, api) {
	/**
	 * Writes a row as Laravel Sanctum does. `expires` is an SQL expression of a timestamp in UTC,
	 * `plain` what stands behind the bar.
	 */
	function addToken(user, { plain = randomBytes(20).toString('hex'), expires = 'NULL',
		type = 'App\\Models\\User' } = {}) {
		const [[id]] = sql(`INSERT INTO chat.personal_access_tokens
			(tokenable_type, tokenable_id, name, token, abilities, expires_at)
			VALUES (${quote(type)}, ${quote(user.id)}, 'test', '${sha256(plain)}', '["*"]', ${expires})
			RETURNING id`);
		return { id: user.id, name: user.name, tokenId: id, plain, token: `${id}|${plain}` };
	}

	/** A user with a token: {id, name, token}. */
	function addUser(name = 'Somebody') {
		const id = String(randomInt(1000, 2 ** 40));
		sql(`INSERT INTO chat.app_user (user_id, name) VALUES ('${id}', ${quote(name)})`);
		return addToken({ id, name });
	}

	function addUsers(...names) {
		return names.map(addUser);
	}

	/** A chat made by its owner through the API. */
	async function addChat(owner, others, more = {}) {
		const r = await api(owner, 'POST', '/api/websocket/chats', {
			participant_ids: others.map((u) => Number(u.id)),
			...more,
		});
		assert.ok(r.status === 201 || r.status === 200, JSON.stringify(r.body));
		return r.body.chat;
	}

	/** Sends a message; gives it as the server answers it. */
	async function send(user, chat, body = 'hello', more = {}, headers = {}) {
		const r = await api(user, 'POST', `/api/websocket/chats/${chat.id ?? chat}/messages`,
			{ body, ...more }, headers);
		assert.equal(r.status, 201, JSON.stringify(r.body));
		return r.body.message;
	}

	return { addToken, addUser, addUsers, addChat, send };
}

export const { addToken, addUser, addUsers, addChat, send } = peopleOf(sql, api);

/** Clients and people of another house. */
export function lifeIn(house) {
	const clients = clientsOf(house);
	return { ...clients, ...peopleOf(house.sql, clients.api) };
}
