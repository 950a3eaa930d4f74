/*
 * The least that any server could do on this kernel for the same work, to be run beside a
 * measurement so that ratios come from one run. No protocol is kept, nothing is checked: only the
 * system calls that nobody can do without.
 */
#ifndef TESTS_BENCH_FLOOR_H
#define TESTS_BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

struct floor_options {
	uint32_t connections;
	uint32_t receivers; /* processes that read */
	uint32_t size;	    /* bytes of a frame */
	uint32_t burst;	    /* frames that wait for each connection */
	double rate;	    /* bursts a second; 0 = the next when the last has arrived */
	double seconds;
	uint32_t member;   /* bytes of one member in a snapshot */
	uint32_t workers;  /* of a server */
	const char *ready; /* file that is written once a server listens */
};

/* One send() for each frame and connection. */
int floor_send(const struct floor_options *o);
/* All frames that wait for a connection in one writev(). */
int floor_writev(const struct floor_options *o);
/*
 * Members that join one channel, `burst` at a time: each gets a snapshot of all before it, and an
 * event of `size` bytes of each after it; one writev() a connection and burst.
 */
int floor_members(const struct floor_options *o);

/* Accepts, answers an upgrade and a subscription; writes "PORT=... WORKER_PIDS=..." to `ready`. */
int floor_serve(const struct floor_options *o);
/* The same with two hops through ZeroMQ: client, worker, broker, worker, all clients. */
int floor_relay(const struct floor_options *o);

#endif
