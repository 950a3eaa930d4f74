"""What is said to people. A reader who went away (closed terminal, ended pipe) changes nothing."""
import os


class Failure(Exception):
    """Something that ends the command, as a sentence for people."""

    def __init__(self, text, status=1):
        super().__init__(text)
        self.status = status


def _write(fd, text):
    data = text.encode(errors="replace")
    try:
        while data:
            data = data[os.write(fd, data):]
    except OSError:
        pass


def plain(text):
    _write(1, text if text.endswith("\n") or not text else text + "\n")


def step(text):
    _write(1, f"==> {text}\n")


def line(source, text):
    _write(1, f"    {source}: {text}\n")


def error(text):
    _write(2, f"dev: {text}\n")
