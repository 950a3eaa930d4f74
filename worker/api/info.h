/* The parameter `info` of the HTTP API: which attributes of channels are asked for. Pure. */
#ifndef WORKER_API_INFO_H
#define WORKER_API_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

/*
 * "user_count,subscription_count,cache" → a set of WIRE_INFO bits. False when there is a word that
 * is none of these; the others are in the set all the same.
 */
bool info_parse(struct slice text, uint8_t *ret_info);

#endif
