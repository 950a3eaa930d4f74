"""A Debian system in a folder, booted with its own systemd by boot.sh."""
import os
import pathlib
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 120


def wait_for(what, condition):
    """The first true result of condition()."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {PATIENCE} s")


class Machine:
    """Made of a tar file; gone with the `with` block."""

    def __init__(self, image, folder):
        self.root = pathlib.Path(folder) / "root"
        self.name = f"chat-package-{os.getpid()}"
        self.image = image
        self.init = None
        self.boot = None
        self.log = pathlib.Path(folder) / "console"

    def __enter__(self):
        self.root.mkdir()
        subprocess.run(["tar", "-C", self.root, "-xf", self.image], check=True)
        with open(self.log, "wb") as log:
            self.boot = subprocess.Popen([HERE / "boot.sh", self.root, self.name], stdout=log,
                                         stderr=log, stdin=subprocess.DEVNULL)
        try:
            self.init = wait_for("a process 1", self._find_init)
            wait_for("the end of the boot", self._is_running)
        except AssertionError:
            print(self.log.read_text(errors="replace")[-2000:])
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.boot.kill()  # unshare --kill-child takes process 1 along, and that all others
        self.boot.wait()
        if self.init:
            wait_for("the end of process 1", lambda: not os.path.exists(f"/proc/{self.init}"))
        for mount in open("/proc/mounts", encoding="utf-8"):
            kind, place = mount.split()[2], mount.split()[1]
            if kind == "cgroup2":
                self._drop_group(pathlib.Path(place) / self.name)
        shutil.rmtree(self.root)

    @staticmethod
    def _drop_group(group):
        if group.is_dir():
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)

    def _find_init(self):
        assert self.boot.poll() is None, self.log.read_text(errors="replace")
        for child in pathlib.Path(f"/proc/{self.boot.pid}/task/{self.boot.pid}/children").read_text().split():
            try:
                if os.readlink(f"/proc/{child}/exe").endswith("/systemd"):
                    return child
            except FileNotFoundError:
                continue  # it has just ended
        return None

    def _is_running(self):
        done = self.run("systemctl", "is-system-running", check=False)
        assert "degraded" not in done.stdout, self.run("systemctl", "--failed").stdout
        return "running" in done.stdout

    def command(self, *words, spaces="-a"):
        return ["nsenter", "-t", self.init, *spaces.split(), *words]

    def run(self, *words, check=True, **options):
        """In the machine; both outputs together."""
        done = subprocess.run(
            self.command("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                         "DEBIAN_FRONTEND=noninteractive", *words),
            text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, cwd="/", **options)
        assert not check or done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout}"
        return done

    def path(self, path):
        return self.root / path.lstrip("/")
