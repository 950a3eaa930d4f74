/*
 * The table of channels: which rule says who may subscribe. Pure.
 *
 * In a pattern {user} and {chat} stand for the id of a user and of a chat, * for any text, also
 * none. First the rows of the configuration are tried, in their order, then the shipped ones:
 *
 *	private-user.{user}                                     owner
 *	private-chat.{chat}                                     participant
 *	presence-chat.{chat}, presence-presence-chat.{chat}     participant
 *	presence-users, presence-presence-users                 authenticated
 *
 * A row of the configuration whose pattern is * alone is for what no other row knows: it comes
 * after the shipped ones.
 */
#ifndef BROKER_CHAT_RULE_H
#define BROKER_CHAT_RULE_H

#include <stdint.h>

#include "common/base/slice.h"

struct chat_rule;

/* Ids of chats are 1 ... 2^53 - 1, what JSON counts exactly. */
#define RULE_CHAT_MAX ((1ULL << 53) - 1)

enum rule_kind {
	RULE_NONE, /* no row: nobody is authorised, and nobody is kept from it */
	RULE_OWNER,
	RULE_PARTICIPANT,
	RULE_AUTHENTICATED,
	RULE_DENY,
	RULE_STATEMENT,
};

struct rule_match {
	enum rule_kind kind;
	struct slice user;	/* what {user} stands for */
	uint64_t chat;		/* what {chat} stands for; 0 = nothing */
	struct slice statement; /* RULE_STATEMENT: its name */
};

/* The row for a channel; slices of *ret point into the channel's name and the table. */
void rule_find(const struct chat_rule *rules, uint32_t n, struct slice channel,
	       struct rule_match *ret);

/* Each name that a row for participants gives the channel of a chat; the aliases too. */
typedef void rule_channel_fn(void *ctx, struct slice channel);
void rule_channels(const struct chat_rule *rules, uint32_t n, uint64_t chat, rule_channel_fn *fn,
		   void *ctx);

#endif
