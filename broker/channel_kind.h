/*
 * What the name of a channel says about it (Pusher protocol, section 6.2), as far as the broker has
 * to know where no worker tells it: in publishes and queries. Pure.
 */
#ifndef BROKER_CHANNEL_KIND_H
#define BROKER_CHANNEL_KIND_H

#include <stdbool.h>

#include "common/base/slice.h"

bool channel_is_presence(struct slice name);

/* Keeps its last event for who comes later. */
bool channel_is_cache(struct slice name);

/* "#server-to-user-7": true and the user's id. */
bool channel_is_to_user(struct slice name, struct slice *ret_user_id);

/* Stands in lists of channels: all but those of one user. */
bool channel_is_listed(struct slice name);

#endif
