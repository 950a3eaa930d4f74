/* The inner side of the database in memory; tests use chat_fakes.h. */
#ifndef TESTS_UNIT_CHAT_STORE_FAKE_H
#define TESTS_UNIT_CHAT_STORE_FAKE_H

#include "broker/chat/chat_store.h"

extern const struct chat_store fake_store;

void fake_store_begin(void);
void fake_store_end(void);
void fake_store_last_seen(struct slice user, wall_us_t at);

#endif
