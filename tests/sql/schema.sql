-- What stands: tables, their durability, comments on everything, versions.
SELECT plan(14);

SELECT has_table('chat', t, t || ' is there') FROM unnest(ARRAY['message', 'chat', 'participant',
	'app_user', 'personal_access_tokens', 'outbox']) t;
SELECT results_eq(
	$$SELECT relname::text COLLATE "default" FROM pg_class WHERE relnamespace = 'chat'::regnamespace AND relkind = 'r'
		AND relpersistence = 'u' ORDER BY relname$$,
	$$VALUES ('channel_member'), ('connection'), ('mirror_mark'), ('outbox_wake'), ('user_presence')$$,
	'only what the brokers can write again is unlogged');
SELECT is_empty(
	$$SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'chat'::regnamespace
		AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL$$,
	'every table and view has a comment');
SELECT is_empty(
	$$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'chat'::regnamespace
		AND obj_description(p.oid, 'pg_proc') IS NULL$$,
	'every function has a comment');
SELECT is_empty(
	$$SELECT t.typname FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
		WHERE t.typnamespace = 'chat'::regnamespace AND c.relkind = 'c'
			AND obj_description(t.oid, 'pg_type') IS NULL AND obj_description(c.oid, 'pg_class') IS NULL$$,
	'every type has a comment');
SELECT is_empty(
	$$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'chat'::regnamespace
		AND p.prosecdef AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))$$,
	'who borrows rights has a fixed search_path');
SELECT is_empty(
	$$SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'chat'::regnamespace
		AND c.relkind IN ('r', 'v') AND pg_get_userbyid(c.relowner) <> 'chat_owner'$$,
	'chat_owner owns all tables and views');
SELECT is_empty(
	$$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'chat'::regnamespace
		AND pg_get_userbyid(p.proowner) <> 'chat_owner'$$,
	'and all functions');
SELECT results_eq('SELECT min(version), max(version) - count(*) FROM chat.schema_version',
	$$VALUES (1, 0::bigint)$$, 'versions have no gap');
