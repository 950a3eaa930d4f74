/* What the files of the rules share. Nobody outside of broker/chat includes this. */
#ifndef BROKER_CHAT_CHAT_INTERNAL_H
#define BROKER_CHAT_CHAT_INTERNAL_H

#include "broker/chat/chat.h"
#include "broker/chat/chat_store.h"
#include "broker/chat/encode.h"
#include "broker/chat/grant.h"
#include "broker/chat/identity.h"
#include "broker/chat/profile.h"
#include "broker/chat/rate.h"
#include "broker/chat/rule.h"
#include "broker/chat/token.h"
#include "broker/chat/typing.h"
#include "broker/registry/registry.h"
#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/wire/wire.h"

/* Largest body of an answer or data of an event: what fits a record of the lane. */
#define CHAT_BODY_MAX (LIMIT_WIRE_RECORD - 65536)
/* A page ends before it: one more row of the largest size still fits. */
#define CHAT_PAGE_BYTES (CHAT_BODY_MAX / 2)
#define CHAT_PAGE_MAX 200
#define CHAT_PAGE_DEFAULT 50
#define CHAT_SHOWN 50	       /* participants that a chat is shown with */
#define CHAT_CONTACTS_MAX 1000 /* users that users/online gives when no ids were named */
#define CHAT_RETRY (USEC_PER_SEC)
#define CHAT_CHANNEL_TEXT (LIMIT_CHANNEL_NAME + 1)

struct call;
struct view;

typedef void call_fn(struct call *call);

/* A question on its way; ends with one of the answering functions below. */
struct call {
	TAILQ_ENTRY(call) all;
	struct chat *chat;
	chat_answer_fn *done;
	void *ctx;
	call_fn *next; /* once the token is good */
	struct identity *who;
	struct chat_call q; /* its slices point into `text` */
	struct slice channel;
	struct rule_match rule;
	uint64_t number; /* the handler's own */
	struct view *view;
	char text[];
};

/* Whether a user takes part in a chat; the answer is CHAT_STORE_OK, or why not. */
typedef void participant_fn(void *ctx, enum chat_store_code code);

TAILQ_HEAD(calls, call);
TAILQ_HEAD(asks, ask);
TAILQ_HEAD(memories, memory);
TAILQ_HEAD(syncs, sync);
TAILQ_HEAD(checks, check);
TAILQ_HEAD(reviews, review);
TAILQ_HEAD(statuses, status);

struct chat {
	struct chat_options options;
	const struct chat_store *store;
	struct registry *registry;
	const struct chat_ops *ops;
	void *ctx;
	usec_t now; /* the latest that was told */
	wall_us_t started_at;
	bool up; /* the database */

	struct tokens *tokens;
	struct grants *grants;
	struct profiles *profiles;
	struct typings *typings;
	struct rates *message_rates; /* by user */
	struct rates *typing_rates;
	struct rates *receipt_rates;
	struct rates *authorization_rates;
	struct rates *failed_rates; /* by address */

	struct calls calls;
	struct asks asks;	  /* participant.c */
	struct memory *memory;	  /* of positive answers, by chat and user */
	struct memories memories; /* longest unused first */
	struct activity *activity;
	struct sync *sync_table; /* sync.c */
	struct syncs syncs;
	struct syncs syncs_asked;
	uint32_t syncs_under_way;
	uint32_t sync_sweep;
	struct checks checks; /* recheck.c */
	uint32_t checks_under_way;
	struct review *review_table; /* review.c */
	struct reviews reviews;
	struct reviews reviews_asked;
	uint32_t reviews_under_way;
	bool all_recalled;
	usec_t retry_at;	 /* of those above; USEC_NEVER = none waits for it */
	struct status *statuses; /* status.c */
	struct statuses statuses_queued;
	struct statuses statuses_asked;
	struct statuses statuses_waiting; /* for the database */

	struct buf body;  /* of the answer in the making */
	struct buf data;  /* of the event in the making */
	struct buf small; /* the same for typing, which others cause on their way */
	struct chat_stats stats;
};

/* ---- call.c: life and answers ---- */

/* Copies the question and checks the token; then next(). */
void call_start(struct chat *c, const struct chat_call *q, struct slice channel, call_fn *next,
		chat_answer_fn *done, void *ctx);
void call_free_all(struct chat *c);

/* Each ends the call. */
void call_grant(struct call *call, struct slice user_info, bool presence);
/* With what stands in chat->body. */
void call_reply(struct call *call, unsigned status);
void call_fail(struct call *call, unsigned status, unsigned retry_after);
/* 422: `rule` is what follows "The body field ". */
void call_invalid(struct call *call, struct slice field, const char *rule);
/* What the store refused. */
void call_refuse(struct call *call, const struct chat_result *r);

