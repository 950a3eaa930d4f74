"""The chat's database beside the house: data to measure with, and the bare statements.

Users are bench-1 ... with a token each; chats of the bench stand from FIRST_CHAT on.
"""
import hashlib
import json
import os
import subprocess

FIRST_TOKEN = 1_000_000
FIRST_CHAT = 1_000_000
BROKER_ROLE = "chat-broker"
POST_CHATS = 128
SENDERS = 4  # participants of each of them


def token(user):
    """What the user sends; the database holds its hash."""
    return f"{FIRST_TOKEN + user}|{user:040d}"


def _user_rows(users):
    for n in range(1, users + 1):
        digest = hashlib.sha256(token(n).partition("|")[2].encode()).hexdigest()
        yield f"bench-{n}\tUser {n}\t{FIRST_TOKEN + n}\t{digest}\n"


USERS_SQL = """
CREATE TEMP TABLE fresh (user_id text, name text, token_id bigint, digest text);
\\copy fresh FROM pstdin
INSERT INTO chat.app_user (user_id, name) SELECT user_id, name FROM fresh ON CONFLICT DO NOTHING;
INSERT INTO chat.personal_access_tokens (id, tokenable_id, name, token)
SELECT token_id, user_id, 'bench', digest FROM fresh ON CONFLICT DO NOTHING;
"""

# Everybody who sends takes part everywhere, so that any token goes with any chat.
POST_SQL = f"""
INSERT INTO chat.chat (chat_id, name)
SELECT {FIRST_CHAT} + g, 'posts ' || g FROM generate_series(0, {POST_CHATS - 1}) g ON CONFLICT DO NOTHING;
INSERT INTO chat.participant (chat_id, user_id)
SELECT {FIRST_CHAT} + c, 'bench-' || u
FROM generate_series(0, {POST_CHATS - 1}) c, generate_series(1, {SENDERS}) u ON CONFLICT DO NOTHING;
"""

# A few chats hold most of the messages, as everywhere: the n-th of them has as many as 1 / (n + 20)
# of all. One in ten is a group of up to 60, the others are of two. Messages lie in the table as
# they come in life, those of all chats mixed.
HISTORY_SQL = """
SET work_mem = '512MB'; SET maintenance_work_mem = '1GB'; SET synchronous_commit = off;
CREATE TEMP TABLE size AS
SELECT {first} + g AS chat_id, greatest(1, round({messages} * (1.0 / (g + 20))
	/ (SELECT sum(1.0 / (x + 20)) FROM generate_series(1, {chats}) x)))::bigint AS n,
	CASE WHEN g % 10 = 0 THEN 3 + (g * 7) % 58 ELSE 2 END AS people
FROM generate_series(1, {chats}) g;
INSERT INTO chat.chat (chat_id, name, last_seq, last_message_at)
SELECT chat_id, 'chat ' || chat_id, n, now() - (chat_id % 1000) * interval '1 minute' FROM size;
INSERT INTO chat.participant (chat_id, user_id, delivered_seq, read_seq)
SELECT s.chat_id, 'bench-' || 1 + (s.chat_id * 31 + p * 17) % {users}, n, n - least(n, (s.chat_id + p) % 30)
FROM size s, generate_series(1, s.people) p ON CONFLICT DO NOTHING;
ALTER TABLE chat.message DROP CONSTRAINT message_pkey;
DROP INDEX chat.message_number;
INSERT INTO chat.message (chat_id, seq, sender_id, body, created_at)
SELECT s.chat_id, q, 'bench-' || 1 + (s.chat_id * 31 + (1 + q % s.people) * 17) % {users},
	repeat('Words of a message. ', 2 + (q % 13)::int), now() - (1 - q::float8 / s.n) * interval '300 days'
FROM size s, generate_series(1, s.n) q ORDER BY q::float8 / s.n;
ALTER TABLE chat.message ADD PRIMARY KEY (chat_id, seq);
CREATE UNIQUE INDEX message_number ON chat.message (message_id);
VACUUM (ANALYZE) chat.message;
VACUUM (ANALYZE) chat.chat;
VACUUM (ANALYZE) chat.participant;
CHECKPOINT;
"""

