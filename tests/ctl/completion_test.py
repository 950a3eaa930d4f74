#!/usr/bin/env python3
"""What bash completes of chatctl: completion_test.py CHATCTL COMPLETION"""
import os
import subprocess
import sys
import tempfile
import unittest

CHATCTL, COMPLETION = sys.argv[1:3]
LIBRARY = "/usr/share/bash-completion/bash_completion"

# Completes the last of its words, as readline would ask for it.
ASK = f"""
source {LIBRARY}
source "$COMPLETION"
chatctl() {{ "$CHATCTL" "$@"; }}
COMP_WORDS=(chatctl "$@")
COMP_CWORD=$#
COMP_LINE="chatctl $*"
COMP_POINT=${{#COMP_LINE}}
[ "$(complete -p chatctl)" = "complete -F _chatctl chatctl" ] || exit 1
_chatctl chatctl "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def commands():
    """First words, second ones of each, and options of each whole command, as --help has them."""
    text = subprocess.run([CHATCTL, "--help"], check=True, text=True, stdout=subprocess.PIPE).stdout
    found = {}
    for line in text.splitlines():
        if line.startswith("  ") and line[2].isalpha():
            words = line.split()
            verb = [w for w in words[:2] if w[0].isalpha() and w.islower()]
            options = {w.strip("[]") for w in words if w.strip("[").startswith("--")}
            found[tuple(verb)] = options | {"--config", "--conninfo"}
    return found


class Completion(unittest.TestCase):
    def ask(self, *words):
        done = subprocess.run(["bash", "--norc", "-c", ASK, "bash", *words], text=True, capture_output=True,
                              env={**os.environ, "CHATCTL": CHATCTL, "COMPLETION": COMPLETION}, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.split("\n")) - {""}

    def test_commands(self):
        known = commands()
        self.assertGreater(len(known), 20)
        self.assertEqual(self.ask(""), {verb[0] for verb in known} | {"--help", "--version"})
        self.assertEqual(self.ask("dr"), {"drain"})
        self.assertEqual(self.ask("nonsense"), set())
        for first in {verb[0] for verb in known if len(verb) == 2}:
            self.assertEqual(self.ask(first, ""), {verb[1] for verb in known if verb[0] == first and len(verb) == 2})

    def test_options(self):
        for verb, options in commands().items():
            self.assertEqual(self.ask(*verb, "--"), options, verb)
        self.assertEqual(self.ask("user", "add", "--id", "7", "--na"), {"--name"})

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a.conf", "b.conf"):
                with open(f"{folder}/{name}", "w", encoding="utf-8"):
                    pass
            os.mkdir(f"{folder}/dir")
            everything = {f"{folder}/{name}" for name in ("a.conf", "b.conf", "dir")}
            self.assertEqual(self.ask("check", "--config", f"{folder}/"), everything)
            self.assertEqual(self.ask("import-env", "x", "--output", f"{folder}/a"), {f"{folder}/a.conf"})
            self.assertEqual(self.ask("import-env", f"{folder}/b"), {f"{folder}/b.conf"})
            self.assertEqual(self.ask("migrate", "--sql-dir", f"{folder}/"), {f"{folder}/dir"})


if __name__ == "__main__":
    if not os.path.exists(LIBRARY):
        print("skipped: bash-completion is not installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
