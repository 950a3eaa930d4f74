"""Other servers beside the house, each where it is installed: what they do of the same work, by the same load."""
import os
import shutil
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WAIT = 20  # seconds for a start
# What is named among fast servers, but cannot be given the same work: it speaks no Pusher protocol.
OTHERS = {"nginx": "nginx with nchan", "nats-server": "nats-server", "mosquitto": "mosquitto"}


class Missing(Exception):
    pass


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _program(name):
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def _ws(folder):
    if not os.path.isdir(os.path.join(HERE, "../e2e/node_modules/ws")):
        raise Missing("npm's ws is not installed: ./dev test e2e does it")
    env = os.path.join(folder, "peer-ws.env")
    if os.path.exists(env):
        os.unlink(env)
    return subprocess.Popen([_program("node"), os.path.join(HERE, "peers/ws.mjs"), env]), env


def _soketi(folder):
    port = _free_port()
    settings = {"SOKETI_PORT": str(port), "SOKETI_METRICS_SERVER_PORT": str(_free_port()), "SOKETI_DEFAULT_APP_ID": "bench",
                "SOKETI_DEFAULT_APP_KEY": "bench", "SOKETI_DEFAULT_APP_SECRET": "bench",
                "SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES": "true", "SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC": "-1"}
    process = subprocess.Popen([_program("soketi"), "start"], env={**os.environ, **settings}, stdout=subprocess.DEVNULL)
    env = os.path.join(folder, "peer-soketi.env")
    with open(env, "w", encoding="utf-8") as f:
        f.write(f"HOST=127.0.0.1\nPORT={port}\nAPP_ID=bench\nAPP_KEY=bench\nAPP_SECRET=bench\nWORKER_PIDS={process.pid}\n")
    return process, env


STARTS = {"ws": _ws, "soketi": _soketi}


class Peer:
    """One that runs, while it is measured. Raises Missing."""

    def __init__(self, name, folder):
        self.process, self.env = STARTS[name](folder)
        end = time.monotonic() + WAIT
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise Missing(f"{name} does not start")
            time.sleep(0.05)

    def _answers(self):
        try:
            with open(self.env, encoding="utf-8") as f:
                port = int(next(line for line in f if line.startswith("PORT=")).split("=")[1])
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except (OSError, StopIteration, ValueError):
            return False

    def __enter__(self):
        return self.env

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def others():
    """A line for each of those that cannot be compared."""
    for program, name in OTHERS.items():
        there = "is here, but" if shutil.which(program) else "is not installed, and"
        yield f"{name} {there} speaks no Pusher protocol: not measured"
