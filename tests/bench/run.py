#!/usr/bin/env python3
"""Measures a running house and writes the report.

    run.py --env FILE --bench PROGRAM --floor PROGRAM --folder DIR --report FILE [--data DIR]
           [--bare PROGRAM] [--house DIR] [--quick] [--connections N] [--messages N] [--peers] [SECTION...]

Each section runs the floors and chat-bench one after the other, so that their ratio comes from one
run of one machine. What they said stays in DIR, one JSON file each.
"""
import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request

import database
import peers
import report


def read_env(path):
    with open(path, encoding="utf-8") as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)


class Floor:
    """A floor that serves, while it is measured."""

    def __init__(self, run, kind, workers):
        self.env = os.path.join(run.folder, f"{kind}.env")
        if os.path.exists(self.env):
            os.unlink(self.env)
        self.process = subprocess.Popen([run.floor_program, kind, "-w", str(workers), "-f", self.env])
        while not os.path.exists(self.env):
            if self.process.poll() is not None:
                raise SystemExit(f"floor {kind} ended with {self.process.returncode}")
            time.sleep(0.02)

    def __enter__(self):
        return self.env

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class House:
    """Another house, with more configuration than the one that is measured else, while it is measured."""

    def __init__(self, run, name, conf):
        folder = f"{run.options.data}-{name}"
        self.env = os.path.join(run.folder, f"{name}.env")
        if os.path.exists(self.env):
            os.unlink(self.env)
        more = os.path.join(run.folder, f"{name}.conf")
        with open(os.path.join(os.path.dirname(__file__), "chat.conf"), encoding="utf-8") as base, \
                open(more, "w", encoding="utf-8") as f:
            f.write(base.read() + conf)
        with open(os.path.join(run.folder, f"{name}.log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-B", run.options.house, "run", "--port", "0", "--workers", str(run.workers()),
                 "--data", folder, "--fresh", "--conf", more, "--print-env", self.env],
                stdout=log, stderr=log)
        while not os.path.exists(self.env):
            if self.process.poll() is not None:
                raise SystemExit(f"no house: see {log.name}")
            time.sleep(0.1)

    def __enter__(self):
        return self.env

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Run:
    def __init__(self, options):
        self.options = options
        self.folder = options.folder
        self.bench_program = options.bench
        self.floor_program = options.floor
        self.results = {}
        self.commands = {}
        self.postmaster = self._postmaster()
        self.beside = [f"--beside=postgres={self.postmaster}"] if self.postmaster else []
        os.makedirs(self.folder, exist_ok=True)

    def _postmaster(self):
        """PostgreSQL, where dev has put it."""
        try:
            with open(os.path.join(self.options.data or "", "pg/postmaster.pid"), encoding="utf-8") as f:
                return int(f.readline())
        except (OSError, ValueError):
            return None

    def workers(self):
        return len(read_env(self.options.env)["WORKER_PIDS"].strip("'\"").split())

    def _times(self, seconds, rounds):
        if self.options.quick:
            seconds, rounds = min(seconds, 1), 1
        return ["-w", "0.5" if self.options.quick else "1", "-d", str(seconds), "-n", str(rounds)]

    def bench(self, name, *arguments, seconds=4, rounds=3, env=None, unsaid=()):
        """One run of chat-bench; its page is shown, its JSON kept. `unsaid`: arguments too many to show."""
        path = os.path.join(self.folder, f"{name}.json")
        words = [*map(str, arguments), *self._times(seconds, rounds)]
        self.commands[name] = " ".join(["chat-bench", *words])
        print(f"\n==> {name}: {self.commands[name]}", flush=True)
        argv = [self.bench_program, *words, *unsaid, "-e", env or self.options.env, "-q", "--save", path]
        done = subprocess.run(argv + (self.beside if env is None else []), check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{name} failed with {done.returncode}")
        with open(path, encoding="utf-8") as f:
            self.results[name] = json.load(f)
        return self.results[name]

    def floor(self, name, kind, **values):
        words = [word for key, value in values.items() for word in (f"-{key}", str(value))]
        if "d" not in values and kind != "members":
            words += ["-d", "0.7" if self.options.quick else "3"]
        self.commands[name] = " ".join(["floor", kind, *words])
        out = subprocess.run([self.floor_program, kind, *words], check=True, capture_output=True, text=True)
        print(f"==> {name}: {out.stdout.strip()}", flush=True)
        self.results[name] = json.loads(out.stdout)
        with open(os.path.join(self.folder, f"{name}.json"), "w", encoding="utf-8") as f:
            f.write(out.stdout)
        return self.results[name]

    # ---- sections ----

    def connect(self):
        """Handshakes and memory. First of all: the server has not yet grown."""
        n = 2000 if self.options.quick else 10000
        self.bench("idle", "idle", "-c", n, seconds=1, rounds=1)
        with Floor(self, "serve", self.workers()) as env:
            self.bench("idle-floor", "idle", "-c", n, seconds=1, rounds=1, env=env)
        self.bench("idle-again", "idle", "-c", n, seconds=1, rounds=1)

    def _fanout(self, name, n):
        self.floor(f"{name}-send", "send", c=n, o=32)
        self.floor(f"{name}-writev", "writev", c=n, o=32)
        self.bench(name, "fanout", "-c", n, "-o", 32)
        self.floor(f"{name}-send-again", "send", c=n, o=32)

    def fanout(self):
        self._fanout("fanout-1000", 1000)
        self._fanout("fanout-10000", 10000)

    def paced(self):
        self.floor("paced-send", "send", c=1000, o=1, r=20, d=1 if self.options.quick else 5)
        self.bench("paced", "fanout", "-c", 1000, "-r", 20, seconds=5)
        if self.options.house:
            with House(self, "ring", "[worker]\nio_uring = yes\n") as env:
                self.bench("paced-ring", "fanout", "-c", 1000, "-r", 20, seconds=5, env=env)
        self.floor("paced-send-again", "send", c=1000, o=1, r=20, d=1 if self.options.quick else 5)

    def events(self):
        self.bench("client-events", "client-events", "-g", 250, "-m", 4)

    def publish(self):
        for lines in (16, 125):
            self.bench(f"publish-{2 * lines}", "publish", "-g", 250, "-m", 4, "--lines", lines)
        self.bench("publish-1000", "publish", "-g", 250, "-m", 4, "--talkers", 4, "--lines", 500)

    def presence(self):
        for n in (200, 1000) if self.options.quick else (1000, 10000):
            name = f"presence-{n}"
            join = self.bench(name, "presence", "-c", n, "--patience", 60)["join"]
            event = (join["bytes"] - join["snapshot_bytes"]) / max(join["member_events"], 1)
            member = join["snapshot_bytes"] / (n * (n + 1) / 2)
            self.floor(f"{name}-floor", "members", c=n, o=128, s=round(event), m=round(member))

    def latency(self):
        """At a fifth of the processors, beside the same number of events over two bare hops."""
        probe = self.bench("latency-probe", "fanout", "-c", 200, "-r", 50, seconds=2, rounds=1)
        used = probe["rounds"][0]["server_cpu"] / probe["rounds"][0]["seconds"]
        rate = round(50 * 0.2 * os.cpu_count() / max(used, 1e-3))
        self.bench("latency", "fanout", "-c", 200, "-r", rate, seconds=5)
        with Floor(self, "relay", self.workers()) as env:
            self.bench("latency-floor", "fanout", "-c", 200, "-r", rate, seconds=5, env=env)

    def chat(self):
        self.bench("chat", "chat")
        self.bench("chat-half", "chat", "-r", round(self.results["chat"]["events_per_second"]["median"] / 2))

    # ---- the chat's database, beside its statements alone ----

    def _metric(self, name):
        address = f"http://127.0.0.1:{read_env(self.options.env)['ADMIN_PORT']}/metrics"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=5) as answer:
            for line in answer.read().decode().split("\n"):
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        raise SystemExit(f"no metric {name}")

    def _database(self):
        if not self.options.bare or not self.postmaster:
            raise SystemExit("needs --bare and --data")
        return database.Database(read_env(self.options.env), self.folder, self.options.bare, self.postmaster)

    def _bare(self, db, name, kind, *words, seconds=3):
        """One run beside others of the same name; all are kept."""
        if self.options.quick:
            seconds = 1
        words = [*map(str, words), "-w", "0.5", "-d", str(seconds)]
        shown = [w for w in words if not w.startswith("/")]
        self.commands[name] = " ".join(["bare", kind, *shown])
        result = db.bare(kind, *words)
        print(f"==> {name}: bare {' '.join([kind, *shown])}: {json.dumps(result)}", flush=True)
        self.results.setdefault(name, []).append(result)
        with open(os.path.join(self.folder, f"{name}.json"), "w", encoding="utf-8") as f:
            json.dump(self.results[name], f)
        return result

    def _pairs(self):
        return range(1 if self.options.quick else 3)

    def messages(self):
        """Messages acknowledged after COMMIT, through the house and by the broker's statement alone."""
        db = self._database()
        posts = db.make_post_chats()
        who = [w for n in range(1, database.SENDERS + 1) for w in ("--token", database.token(n))]
        who += [w for n in range(database.POST_CHATS) for w in ("--chat", str(database.FIRST_CHAT + n))]
        for i in self._pairs():
            stored, batches = (self._metric(f"chat_database_{n}_total") for n in ("messages_stored", "message_batches"))
            self.bench(f"messages-{i}", "chat", "-m", 2, "--talkers", database.SENDERS, "--lines", 250,
                       rounds=1, unsaid=who)
            rows = ((self._metric("chat_database_messages_stored_total") - stored)
                    / max(1, self._metric("chat_database_message_batches_total") - batches))
            self._bare(db, "messages-bare", "post", "-f", posts, "-c", 2, "-b", max(1, round(rows)), seconds=4)

    def mirror(self):
        """20,000 rows a second of the mirror of presence, by the broker's code and by its statements alone."""
        db = self._database()
        for _ in self._pairs():
            self._bare(db, "mirror", "drive", "-r", 20000, seconds=5)
            self._bare(db, "mirror-bare", "mirror", "-r", 20000, seconds=5)

    def history(self):
        """Pages and lists of many messages, through the house and by the broker's statements alone."""
        db = self._database()
        n = min(self.options.messages, 100_000) if self.options.quick else self.options.messages
        print(f"\n==> making {n:,} messages", flush=True)
        begun = time.monotonic()
        requests = db.make_history(n)
        with open(os.path.join(self.folder, "plans.txt"), "w", encoding="utf-8") as f:
            f.write(db.plans(requests))
        print(f"    {time.monotonic() - begun:.0f} s", flush=True)
        self.results["history-messages"] = [n]
        for kind in ("history", "chats"):
            db.bare(kind, "-f", requests, "-o", 32, "-w", 0, "-d", 1 if self.options.quick else 5)  # into memory
            for outstanding in (1, 32):
                name = f"{kind}-{outstanding}"
                for _ in self._pairs():
                    words = ("-f", requests, "-o", outstanding)
                    self._bare(db, f"{name}-bare", kind, *words, seconds=2)
                    self._bare(db, name, kind, *words, "-t", db.house, seconds=2)
                    if kind == "chats":
                        self._bare(db, f"{name}-list", "list", *words, seconds=2)

    def mixed(self):
        self.bench("mixed", "mixed", seconds=8)

    def peers(self):
        """Other servers, and the house in the same minute."""
        for name in ("house", *peers.STARTS):
            try:
                if name == "house":
                    self._peer(name, self.options.env)
                    continue
                with peers.Peer(name, self.folder) as env:
                    self._peer(name, env)
            except peers.Missing as missing:
                print(f"\n==> peer-{name}: not measured: {missing}", flush=True)
        for line in peers.others():
            print(f"==> {line}", flush=True)

    def _peer(self, name, env):
        self.bench(f"peer-{name}-connect", "idle", "-c", 2000, seconds=1, rounds=1, env=env)
        self.bench(f"peer-{name}-fanout", "fanout", "-c", 1000, "-o", 32, env=env)
        self.bench(f"peer-{name}-paced", "fanout", "-c", 1000, "-r", 20, env=env)
        self.bench(f"peer-{name}-publish", "publish", "-g", 250, "-m", 4, env=env)

    def many(self):
        """As many connections as asked for, pinged, with one event to all."""
        n = self.options.connections
        self.bench("many", "idle", "-c", n, "--patience", 60, "--opening", 32, seconds=70, rounds=1)


