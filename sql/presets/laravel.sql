-- Prepares a Laravel database for [chat] preset = laravel. To be run once, after `chatctl migrate`, by
-- the owner of the application's tables or a superuser; running it again does no harm.
--
--	psql -d DATABASE -f /usr/share/chat-server/sql/presets/laravel.sql
--
-- It changes no data and no column. Names are those of laravel.conf beside this file.

BEGIN;

-- The broker reads and writes what the statements of laravel.conf need, and nothing else.
GRANT SELECT (id, name) ON users TO chat_broker;
GRANT SELECT, INSERT, UPDATE ON chats, messages TO chat_broker;
GRANT SELECT, INSERT, DELETE ON chat_participants TO chat_broker;
GRANT SELECT, UPDATE (last_used_at) ON personal_access_tokens TO chat_broker;
DO $$
DECLARE
	t text;
	s text;
BEGIN
	FOREACH t IN ARRAY ARRAY['chats', 'messages', 'chat_participants'] LOOP
		s := pg_get_serial_sequence(t, 'id');
		IF s IS NOT NULL THEN
			EXECUTE format('GRANT USAGE ON SEQUENCE %s TO chat_broker', s);
		END IF;
	END LOOP;
END $$;

-- History, unread counts and the newest message are looked up by chat and id.
CREATE INDEX IF NOT EXISTS messages_chat_id_id ON messages (chat_id, id);
CREATE INDEX IF NOT EXISTS chat_participants_chat_id_user_id ON chat_participants (chat_id, user_id);
CREATE INDEX IF NOT EXISTS chat_participants_user_id_chat_id ON chat_participants (user_id, chat_id);

-- A token that is revoked or changed ends at once, and closes the connections it opened. The columns
-- are named so that last_used_at, written all the time, notifies nobody.
CREATE OR REPLACE TRIGGER chat_token_changed
	AFTER UPDATE OF token, abilities, expires_at, tokenable_type, tokenable_id OR DELETE
	ON personal_access_tokens FOR EACH ROW EXECUTE FUNCTION chat.token_changed();
CREATE OR REPLACE TRIGGER chat_token_truncated AFTER TRUNCATE
	ON personal_access_tokens FOR EACH STATEMENT EXECUTE FUNCTION chat.token_changed();

-- Who is no participant any more, also by a change that the application makes, loses the channels.
CREATE OR REPLACE TRIGGER chat_participant_removed AFTER UPDATE OF chat_id, user_id OR DELETE
	ON chat_participants FOR EACH ROW EXECUTE FUNCTION chat.participant_removed();

COMMIT;

-- To begin with everything read, instead of everything unread:
--
--	INSERT INTO chat.mapped_participant (chat_id, user_id, delivered_seq, read_seq, delivered_at, read_at)
--	SELECT p.chat_id, p.user_id::text, max(m.id), max(m.id), now(), now()
--	FROM chat_participants p JOIN messages m ON m.chat_id = p.chat_id GROUP BY 1, 2
--	ON CONFLICT DO NOTHING;
