/*
 * HTTP handlers under test: real sessions and requests (session_fakes.h), a played broker. What the
 * handlers ask is taken with fake_question() and answered with fake_reply() and its like.
 */
#ifndef TESTS_UNIT_API_FAKES_H
#define TESTS_UNIT_API_FAKES_H

#include "tests/unit/session_fakes.h"

/* web_root: NULL = none. Once in a setup; the configuration may be changed afterwards. */
void api_fakes_begin(const char *web_root);
void api_fakes_end(void);
struct conf *fake_conf(void);

/* The broker takes no more questions. */
extern bool fake_broker_full;

/* One whole request; head lines end in \r\n. Host, Content-Length are added. */
void fake_http(struct fake_client *c, const char *method, const char *target, const char *lines,
	       const char *body);

/* The answer that has come; valid until the next call. */
struct fake_answer {
	unsigned status;
	const char *head; /* with its status line */
	const char *body;
	size_t body_n;
};
struct fake_answer fake_answer(struct fake_client *c);
/* Status and the whole body. */
void expect_answer(struct fake_client *c, unsigned status, const char *body);
void expect_no_answer(struct fake_client *c);

/* "/apps/app/channels?auth_key=...": `params` are further ones, sorted, raw; "" = none. */
const char *fake_signed(const char *method, const char *path, const char *params, const char *body);

/* The oldest open question, of this kind; its record lives until the next call. */
struct slice fake_question(uint8_t kind);
void expect_no_question(void);
/* Answers the question that was taken last. */
void fake_reply(unsigned status, unsigned retry_after, const char *body);
void fake_authorize(const char *user_id, const char *user_info, bool presence);

#endif
