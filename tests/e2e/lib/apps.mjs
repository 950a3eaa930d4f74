// The applications of test.conf.
import { env } from './house.mjs';
import { place } from './protocol.mjs';

place.host = env.HOST;
place.port = Number(env.PORT);

export const main = { id: env.APP_ID, key: env.APP_KEY, secret: env.APP_SECRET };

/** Two secrets, client events on every channel, counts, origins. */
export const rotating = {
	id: 'rotating', key: 'rotating-key', secret: 'rotating-new', origin: 'https://good.example',
};
export const rotatingOld = { ...rotating, secret: 'rotating-old' };

/** No client events, no watchlists, users may return after they were thrown out. */
export const strict = { id: 'strict-app', key: 'strict-key', secret: 'strict-secret' };

export const disabled = { id: 'disabled', key: 'disabled-key', secret: 'disabled-secret' };

/** Three connections at most. */
export const small = { id: 'small', key: 'small-key', secret: 'small-secret' };

/** Lower limits than the others have. */
export const modest = { id: 'modest', key: 'modest-key', secret: 'modest-secret' };

/** A connection has a second to authorise. */
export const timed = { id: 'timed', key: 'timed-key', secret: 'timed-secret' };
