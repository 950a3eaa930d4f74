"""The life of a house: start, supervision, stop. One thread; everything that waits waits here."""
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import control
import demo
import folder
import part
import postgres
import say
import settings

PORT = 8080
ADMIN_PORT = 8081
WORKERS = 2
TURN = 0.05  # seconds between two looks at the parts
READY = 60  # seconds that a start may take


class Stopped(Exception):
    """Somebody wants the house to stop."""


def run(options, place):
    if not place.claim():
        return already_runs(options, place)
    return House(options, place).live()


def wishes(options):
    """The options that a house cannot change while it runs; null: no wish."""
    return json.dumps([options.port or None, options.workers, options.conf])


def already_runs(options, place):
    if options.fresh:
        raise say.Failure(f"a house runs on {place.path}; stop it before --fresh")
    say.step(f"a house is on {place.path} already; waiting until it is ready")
    environment = control.ask(place.control, f"ready {wishes(options)}")
    if environment is None:
        raise say.Failure(f"the house on {place.path} is being started or stopped; try again")
    if options.print_env:
        write_environment(options.print_env, environment)
    say.step("it runs; nothing to do")
    say.plain(environment)
    return 0


def write_environment(path, text):
    """At once and as a whole, so that a script that sees the file can read all of it."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "w", encoding="utf-8") as out:  # a pipe or terminal
                out.write(text)
            return
        fresh = f"{path}.{os.getpid()}.new"
        with open(fresh, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(fresh, path)
    except OSError as error:
        raise say.Failure(f"--print-env {path}: {error.strerror}") from None


def free_port(wanted, host):
    """That port if nobody listens there, else any other (for 0), else None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError:
            return None
        return probe.getsockname()[1]


