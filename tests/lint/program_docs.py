#!/usr/bin/env python3
"""The manual pages name every command and option that the programs know, and no other.

    program_docs.py MAN_FOLDER PROGRAM...

What a program knows is what its --help says. Of chatctl, whole command lines are compared.
"""
import pathlib
import re
import subprocess
import sys


def render(words):
    """The text of one macro line of mdoc: `Op Fl \\-user Ar id ...` is `[--user id ...]`."""
    out = []
    closing = ""
    take = iter(words)
    for word in take:
        if word == "Op":
            out.append("[")
            closing += "]"
        elif word == "Fl":
            out.append("-" + next(take).replace("\\-", "-"))
        elif word not in ("Cm", "Ar"):
            out.append(word)
    return " ".join(out) + closing


def plain(line):
    """Spaces, case and the place of the dots do not matter."""
    line = re.sub(r"\] \.\.\.", " ...]", line.lower())
    return re.sub(r"\s+", " ", re.sub(r"\s*([\[\]])\s*", r" \1 ", line)).strip()


def page_commands(page):
    synopsis = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh ", page, re.M | re.S)[1]
    entries = synopsis.split(".Nm\n")[1:]
    return {plain(" ".join(render(line[1:].split()) for line in entry.splitlines()))
            for entry in entries}


def help_commands(text):
    return {plain(line) for line in re.findall(r"^  ([a-z].*)$", text, re.M)}


def page_options(page):
    return set(re.findall(r"(?<= )\\(-[a-z][a-z-]*)", page))


def help_options(text):
    return set(re.findall(r"(?<!\S)\[?-(-[a-z][a-z-]*)", text))


def main():
    folder = pathlib.Path(sys.argv[1])
    bad = []
    for program in sys.argv[2:]:
        name = pathlib.Path(program).name
        page = next(folder.glob(f"{name}.[0-9]")).read_text(encoding="utf-8")
        known = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
        pairs = [(page_options(page), help_options(known))]
        if name == "chatctl":
            pairs.append((page_commands(page), help_commands(known)))
        for written, real in pairs:
            bad += [f"{name}: the page does not have {x}" for x in sorted(real - written)]
            bad += [f"{name}: only the page has {x}" for x in sorted(written - real)]
            if not real:
                bad.append(f"{name}: --help says nothing")
    print("\n".join(bad) or "pages and programs agree")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
