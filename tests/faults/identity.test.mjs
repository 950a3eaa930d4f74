// Who is who, and what was taken back, outlives the broker; who left while it was away is missed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { disconnectAll, subscribe } from '../e2e/lib/clients.mjs';
import { openHouse } from '../e2e/lib/other_house.mjs';
import { lifeIn, quote } from '../e2e/lib/people.mjs';
import { until } from '../e2e/lib/wait.mjs';
import { restartBroker } from './lib/crash.mjs';

let house;
let life;

before(async () => {
	house = await openHouse({ conf: '[worker]\nworkers = 2\n' });
	life = lifeIn(house);
});

after(async () => {
	disconnectAll();
	await house?.close();
});

const online = () => house.sql('SELECT user_id FROM chat.who_is_online').flat();
const isOnline = (user) => until(() => online().includes(user.id), `${user.name} in who_is_online`);

/** A connection that only an authorised private channel says something about. */
async function alone(user) {
	const client = await life.pusher(user.token);
	const channel = await subscribe(client, `private-user.${user.id}`);
	return { client, channel };
}

test('who was known by a private channel alone is known to the next broker', async () => {
	const [ann] = life.addUsers('Ann');
	const { client } = await alone(ann);
	const id = client.connection.socket_id;
	await isOnline(ann);
	await restartBroker(house);
	await isOnline(ann);
	const seen = await life.api(ann, 'GET', `/api/websocket/users/online?ids=${ann.id}`);
	assert.equal(seen.status, 200);
	assert.equal(client.connection.socket_id, id);
});

test('a token that is revoked after the crash closes its connections', async () => {
	const [ann] = life.addUsers('Ann');
	const socket = await life.raw();
	const { socket_id } = JSON.parse((await socket.next('pusher:connection_established')).data);
	const channel = `private-user.${ann.id}`;
	const { auth } = (await life.api(ann, 'POST', '/broadcasting/auth',
		{ socket_id, channel_name: channel })).body;
	socket.say('pusher:subscribe', { channel, auth });
	await socket.next('pusher_internal:subscription_succeeded');
	await restartBroker(house);
	house.sql(`DELETE FROM chat.personal_access_tokens WHERE id = ${ann.tokenId}`);
	assert.equal((await socket.next('closed')).closed, 4009);
});

test('one that was revoked while no broker was there closes them, too', async () => {
	const [ann] = life.addUsers('Ann');
	const { client } = await alone(ann);
	await isOnline(ann);
	await restartBroker(house, async () =>
		house.sql(`DELETE FROM chat.personal_access_tokens WHERE id = ${ann.tokenId}`));
	await until(() => client.connection.state === 'disconnected', 'a close that is final');
});

/** A socket whose signatures the test keeps. */
async function signedSocket(user, channel) {
	const socket = await life.raw();
	const { socket_id } = JSON.parse((await socket.next('pusher:connection_established')).data);
	const r = await life.api(user, 'POST', '/broadcasting/auth', { socket_id, channel_name: channel });
	assert.equal(r.status, 200);
	socket.join = () => socket.say('pusher:subscribe', { channel, ...r.body });
	return socket;
}

test('a participant who was removed does not come back with an old signature', async () => {
	const [ann, ben] = life.addUsers('Ann', 'Ben');
	const chat = await life.addChat(ann, [ben]);
	const socket = await signedSocket(ben, chat.channel);
	socket.join();
	await socket.next('pusher_internal:subscription_succeeded');
	const r = await life.api(ann, 'DELETE', `/api/websocket/chats/${chat.id}/participants/${ben.id}`);
	assert.ok(r.status < 300, `${r.status}`);
	await socket.next('pusher:subscription_error');
	await restartBroker(house);
	socket.join();
	await socket.next('pusher:subscription_error');
});

test('nor one who was removed while no broker was there', async () => {
	const [ann, ben] = life.addUsers('Ann', 'Ben');
	const chat = await life.addChat(ann, [ben]);
	const socket = await signedSocket(ben, chat.channel);
	socket.join();
	await socket.next('pusher_internal:subscription_succeeded');
	await restartBroker(house, async () => house.sql(`DELETE FROM chat.participant
		WHERE chat_id = ${chat.id} AND user_id = ${quote(ben.id)}`));
	await socket.next('pusher:subscription_error');
	socket.join();
	await socket.next('pusher:subscription_error');
});

