#!/usr/bin/env python3
"""A stand-in for systemd: starts a program, hears its notifications, stores its descriptors.

    manager.py SOCKET PROGRAM ARGUMENT...

Each notification is a line on standard output, newlines as spaces; "started PID" and "ended HOW"
stand between them. A line "start" on standard input starts the program, again with all that is
stored; "kill SIGNAL" sends it one; the end of the input ends all.
"""
import array
import os
import select
import signal
import socket
import sys

FIRST = 3


def say(text):
    print(text, flush=True)


def start(program, stored):
    pid = os.fork()
    if pid:
        say(f"started {pid}")
        return pid
    # First out of the way, then to their places.
    moved = [os.dup(fd) for fd in stored]
    high = [os.dup2(fd, 200 + i) for i, fd in enumerate(moved)]
    for i, fd in enumerate(high):
        os.dup2(fd, FIRST + i, inheritable=True)
    if stored:
        os.environ |= {"LISTEN_FDS": str(len(stored)), "LISTEN_PID": str(os.getpid())}
    os.execv(program[0], program)


def hear(notify, stored):
    data, ancillary, _, _ = notify.recvmsg(65536, 4096)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(content[:len(content) - len(content) % fds.itemsize])
            for fd in fds:
                # The same socket a second time is not stored twice.
                if any(os.path.sameopenfile(fd, old) for old in stored):
                    os.close(fd)
                else:
                    stored.append(fd)
    if data.startswith(b"FDSTOREREMOVE=1"):
        while stored:
            os.close(stored.pop())
    say(data.decode().replace("\n", " "))


def main():
    path, program = sys.argv[1], sys.argv[2:]
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(path)
    os.chmod(path, 0o777)
    os.environ |= {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000"}
    stored = []
    pid = 0
    open_input = True
    while open_input or pid:
        ready, _, _ = select.select([notify] + ([sys.stdin] if open_input else []), [], [], 0.05)
        if notify in ready:
            hear(notify, stored)
        if sys.stdin in ready:
            words = sys.stdin.readline().split()
            if not words:
                open_input = False
                if pid:
                    os.kill(pid, signal.SIGTERM)
            elif words[0] == "start":
                pid = start(program, stored)
            elif words[0] == "kill" and pid:
                os.kill(pid, getattr(signal, words[1]))
        if pid and os.waitpid(pid, os.WNOHANG)[0]:
            pid = 0
            say("ended")


main()
