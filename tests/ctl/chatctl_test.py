#!/usr/bin/env python3
"""chatctl against a PostgreSQL of its own: chatctl_test.py CHATCTL SQL_DIR

As root the cluster runs as user postgres, because the server refuses root.
"""
import glob
import hashlib
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib

CHATCTL, SQL_DIR = sys.argv[1:3]
PROGRAMS = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
MIGRATION_LOCK = "1667785076, 2"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def first_json(text):
    """Of standard output, behind which standard error stands."""
    return json.JSONDecoder().raw_decode(text)[0]


class Cluster:
    """A server in a folder of its own that a unix socket leads to."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ctl.", dir="/var/tmp")
        self.owner = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.owner = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        os.chmod(self.folder, 0o755)
        self._run("initdb", "-D", f"{self.folder}/data", "-U", "postgres", "--auth=trust", "--no-sync",
                  "--encoding=UTF8", "--locale=C.UTF-8")
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o",
                  f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off", "start")

    def _run(self, program, *arguments):
        subprocess.run([f"{PROGRAMS}/{program}", *arguments], check=True, cwd="/",
                       stdout=subprocess.DEVNULL, **self.owner)

    def stop(self):
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def conninfo(self, database):
        return f"host={self.folder} user=postgres dbname={database}"

    def psql(self, database, sql):
        return subprocess.run([f"{PROGRAMS}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d",
                               self.conninfo(database), "-c", sql], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()


class Base(unittest.TestCase):
    """Every test has a database and a folder of its own."""

    cluster = None
    databases = 0

    def setUp(self):
        Base.databases += 1
        self.database = f"d{Base.databases}"
        self.cluster.psql("postgres", f"CREATE DATABASE {self.database}")
        self.folder = tempfile.mkdtemp(prefix="ctl.")
        self.addCleanup(shutil.rmtree, self.folder)

    def chatctl(self, *words, status=0, conninfo=None):
        """What it wrote to both outputs."""
        done = subprocess.run(
            [CHATCTL, *words, "--conninfo", conninfo or self.cluster.conninfo(self.database)],
            text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def listed(self, *words):
        return json.loads(self.chatctl(*words, "--json"))

    def sql(self, text):
        return self.cluster.psql(self.database, text)

    def put(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def migrate(self, status=0):
        return self.chatctl("migrate", "--sql-dir", self.folder, status=status)


class Migrate(Base):
    def setUp(self):
        super().setUp()
        shutil.copy(f"{SQL_DIR}/001_base.sql", self.folder)

    def test_applies_all_and_then_nothing(self):
        self.assertIn("missing", self.chatctl("migrate", "--sql-dir", SQL_DIR, "--status", status=1))
        self.chatctl("migrate", "--sql-dir", SQL_DIR)
        self.assertIn("nothing to do", self.chatctl("migrate", "--sql-dir", SQL_DIR))
        state = json.loads(self.chatctl("migrate", "--sql-dir", SQL_DIR, "--status", "--json"))
        self.assertEqual({row["state"] for row in state}, {"applied"})

    def test_notes_digest_and_owner(self):
        self.migrate()
        with open(f"{self.folder}/001_base.sql", "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        self.assertEqual(self.sql("SELECT version, name, sha256, applied_by FROM chat.schema_version"),
                         f"1|base|{digest}|postgres")
        self.assertEqual(self.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'schema_version'"),
                         "chat_owner")

    def test_refuses_a_changed_file(self):
        self.migrate()
        self.put("001_base.sql", "SELECT 1;")
        self.assertIn("never changes", self.migrate(status=1))

    def test_refuses_a_newer_database(self):
        self.put("002_more.sql", "SELECT 1;")
        self.migrate()
        os.unlink(f"{self.folder}/002_more.sql")
        self.assertIn("newer release", self.migrate(status=1))

    def test_a_file_that_fails_leaves_nothing_and_names_the_line(self):
        self.put("002_more.sql", "CREATE TABLE chat.t ();\n-- äöü\nSELECT wrong;\n")
        self.assertIn("002_more.sql:3:", self.migrate(status=1))
        self.assertEqual(self.sql("SELECT to_regclass('chat.t') IS NULL, max(version) "
                                  "FROM chat.schema_version"), "t|1")
        self.put("002_more.sql", "CREATE TABLE chat.t ();\n")
        self.migrate()

    def test_refuses_a_file_that_ends_the_transaction(self):
        self.put("002_more.sql", "SELECT 1;\nCOMMIT;\n")
        self.assertIn("ends the transaction", self.migrate(status=1))

    def test_steps_of_a_file_without_transaction(self):
        self.put("002_more.sql", "-- no-transaction\nSET ROLE chat_owner;\n"
                 "CREATE TABLE IF NOT EXISTS chat.t (a text DEFAULT ';');\n"
                 "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON chat.t (a);\nRESET ROLE;\n")
        self.migrate()
        self.assertEqual(self.sql("SELECT max(version) FROM chat.schema_version"), "2")

    def test_two_runs_at_once(self):
        self.put("002_more.sql", "CREATE TABLE chat.t ();\n")
        self.put("003_more.sql", "-- no-transaction\nCREATE TABLE chat.u ();\n"
                 "CREATE INDEX CONCURRENTLY ON chat.schema_version (name);\n")
        runs = [threading.Thread(target=self.migrate) for _ in range(3)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        self.assertEqual(self.sql("SELECT count(*) FROM chat.schema_version"), "3")

    def test_waits_for_the_lock(self):
        holder = subprocess.Popen(
            [f"{PROGRAMS}/psql", "-XqAt", "-d", self.cluster.conninfo(self.database)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdin.write(f"BEGIN; SELECT pg_advisory_xact_lock({MIGRATION_LOCK}); SELECT 'held';\n")
        holder.stdin.flush()
        while holder.stdout.readline().strip() != "held":
            pass
        run = subprocess.Popen([CHATCTL, "migrate", "--sql-dir", self.folder, "--conninfo",
                                self.cluster.conninfo(self.database)], stderr=subprocess.PIPE, text=True,
                               stdout=subprocess.DEVNULL)
        self.assertIn("waiting", run.stderr.readline())
        self.assertEqual(self.sql("SELECT to_regnamespace('chat') IS NULL"), "t")
        holder.communicate("ROLLBACK;\n")
        run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0)


class People(Base):
    def setUp(self):
        super().setUp()
        self.chatctl("migrate", "--sql-dir", SQL_DIR)
        for number, name in (("1", "Ada"), ("2", "Grace")):
            self.chatctl("user", "add", "--id", number, "--name", name)

    def test_users(self):
        self.chatctl("user", "add", "--id", "x-1", "--name", "J\u00fcrgen\x1b[31m", "--info", '{"a":[1]}')
        self.assertIn("already", self.chatctl("user", "add", "--id", "1", "--name", "Bob", status=1))
        users = self.listed("user", "list")
        self.assertEqual([user["id"] for user in users], ["1", "2", "x-1"])
        self.assertEqual(users[2]["name"], "J\u00fcrgen\x1b[31m")
        self.assertEqual(users[2]["info"], {"a": [1]})
        self.assertNotIn("\x1b", self.chatctl("user", "list"))
        self.assertEqual(len(self.listed("user", "list", "--limit", "2")), 2)
        self.chatctl("user", "add", "--id", "3", "--name", "C", "--info", "[]", status=1)
        self.chatctl("user", "add", "--id", "3", status=64)

    def test_users_change_and_go(self):
        self.chatctl("user", "set", "--id", "1", "--name", "Ada L.")
        self.chatctl("user", "set", "--id", "1", "--info", '{"tea": true}')
        self.assertEqual([(u["name"], u["info"]) for u in self.listed("user", "list")],
                         [("Ada L.", {"tea": True}), ("Grace", None)])
        self.assertIn("no user 9", self.chatctl("user", "set", "--id", "9", "--name", "N", status=1))
        self.chatctl("user", "set", "--id", "1", status=64)
        self.chatctl("user", "set", "--id", "1", "--name", "", status=64)
        self.chatctl("token", "create", "--user", "1")
        chat = self.listed("chat", "create", "--owner", "1", "--user", "2")["id"]
        direct = self.listed("chat", "create", "--owner", "1", "--user", "2", "--direct")["id"]
        self.chatctl("user", "remove", "1")
        self.assertEqual([t for t in self.listed("token", "list") if t["user"] == "1"], [])
        chats = {c["id"]: (c["owner"], c["participants"]) for c in self.listed("chat", "list")}
        self.assertEqual(chats, {chat: ("2", ["2"]), direct: (None, ["1", "2"])})
        self.assertIn("no user 1", self.chatctl("user", "remove", "1", status=1))
        self.chatctl("user", "remove", status=64)

    def test_what_was_done(self):
        def done(*words, status=0):
            text = self.chatctl(*words, "--json", status=status)
            return [(row["what"], row["result"]) for row in first_json(text)]
        self.assertEqual(done("user", "add", "--id", "5", "--name", "E"), [("5", "added")])
        self.assertEqual(done("user", "set", "--id", "5", "--name", "F"), [("5", "changed")])
        chat = str(self.listed("chat", "create", "--owner", "1")["id"])
        self.assertEqual(done("chat", "add-user", chat, "--user", "5", "--user", "9", status=1),
                         [("5", "added"), ("9", "refused")])
        self.assertEqual(done("chat", "remove-user", chat, "--user", "5"), [("5", "removed")])
        token = str(self.listed("token", "create", "--user", "5")["id"])
        self.assertEqual(done("token", "revoke", token), [(token, "revoked")])
        self.assertEqual(done("user", "remove", "9", "5", status=1), [("9", "refused"), ("5", "removed")])
        self.assertEqual(done("migrate", "--sql-dir", SQL_DIR), [])

    def test_participants(self):
        self.chatctl("user", "add", "--id", "3", "--name", "Alan")
        chat = str(self.listed("chat", "create", "--owner", "1")["id"])
        self.chatctl("chat", "add-user", chat, "--user", "2", "--user", "3")
        self.assertIn("already", self.chatctl("chat", "add-user", chat, "--user", "2", status=1))
        self.assertIn("not exist", self.chatctl("chat", "add-user", chat, "--user", "9", status=1))
        self.assertIn("no such chat", self.chatctl("chat", "add-user", "999", "--user", "2", status=1))
        self.chatctl("chat", "remove-user", chat, "--user", "1")
        row = self.listed("chat", "list")[0]
        self.assertEqual((row["owner"], row["participants"]), ("2", ["2", "3"]))
        self.assertIn("is no participant", self.chatctl("chat", "remove-user", chat, "--user", "1", status=1))
        direct = str(self.listed("chat", "create", "--owner", "1", "--user", "2", "--direct")["id"])
        self.assertIn("direct", self.chatctl("chat", "remove-user", direct, "--user", "1", status=1))
        self.chatctl("chat", "add-user", chat, status=64)
        self.chatctl("chat", "add-user", "x", "--user", "1", status=64)

    def test_tokens(self):
        token = self.chatctl("token", "create", "--user", "1").strip()
        number, secret = token.split("|")
        self.assertRegex(secret, r"^[A-Za-z0-9]{40}[0-9a-f]{8}$")
        self.assertEqual(f"{zlib.crc32(secret[:40].encode()):08x}", secret[40:])
        digest = hashlib.sha256(secret.encode()).hexdigest()
        self.assertEqual(self.sql(f"SELECT user_id, abilities FROM chat.find_token('{number}', '{digest}')"),
                         '1|["*"]')
        self.assertNotIn(secret[:40], self.sql("SELECT * FROM chat.personal_access_tokens"))
        self.assertIn("no user 9", self.chatctl("token", "create", "--user", "9", status=1))
        later = self.listed("token", "create", "--user", "2", "--expires", "30 days", "--name", "phone")
        listed = self.listed("token", "list", "--user", "2")
        self.assertEqual([(t["id"], t["name"], t["expired"]) for t in listed],
                         [(later["id"], "phone", False)])
        self.assertIsNotNone(listed[0]["expires_at"])

    def test_revoke(self):
        number = self.listed("token", "create", "--user", "1")["id"]
        self.chatctl("token", "revoke", f"{number}|secret", status=64)
        self.chatctl("token", "revoke", str(number))
        self.assertEqual(self.listed("token", "list"), [])
        self.assertIn("no token", self.chatctl("token", "revoke", str(number), status=1))

    def test_chats(self):
        group = self.listed("chat", "create", "--owner", "1", "--user", "2", "--name", "Two")
        direct = self.listed("chat", "create", "--owner", "1", "--user", "2", "--direct")
        again = self.listed("chat", "create", "--owner", "2", "--user", "1", "--direct")
        self.assertEqual((again["status"], again["id"]), ("exists", direct["id"]))
        chats = self.listed("chat", "list", "--user", "2")
        self.assertEqual([(c["id"], c["direct"], c["participants"]) for c in chats],
                         [(group["id"], False, ["1", "2"]), (direct["id"], True, ["1", "2"])])
        self.chatctl("chat", "create", "--owner", "1", "--user", "9", status=1)
        self.chatctl("chat", "create", "--owner", "1", "--user", "1", "--direct", status=1)

    def test_cleanup(self):
        self.sql("INSERT INTO chat.personal_access_tokens (tokenable_id, name, token, expires_at) "
                 "VALUES ('1', 'old', repeat('a', 64), '2001-01-01')")
        removed = {row["kind"]: row["removed"] for row in self.listed("cleanup")}
        self.assertEqual(removed["token"], 1)
        self.assertEqual({row["removed"] for row in self.listed("cleanup")}, {0})


class Setup(Base):
    """Role, database, schema and an application, in databases of their own."""

    def setUp(self):
        super().setUp()
        os.mkdir(f"{self.folder}/conf.d")
        self.name = f"set{Base.databases}"
        self.put("chat.conf", f"include = {self.folder}/conf.d\n[database]\nconninfo = "
                 f"host={self.cluster.folder} dbname={self.name} user=login{Base.databases}\n"
                 "[chat]\npublic_url = https://chat.example.org/live\n")

    def run_setup(self, *words, user="postgres"):
        return self.chatctl("setup", "--config", f"{self.folder}/chat.conf", "--sql-dir", SQL_DIR,
                            *words, conninfo=f"host={self.cluster.folder} user={user}")

    def configured(self, *words, status=0):
        done = subprocess.run([CHATCTL, *words, "--config", f"{self.folder}/chat.conf"], text=True,
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_makes_all_once(self):
        self.assertIn("database made", self.run_setup())
        self.configured("migrate", "--status", "--sql-dir", SQL_DIR)
        with open(f"{self.folder}/conf.d/app-chat.conf", encoding="utf-8") as f:
            app = f.read()
        again = self.run_setup()
        self.assertIn("nothing to do", again)
        self.assertNotIn("made", again)
        with open(f"{self.folder}/conf.d/app-chat.conf", encoding="utf-8") as f:
            self.assertEqual(f.read(), app)
        self.assertEqual(os.stat(f"{self.folder}/conf.d/app-chat.conf").st_mode & 0o777, 0o640)

    def test_says_what_it_made(self):
        rows = json.loads(self.run_setup("--json"))
        made = [row["what"] for row in rows if row["result"] == "made"]
        self.assertEqual(made, ["role", "database", "membership of chat_broker", "application chat"])
        self.assertIn("001_base.sql", [row["what"] for row in rows if row["result"] == "applied"])
        self.assertEqual(json.loads(self.run_setup("--json")), [])
        self.chatctl("setup", "--json", "--dry-run", status=64)

    def test_prints_what_psql_can_run(self):
        script = self.run_setup("--dry-run")
        self.assertEqual(os.listdir(f"{self.folder}/conf.d"), [])
        self.assertEqual(self.cluster.psql("postgres", "SELECT count(*) FROM pg_database "
                                           f"WHERE datname = '{self.name}'"), "0")
        subprocess.run([f"{PROGRAMS}/psql", "-Xq", "-d",
                        f"host={self.cluster.folder} user=postgres dbname=postgres"], check=True,
                       input=script, text=True, stdout=subprocess.DEVNULL)
        self.configured("migrate", "--status", "--sql-dir", SQL_DIR)
        self.assertNotIn("CREATE", self.run_setup("--dry-run"))

    def test_needs_no_superuser(self):
        self.cluster.psql("postgres", "CREATE ROLE dba LOGIN CREATEDB CREATEROLE")
        if self.cluster.psql("postgres", "SELECT count(*) FROM pg_roles "
                             "WHERE rolname = 'chat_owner'") == "1":
            self.cluster.psql("postgres", "GRANT chat_owner TO dba WITH ADMIN OPTION")
        self.assertIn("all is set up", self.run_setup(user="dba"))

    def test_shows_how_to_connect(self):
        self.run_setup()
        env = dict(line.split("=", 1) for line in self.configured("export-env").splitlines())
        self.assertEqual((env["REVERB_HOST"], env["REVERB_PORT"], env["REVERB_SCHEME"]),
                         ("chat.example.org", "443", "https"))
        self.assertEqual(env["VITE_REVERB_APP_KEY"], env["REVERB_APP_KEY"])
        self.assertEqual(json.loads(self.configured("export-env", "chat", "--json")), env)
        self.assertIn("no application", self.configured("export-env", "other", status=1))
        dump = self.configured("dump-config")
        self.assertIn("public_url = https://chat.example.org/live", dump)
        self.assertNotIn(env["REVERB_APP_SECRET"], dump)

    def test_applications(self):
        self.run_setup()
        made = json.loads(self.configured("app", "create", "--id", "shop", "--json"))
        self.assertEqual(made["file"], f"{self.folder}/conf.d/app-shop.conf")
        self.assertEqual(os.stat(made["file"]).st_mode & 0o777, 0o640)
        rows = {row["id"]: row for row in json.loads(self.configured("app", "list", "--json"))}
        self.assertEqual(rows["shop"], {
            "name": "shop", "id": "shop", "key": made["key"], "secrets": 1, "enabled": True,
            "client_events": "members", "max_connections": 0, "chat": False})
        self.assertTrue(rows["chat"]["chat"])
        self.assertNotIn(made["secret"], self.configured("app", "list"))
        self.assertIn(f"REVERB_APP_SECRET={made['secret']}\n", self.configured("export-env", "shop"))
        self.assertIn("there is an application shop",
                      self.configured("app", "create", "--id", "shop", status=1))
        for bad in ("", "../x", "a/b", 'a"b', "-x", "x" * 65):
            self.configured("app", "create", f"--id={bad}", status=64)
        self.configured("app", "create", status=64)
        self.put("chat.conf", "")
        self.assertIn("includes no directory",
                      self.configured("app", "create", "--id", "other", status=78))


class Outside(unittest.TestCase):
    """What needs no database."""

    def run_it(self, *words, env=None):
        done = subprocess.run([CHATCTL, *words], text=True, capture_output=True, timeout=60,
                              env={**os.environ, **(env or {})})
        return done.returncode, done.stdout + done.stderr

    def test_command_line(self):
        self.assertEqual(self.run_it()[0], 64)
        self.assertEqual(self.run_it("nonsense")[0], 64)
        self.assertEqual(self.run_it("user")[0], 64)
        self.assertEqual(self.run_it("user", "list", "--direct")[0], 64)
        self.assertEqual(self.run_it("user", "list", "--limit", "0")[0], 64)
        self.assertEqual(self.run_it("user", "list", "more")[0], 64)
        self.assertEqual(self.run_it("--help")[0], 0)
        self.assertRegex(self.run_it("--version")[1], r"^chatctl \d+\.\d+\.\d+\n$")

    def test_documents(self):
        """Every command line of the documents is one of --help, with options that it takes."""
        known = {}
        for line in re.findall(r"^  ([a-z].*)$", self.run_it("--help")[1], re.M):
            verbs = re.match(r"[a-z-]+(?: [a-z-]+(?=$| ))?", line)[0]
            known[verbs] = set(re.findall(r"--[a-z-]+", line)) | {"--config", "--conninfo"}
        checked = 0
        for path in glob.glob(f"{SQL_DIR}/../docs/*.md") + [f"{SQL_DIR}/../README.md"]:
            with open(path, encoding="utf-8") as f:
                lines = re.findall(r"(?:^ {4,}|&& |`)chatctl ([a-z][^`#|\n]*)", f.read(), re.M)
            for line in lines:
                words = line.split()
                verbs = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
                self.assertIn(verbs, known, f"{path}: {line}")
                self.assertLessEqual(set(re.findall(r"--[a-z-]+", line)), known[verbs], f"{path}: {line}")
                checked += 1
        self.assertGreater(checked, 15)

    def test_unreachable(self):
        self.assertEqual(self.run_it("user", "list", "--conninfo", "host=/nonexistent")[0], 69)
        self.assertEqual(self.run_it("status", "--socket", "/nonexistent/admin.sock")[0], 69)

    def test_check(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write(f"[worker]\nlisten = 127.0.0.1:{free_port()}\n[admin]\nlisten =\n"
                    "[app \"a\"]\nkey = k\nsecret = s\n")
            f.flush()
            right = ("the configuration is right: 1 application\n"
                     "the machine is right: descriptors, addresses and ports\n")
            self.assertEqual(self.run_it("check", "--offline", "--config", f.name), (0, right))
            self.assertEqual(self.run_it("check", "--config", f.name, env={"CHAT_DATABASE_CONNINFO": ""}), (0, right))
            self.assertEqual(self.run_it("check", "--config", f.name, "--conninfo", "host=/nonexistent")[0], 69)
            status, text = self.run_it("check", "--config", f.name, env={"CHAT_WORKER_WORKERS": "999"})
            self.assertEqual(status, 78)
            self.assertIn("workers", text)
        self.assertEqual(self.run_it("check", "--config", "/nonexistent")[0], 78)

    def check_with(self, *words, **env):
        """chatctl check of an application and this environment."""
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write("[admin]\nlisten =\n[app \"a\"]\nkey = k\nsecret = s\n")
            f.flush()
            return self.run_it("check", "--offline", *words, "--config", f.name, env=env)

    def test_check_of_the_machine(self):
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen(1)
            taken = f"127.0.0.1:{busy.getsockname()[1]}"
            status, text = self.check_with(CHAT_WORKER_LISTEN=taken)
            self.assertEqual(status, 78)
            self.assertIn(f"[worker] listen = {taken}: Address already in use: ss -ltnp", text)
            status, text = self.check_with("--json", CHAT_WORKER_LISTEN=taken)
            found = {row["what"]: row["result"] for row in first_json(text)}
            self.assertEqual((status, found), (78, {"configuration": "right", "listen": "wrong"}))
        status, text = self.check_with(CHAT_WORKER_LISTEN="192.0.2.1:8080")
        self.assertEqual(status, 78)
        self.assertIn("192.0.2.1:8080: Cannot assign", text)
        listen = f"127.0.0.1:{free_port()}"
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="utf-8") as f:
            first = int(f.read())
        if first > 80:
            status, text = self.check_with(CHAT_WORKER_LISTEN="127.0.0.1:80")
            self.assertEqual(status, 78)
            self.assertIn("root's", text)
        with open("/proc/sys/fs/nr_open", encoding="utf-8") as f:
            most = int(f.read())
        if most < 4000000:
            status, text = self.check_with(CHAT_WORKER_LISTEN=listen, CHAT_WORKER_MAX_CONNECTIONS=str(most))
            self.assertEqual(status, 78)
            self.assertIn("fs.nr_open", text)
        with open("/proc/sys/net/core/somaxconn", encoding="utf-8") as f:
            most = int(f.read())
        if most < 65535:
            status, text = self.check_with(CHAT_WORKER_LISTEN=listen, CHAT_WORKER_BACKLOG=str(most + 1))
            self.assertEqual(status, 0)
            self.assertIn(f"warning: [worker] backlog = {most + 1}", text)

    def ask_status(self, answer, *words, command="status"):
        """A command against an admin socket that gives this answer."""
        folder = tempfile.mkdtemp(prefix="ctl.")
        self.addCleanup(shutil.rmtree, folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/admin.sock")
            listener.listen(1)

            def serve():
                connection, _ = listener.accept()
                with connection:
                    self.question = connection.recv(4096).decode()
                    connection.sendall(answer.encode())

            thread = threading.Thread(target=serve)
            thread.start()
            result = self.run_it(command, "--socket", f"{folder}/admin.sock", *words)
            thread.join()
        return result

    def test_status(self):
        body = json.dumps({
            "version": "1.2", "node": "n\x1b1", "pid": 7, "ready": True, "rates": {"published": 12},
            "database": {"state": "away", "fault": "no route", "connections": [
                {"role": "mirror", "ready": False, "queued": 3, "connects": 2}]},
            "workers": [{"number": 5, "slot": 0, "draining": True, "drain_left": 9, "slow": 1}],
            "apps": [{"id": "shop", "enabled": True, "chat": False, "connections": 4}],
            "counts": {"connections": 4, "mirror_lag_us": 2500, "uptime_s": 90000}})
        answer = f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        self.assertEqual(self.ask_status(answer, "--json"), (0, f"{body}\n"))
        self.assertTrue(self.question.startswith("GET /status HTTP/1.0\r\n"))
        status, text = self.ask_status(answer)
        self.assertEqual(status, 0)
        for line in (r"broker +ready   node n\?1   pid 7   version 1\.2   up 1 d 1 h .*",
                     r"database +away   no route", r"now +connections 4   .*",
                     r"a second +published 12   .*", r"lags .* 2 ms", r"  5 +0 +true +9 +.* 1 +-",
                     r"  mirror +false +3 +2", r"  shop +true +false +4"):
            self.assertRegex(text, re.compile(f"^{line}$", re.M))
        self.assertEqual(self.ask_status("HTTP/1.0 503 Later\r\n\r\n{\"ready\":false}")[0], 0)
        self.assertEqual(self.ask_status("HTTP/1.0 404 Not Found\r\n\r\n{}")[0], 69)
        self.assertEqual(self.ask_status("SSH-2.0")[0], 69)
        self.assertEqual(self.ask_status("HTTP/1.0 200 OK\r\n\r\nno JSON")[0], 69)
        self.assertEqual(self.ask_status("HTTP/1.0 200 OK\r\n\r\n[]")[0], 69)

    def test_wishes(self):
        answer = 'HTTP/1.0 200 OK\r\n\r\n{"workers":2}'
        self.assertEqual(self.ask_status(answer, "--json", command="reload"), (0, '{"workers":2}\n'))
        self.assertTrue(self.question.startswith("POST /reload "))
        status, text = self.ask_status(answer, "3", command="drain")
        self.assertEqual((status, text[:22]), (0, "2 workers were told; c"))
        self.assertTrue(self.question.startswith("POST /drain?worker=3 "))
        self.assertEqual(self.ask_status('HTTP/1.0 200 OK\r\n\r\n{"workers":0}', command="drain")[0], 1)
        self.assertEqual(self.ask_status("HTTP/1.0 403 No\r\n\r\n", command="drain")[0], 1)
        self.assertEqual(self.run_it("drain", "x")[0], 64)

    def test_dump(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write("[app \"a\"]\nkey = k\nsecret = s\nallowed_origins = x.org\nallowed_origins = y.org\n"
                    "[sql \"mine\"]\nquery = SELECT 1\n\tWHERE \"x\"\n")
            f.flush()
            rows = json.loads(self.run_it("dump-config", "--json", "--config", f.name)[1])
        found = {(row["section"], row["name"], row["key"]): row["value"] for row in rows}
        self.assertEqual(found["app", "a", "key"], "k")
        self.assertEqual(found["worker", None, "listen"], "0.0.0.0:8080")
        self.assertEqual(found["sql", "mine", "query"], 'SELECT 1\nWHERE "x"')
        self.assertNotIn("s", found["app", "a", "secret"])


def main():
    Base.cluster = Cluster()
    try:
        result = unittest.main(argv=sys.argv[:1], exit=False).result
    finally:
        Base.cluster.stop()
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
