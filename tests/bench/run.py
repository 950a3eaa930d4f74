#!/usr/bin/env python3
"""Measures a running house and writes the report.

    run.py --env FILE --bench PROGRAM --floor PROGRAM --folder DIR --report FILE [--data DIR]
           [--quick] [--connections N] [SECTION...]

Each section runs the floors and chat-bench one after the other, so that their ratio comes from one
run of one machine. What they said stays in DIR, one JSON file each.
"""
import argparse
import json
import os
import subprocess
import sys
import time

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


class Run:
    def __init__(self, options):
        self.options = options
        self.folder = options.folder
        self.bench_program = options.bench
        self.floor_program = options.floor
        self.results = {}
        self.commands = {}
        self.beside = self._beside()
        os.makedirs(self.folder, exist_ok=True)

    def _beside(self):
        """PostgreSQL, where dev has put it."""
        try:
            with open(os.path.join(self.options.data or "", "pg/postmaster.pid"), encoding="utf-8") as f:
                return [f"--beside=postgres={int(f.readline())}"]
        except (OSError, ValueError):
            return []

    def workers(self):
        return len(read_env(self.options.env)["WORKER_PIDS"].strip("'\"").split())

    def _times(self, seconds, rounds):
        if self.options.quick:
            seconds, rounds = min(seconds, 1), 1
        return ["-w", "0.5" if self.options.quick else "1", "-d", str(seconds), "-n", str(rounds)]

    def bench(self, name, *arguments, seconds=4, rounds=3, env=None):
        """One run of chat-bench; its page is shown, its JSON kept."""
        path = os.path.join(self.folder, f"{name}.json")
        words = [*map(str, arguments), *self._times(seconds, rounds)]
        self.commands[name] = " ".join(["chat-bench", *words])
        print(f"\n==> {name}: {self.commands[name]}", flush=True)
        argv = [self.bench_program, *words, "-e", env or self.options.env, "-q", "--save", path]
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

    def mixed(self):
        self.bench("mixed", "mixed", seconds=8)

    def many(self):
        """As many connections as asked for, pinged, with one event to all."""
        n = self.options.connections
        self.bench("many", "idle", "-c", n, "--patience", 60, "--opening", 32, seconds=70, rounds=1)


SECTIONS = ("connect", "fanout", "paced", "events", "publish", "presence", "latency", "chat", "mixed")


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("env", "bench", "floor", "folder", "report"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--data")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--connections", type=int)
    parser.add_argument("sections", nargs="*")
    options = parser.parse_args()
    unknown = [s for s in options.sections if s not in SECTIONS]
    if unknown:
        parser.error(f"no such section: {unknown[0]}; there are {', '.join(SECTIONS)}")
    run = Run(options)
    begun = time.monotonic()
    for section in ("many",) if options.connections else options.sections or SECTIONS:
        getattr(run, section)()
    report.write(options.report, run.results, run.commands, time.monotonic() - begun)
    bad = [name for name, r in run.results.items() if r.get("good") is False]
    for name in bad:
        print(f"{name} was not good: {run.results[name]['fault'] or 'see its page'}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