# Half of the pages are the newest, half lie anywhere; chats are asked for as often as they are long.
REQUESTS_SQL = """
SELECT setseed(0.5);
SELECT c.chat_id, p.user_id, substr(p.user_id, 7), CASE WHEN random() < 0.5 THEN 0 ELSE 2 + floor(random() * c.last_seq) END
FROM (SELECT chat_id, last_seq, sum(last_seq) OVER (ORDER BY chat_id) AS upto FROM chat.chat WHERE chat_id > {first}) c
JOIN (SELECT random() * (SELECT sum(last_seq) FROM chat.chat WHERE chat_id > {first}) AS at
	FROM generate_series(1, 4000)) r ON r.at > c.upto - c.last_seq AND r.at <= c.upto
CROSS JOIN LATERAL (SELECT x.user_id FROM chat.participant x WHERE x.chat_id = c.chat_id
	AND c.chat_id = c.chat_id + 0 * r.at ORDER BY random() LIMIT 1) p
ORDER BY random();
"""

# Twice each: what is shown is the second time, when all is in memory.
PLANS_SQL = """
SET random_page_cost = 1.1; SET jit = off;
SELECT count(*) FROM chat.history({chat}, '{user}', {before}, 51), chat.active_chats('{user}', NULL, NULL, 51);
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on; SET auto_explain.log_buffers = on; SET client_min_messages = log;
SELECT * FROM chat.history({chat}, '{user}', {before}, 51);
SELECT * FROM chat.active_chats('{user}', NULL, NULL, 51);
"""


class Database:
    def __init__(self, env, folder, program, postmaster):
        self.url = env["PGURL"].strip("'\"")
        self.house = f"{env['HOST']}:{env['PORT']}"
        self.folder = folder
        self.program = program
        self.postmaster = postmaster
        self.conninfo = self.url.replace("postgres@", f"{BROKER_ROLE}@")

    def sql(self, text, stdin=None):
        """`stdin` is what \\copy ... FROM pstdin reads; otherwise the text itself is."""
        argv = ["psql", "-XqAt", "-F", " ", "-v", "ON_ERROR_STOP=1", "-d", self.url]
        if stdin is not None:
            path = os.path.join(self.folder, "bench.sql")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            argv += ["-f", path]
        done = subprocess.run(argv, input=stdin if stdin is not None else text, check=False,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"psql: {done.stderr}")
        return done.stdout

    def make_users(self, users):
        self.sql(USERS_SQL, "".join(_user_rows(users)))

    def make_post_chats(self):
        self.make_users(SENDERS)
        self.sql(POST_SQL)
        path = os.path.join(self.folder, "posts.txt")
        with open(path, "w", encoding="utf-8") as f:
            for n in range(POST_CHATS * SENDERS):
                user = n // POST_CHATS + 1
                f.write(f"{FIRST_CHAT + n % POST_CHATS} bench-{user} {token(user)} 0\n")
        return path

    def make_history(self, messages):
        """Gives the file of the requests. Chats: one for each 2,000 messages, 100 at least."""
        chats = max(100, messages // 2000)
        users = max(100, chats // 5)
        self.make_users(users)
        self.sql(HISTORY_SQL.format(first=FIRST_CHAT + POST_CHATS, messages=messages, chats=chats, users=users))
        path = os.path.join(self.folder, "requests.txt")
        with open(path, "w", encoding="utf-8") as f:
            for line in self.sql(REQUESTS_SQL.format(first=FIRST_CHAT + POST_CHATS)).split("\n")[1:]:
                if line:
                    chat, user, number, before = line.split()
                    f.write(f"{chat} {user} {token(int(number))} {before}\n")
        return path

    def plans(self, requests):
        """How PostgreSQL goes about a page and a list, inside of the functions."""
        with open(requests, encoding="utf-8") as f:
            chat, user, _, before = next(line for line in f if not line.endswith(" 0\n")).split()
        done = subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-o", os.devnull], check=True,
            input=PLANS_SQL.format(chat=chat, user=user, before=before), capture_output=True, text=True)
        return done.stderr

    def bare(self, kind, *words):
        argv = [self.program, kind, "-D", self.conninfo, "-P", str(self.postmaster), *map(str, words)]
        out = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        return json.loads(out)
