/* The operations of the store on the house of chat_house.h. */
#ifndef TESTS_UNIT_CHAT_STORE_FAKE_H
#define TESTS_UNIT_CHAT_STORE_FAKE_H

#include "broker/chat/chat_store.h"

extern const struct chat_store fake_store;

#endif
