#!/usr/bin/env python3
"""Find calls of functions that are not to be used in C: banned.py FILE..."""
import pathlib
import re
import sys

BANNED = {
    "sprintf": "snprintf or buf_printf", "vsprintf": "vsnprintf", "strcpy": "slices or memcpy",
    "strcat": "a buf", "strncpy": "slices or memcpy", "strncat": "a buf", "stpcpy": "a buf",
    "strtok": "slice_cut", "strtok_r": "slice_cut", "atoi": "slice_to_u64",
    "atol": "slice_to_u64", "atoll": "slice_to_u64", "atof": "strtod", "sscanf": "slices",
    "fscanf": "slices", "scanf": "slices", "gets": "getline", "alloca": "a bounded array",
    "rand": "random_below", "srand": "random_below", "random": "random_below",
    "signal": "sigaction or an event", "system": "posix_spawn", "popen": "posix_spawn",
    "mktemp": "mkstemp", "tmpnam": "mkstemp", "asctime": "clock_rfc3339", "ctime": "clock_rfc3339",
    "gmtime": "gmtime_r", "localtime": "localtime_r",
    "usleep": "a timer", "bzero": "memset", "inet_ntoa": "inet_ntop", "inet_addr": "inet_pton",
    "gethostbyname": "getaddrinfo", "longjmp": "a result", "vfork": "fork", "readdir_r": "readdir",
}
# signal() has one sound use: to ignore one.
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\((?!\w+, SIG_IGN\))")
# Comments and literals, which may name them.
PROSE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def main():
    bad = 0
    for name in sys.argv[1:]:
        code = PROSE.sub(blank, pathlib.Path(name).read_text())
        for match in CALL.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            print(f"{name}:{line}: {match[1]}() is banned: use {BANNED[match[1]]}")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