/* False: the user did that too often, and the call has been answered. */
bool call_within(struct call *call, struct rates *rates, const struct chat_rate *rate);
/* The list of user ids, on the heap, with room for one more. */
struct slice *call_ids(const struct call *call, size_t *ret_n);
/* Sorts them and takes repeats out; returns how many are left. */
size_t call_unique(struct slice *ids, size_t n);
/* The connection that is not to get the event. */
uint64_t call_exclude(const struct call *call);

/* ---- event.c: names and channels ---- */

enum event_flags {
	EVENT_DROPPABLE = 1,
	EVENT_ALIAS = 2, /* only where somebody is subscribed */
};

/* Under the name or names that are configured. */
void event_publish(struct chat *c, struct slice channel, struct slice event, struct slice data,
		   uint64_t exclude, unsigned flags);
void event_to_conn(struct chat *c, uint64_t conn, struct slice channel, struct slice event,
		   struct slice data);
/* The data in chat->data, to private-chat.{chat} or private-user.{user}. */
void event_to_chat(struct chat *c, uint64_t chat, struct slice event, uint64_t exclude);
void event_to_user(struct chat *c, struct slice user_id, struct slice event);
/* Makes the data of chat.created of a chat of the call's view, as anybody may see it. */
void event_chat_created(struct call *call, size_t i);
/* "presence-chat.7" */
struct slice event_channel(char text[CHAT_CHANNEL_TEXT], const char *prefix, uint64_t chat);

/* ---- participant.c ---- */

void participant_ask(struct chat *c, uint64_t chat, struct slice user_id, participant_fn *done,
		     void *ctx);
/* Questions under way are asked again; what is remembered goes. */
void participant_changed(struct chat *c, uint64_t chat, struct slice user_id);
void participant_free_all(struct chat *c);

/* ---- the handlers of the routes ---- */

void authorize_start(struct call *call); /* authorize.c */
void info_handle(struct call *call);	 /* me.c */
void online_status_handle(struct call *call);
void me_handle(struct call *call);
void users_online_handle(struct call *call);
void typing_handle(struct call *call); /* indicator.c */
void read_handle(struct call *call);   /* receipt.c */
void delivered_handle(struct call *call);
void receipts_handle(struct call *call);
void history_handle(struct call *call); /* message.c */
void send_handle(struct call *call);
void edit_handle(struct call *call);
void delete_handle(struct call *call);
void active_chats_handle(struct call *call); /* chats.c */
void create_handle(struct call *call);
void add_participant_handle(struct call *call); /* member.c */
void remove_participant_handle(struct call *call);

/* ---- indicator.c ---- */

void indicator_tell(void *ctx, uint64_t chat, struct slice user_id, struct slice name,
		    bool is_typing, uint64_t exclude);
/* The channel of a chat's presence, or its alias; 0 = neither. */
uint64_t indicator_chat(struct slice channel);

/* ---- withdraw.c ---- */

/* The user takes no part any more: sockets lose the chat's channels, typing ends. */
void withdraw(struct chat *c, uint64_t chat, struct slice user_id);
/* A participant again. */
void withdraw_undo(struct chat *c, uint64_t chat, struct slice user_id);

/* ---- activity.c ---- */

/* A new message, or the newest was edited or deleted: a line for each participant. */
void activity_message(struct chat *c, const struct chat_message_row *m, bool is_new);
/* The reader's own devices. */
void activity_reader(struct chat *c, uint64_t chat, struct slice user_id);
MALLOC_LIKE struct activity *activity_new(void);
void activity_free_all(struct chat *c);

/* ---- sync.c ---- */

void sync_add(struct chat *c, uint64_t conn, struct slice channel, uint64_t chat,
	      struct slice user_id);
void sync_pump(struct chat *c);
void sync_free_all(struct chat *c);

/* ---- recheck.c ---- */

void recheck_pump(struct chat *c);
void recheck_free_all(struct chat *c);

/* ---- review.c ---- */

/* Somebody was allowed a channel of the chat by a broker before this one. */
void review_add(struct chat *c, uint64_t chat, struct slice user_id);
void review_pump(struct chat *c);
void review_free_all(struct chat *c);

/* Syncs, checks and reviews go on later. */
void chat_retry_later(struct chat *c);

/* ---- status.c ---- */

/* How the user looks to somebody; `known`: who may see contacts' times. */
enum viewer { VIEWER_ANYBODY, VIEWER_CONTACT, VIEWER_SELF };
void status_person(const struct chat *c, const struct chat_user_row *row, enum viewer viewer,
		   struct person *ret);
/* The registry says that the user is online. */
void status_online(struct chat *c, struct slice user_id);
/* Whether the user is online may have changed: the settings are asked for, and changes are told. */
void status_refresh(struct chat *c, struct slice user_id);
/* The same with settings that have just been read. */
void status_changed(struct chat *c, const struct chat_user_row *row);
void status_pump(struct chat *c);
/* Those whom the database did not answer are asked for again. */
void status_retry(struct chat *c);
void status_free_all(struct chat *c);

#endif
