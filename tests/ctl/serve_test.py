#!/usr/bin/env python3
"""chatctl serve: serve_test.py CHATCTL, with both daemons beside it; no database is needed."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

CHATCTL = sys.argv[1]
WAIT = 60  # seconds; a machine may be busy


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
        return {int(child): name_of(int(child)) for child in f.read().split()}


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
        return f.read().strip()


def ends(pid):
    """Waits until no process has this number."""
    until = time.monotonic() + WAIT
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
        time.sleep(0.02)
    return not os.path.exists(f"/proc/{pid}")


class Serve(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="serve.", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)
        user = "user = nobody\n" if os.geteuid() == 0 else ""
        run = f"{self.folder}/run"
        self.conf = f"{self.folder}/chat.conf"
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(f"[broker]\n{user}run_dir = {run}\nendpoint = ipc://{run}/lane\n"
                    f"[worker]\n{user}listen = 127.0.0.1:1\nweb_root =\n[admin]\nlisten =\n"
                    "[database]\nconninfo =\n[app \"a\"]\nkey = k\nsecret = s\n")
        if os.geteuid() == 0:  # it belongs to root, the run folder to the daemons
            os.makedirs(run)
            shutil.chown(run, "nobody")
        self.port = free_port()

    def start(self, *words):
        self.log = open(f"{self.folder}/log", "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        process = subprocess.Popen(
            [CHATCTL, "serve", "--config", self.conf, "--host", "127.0.0.1", "--port", str(self.port),
             "--workers", "2", *words], stdout=self.log, stderr=subprocess.STDOUT)
        self.addCleanup(self.stop_hard, process)
        return process

    def stop_hard(self, process):
        if process.poll() is None:
            process.kill()
            process.wait()

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def wait_up(self, process):
        until = time.monotonic() + WAIT
        while time.monotonic() < until and process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/up", timeout=WAIT) as r:
                    if r.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.02)
        self.fail(self.said())

    def test_runs_both_and_ends_both(self):
        process = self.start()
        self.wait_up(process)
        children = children_of(process.pid)
        self.assertEqual(sorted(children.values()), ["chat-broker", "chat-worker"])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(WAIT), 0, self.said())
        self.assertEqual([ends(pid) for pid in children], [True, True])

    def test_one_ends_the_other(self):
        process = self.start()
        self.wait_up(process)
        children = children_of(process.pid)
        broker = next(pid for pid, name in children.items() if name == "chat-broker")
        os.kill(broker, signal.SIGKILL)
        self.assertEqual(process.wait(WAIT), 128 + signal.SIGKILL, self.said())
        self.assertEqual([ends(pid) for pid in children], [True, True])

    def test_a_busy_port_is_one_clear_line(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            process = self.start()
            self.assertNotEqual(process.wait(WAIT), 0)
        self.assertIn(f"127.0.0.1:{self.port}", self.said())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
