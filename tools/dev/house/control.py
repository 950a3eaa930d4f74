"""The control socket of a running house: a line with a command, an answer, the end.

The answer's first line is "ok" or a sentence that says what is wrong.
"""
import os
import select
import socket
import time

import say

LINE_MAX = 4096
WAIT = 60  # seconds after which a command that cannot be fulfilled is given up


class Request:
    def __init__(self, connection):
        self.connection = connection
        self.text = b""
        self.ready = None  # gives the answer, or None while there is none yet
        self.deadline = None

    def answer(self, text):
        try:
            self.connection.sendall(text.encode())
        except OSError:
            pass  # nobody waits for it any more
        self.connection.close()


class Server:
    """Commands are looked up in `commands`: name -> function(argument) that gives a function which
    is called again and again until it gives the answer (a string)."""

    def __init__(self, path, commands):
        self.commands = commands
        self.path = path
        self.requests = []
        if os.path.lexists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.listener.bind(path)
        os.chmod(path, 0o600)
        self.listener.listen(16)

    def sockets(self):
        return [self.listener] + [r.connection for r in self.requests if r.ready is None]

    def _accept(self):
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        self.requests.append(Request(connection))

    def _read(self, request):
        """Gives the commands's line once it is whole."""
        try:
            data = request.connection.recv(LINE_MAX)
        except OSError:
            data = b""
        request.text += data
        if not data or len(request.text) > LINE_MAX:
            request.connection.close()
            self.requests.remove(request)
        elif request.text.endswith(b"\n"):
            request.connection.settimeout(5)
            name, _, argument = request.text.decode(errors="replace").strip().partition(" ")
            command = self.commands.get(name)
            request.ready = command(argument) if command else lambda: f"unknown command {name}"
            request.deadline = time.monotonic() + WAIT

    def turn(self):
        readable, _, _ = select.select(self.sockets(), [], [], 0)
        for request in list(self.requests):
            if request.ready is None and request.connection in readable:
                self._read(request)
        if self.listener in readable:
            self._accept()
        for request in [r for r in self.requests if r.ready]:
            text = request.ready()
            if text is None and time.monotonic() > request.deadline:
                text = "it takes too long"
            if text is not None:
                request.answer(text)
                self.requests.remove(request)

    def close(self):
        for request in self.requests:
            request.answer("the house is being stopped")
        self.listener.close()
        if os.path.lexists(self.path):
            os.unlink(self.path)


def ask(path, command):
    """The answer of the house behind that socket; None when there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(path)
            connection.sendall(f"{command}\n".encode())
            data = b"".join(iter(lambda: connection.recv(65536), b""))
        except (FileNotFoundError, ConnectionError):
            return None
        except PermissionError:
            raise say.Failure(f"{path} belongs to somebody else") from None
    status, _, body = data.decode(errors="replace").partition("\n")
    if status != "ok":
        raise say.Failure(status or "the house has gone")
    return body
