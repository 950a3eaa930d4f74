#include "broker/store/pg_stmt_tables.h"

#include <stddef.h>

#define MESSAGES ((1U << PG_ROLE_MESSAGES0) | (1U << PG_ROLE_MESSAGES1))
#define LOOKUPS (1U << PG_ROLE_LOOKUPS)

#define MESSAGE_COLUMNS \
	"message_id chat_id seq prev_seq sender_id sender_name body reply_to meta client_id " \
	"created_at edited_at deleted_at"
#define CHAT_COLUMNS \
	"chat_id user_id name direct owner_id created_at updated_at last_seq participant_count " \
	"joined_seq delivered_seq delivered_at read_seq read_at unread_count message_id seq " \
	"prev_seq sender_id sender_name body reply_to meta client_id message_at edited_at " \
	"deleted_at"
#define PARTICIPANT_COLUMNS \
	"chat_id user_id user_name joined_seq delivered_seq delivered_at read_seq read_at " \
	"is_owner owner_id direct last_seq unread_count participant_count"
#define USER_COLUMNS "user_id user_name user_info last_seen policy hidden_since"

const struct pg_stmt pg_stmts_writes[PG_FIND_TOKEN] = {
	[PG_POST_MESSAGES] =
		{
			.name = "post_messages",
			.text = "SELECT * FROM chat.post_messages($1, $2, $3, $4, $5, $6, $7)",
			.types = {PG_INT8_ARRAY, PG_TEXT_ARRAY, PG_UUID_ARRAY, PG_TEXT_ARRAY,
				  PG_INT8_ARRAY, PG_JSON_ARRAY, PG_BOOL},
			.columns = "ord status " MESSAGE_COLUMNS,
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_LOCK_CHATS] =
		{
			/* post_messages() locks them itself */
			.name = "lock_chats",
			.text = "",
			.types = {PG_INT8_ARRAY},
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_MOVE_CURSORS] =
		{
			.name = "move_cursors",
			.text = "SELECT * FROM chat.move_cursors($1, $2, $3, $4)",
			.types = {PG_INT8_ARRAY, PG_TEXT_ARRAY, PG_INT8_ARRAY, PG_INT8_ARRAY},
			.columns = "ord chat_id user_id member delivered_moved read_moved "
				   "delivered_seq delivered_at delivered_id read_seq read_at "
				   "read_id last_seq unread_count",
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_ASYNC_COMMIT] =
		{
			/* until the end of the transaction; SET LOCAL needs an explicit one */
			.name = "async_commit",
			.text = "SELECT set_config('synchronous_commit', 'off', true)",
			.roles = MESSAGES,
		},
	[PG_CREATE_CHAT] =
		{
			.name = "create_chat",
			.text = "SELECT * FROM chat.create_chat($1, $2, $3, $4)",
			.types = {PG_TEXT, PG_TEXT, PG_TEXT_ARRAY, PG_BOOL},
			.columns = "status chat_id unknown",
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_ADD_PARTICIPANT] =
		{
			.name = "add_participant",
			.text = "SELECT * FROM chat.add_participant($1, $2, $3, $4)",
			.types = {PG_INT8, PG_TEXT, PG_TEXT, PG_BOOL},
			.columns = "status user_name owner_id",
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_REMOVE_PARTICIPANT] =
		{
			.name = "remove_participant",
			.text = "SELECT * FROM chat.remove_participant($1, $2, $3)",
			.types = {PG_INT8, PG_TEXT, PG_TEXT},
			.columns = "status user_name owner_id",
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_EDIT_MESSAGE] =
		{
			.name = "edit_message",
			.text = "SELECT * FROM chat.edit_message($1, $2, $3, $4)",
			.types = {PG_INT8, PG_TEXT, PG_TEXT, PG_BOOL},
			.columns = "status is_last " MESSAGE_COLUMNS,
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_DELETE_MESSAGE] =
		{
			.name = "delete_message",
			.text = "SELECT * FROM chat.delete_message($1, $2, $3)",
			.types = {PG_INT8, PG_TEXT, PG_BOOL},
			.columns = "status is_last " MESSAGE_COLUMNS,
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_SET_POLICY] =
		{
			.name = "set_last_seen_policy",
			.text = "SELECT chat.set_last_seen_policy($1, $2)",
			.types = {PG_TEXT, PG_TEXT},
			.roles = MESSAGES,
			.configurable = true,
		},
	[PG_SET_HIDDEN] =
		{
			.name = "set_hidden",
			.text = "SELECT chat.set_hidden($1, $2) AS hidden_since",
			.types = {PG_TEXT, PG_TIMESTAMPTZ},
			.columns = "hidden_since",
			.roles = MESSAGES,
			.configurable = true,
		},
};

