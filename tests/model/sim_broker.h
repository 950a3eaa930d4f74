/* The broker of the simulation: the real server, dispatcher and registry, without chat and store.
 */
#ifndef TESTS_MODEL_SIM_BROKER_H
#define TESTS_MODEL_SIM_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/slice.h"

struct sim_broker;

/* `life` counts brokers: workers are told it. The roster is kept in `dir`. */
struct sim_broker *sim_broker_start(const char *dir, uint32_t life, uint64_t window);
/* kill -9 */
void sim_broker_kill(struct sim_broker *b);
/* The roster of those who have been. */
void sim_broker_forget(const char *dir);
void sim_broker_sleep(struct sim_broker *b, usec_t until);

/* It knows that many workers, and nothing waits for any of them. */
bool sim_broker_is_quiet(const struct sim_broker *b, size_t workers);

bool sim_broker_knows(const struct sim_broker *b, uint64_t conn);
bool sim_broker_subscribed(const struct sim_broker *b, uint64_t conn, struct slice channel);
uint32_t sim_broker_connections(const struct sim_broker *b);

#endif
