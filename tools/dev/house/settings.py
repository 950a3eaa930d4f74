"""The configuration of the daemons: the file that dev writes, and what is in force after all."""
import os
import re

import folder
import say

APP = {"id": "chatapp", "key": "chatapp-key", "secret": "chatapp-secret"}
CORS_ORIGIN = "http://localhost:3000"
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}

TEMPLATE = """\
# Made by ./dev run at each start. To change something give a file of your own with --conf.
[broker]
user = {user}
endpoint = ipc://{run_dir}/broker.sock
run_dir = {run_dir}
node = dev

[worker]
user = {user}
listen = 0.0.0.0:{port}
workers = {workers}
web_root = {web}

[database]
conninfo = {conninfo}

[chat]
# message.sent and App\\Events\\message\\sent, so that listeners of either kind hear it
event_names = both

[admin]
listen = 127.0.0.1:{admin_port}

[app "{id}"]
key = {key}
secret = {secret}
client_events = members
cors_origins = {cors_origin}
"""


def program(name):
    build = os.environ.get("CHAT_DEV_BUILD") or os.path.join(folder.ROOT, "build/dev")
    return os.path.join(build, {"chatctl": "ctl"}.get(name, name[5:]), name)


def write(place, port, admin_port, workers, conninfo):
    place.write(place.conf, TEMPLATE.format(
        user=place.daemon.pw_name if place.daemon else "", run_dir=place.run_dir, port=port,
        workers=workers, web=place.web, conninfo=conninfo, admin_port=admin_port,
        cors_origin=CORS_ORIGIN, **APP), for_daemons=True)


def _parse(text):
    """{section: {key: [values]}} of --dump-config, which writes every key, lists over lines."""
    sections, section, values = {}, None, None
    for line in text.splitlines():
        head = re.fullmatch(r"\[(\w+)(?: \"(.*)\")?\]", line)
        if head:
            name = head[1] if head[2] is None else (head[1], re.sub(r"\\(.)", r"\1", head[2]))
            section = sections.setdefault(name, {})
        elif line.startswith("\t"):
            values.append(line.strip())
        elif "=" in line:
            key, _, value = line.partition("=")
            values = section[key.strip()] = [value.strip()] if value.strip() else []
    return sections


def seconds(text):
    """"1500ms" -> "1.5"."""
    number, unit = re.fullmatch(r"(\d+)\s*([a-z]*)", text).groups()
    value = int(number) * SECONDS[unit or "s"]
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0")


def _tcp(addresses):
    """Host to connect to and port of the first TCP address; empty texts when there is none."""
    for address in addresses:
        host, _, port = address.rpartition(":")
        if port.isdigit():
            return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "[::]": "::1"}.get(
                host, host.strip("[]")), port
    return "", ""


class Settings:
    """What is in force: the file that dev wrote, then --conf, then the environment."""

    def __init__(self, dump):
        self.values = _parse(dump)
        self.host, self.port = _tcp(self.values["worker"]["listen"])
        _, self.admin_port = _tcp(self.values["admin"]["listen"])
        self.presence_grace = seconds(self.one("presence", "grace"))
        self.offline_grace = seconds(self.one("chat", "offline_grace"))
        self.event_names = self.one("chat", "event_names")
        self.conninfo = self.one("database", "conninfo")
        app = self.values.get(("app", APP["id"]), {})
        self.app_id = (app.get("id") or [APP["id"]])[0]
        self.app_key = (app.get("key") or [APP["key"]])[0]
        self.workers = int(self.one("worker", "workers"))
        exact = [o for o in app.get("cors_origins", []) if "*" not in o]
        self.cors_origin = exact[0] if exact else CORS_ORIGIN if app.get("cors_origins") else ""

    def one(self, section, key):
        return (self.values[section][key] or [""])[0]


def load(place, extra, command):
    """Asks the broker, which reads the files as it will at its start."""
    argv = [program("chat-broker")] + [f"--config={f}" for f in [place.conf] + extra]
    try:
        return Settings(command(argv + ["--dump-config"]))
    except (KeyError, AttributeError) as error:
        raise say.Failure(f"chat-broker --dump-config says nothing of {error}") from None
