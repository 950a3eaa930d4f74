#!/usr/bin/env python3
"""The sample file and the manual page show every key of conf.def, with its default.

    conf_docs.py CONF_DEF CONF_DOC MANUAL_PAGE

The sample is what CONF_DOC writes; here it is read by other code than what wrote it. Of the page,
CONF_DOC itself says whether its key section is fresh.
"""
import pathlib
import re
import subprocess
import sys

ROW = re.compile(r"^CONF_(STR|LIST|SECRETS|BOOL|INT|BYTES|TIME|ENUM)\((\w+), (\w+), (.*)$", re.M)
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30,
         "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
CALLS = {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "MSEC": 1e-3, "SEC": 1}


def constant(text):
    """MIB(64), SEC(2), MSEC(100) or a bare number."""
    call = re.match(r"(\w+)\((\d+)\)$", text)
    return int(call[2]) * CALLS[call[1]] if call else int(text)


def shown(text):
    """64M, 2s, 100ms, or several in a row: 1m30s."""
    if not re.fullmatch(r"(\d+[A-Za-z]*)+", text):
        return None
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([A-Za-z]*)", text))


def default_is(kind, fields, value):
    if kind in ("STR", "LIST"):
        return value == fields.split('"')[1]
    if kind == "SECRETS":
        return value == ""
    if kind == "BOOL":
        return value == {"true": "yes", "false": "no"}[fields.split(",")[0]]
    if kind == "ENUM":
        words, default = re.match(r'"([^"]+)", CONF_(\w+)', fields).groups()
        picked = [w for w in words.split("|")
                  if default.endswith(re.sub(r"\W", "_", w).upper())]
        return value == max(picked, key=len, default=None)
    return shown(value) == constant(fields.split(",")[0])


def read_sample(text):
    keys = {}
    section = None
    for line in text.splitlines():
        head = re.match(r'#?\[(\w+)(?: "NAME")?\]$', line)
        row = re.match(r"#(\w+) =(?: (.*))?$", line)
        if head:
            section = head[1]
        elif row:
            keys[section, row[1]] = row[2] or ""
    return keys


def main():
    table, doc, page = sys.argv[1:]
    sample = read_sample(subprocess.run([doc, "sample"], check=True, capture_output=True,
                                        text=True).stdout)
    rows = ROW.findall(pathlib.Path(table).read_text())
    bad = []
    for kind, section, key, fields in rows:
        value = sample.pop((section, key), None)
        if value is None:
            bad.append(f"[{section}] {key} is not in the sample")
        elif not default_is(kind, fields, value):
            bad.append(f"[{section}] {key}: the sample says {value!r}, conf.def {fields}")
    bad += [f"[{section}] {key} is in the sample only" for section, key in sample]
    print("\n".join(bad) or f"{len(rows)} keys in the sample")
    bad += ["page"] * subprocess.run([doc, "check", page], check=False).returncode
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
