#!/usr/bin/env python3
"""The layer checker over a small tree: a clean one passes, each planted offence is named."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
CLEAN = {
    "common/base/a.h": "#include <stdint.h>\n",
    "common/base/a.c": '#include "common/base/a.h"\n\n#include <uthash.h>\n',
    "common/loop/zsock.c": '#include <zmq.h>\n#include "common/loop/loop.h"\n',
    "common/loop/loop.h": "#include <event2/event.h>\n",
    "worker/http/h.h": '#include "common/base/a.h"\n',
    "worker/w.c": '#include "worker/http/h.h"\n#include <sys/socket.h>\n',
    "broker/b.h": "",
}
# file, its text, a part of the complaint
OFFENCES = (
    ("worker/http/x.c", "#include <sys/socket.h>\n", "may not use <sys/socket.h>"),
    ("worker/http/x.c", '#include "worker/w.h"\n', "not written from the root"),
    ("worker/http/x.c", '#include "common/loop/loop.h"\n', "may not include common/loop/loop.h"),
    ("worker/x.c", '#include "broker/b.h"\n', "may not include broker/b.h"),
    ("broker/x.c", '#include "worker/http/h.h"\n', "may not include worker/http/h.h"),
    ("broker/x.c", "#include <libpq-fe.h>\n", "may not use <libpq-fe.h>"),
    ("common/loop/x.c", " #  include <zmq.h>\n", "may not use <zmq.h>"),
    ("common/json/x.c", "#include <json-c/json.h>\n", "may not use <json-c/json.h>"),
    ("common/base/a.c", '#include <stdint.h>\n#include "common/base/a.h"\n', "own header first"),
    ("common/other/x.c", "", "no row"),
)


def run(files):
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return subprocess.run([sys.executable, HERE / "layers.py", root, HERE / "layers.txt"],
                              capture_output=True, text=True, check=False)


def main():
    done = run(CLEAN)
    bad = [] if done.returncode == 0 else ["the clean tree: " + done.stdout]
    for name, text, complaint in OFFENCES:
        done = run({**CLEAN, name: text})
        if done.returncode != 1 or complaint not in done.stdout:
            bad.append(f"{name} with {text!r}: {done.stdout}{done.stderr}")
    print("\n".join(bad) or f"{len(OFFENCES)} offences found")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