test('who appears offline still does, and nobody hears a word', async () => {
	const [ann, ben] = life.addUsers('Ann', 'Ben');
	const chat = await life.addChat(ann, [ben]);
	assert.ok(chat.id);
	const watcher = await subscribe(await life.pusher(ben.token), 'presence-users');
	await alone(ann);
	const about = (e) => e.event === 'user.status.changed' && e.data.user.id === Number(ann.id);
	assert.equal((await watcher.tape.next((e) => about(e))).data.user.is_online, true);
	await life.api(ann, 'POST', '/api/websocket/online-status', { is_online: false });
	assert.equal((await watcher.tape.next((e) => about(e))).data.user.is_online, false);
	await restartBroker(house);
	const seen = await life.api(ben, 'GET', `/api/websocket/users/online?ids=${ann.id}`);
	assert.equal(seen.status, 200, JSON.stringify(seen.body));
	assert.ok(!JSON.stringify(seen.body).includes('"is_online":true'), JSON.stringify(seen.body));
	await life.server.trigger('presence-users', 'end', {});
	await watcher.tape.next((e) => e.event === 'end');
	assert.deepEqual(watcher.tape.items.filter(about), []);
});

/** Members of one channel: [a watcher, one who will go, one who stays with a second connection]. */
async function room(name) {
	const [ann, ben, cyd] = life.addUsers('Ann', 'Ben', 'Cyd');
	const chat = await life.addChat(ann, [ben, cyd], { name });
	const join = async (user) => {
		const client = await life.pusher(user.token);
		return { client, channel: await subscribe(client, chat.presence_channel) };
	};
	const members = { ann: await join(ann), ben: await join(ben), cyd: await join(cyd) };
	const second = await join(cyd);
	await until(() => members.ann.channel.members.count === 3, 'three members');
	return { ann, ben, cyd, members, second };
}

const removed = (channel) => channel.tape.items
	.filter((e) => e.event === 'pusher:member_removed').map((e) => e.data.id);

test('who disconnects while no broker is there is removed after the grace, and nobody else', async () => {
	const { ben, cyd, members, second } = await room('away');
	await restartBroker(house, async () => {
		members.ben.client.disconnect();
		second.client.disconnect();
	});
	const { channel } = members.ann;
	await until(() => removed(channel).includes(String(ben.id)), 'the removal');
	assert.deepEqual(removed(channel), [String(ben.id)]);
	assert.equal(channel.members.count, 2);
	assert.ok(channel.members.get(cyd.id));
	await until(() => !online().includes(ben.id), 'the end in who_is_online');
});

test('who went just before the crash, too', async () => {
	const { ben, members } = await room('before');
	members.ben.client.disconnect();
	const { channel } = members.ann;
	await restartBroker(house);
	await until(() => removed(channel).includes(String(ben.id)), 'the removal');
	assert.deepEqual(removed(channel), [String(ben.id)]);
	assert.equal(channel.members.count, 2);
});

test('who leaves the room and stays, too', async () => {
	const { ben, members } = await room('leaves');
	await restartBroker(house, async () =>
		members.ben.client.unsubscribe(members.ben.channel.name));
	const { channel } = members.ann;
	await until(() => removed(channel).includes(String(ben.id)), 'the removal');
	assert.deepEqual(removed(channel), [String(ben.id)]);
});

test('who is back before the grace is over was never away', async () => {
	const { ben, members } = await room('back');
	const { channel } = members.ann;
	await restartBroker(house, async () => {
		members.ben.client.disconnect();
		members.ben.client.connect();
	});
	await until(() => members.ben.channel.subscribed, 'the way back');
	await life.server.trigger(channel.name, 'end', {});
	await channel.tape.next((e) => e.event === 'end');
	assert.deepEqual(removed(channel), []);
	assert.ok(channel.members.get(ben.id));
});
