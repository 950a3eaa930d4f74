#!/usr/bin/env python3
"""chatctl import-env on files as Laravel applications have them: import_env_test.py CHATCTL"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

CHATCTL = sys.argv[1]
HEAD = "# Taken over from the environment file of an application.\n"

REVERB = """\
APP_NAME="My Shop"
BROADCAST_CONNECTION=reverb
REVERB_APP_ID=256980
REVERB_APP_KEY=f2o3wu0kdmvbnmjcn0d5   # public
REVERB_APP_SECRET='q #1'
REVERB_HOST="localhost"
REVERB_PORT=8080
REVERB_SCHEME=http

VITE_REVERB_APP_KEY="${REVERB_APP_KEY}"
VITE_REVERB_HOST="${REVERB_HOST}"
"""


class ImportEnv(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ctl.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = f"{self.folder}/.env"

    def run_it(self, text, *words, status=0):
        """What it wrote to each output."""
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(text)
        done = subprocess.run([CHATCTL, "import-env", self.file, *words], text=True, capture_output=True,
                              timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr.replace(f"{self.file}", ".env")

    def makes(self, text, conf, notes=""):
        self.assertEqual(self.run_it(text), (HEAD + conf, notes))

    def refuses(self, text, note, status=78):
        self.assertEqual(self.run_it(text, status=status), ("", f"chatctl: {note}\n"))

    def test_reverb(self):
        self.makes(REVERB, """\
[app "256980"]
key = f2o3wu0kdmvbnmjcn0d5
secret = q #1

[chat]
public_url = http://localhost:8080
""")

    def test_pusher(self):
        self.makes("""\
BROADCAST_DRIVER=pusher
PUSHER_APP_ID=app-id
PUSHER_APP_KEY=app-key
PUSHER_APP_SECRET="a\\$b\\"c\\\\d"
PUSHER_HOST=
PUSHER_PORT=443
PUSHER_SCHEME=https
PUSHER_APP_CLUSTER=mt1
""", """\
[app "app-id"]
key = app-key
secret = a$b"c\\d
""", "chatctl: .env:8: PUSHER_APP_CLUSTER: not taken over: there are no clusters: clients name a host\n")

    def test_expansions(self):
        self.makes("""\
NAME=shop
REVERB_APP_ID="${NAME}-1"
REVERB_APP_KEY=${NAME}_key
REVERB_APP_SECRET='${NAME}'
REVERB_HOST=ws.${NAME}.example
REVERB_SCHEME=https
REVERB_PORT=443
""", """\
[app "shop-1"]
key = shop_key
secret = ${NAME}

[chat]
public_url = https://ws.shop.example
""")
        self.refuses("REVERB_APP_ID=${NAME}\nREVERB_APP_KEY=k\nREVERB_APP_SECRET=s\nNAME=late\n",
                     ".env:1: REVERB_APP_ID uses ${NAME}, which is not set above it")

    def test_everything_of_reverb(self):
        self.makes("""\
REVERB_APP_ID=a
REVERB_APP_KEY=k
REVERB_APP_SECRET=s
REVERB_SERVER_HOST=127.0.0.1
REVERB_SERVER_PORT=6001
REVERB_SERVER_PATH=ws
REVERB_APP_PING_INTERVAL=45
REVERB_APP_ACTIVITY_TIMEOUT=20
REVERB_APP_MAX_CONNECTIONS=500
REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM=none
REVERB_APP_MAX_MESSAGE_SIZE=10000
REVERB_APP_RATE_LIMITING_ENABLED=true
REVERB_SCALING_ENABLED=true
REVERB_COLOUR=blue
""", """\
[app "a"]
key = k
secret = s
max_connections = 500
client_events = off

[worker]
listen = 127.0.0.1:6001
path_prefix = /ws
ping_interval = 45
activity_timeout = 20
""", """\
chatctl: .env:11: REVERB_APP_MAX_MESSAGE_SIZE: not taken over: the data of events is limited here: \
see max_event_data and max_client_event_data
chatctl: .env:12: REVERB_APP_RATE_LIMITING_ENABLED: not taken over: client events are limited by the \
second: see client_event_rate
chatctl: .env:13: REVERB_SCALING_ENABLED: not taken over: the workers of a node share one broker, \
without Redis
chatctl: .env:14: REVERB_COLOUR: not taken over: nobody knows it here
""")

    def test_both(self):
        both = """\
