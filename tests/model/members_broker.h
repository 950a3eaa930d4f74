/*
 * The broker's half of model_members.c: a dispatcher with its registry, its other neighbours played
 * by unit/dispatch_fakes.c. Apart, because both ends of the lane have a struct app.
 */
#ifndef TESTS_MODEL_MEMBERS_BROKER_H
#define TESTS_MODEL_MEMBERS_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/slice.h"

/* The application that is used. */
#define BROKER_APP 1

typedef void broker_sent_fn(uint32_t worker, uint8_t kind, struct slice body);

/* It waits for so many workers. Most members of a channel. */
void broker_begin(broker_sent_fn *sent, uint32_t workers, uint32_t max_members);
void broker_end(void);
bool broker_is_open(void);

/* Workers are 1, 2, 3, 4. */
void broker_welcome(uint32_t worker);
void broker_gone(uint32_t worker);
void broker_hear(uint32_t worker, uint8_t kind, struct slice body);
void broker_wait(unsigned milliseconds);

/* "u1= u2={} " */
void broker_members(struct slice channel, struct buf *out);

#endif
