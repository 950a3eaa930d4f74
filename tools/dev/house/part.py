"""One process of the house: started, watched, started again when it dies, stopped.

A part leads a session of its own, so that Ctrl-C of a terminal reaches dev alone, which then stops
the parts in order. What it says goes to a file, which outlives dev.
"""
import os
import re
import signal
import subprocess
import time

import say

PAUSES = (0.1, 0.2, 0.5, 1, 2, 5)  # before the n-th start in a row that did not last
LASTED = 10  # seconds after which a start counts as a good one


def clean_environment():
    """Without the variables that point PostgreSQL's programs somewhere else."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")}


def process_table():
    """{pid: (parent, session, start time, name)} of all processes."""
    table = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", errors="replace") as f:
                text = f.read()
        except OSError:
            continue  # it has just ended
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        if fields[0] not in "ZX":
            table[int(pid)] = (int(fields[1]), int(fields[3]), int(fields[19]), name)
    return table


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def end_session(session, program):
    """Kills what a dead leader has left in its session."""
    for pid, (_, sid, _, name) in process_table().items():
        if sid == session and name == program[:15]:
            _send(pid, signal.SIGKILL)


def how_it_ended(code):
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


class Part:
    def __init__(self, name, argv, log, stop_signals, owner=None, show=None):
        self.name = name
        self.argv = argv
        self.owner = owner  # a passwd entry: run as this user
        self.log = log
        self.stop_signals = stop_signals  # [(signal, seconds to wait)], then SIGKILL
        self.show = show  # takes a line of the log, gives what people should see of it or None
        self.wanted = False
        self.process = None
        self.start_time = None  # of the kernel, tells a process from a later one of that number
        self.started_at = 0
        self.failures = 0
        self.next_start = None
        self.last_code = 0  # how it ended last; negative is a signal
        self._sessions = set()
        if os.path.exists(log):
            os.replace(log, f"{log}.1")
        self._tail = open(log, "a+b")
        self._begun = b""  # a line that has not ended yet
        os.chmod(log, 0o640)

    @property
    def program(self):
        return os.path.basename(self.argv[0])

    @property
    def pid(self):
        """None while it does not run."""
        return self.process.pid if self.process and self.process.poll() is None else None

    def start(self):
        who = {}
        if self.owner:
            who = {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=clean_environment(), start_new_session=True, **who)
        self.wanted = True
        self.next_start = None
        self.started_at = time.monotonic()
        self._sessions.add(self.process.pid)
        entry = process_table().get(self.process.pid)
        self.start_time = entry[2] if entry else None

    def watch(self):
        """To be called often. A death is told and healed here. True: something changed."""
        now = time.monotonic()
        if self.process and self.process.poll() is not None:
            code = self.last_code = self.process.returncode
            self.process = None
            if self.wanted:
                lasted = now - self.started_at > LASTED
                self.failures = 0 if lasted else min(self.failures + 1, len(PAUSES) - 1)
                self.next_start = now + PAUSES[self.failures]
                say.step(f"{self.name} {how_it_ended(code)}; starting it again")
            return True
        if self.wanted and not self.process and now >= self.next_start:
            self.start()
            say.step(f"{self.name} runs again (pid {self.pid})")
            return True
        return False

    def hurry(self):
        """Starts now what would be started later."""
        self.wanted = True
        if not self.process:
            self.failures = 0
            self.next_start = 0

    def ask_to_stop(self, number):
        self.wanted = False
        if self.process:
            _send(self.process.pid, number)

    def sweep(self):
        """After the stop: nothing of it is left."""
        for session in self._sessions:
            end_session(session, self.program)
        self._sessions.clear()

    def echo(self):
        """Shows what is new in the log."""
        if not self.show:
            return
        *lines, self._begun = (self._begun + self._tail.read()).split(b"\n")
        for raw in lines:
            text = self.show(raw.decode(errors="replace"))
            if text is not None:
                say.line(self.name, text)

    def last_words(self, lines=15):
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-lines:])


def everything(text):
    """A line of our daemons without the <N> at its front, the level of syslog."""
    return re.sub(r"^<\d>", "", text) or None


def warnings_only(text):
    """What is no warning is left out; a line without a level is no good news either."""
    return None if re.match(r"<[5-7]>", text) else everything(text)
