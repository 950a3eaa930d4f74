#!/usr/bin/env python3
"""The Debian package from its build to its purge: package_test.py SOURCE_ROOT

In a clean Debian made by mmdebstrap, booted with its own systemd: the package is installed, set up,
started with PostgreSQL beside it, chatted through, given what is wrong, upgraded under load,
removed and purged. Takes a quarter of an hour, needs root and the network, and therefore runs only
with CHAT_TEST_PACKAGE=1, as ./dev test package sets it.

The image is kept in build/package of the project. CHAT_PACKAGE=FOLDER tests the packages of that
folder instead of building them.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from machine import HERE, Machine, wait_for

TOP = pathlib.Path(sys.argv[1]).resolve()
KEEP = TOP / "build" / "package"
TOOLS = ("mmdebstrap", "lintian", "dpkg-buildpackage", "dh", "dh_apparmor", "unshare", "nsenter",
         "systemd-analyze", "apparmor_parser")
BEHIND = "+next1"
UNITS = ("chat-broker.service", "chat-worker.service", "chat-cleanup.timer", "chat.target")
# What any package may change, and PostgreSQL, which is somebody else's.
NOT_OURS = re.compile(r"/(proc|sys|dev|run|tmp|root)(/|$)|/var/(log|cache|tmp)(/|$)"
                      r"|/var/lib/(dpkg|apt|postgresql|systemd|private)(/|$)"
                      r"|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|/etc/\.pwd\.lock$")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def step(text):
    print(f"==> {text}", flush=True)


# ---- the packages --------------------------------------------------------------------------------

def build(folder, **environment):
    folder.mkdir()
    done = subprocess.run([TOP / "packaging/build-deb.sh", folder], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env={**os.environ, **environment},
                          preexec_fn=lambda: os.umask(0o077 if "TZ" in environment else 0o022))
    assert done.returncode == 0, done.stdout[-4000:]
    return folder


def package_of(folder):
    found = sorted(folder.glob("chat-server_*.deb"))
    assert len(found) == 1, f"{folder}: {found}"
    return found[0]


def next_version(deb, folder):
    """A higher version: every file comes anew, programs too, and the configuration is another."""
    tree = folder / "next"
    version = deb.name.split("_")[1]
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {version}\n",
                                                   f"Version: {version}{BEHIND}\n"))
    with open(tree / "etc/chat/chat.conf", "a", encoding="utf-8") as conf:
        conf.write("# The next version has more to say.\n")
    result = folder / deb.name.replace(version, version + BEHIND)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, result], check=True,
                   stdout=subprocess.DEVNULL)
    return result


def packages(scratch):
    """The folder with this version."""
    if "CHAT_PACKAGE" in os.environ:
        return pathlib.Path(os.environ["CHAT_PACKAGE"])
    step("building twice, in different places: the same bytes")
    first = build(scratch / "first")
    again = build(scratch / "again", TZ="Asia/Tokyo", LC_ALL="C")
    for deb in first.glob("*.deb"):
        assert deb.read_bytes() == (again / deb.name).read_bytes(), f"{deb.name} differs"
    return first


def check_package(folder):
    step("lintian has nothing to say")
    changes, = folder.glob("*.changes")
    done = subprocess.run(["lintian", "--allow-root", "--profile", "debian", "--pedantic",
                           "--display-info", "--tag-display-limit", "0", changes], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and not done.stdout.strip(), done.stdout

    step("debug symbols are there, programs are hardened, units are confined")
    assert len(list(folder.glob("chat-server-dbgsym_*.deb"))) == 1
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(["dpkg-deb", "-x", package_of(folder), unpacked], check=True)
        root = pathlib.Path(unpacked)
        for program in ("usr/sbin/chat-broker", "usr/sbin/chat-worker", "usr/bin/chatctl",
                        "usr/bin/chat-bench"):
            check_program(root / program)
        for unit in root.glob("lib/systemd/system/*.service"):
            subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", unit],
                           check=True, stdout=subprocess.DEVNULL)
        for profile in root.glob("etc/apparmor.d/*"):
            done = subprocess.run(["apparmor_parser", "--skip-kernel-load", "--skip-cache", profile],
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, done.stdout
        for script in ("postinst", "prerm", "postrm"):
            text = subprocess.run(["dpkg-deb", "-I", package_of(folder), script], check=True,
                                  text=True, stdout=subprocess.PIPE).stdout
            code = re.sub(r"^\s*(#|echo ).*$", "", text, flags=re.M)
            assert not re.search(r"psql|chatctl|createdb|dropdb|createuser|postgres", code), script


def check_program(path):
    shown = subprocess.run(["readelf", "-W", "-h", "-l", "-d", "--dyn-syms", path], check=True,
                           text=True, stdout=subprocess.PIPE).stdout
    assert "DYN (Position-Independent" in shown, f"{path}: no PIE"
    assert "BIND_NOW" in shown and "GNU_RELRO" in shown, f"{path}: relocations stay writable"
    assert "__stack_chk_fail" in shown, f"{path}: no stack protector"
    assert re.search(r"__\w+_chk\b", shown), f"{path}: not fortified"
    assert not re.search(r"GNU_STACK.*RWE", shown), f"{path}: executable stack"


# ---- the image -----------------------------------------------------------------------------------

def dependencies(deb):
    text = subprocess.run(["dpkg-deb", "-f", deb, "Pre-Depends", "Depends"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    names = re.findall(r"(?:^[\w-]+: |, )([a-z0-9][a-z0-9+.-]+)", text, re.M)
    return sorted({*names, "systemd", "systemd-sysv", "dbus", "postgresql", "apparmor", "iproute2",
                   "needrestart"})


def image(deb):
    wanted = dependencies(deb)
    tar = KEEP / f"{'-'.join(wanted)[:150]}.tar"
    if not tar.exists():
        step("making a clean Debian")
        KEEP.mkdir(parents=True, exist_ok=True)
        begun = tar.with_suffix(".begun")
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root",
                        "--format=tar", f"--include={','.join(wanted)}", "bookworm", begun],
                       check=True)
        begun.rename(tar)
    return tar


# ---- in the machine ------------------------------------------------------------------------------

def files(m):
    found = set()
    for folder, names, others in os.walk(m.root):
        inside = "/" + os.path.relpath(folder, m.root)
        names[:] = [n for n in names if not NOT_OURS.match(os.path.join(inside, n))]
        found |= {os.path.normpath(os.path.join(inside, n)) for n in names + others}
    return {f for f in found if not NOT_OURS.match(f)}


def is_active(m, unit):
    return m.run("systemctl", "is-active", unit, check=False).stdout.strip() == "active"


def journal(m, unit):
    return m.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout


def install(m, deb):
    shutil.copy(deb, m.path("/opt"))
    # What it needs is in the image; a missing dependency is an error, for there is no network.
    said = m.run("apt-get", "install", "-y", "-q", "-o",
                 "Dpkg::Options::=--force-confdef", f"/opt/{deb.name}").stdout
    m.path(f"/opt/{deb.name}").unlink()
    return said


def check_installed(m):
    for path, mode, owner in (("/etc/chat/chat.conf", "640", "root:chat"),
                              ("/etc/chat/conf.d", "750", "root:chat"),
                              ("/etc/chat/secrets", "700", "chat-broker:chat"),
                              ("/run/chat", "750", "chat-broker:chat")):
        assert m.run("stat", "-c", "%a %U:%G", path).stdout.split() == [mode, owner], path
    for unit in UNITS:
        assert m.run("systemctl", "is-enabled", unit).stdout.strip() == "enabled", unit
        assert not is_active(m, unit), f"{unit} was started before it was configured"
    for page in (("8", "chat-broker"), ("8", "chat-worker"), ("8", "chatctl"), ("1", "chat-bench"),
                 ("5", "chat.conf")):
        assert m.path(f"/usr/share/man/man{page[0]}/{page[1]}.{page[0]}.gz").exists(), page
    assert m.path("/usr/share/bash-completion/completions/chatctl").exists()


def set_up(m):
    step("chatctl setup: first what it would do, then all of it in one command")
    dry = m.run("chatctl", "setup", "--dry-run").stdout
    assert "CREATE DATABASE" in dry and "GRANT chat_broker" in dry
    assert not list(m.path("/etc/chat/conf.d").iterdir())
    assert "all is set up" in m.run("chatctl", "setup").stdout
    assert "all is set up" in m.run("chatctl", "setup").stdout
    assert "the database is right" in m.run("chatctl", "check").stdout
    m.run("systemctl", "start", "chat.target")
    for unit in UNITS:
        wait_for(unit, lambda u=unit: is_active(m, u))
    for person in ("1", "2"):
        m.run("chatctl", "user", "add", "--id", person, "--name", f"Person {person}")
    return environment(m)


def environment(m):
    """What the clients need to know."""
    def database(*words):
        return json.loads(m.run("chatctl", *words, "--json").stdout)
    env = dict(line.split("=", 1) for line in m.run("chatctl", "export-env").stdout.splitlines())
    tokens = {f"TOKEN{n}": database("token", "create", "--user", n)["token"] for n in ("1", "2")}
    made = database("chat", "create", "--owner", "1", "--user", "2")
    return {**os.environ, **tokens, "CHAT_ID": str(made["id"]), "PORT": env["REVERB_PORT"],
            **{f"APP_{k}": env[f"REVERB_APP_{k}"] for k in ("ID", "KEY", "SECRET")}}


def chat(m, env):
    wait_for("readiness", lambda: '"ready":true' in re.sub(r"\s", "", m.run(
        "chatctl", "status", "--json", check=False).stdout))
    done = subprocess.run(m.command(sys.executable, HERE / "client.py", "chat", spaces="-n"), env=env,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout + journal(m, "chat-broker") + journal(m, "chat-worker")


def log(m, env):
    step("the level of the log changes while it runs, and the journal has fields")
    entries = ("journalctl", "-u", "chat-worker", "CHAT_EVENT=client.connected", "-o", "json",
               "--no-pager", "-q")
    assert not m.run(*entries).stdout
    extra = m.path("/etc/chat/conf.d/log.conf")
    extra.write_text("[log]\nlevel = info\n[worker]\nio_uring = yes\n")
    extra.chmod(0o644)
    m.run("systemctl", "reload", "chat-worker")
    chat(m, env)
    found = [json.loads(line) for line in m.run(*entries).stdout.splitlines()]
    assert found
    for entry in found:
        assert entry["CHAT_APP"] == env["APP_ID"] and entry["PRIORITY"] == "6", entry
        assert re.fullmatch(r"\d+\.\d+", entry["CHAT_SOCKET_ID"]), entry
        assert f"socket_id={entry['CHAT_SOCKET_ID']} " in entry["MESSAGE"], entry
    assert "worker.io_uring used=" in journal(m, "chat-worker")
    print("    " + [l for l in journal(m, "chat-worker").splitlines() if "worker.io_uring" in l][-1])
    extra.unlink()
    m.run("systemctl", "reload", "chat-worker")


# ---- what is wrong -------------------------------------------------------------------------------

@contextlib.contextmanager
def changed(m, text=None, mode=None, sql=None, undo=None):
    """Something wrong, for a while: a file of the configuration, a mode, a statement."""
    extra = m.path("/etc/chat/conf.d/wrong.conf")
    conf = m.path("/etc/chat/chat.conf")
    if text:
        extra.write_text(text)
        extra.chmod(0o644)
    if mode is not None:
        conf.chmod(mode)
    if sql:
        psql(m, *sql, database="chat")
    try:
        yield
    finally:
        extra.unlink(missing_ok=True)
        conf.chmod(0o640)
        if undo:
            psql(m, *undo, database="chat")


def psql(m, *statements, database="postgres"):
    for statement in statements:
        m.run("runuser", "-u", "postgres", "--", "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d",
              database, "-c", statement)


def refuse(m, unit, status, words, **wrong):
    """The unit does not start; one line of `systemctl status` has all the words, and the exit status."""
    m.run("systemctl", "stop", unit)
    m.run("journalctl", "--rotate")
    m.run("journalctl", "--vacuum-time=1s")
    with changed(m, **wrong):
        done = m.run("systemctl", "start", unit, check=False)
        assert done.returncode != 0, f"{unit} starts in spite of {wrong}"
        shown = m.run("systemctl", "status", "--no-pager", "--lines=20", unit, check=False).stdout
        lines = [l for l in shown.splitlines() if all(w in l for w in words)]
        assert len(lines) == 1, f"{words} in one line of:\n{shown}"
        print(f"    {unit}: {lines[0].split(']: ', 1)[-1]}", flush=True)
        assert f"(code=exited, status={status}" in shown, shown
        assert not is_active(m, unit)
    m.run("systemctl", "reset-failed", unit)
    m.run("systemctl", "start", unit)


def refusals(m):
    step("what is wrong stops the start with one line that says what, where and what to do")
    broker, worker = "chat-broker.service", "chat-worker.service"
    refuse(m, worker, 78, ["wrong.conf:2", "lisden"], text="[worker]\nlisden = 0.0.0.0:1\n")
    refuse(m, worker, 78, ["wrong.conf:2", "workers", "256"], text="[worker]\nworkers = 1000\n")
    refuse(m, broker, 78, ["wrong.conf:2", "grace"], text="[presence]\ngrace = soon\n")
    refuse(m, worker, 78, ["/etc/chat/chat.conf", "Permission denied", "chmod"], mode=0o600)
    refuse(m, broker, 78, ["/etc/chat/chat.conf", "Permission denied", "chmod"], mode=0o600)
    refuse(m, worker, 69, ["127.0.0.1:5432", "in use"],
           text="[worker]\nlisten = 127.0.0.1:5432\n")
    refuse(m, broker, 69, ["127.0.0.1:5432", "in use"],
           text="[admin]\nlisten = 127.0.0.1:5432\n")
    refuse(m, broker, 78, ["nowhere", "chatctl setup"],
           text="[database]\nconninfo = dbname=nowhere\n")
    refuse(m, broker, 78, ["schema", "version", "chatctl migrate"],
           sql=["UPDATE chat.schema_version SET version = version + 1000"],
           undo=["UPDATE chat.schema_version SET version = version - 1000"])

    step("and so it stops a reload, which leaves all as it was")
    for unit in (broker, worker):
        with changed(m, text="[presence]\ngrace = soon\n"):
            assert m.run("systemctl", "reload", unit, check=False).returncode != 0
            assert is_active(m, unit)
        m.run("systemctl", "reload", unit)


# ---- upgrade, removal ----------------------------------------------------------------------------

def running(m, program):
    """Processes of the machine that run it, with the marks of the kernel."""
    shown = m.run("sh", "-c", "ls -l /proc/[0-9]*/exe 2>/dev/null", check=False).stdout
    return [line.split(" -> ")[1] for line in shown.splitlines() if program in line]


@contextlib.contextmanager
def nobody_refused(m, env):
    """Clients come and stay meanwhile: none is refused, those who stay are told to come back."""
    load = subprocess.Popen(m.command(sys.executable, HERE / "client.py", "load", spaces="-n"),
                            env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert load.stdout.readline() == "loaded\n"
        yield
        shown = json.loads(load.communicate("")[0])
    finally:
        load.kill()
        load.wait()
    print(f"    {shown}")
    assert shown["faults"] == 0 and shown["connected"] > 0, shown


def supervisor(m):
    return m.run("systemctl", "show", "-P", "MainPID", "chat-worker").stdout.strip()


def lose_supervisor(m, env):
    step("a supervisor is killed under load: its workers drain, the next one has the listeners")
    before = supervisor(m)
    count = len(running(m, "chat-worker"))
    with nobody_refused(m, env):
        m.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "chat-worker")
        wait_for("another supervisor", lambda: supervisor(m) not in ("0", before) and is_active(m, "chat-worker"))
        wait_for("the end of its workers", lambda: len(running(m, "chat-worker")) == count)
    chat(m, env)


def restart(m, env):
    step("a restart of the workers under load refuses no connection either")
    with nobody_refused(m, env):
        m.run("systemctl", "restart", "chat-worker")
    chat(m, env)


def wanting_restart(m):
    """Units of ours that needrestart finds with old libraries."""
    shown = m.run("needrestart", "-b", "-l").stdout
    return set(re.findall(r"^NEEDRESTART-SVC: (chat-\S+)", shown, re.M))


def upgrade_library(m, env):
    step("a library is upgraded: needrestart finds both daemons, and nobody is refused")
    assert not wanting_restart(m)
    library, = {m.path(f"/usr/lib/{name}").resolve() for name in m.run(
        "sh", "-c", "cd /usr/lib && ls */libzmq.so.5").stdout.split()}
    shutil.copy2(library, f"{library}.new")
    os.rename(f"{library}.new", library)
    assert wanting_restart(m) == {"chat-broker.service", "chat-worker.service"}
    before = supervisor(m)
    count = len(running(m, "chat-worker"))
    with nobody_refused(m, env):
        m.run("needrestart", "-r", "a", "-l")
        wait_for("the end of the old workers",
                 lambda: not wanting_restart(m) and len(running(m, "chat-worker")) == count)
    assert supervisor(m) == before, "the workers were restarted, not reloaded"
    chat(m, env)


def upgrade(m, env, deb):
    step("an upgrade under load refuses no connection and keeps the edited configuration")
    conf = m.path("/etc/chat/chat.conf")
    mine = conf.read_text() + "# This line is the administrator's.\n"
    conf.write_text(mine)
    before = supervisor(m)
    with nobody_refused(m, env):
        install(m, deb)
        wait_for("new workers", lambda: running(m, "chat-worker") and not any(
            "deleted" in line for line in running(m, "chat-worker")))
        assert not any("deleted" in line for line in running(m, "chat-broker"))
        # In place: the listeners were never closed.
        assert supervisor(m) == before
    assert conf.read_text() == mine
    chat(m, env)


def remove(m, before):
    step("removal stops it and keeps the configuration; purge leaves nothing but the database")
    m.run("apt-get", "remove", "-y", "-q", "chat-server")
    assert not running(m, "/usr/sbin/chat-")
    assert m.path("/etc/chat/conf.d/app-chat.conf").exists()
    m.run("apt-get", "purge", "-y", "-q", "chat-server")
    left = files(m) - before
    assert not left, f"left behind: {sorted(left)}"
    for line in m.run("getent", "passwd").stdout.splitlines() + m.run("getent", "group").stdout.splitlines():
        assert not line.startswith("chat"), line
    assert not m.run("systemctl", "list-unit-files", "chat*", "--no-legend", check=False).stdout.strip()
    psql(m, "SELECT count(*) FROM chat.message", database="chat")


def main():
    if os.environ.get("CHAT_TEST_PACKAGE") != "1":
        skip("takes a quarter of an hour; run by ./dev test package")
    if os.geteuid() != 0:
        skip("only root may boot a system of its own")
    missing = [t for t in TOOLS if not shutil.which(t)]
    if missing:
        skip(f"{', '.join(missing)} not installed; ./dev test package installs them")
    if not any(line.split()[2] == "cgroup2" for line in open("/proc/mounts", encoding="utf-8")):
        skip("no unified cgroup hierarchy is mounted")
    with tempfile.TemporaryDirectory(prefix="chat-package.", dir="/var/tmp") as folder:
        scratch = pathlib.Path(folder)
        this = packages(scratch)
        check_package(this)
        with Machine(image(package_of(this)), scratch) as m:
            before = files(m)
            step("installing")
            assert "chatctl setup" in install(m, package_of(this))
            check_installed(m)
            env = set_up(m)
            step("chatting")
            chat(m, env)
            m.run("systemctl", "start", "chat-cleanup.service")
            log(m, env)
            refusals(m)
            chat(m, env)
            lose_supervisor(m, env)
            restart(m, env)
            upgrade_library(m, env)
            upgrade(m, env, next_version(package_of(this), scratch))
            remove(m, before)
    print("all of it works")


if __name__ == "__main__":
    main()