BROADCAST_CONNECTION={used}
REVERB_APP_ID=1
REVERB_APP_KEY=k
REVERB_APP_SECRET=s
REVERB_HOST=r.example
PUSHER_APP_ID={id}
PUSHER_APP_KEY={key}
PUSHER_APP_SECRET={secret}
PUSHER_HOST=p.example
"""
        one = '[app "1"]\nkey = k\nsecret = s\n'
        two = '[app "2"]\nkey = k2\nsecret = s2\n'
        url = "\n[chat]\npublic_url = https://{}.example\n"
        self.makes(both.format(used="log", id="${REVERB_APP_ID}", key="k", secret="s"), one + url.format("r"))
        self.makes(both.format(used="reverb", id="2", key="k2", secret="s2"),
                   f"{one}\n{two}{url.format('r')}")
        self.makes(both.format(used="pusher", id="2", key="k2", secret="s2"),
                   f"{two}\n{one}{url.format('p')}")
        for other in ({"id": "1", "key": "k", "secret": "t"}, {"id": "1", "key": "l", "secret": "s"},
                      {"id": "2", "key": "k", "secret": "s"}):
            self.refuses(both.format(used="reverb", **other),
                         ".env:6: PUSHER_APP_ID: another application has the same id or key")

    def test_what_is_wrong(self):
        app = "REVERB_APP_ID=a\nREVERB_APP_KEY=k\nREVERB_APP_SECRET=s\n"
        self.refuses("", ".env: there is no REVERB_APP_ID or PUSHER_APP_ID", status=1)
        self.refuses("REVERB_APP_ID=a\nREVERB_APP_KEY=k\nREVERB_APP_SECRET=\n",
                     ".env: REVERB_APP_SECRET is missing or empty")
        self.refuses("A='x\n", ".env:1: the closing quote is missing")
        self.refuses("\nA=x y\n", ".env:2: a value with blanks must stand in quotes")
        self.refuses(app + 'REVERB_HOST="a\nb"\n',
                     ".env:4: REVERB_HOST: control characters cannot stand in chat.conf")
        self.refuses(app + "REVERB_SERVER_PATH=' ws'\n",
                     ".env:4: REVERB_SERVER_PATH: chat.conf has no blanks at the ends of a value")
        self.refuses(app + "REVERB_HOST=h\nREVERB_SCHEME=ftp\n",
                     ".env:5: REVERB_SCHEME: http or https is wanted")
        for line in ("REVERB_APP_MAX_CONNECTIONS=many", "REVERB_SERVER_PORT=99999",
                     "REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM=friends", "REVERB_APP_PING_INTERVAL=0"):
            self.assertIn(line.split("=")[1], self.run_it(app + line, status=78)[1])

    def test_command_line(self):
        for words in ([], ["a", "b"], ["a", "--direct"]):
            self.assertEqual(subprocess.run([CHATCTL, "import-env", *words], capture_output=True,
                                            check=False).returncode, 64)
        for name in ("/nonexistent/.env", self.folder):
            self.assertEqual(subprocess.run([CHATCTL, "import-env", name], capture_output=True,
                                            check=False).returncode, 1)

    def test_rows(self):
        rows = json.loads(self.run_it(REVERB, "--json")[0])
        self.assertIn({"section": "app", "name": "256980", "key": "secret", "value": "q #1"}, rows)
        self.assertIn({"section": "chat", "name": None, "key": "public_url", "value": "http://localhost:8080"}, rows)
        out = f"{self.folder}/rows.conf"
        self.assertEqual(json.loads(self.run_it(REVERB, "--output", out, "--json")[0]),
                         [{"what": out, "result": "written"}])

    def test_writes(self):
        out = f"{self.folder}/app.conf"
        self.assertEqual(self.run_it(REVERB, "--output", out), ("", ""))
        with open(out, encoding="utf-8") as f:
            self.assertIn('[app "256980"]\n', f.read())
        self.assertEqual(os.stat(out).st_mode & 0o027, 0)
        self.assertIn("exists", self.run_it(REVERB, "--output", out, status=1)[1])
        self.run_it(REVERB, "--output", f"{self.folder}/none/app.conf", status=74)
        check = subprocess.run([CHATCTL, "export-env", "--config", out, "--json"], text=True,
                               capture_output=True, check=True)
        self.assertIn('"REVERB_APP_SECRET":"q #1"', check.stdout)

    def test_what_was_exported_is_read_again(self):
        conf = f"{self.folder}/a.conf"
        text = '[app "my-app"]\nkey = k\nsecret = a"b\\c$d #e\n\n[chat]\npublic_url = https://h.example:8443\n'
        with open(conf, "w", encoding="utf-8") as f:
            f.write(text)
        env = subprocess.run([CHATCTL, "export-env", "--config", conf], text=True, capture_output=True,
                             check=True).stdout
        self.makes(env, text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
