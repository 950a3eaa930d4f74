#!/usr/bin/env python3
"""Check every #include against layers.txt, and that each .c includes its own header first.

    layers.py ROOT [TABLE]

Names each offence and exits 1 if there is one. The table's format stands at its top.
"""
import pathlib
import re
import sys

# Foreign headers that mean I/O, processes or a library: only rows that list them may use them.
GUARDED = (
    "arpa/inet.h", "bsd/", "curl/", "event2/", "getopt.h", "grp.h", "hiredis/", "json-c/",
    "libpq-fe.h", "liburing.h", "netdb.h", "netinet/", "openssl/", "poll.h", "pwd.h", "signal.h", "sys/epoll.h",
    "sys/inotify.h", "sys/prctl.h", "sys/resource.h", "sys/signalfd.h", "sys/socket.h",
    "sys/timerfd.h", "sys/uio.h", "sys/un.h", "sys/wait.h", "syslog.h", "systemd/", "uthash.h",
    "zlib.h", "zmq.h")
TREES = ("common", "worker", "broker", "ctl", "bench", "tests")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_table(path):
    rules = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            folder, ours, foreign = re.split(r"\s{2,}", line.strip())
            rules[folder] = (ours.split(), foreign.split())
    return rules


def covers(allowed, name):
    return any(name == a or a.endswith("/") and name.startswith(a) for a in allowed)


def owner(rules, path):
    """The longest row that holds this file."""
    parts = path.split("/")
    for n in range(len(parts), 0, -1):
        if "/".join(parts[:n]) in rules:
            return "/".join(parts[:n])
    return None


def judge(root, rules, rel, quote, name):
    """What is wrong with one include of one file, or None."""
    own = owner(rules, rel)
    ours, foreign = rules[own]
    if quote == '"':
        if not (root / name).is_file():
            return f"is not written from the root: {name}"
        folder = owner(rules, name)
        if folder is None:
            return f"includes {name}, which no row covers"
        allowed = folder == own or folder in ours or covers(ours, name)
        return None if allowed else f"may not include {name}"
    guarded = covers(GUARDED, name)
    return f"may not use <{name}>" if guarded and not covers(foreign, name) and "*" not in foreign \
        else None


def check_file(root, rules, rel):
    if owner(rules, rel) is None:
        return [f"{rel}: no row of the table covers it"]
    found = []
    first = None
    for n, text in enumerate((root / rel).read_text().splitlines(), 1):
        match = INCLUDE.match(text)
        if match:
            first = first or match.group(2)
            why = judge(root, rules, rel, *match.groups())
            if why:
                found.append(f"{rel}:{n}: {why}")
    header = rel[:-2] + ".h"
    own = (header, rel[:-2] + "_internal.h")  # the latter includes the former
    if rel.endswith(".c") and (root / header).is_file() and first not in own:
        found.append(f"{rel}: must include its own header first")
    return found


def main():
    root = pathlib.Path(sys.argv[1])
    table = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else root / "tests/lint/layers.txt"
    rules = read_table(table)
    files = sorted(p.relative_to(root).as_posix() for tree in TREES
                   for p in (root / tree).rglob("*.[ch]") if "node_modules" not in p.parts)
    found = [line for rel in files for line in check_file(root, rules, rel)]
    print("\n".join(found) or f"{len(files)} files keep to {len(rules)} rows")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