SECTIONS = ("connect", "fanout", "paced", "events", "publish", "presence", "latency", "chat", "mixed", "messages",
            "mirror", "history")
# What a name stands for that is no section itself.
SETS = {"chat": ("chat", "messages", "mirror", "history")}


def wanted(names):
    """Each once, in the order of the set."""
    asked = {section for name in names for section in SETS.get(name, (name,))}
    return [section for section in SECTIONS if not names or section in asked]


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("env", "bench", "floor", "folder", "report"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--data")
    parser.add_argument("--bare")
    parser.add_argument("--house")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--connections", type=int)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("sections", nargs="*")
    options = parser.parse_args()
    unknown = [s for s in options.sections if s not in SECTIONS]
    if unknown:
        parser.error(f"no such section: {unknown[0]}; there are {', '.join(SECTIONS)}")
    run = Run(options)
    begun = time.monotonic()
    apart = ["many"] * bool(options.connections) + ["peers"] * options.peers
    for section in apart or wanted(options.sections):
        getattr(run, section)()
    report.write(options.report, run.results, run.commands, time.monotonic() - begun)
    bad = [name for name, r in run.results.items() if isinstance(r, dict) and r.get("good") is False]
    for name in bad:
        print(f"{name} was not good: {run.results[name]['fault'] or 'see its page'}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