const struct pg_stmt pg_stmts_reads[PG_OUTBOX_LOCK] = {
	[PG_FIND_TOKEN] =
		{
			.name = "find_token",
			.text = "SELECT * FROM chat.find_token($1, $2)",
			.types = {PG_TEXT, PG_TEXT},
			.columns = "token_id user_id user_name user_info abilities token_sha256 "
				   "expires_at",
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_TOUCH_TOKEN] =
		{
			.name = "touch_token",
			.text = "SELECT chat.touch_token($1)",
			.types = {PG_INT8_ARRAY},
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_USERS] =
		{
			.name = "users",
			.text = "SELECT * FROM chat.users($1, $2)",
			.types = {PG_TEXT, PG_TEXT_ARRAY},
			.columns = USER_COLUMNS,
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_CONTACTS] =
		{
			.name = "contacts",
			.text = "SELECT * FROM chat.contacts($1, $2, $3, $4)",
			.types = {PG_TEXT, PG_TEXT, PG_TEXT_ARRAY, PG_INT4},
			.columns = USER_COLUMNS,
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_SHARES_CHAT] =
		{
			.name = "shares_chat",
			.text = "SELECT * FROM chat.shares_chat($1, $2)",
			.types = {PG_TEXT, PG_TEXT_ARRAY},
			.columns = "user_id",
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_PARTICIPANT] =
		{
			.name = "participant",
			.text = "SELECT * FROM chat.participant($1, $2)",
			.types = {PG_INT8, PG_TEXT},
			.columns = PARTICIPANT_COLUMNS,
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_PARTICIPANTS] =
		{
			.name = "participants",
			.text = "SELECT * FROM chat.participants($1, $2)",
			.types = {PG_INT8_ARRAY, PG_INT4},
			.columns = PARTICIPANT_COLUMNS,
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_FIND_MESSAGE] =
		{
			.name = "find_message",
			.text = "SELECT * FROM chat.find_message($1, $2, $3)",
			.types = {PG_INT8, PG_TEXT, PG_BOOL},
			.columns = "message_id chat_id seq sender_id joined_seq delivered_seq "
				   "delivered_at "
				   "read_seq read_at last_seq",
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_HISTORY] =
		{
			.name = "history",
			.text = "SELECT * FROM chat.history($1, $2, $3, $4, $5)",
			.types = {PG_INT8, PG_TEXT, PG_INT8, PG_INT4, PG_BOOL},
			.columns = MESSAGE_COLUMNS,
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_CATCH_UP] =
		{
			.name = "catch_up",
			.text = "SELECT * FROM chat.catch_up($1, $2, $3, $4, $5)",
			.types = {PG_INT8, PG_TEXT, PG_INT8, PG_INT4, PG_BOOL},
			.columns = MESSAGE_COLUMNS,
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_ACTIVE_CHATS] =
		{
			.name = "active_chats",
			.text = "SELECT * FROM chat.active_chats($1, $2, $3, $4, $5)",
			.types = {PG_TEXT, PG_TIMESTAMPTZ, PG_INT8, PG_INT4, PG_BOOL},
			.columns = CHAT_COLUMNS,
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_CHAT_VIEW] =
		{
			.name = "chat_view",
			.text = "SELECT * FROM chat.chat_view($1, $2, $3)",
			.types = {PG_INT8_ARRAY, PG_TEXT_ARRAY, PG_BOOL},
			.columns = CHAT_COLUMNS,
			.roles = LOOKUPS,
			.configurable = true,
		},
	[PG_RECEIPTS] =
		{
			.name = "receipts",
			.text = "SELECT * FROM chat.receipts($1, $2)",
			.types = {PG_INT8, PG_TEXT},
			.columns = "user_id user_name delivered_seq delivered_at read_seq read_at",
			.roles = LOOKUPS,
			.configurable = true,
		},
};