class House:
    def __init__(self, options, place):
        self.options = options
        self.place = place
        self.parts = []
        self.stops = 0  # how often somebody wanted a stop
        self.stopping = False
        self.environment = None  # a function once the house is ready
        self.server = None

    # ---- waiting ----

    def _catch_signals(self):
        def on_signal(number, _):
            if number != signal.SIGCHLD:
                self.stops += 1

        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            # nohup wants the house to outlive its terminal
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, on_signal)

    def turn(self):
        """One look at everything, or the end of a pause."""
        sockets = self.server.sockets() if self.server else []
        select.select([self._wake, *sockets], [], [], TURN)
        try:
            os.read(self._wake, 512)
        except BlockingIOError:
            pass
        if self.stops and not self.stopping:
            raise Stopped
        if self.server:
            self.server.turn()
        changed = [p for p in self.parts if p.watch()]
        if changed:
            self._note_parts()
        for p in self.parts:
            p.echo()

    def until(self, condition, limit, what):
        """Waits. Raises Failure when it takes longer than `limit` seconds."""
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                raise say.Failure(f"{what} took more than {limit} s")
            self.turn()

    def command(self, argv, owner=None, input=None, check=True):
        """Runs a program to its end and gives what it wrote. A failure is one of ours, or None."""
        who = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd="/", env=part.clean_environment(), start_new_session=True, **who)
        while True:
            try:
                out, err = process.communicate(input, timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                input = None
                if self.stops and not self.stopping:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                    raise Stopped from None
        if process.returncode == 0:
            return out
        if not check:
            return None
        raise say.Failure(f"{os.path.basename(argv[0])} failed with status {process.returncode}\n{err}{out}")

    # ---- start ----

    def live(self):
        self._catch_signals()
        status = 0
        try:
            self._start()
            while True:
                self.turn()
        except Stopped:
            say.step("stopping")
        except say.Failure as failure:
            say.error(str(failure))
            self._show_last_words()
            status = failure.status
        finally:
            self._stop()
        # A sanitizer that has found something says so at the end.
        for one in self.parts:
            if one.last_code not in (0, -signal.SIGTERM):
                say.error(f"{one.name} did not end well: {part.how_it_ended(one.last_code)}")
                say.plain(one.last_words())
                status = status or 1
        return status

    def _start(self):
        if self.options.print_env and os.path.isfile(self.options.print_env):
            os.unlink(self.options.print_env)  # what stands there is of another run
        self._end_leftovers()
        if self.options.fresh:
            self.place.clear()
        self.place.furnish()
        self.server = control.Server(self.place.control, {
            "status": self._on_status, "ready": self._on_ready, "pg-stop": self._on_pg_stop,
            "pg-start": self._on_pg_start, "broker-start": self._on_broker_start})
        self.postgres = postgres.Postgres(self.place, self.command)
        self.postgres.make()
        say.step("starting PostgreSQL")
        self._start_part(self.postgres.part)
        self.until(self.postgres.answers, READY, "the start of PostgreSQL")
        self._fill_database()
        self._configure()
        say.step("starting chat-broker and chat-worker")
        self._start_daemons()
        self.until(self._is_ready, READY, "the start of broker and workers")
        self.environment = self._environment
        if self.options.print_env:
            write_environment(self.options.print_env, self.environment())
        self._welcome()

    def _fill_database(self):
        self.postgres.make_database()
        self.demo = demo.Demo(self.place, self.postgres, self.command)
        say.step("applying sql/")
        try:
            self.demo.migrate()
        except say.Failure as failure:
            raise say.Failure(f"{failure}--fresh starts with an empty database") from None
        self.postgres.make_role()
        self.demo.seed()
        self.demo.serve_page()

    def _configure(self):
        wanted = PORT if self.options.port is None else self.options.port
        port = free_port(wanted, "0.0.0.0")
        if port is None:
            raise say.Failure(f"port {wanted} is taken; choose another one with --port")
        admin_port = free_port(ADMIN_PORT if port != ADMIN_PORT else 0, "127.0.0.1")
        if admin_port is None:
            admin_port = free_port(0, "127.0.0.1")
        settings.write(self.place, port, admin_port, self.options.workers or WORKERS,
                       self.postgres.conninfo(postgres.BROKER_ROLE))
        self.settings = settings.load(self.place, self._extra(), self.command)
        if not self.settings.port:
            raise say.Failure("[worker] listen names no TCP address")

    def _extra(self):
        return [self.options.conf] if self.options.conf else []

    def _start_daemons(self):
        arguments = [f"--config={f}" for f in [self.place.conf] + self._extra()]
        if self.options.debug:
            arguments.append("--debug")
        show = part.everything if self.options.debug else part.warnings_only
        self.broker = part.Part(
            "chat-broker", [settings.program("chat-broker"), *arguments],
            self.place.file("log/broker.log"), [(signal.SIGTERM, 5)], show=show)
        # A second signal ends the workers' wait for slow clients.
        self.worker = part.Part(
            "chat-worker", [settings.program("chat-worker"), *arguments],
            self.place.file("log/worker.log"), [(signal.SIGTERM, 3), (signal.SIGTERM, 3)], show=show)
        self._start_part(self.broker)
        self._start_part(self.worker)

    def _start_part(self, one):
        self.parts.append(one)
        one.start()
        self._note_parts()

    def _is_ready(self):
        for one in (self.broker, self.worker):
            if one.failures > 2:
                raise say.Failure(f"{one.name} does not stay up")
        if self.settings.admin_port and not self._get("127.0.0.1", self.settings.admin_port, "/ready"):
            return False
        # An answer that took the whole way: worker, broker, database and back.
        path = "/api/websocket/connection-info" if self.settings.conninfo else "/up"
        return (len(self._worker_pids()) >= max(self.settings.workers, 1)
                and self._get(self.settings.host, self.settings.port, path,
                              self.demo.tokens[demo.USERS[0]["id"]]))

    @staticmethod
    def _get(host, port, path, token=None):
        host = f"[{host}]" if ":" in host else host
        request = urllib.request.Request(f"http://{host}:{port}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=2) as answer:
                return answer.status == 200
        except (OSError, ValueError):
            return False

    def _welcome(self):
        page = f"http://localhost:{self.settings.port}/"
        names = ", ".join(user["name"] for user in demo.USERS)
        say.plain(f"\n    The chat is ready: {page}\n\n"
                  f"    Open it in two windows and be {names}.\n"
                  f"    App {self.settings.app_id}, key {self.settings.app_key}. "
                  f"Data and logs: {self.place.path}\n"
                  f"    Database: psql '{self.postgres.url}'\n"
                  "    Ctrl-C stops everything.\n")

    # ---- what scripts need to know ----

    def _worker_pids(self):
        supervisor = self.worker.pid
        return sorted(pid for pid, (parent, *_) in part.process_table().items()
                      if supervisor and parent == supervisor)

    def _command_line(self, word):
        return shlex.join([f"{folder.ROOT}/dev", word, "--data", self.place.path])

    def _environment(self):
        users = {}
        for n, user in enumerate(demo.USERS, 1):
            users |= {f"USER{n}_ID": user["id"], f"USER{n}_TOKEN": self.demo.tokens[user["id"]]}
        values = {
            "HOST": self.settings.host, "PORT": self.settings.port, "APP_ID": self.settings.app_id,
            "APP_KEY": self.settings.app_key, "APP_SECRET": settings.APP["secret"],
            "PGURL": self.postgres.url, **users, "CHAT_ID": self.demo.chat,
            "BROKER_PID": self.broker.pid or "", "SUPERVISOR_PID": self.worker.pid or "",
            "WORKER_PIDS": " ".join(map(str, self._worker_pids())),
            "ADMIN_PORT": self.settings.admin_port, "PG_STOP_CMD": self._command_line("pg-stop"),
            "PG_START_CMD": self._command_line("pg-start"),
            "BROKER_START_CMD": self._command_line("broker-start"),
            "PRESENCE_GRACE_S": self.settings.presence_grace,
            "OFFLINE_GRACE_S": self.settings.offline_grace,
            "EVENT_NAMES": self.settings.event_names, "CORS_ORIGIN": self.settings.cors_origin,
        }
        return "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in values.items())

    # ---- commands of the control socket: each gives a function that answers when it can ----

    def _on_status(self, _):
        def answer():
            return f"ok\n{self.environment()}" if self.environment else "the house is being started"
        return answer

    def _on_ready(self, argument):
        def answer():
            port = PORT if self.options.port is None else self.options.port
            has = [port, self.options.workers or WORKERS, self.options.conf]
            for asked, one in zip(json.loads(argument), has):
                if asked not in (None, one):
                    return "a house runs there with other options; stop it first"
            return f"ok\n{self.environment()}" if self.environment else None
        return answer

    def _on_pg_stop(self, _):
        self.postgres.part.ask_to_stop(signal.SIGINT)
        say.step("stopping PostgreSQL, as asked")
        return lambda: None if self.postgres.part.pid else "ok\n"

    def _on_pg_start(self, _):
        self.postgres.part.hurry()
        say.step("starting PostgreSQL, as asked")
        return lambda: "ok\n" if self.postgres.answers() else None

    def _on_broker_start(self, _):
        if self.environment is None:
            return lambda: "the house is being started"
        self.broker.hurry()

        def answer():
            port = self.settings.admin_port
            up = self.broker.pid and (not port or self._get("127.0.0.1", port, "/live"))
            return "ok\n" if up else None
        return answer

    # ---- stop ----

    def _note_parts(self):
        self.place.write(self.place.file("parts.json"), json.dumps(
            [[p.pid, p.start_time, p.program] for p in self.parts if p.pid]))

    def _end_leftovers(self):
        """What a house that was killed has left running."""
        try:
            with open(self.place.file("parts.json"), encoding="ascii") as f:
                parts = json.load(f)
        except (FileNotFoundError, ValueError):
            return

        def alive():
            table = part.process_table()
            return [pid for pid, start, _ in parts if pid in table and table[pid][2] == start]

        left = alive()
        if left:
            say.step("ending what the last house left running")
        for number, wait in ((signal.SIGINT, 10), (signal.SIGKILL, 5)):
            for pid in alive():
                os.kill(pid, number)
            end = time.monotonic() + wait
            while alive() and time.monotonic() < end:
                self.turn()
        for pid, _, program in parts:
            if pid in left:
                part.end_session(pid, program)

    def _stop_part(self, one):
        for number, wait in one.stop_signals + [(signal.SIGKILL, 5)]:
            one.ask_to_stop(number)
            begin = time.monotonic()
            # whoever asks a second time is in a hurry
            while one.pid and time.monotonic() - begin < (wait if self.stops < 2 else 1):
                self.turn()
            if not one.pid:
                break
        one.sweep()

    def _stop(self):
        self.stopping = True
        for one in self.parts:
            one.wanted = False
        for one in reversed(self.parts):
            self._stop_part(one)
        if self.server:
            self.server.close()
        self._note_parts()
        say.step("stopped; nothing runs any more")

    def _show_last_words(self):
        for one in self.parts:
            if one.name != "PostgreSQL" or not one.pid:
                say.plain(f"--- end of {one.log}:\n{one.last_words()}")
