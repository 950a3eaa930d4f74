#!/usr/bin/env python3
"""Find in text files what no one else can use: words.py FILE...

Paths of one machine, hosts of package registries, notes to oneself; and in lock files addresses,
so that everybody's own registry is asked.
"""
import pathlib
import re
import sys

# In brackets, so that this file does not find itself.
RULES = (
    (re.compile(r"/[w]ork/|/[h]ome/\w|/[U]sers/\w|/[r]oot/\w"), "a path of one machine"),
    (re.compile(r"//[^/\s\"']*(?:[r]egistry|[n]pmjs|[p]ypi|[a]rtifactory|[n]exus|[v]erdaccio)"
                r"[^/\s\"']*"), "a package registry"),
    (re.compile(r"\b(?:[T]ODO|[F]IXME|[X]XX|[H]ACK)\b"), "a note to oneself"),
    (re.compile(r"\"resolve[d]\"\s*:\s*\"https?:"), "an address in a lock file"),
)


def main():
    bad = 0
    for name in sys.argv[1:]:
        data = pathlib.Path(name).read_bytes()
        if b"\0" in data:
            continue
        for n, line in enumerate(data.decode(errors="replace").splitlines(), 1):
            for rule, what in RULES:
                match = rule.search(line)
                if match:
                    print(f"{name}:{n}: {what}: {match.group()}")
                    bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
