/*
 * The rules that a front end of the chat has to follow, so that no message is lost, doubled or out of order.
 *
 * Rides on a stock pusher-js (or the one inside a Laravel Echo) and fetch(); has no other dependency and touches
 * no page. The server numbers the messages of a chat 1, 2, 3 …; everything here follows from that:
 *
 *	ChatClient	one signed-in user: requests, channels, connection state
 *	  Outbox	what the user wrote and the server has not acknowledged: sent again under the same client_id
 *	  Acks		how far the user has received and read: cursors, told in as few requests as possible
 *	  Room		one opened chat: its messages without holes, cursors of the others
 *	    Typing	who is writing, and that we are
 *
 * The build joins these into one file: dist/chat.js is an ES module, dist/chat.global.js a plain script that sets
 * window.ChatClient.
 */

export { ApiError, Emitter } from './chat/base.js';
export { ChatClient } from './chat/client.js';
