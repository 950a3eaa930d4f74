-- 007_mapped: beside a house's own chats
--
-- Where [chat] preset maps the tables of an application, its users, chats, participants and messages
-- stay where they are; what those tables have no column for stands here, by their ids. In a house
-- without a mapping these tables are empty.

SET ROLE chat_owner;

CREATE TABLE chat.mapped_chat (
	chat_id    bigint PRIMARY KEY,
	owner_id   text COLLATE "C",
	direct_key text[] COLLATE "C"
);
CREATE UNIQUE INDEX mapped_chat_direct ON chat.mapped_chat (direct_key);
COMMENT ON TABLE chat.mapped_chat IS 'Owners and direct chats of a house''s own chats; one without a row is an ordinary chat of its longest-standing participant.';
COMMENT ON COLUMN chat.mapped_chat.direct_key IS 'The two users of a direct chat in byte order, so that two users have one such chat at most.';

CREATE TABLE chat.mapped_participant (
	chat_id       bigint NOT NULL,
	user_id       text COLLATE "C" NOT NULL,
	joined_seq    bigint NOT NULL DEFAULT 0,
	delivered_seq bigint NOT NULL DEFAULT 0,
	read_seq      bigint NOT NULL DEFAULT 0 CHECK (read_seq >= 0),
	delivered_at  timestamptz,
	read_at       timestamptz,
	PRIMARY KEY (chat_id, user_id),
	CHECK (read_seq <= delivered_seq)
) WITH (fillfactor = 80);
COMMENT ON TABLE chat.mapped_participant IS 'Cursors of the participants of a house''s own chats; one without a row has read nothing. A place is the id of the message there.';
COMMENT ON COLUMN chat.mapped_participant.joined_seq IS 'Newest message at the moment of joining: what is not above it is older than the participant.';

CREATE TABLE chat.mapped_message (
	message_id bigint PRIMARY KEY,
	client_id  uuid,
	reply_to   bigint,
	meta       json CHECK (json_typeof(meta) = 'object'),
	edited_at  timestamptz,
	deleted_at timestamptz
);
COMMENT ON TABLE chat.mapped_message IS 'What a house''s own messages have no columns for; most have no row.';

-- The statements of a mapping run with the rights of the broker, not of a function's owner.
GRANT SELECT, INSERT, UPDATE, DELETE ON chat.mapped_chat, chat.mapped_participant,
	chat.mapped_message TO chat_broker;
GRANT SELECT, INSERT ON chat.message_key TO chat_broker;
GRANT SELECT ON chat.user_setting TO chat_broker;

GRANT SELECT ON chat.mapped_chat, chat.mapped_participant TO chat_readonly;
GRANT SELECT (message_id, client_id, reply_to, edited_at, deleted_at) ON chat.mapped_message
	TO chat_readonly;

RESET ROLE;
