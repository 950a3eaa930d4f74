/* What the broker says: one handler for each kind of record. */
#ifndef WORKER_INBOX_H
#define WORKER_INBOX_H

#include <stdint.h>

#include "common/base/slice.h"

struct worker;

/* A record that cannot be decoded or has an unknown kind is logged and dropped. */
void inbox_record(struct worker *w, uint8_t kind, struct slice body);

#endif
