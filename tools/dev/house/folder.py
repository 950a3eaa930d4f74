"""The data folder: where everything of a house lives, who owns it, and whose it is not.

    DIR/.chat-dev     the mark that the folder is ours
    DIR/dev.lock      held while a house runs
    DIR/parts.json    processes of the last run, for a start after a crash of dev itself
    DIR/demo.json     demo users with tokens, and their chat; for the owner's eyes only
    DIR/chat.conf     configuration of the daemons
    DIR/web/          the demo page as it is served
    DIR/log/          what the parts say
    DIR/pg/           the PostgreSQL cluster
    SHORT/pg/, SHORT/chat/, SHORT/dev.sock    sockets

SHORT is DIR/run, or a folder of its own below /var/tmp where DIR is too long for a socket's path.

Started by root, PostgreSQL runs as `postgres` and the daemons become `daemon`, the user that
Debian keeps for daemons that write a few files and need no account of their own.
"""
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import stat

import say

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
BASE = "/var/tmp"
MARK = ".chat-dev"
SOCKET_MAX = 100  # of the 107 bytes that the kernel allows
LONGEST_SOCKET = "/run/pg/.s.PGSQL.5432"


def _short_hash(text):
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _account(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise say.Failure(f"this system has no user {name}") from None


class Folder:
    def __init__(self, path=None):
        self.is_root = os.geteuid() == 0
        # One for each checkout, of the same length wherever that stands.
        self.path = os.path.abspath(path or f"{BASE}/chat-dev-{os.geteuid()}-{_short_hash(ROOT)}")
        self.short = f"{self.path}/run"
        if (len(self.path) + len(LONGEST_SOCKET) > SOCKET_MAX
                or not re.fullmatch(r"[A-Za-z0-9_./+-]+", self.path)):
            self.short = f"{BASE}/chat-dev-{os.geteuid()}-{_short_hash(self.path)}-run"
        self.control = f"{self.short}/dev.sock"
        self.pg_socket = f"{self.short}/pg"
        self.run_dir = f"{self.short}/chat"
        self.cluster = self.file("pg")
        self.web = self.file("web")
        self.conf = self.file("chat.conf")
        self.postgres = _account("postgres") if self.is_root else None
        self.daemon = _account("daemon") if self.is_root else None
        self._lock = None

    def file(self, name):
        return os.path.join(self.path, name)

    def _make(self, path, mode=0o755, owner=None, group=None):
        """A folder of that owner and mode, whether or not it was there."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise say.Failure(f"{path} is not a folder")
        wanted = owner.pw_uid if owner else os.geteuid()
        if status.st_uid not in (os.geteuid(), wanted):
            raise say.Failure(f"{path} belongs to somebody else")
        if self.is_root:
            os.chown(path, wanted, (group or owner).pw_gid if group or owner else 0)
        os.chmod(path, mode)

    def _check_reach(self):
        """The daemons are not root: every folder above must let them through."""
        above = os.path.dirname(self.path)
        while self.is_root and above != "/":
            if not os.stat(above).st_mode & stat.S_IXOTH:
                raise say.Failure(f"{above} keeps other users out, but PostgreSQL and the daemons do "
                                  f"not run as root: take a folder below {BASE}")
            above = os.path.dirname(above)

    def claim(self):
        """Makes the folder and takes its lock. False: a house runs there already."""
        if os.path.lexists(self.path) and not os.path.lexists(self.file(MARK)):
            if not os.path.isdir(self.path) or os.listdir(self.path):
                raise say.Failure(f"{self.path} holds something else; dev wants a folder of its own")
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._check_reach()
        self._make(self.path)
        self._make(self.short)
        open(self.file(MARK), "a").close()
        self._lock = open(self.file("dev.lock"), "a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def clear(self):
        """Forgets all data. Only for the holder of the lock, when nothing runs."""
        kept = {MARK, "dev.lock", "run"}
        for name in os.listdir(self.path):
            path = self.file(name)
            if name in kept:
                continue
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        for name in ("pg", "chat"):
            shutil.rmtree(f"{self.short}/{name}", ignore_errors=True)

    def furnish(self):
        """The folders inside."""
        self._make(self.pg_socket, owner=self.postgres)
        self._make(self.run_dir, 0o750, owner=self.daemon)
        self._make(self.file("log"), 0o750)

    def make_for_postgres(self, path):
        self._make(path, 0o700, owner=self.postgres)

    def make_for_daemons(self, path):
        """A folder that the daemons read and nobody else but the owner."""
        self._make(path, 0o750, group=self.daemon)

    def write(self, path, content, for_daemons=False):
        """A file that is whole or not there. Others than the owner (and the daemons) cannot read it."""
        fresh = f"{path}.new"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as out:
            if for_daemons and self.daemon:
                os.fchown(fd, 0, self.daemon.pw_gid)
                os.fchmod(fd, 0o640)
            out.write(content if isinstance(content, bytes) else content.encode())
        os.replace(fresh, path)
