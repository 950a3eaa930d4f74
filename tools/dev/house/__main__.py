"""The running house: what `./dev run` starts once everything is installed and built.

Reading order: house.py (start, supervision, stop), part.py (one process), folder.py (the data
folder), postgres.py, settings.py (chat.conf and what is in force), demo.py (users, tokens, page), control.py (how
./dev status and its like reach a running house).
"""
import argparse
import os
import sys

import control
import folder
import house
import say


def parse():
    parser = argparse.ArgumentParser(prog="./dev", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", allow_abbrev=False, help="start everything; Ctrl-C stops it")
    run.add_argument("--port", type=int, default=None, metavar="N", help="default 8080; 0 is a free one")
    run.add_argument("--workers", type=int, default=None, metavar="N", help="worker processes, default 2")
    run.add_argument("--data", metavar="DIR", help="data folder, default below /var/tmp")
    run.add_argument("--fresh", action="store_true", help="forget all data first")
    run.add_argument("--conf", metavar="FILE", help="more configuration, read last")
    run.add_argument("--debug", action="store_true", help="log everything, and show it")
    run.add_argument("--print-env", metavar="FILE", help="write what scripts need to know, once ready")
    for name, text in (("status", "print what --print-env writes, with the present processes"),
                       ("pg-stop", "stop PostgreSQL; it stays down"),
                       ("pg-start", "start PostgreSQL"),
                       ("broker-start", "make sure that a broker runs")):
        commands.add_parser(name, allow_abbrev=False, help=text).add_argument("--data", metavar="DIR")
    return parser.parse_args()


def check(options):
    if options.port is not None and not 0 <= options.port <= 65535:
        raise say.Failure("--port is a number from 0 to 65535")
    if options.workers is not None and not 1 <= options.workers <= 256:
        raise say.Failure("--workers is a number from 1 to 256")
    for name in ("conf", "print_env"):
        if getattr(options, name) is not None:
            setattr(options, name, os.path.abspath(getattr(options, name)))
    if options.conf is not None and not os.path.isfile(options.conf):
        raise say.Failure(f"--conf {options.conf}: there is no such file")
    if options.print_env is not None and not os.access(os.path.dirname(options.print_env), os.W_OK):
        raise say.Failure(f"--print-env {options.print_env}: cannot write there")


def main():
    os.umask(0o022)
    options = parse()
    try:
        place = folder.Folder(options.data)
        if options.command == "run":
            check(options)
            return house.run(options, place)
        answer = control.ask(place.control, options.command)
        if answer is None:
            raise say.Failure(f"nothing runs on {place.path}; ./dev run starts it")
        say.plain(answer)
        return 0
    except say.Failure as failure:
        say.error(str(failure))
        return failure.status


if __name__ == "__main__":
    sys.exit(main())
