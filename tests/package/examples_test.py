#!/usr/bin/env python3
"""The examples for other programs: examples_test.py SOURCE_ROOT

nginx and HAProxy are started with their example in front of a server that says what it got, and are
asked for every path that the workers know; Supervisor reads its own. What is not installed is
skipped, for to install them starts them.
"""
import http.client
import http.server
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

TOP = pathlib.Path(sys.argv[1]).resolve()
EXAMPLES = TOP / "packaging/examples"
PROGRAMS = {name: shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
            for name in ("nginx", "haproxy", "supervisord")}
PATIENCE = 60


def routes():
    """All paths of the tables of the workers, with something in their holes."""
    found = set()
    for source in (TOP / "worker").rglob("*.c"):
        found |= set(re.findall(r'SLICE_INIT\("(/[^"]*)"\)', source.read_text(encoding="utf-8")))
    assert len(found) > 20, found
    return sorted({re.sub(r"\{[^}]*\}", "7", path) for path in found}
                  | {"/app/key", "/pusher/app/key/1/x/xhr_streaming"})


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Echo(http.server.BaseHTTPRequestHandler):
    """Says which path and headers came."""

    def do_GET(self):
        body = json.dumps({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Examples(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="examples.", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        self.server.handle_error = lambda *_: None  # who only looks whether it is there
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.port = free_port()

    def need(self, name):
        if not PROGRAMS[name]:
            self.skipTest(f"{name} is not installed")
        return PROGRAMS[name]

    def changed(self, name, *changes):
        """The text of an example; each change must find something."""
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        for old, new in changes:
            text, n = re.subn(old, new, text)
            self.assertGreater(n, 0, old)
        return text

    def put(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def run_it(self, *words):
        done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def start(self, *words):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.05)
        self.fail(f"{words[0]} does not listen")

    def ask(self, path, scheme):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        link.request("GET", path, headers={
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "gopher"})
        answer = link.getresponse()
        body = answer.read()
        link.close()
        self.assertEqual(answer.status, 200, path)
        got = json.loads(body)
        self.assertEqual(got["path"], path)
        self.assertEqual(got["upgrade"], "websocket")
        self.assertEqual(got["connection"].lower(), "upgrade")
        # What a client says of itself is replaced.
        self.assertEqual((got["x-forwarded-for"], got["x-forwarded-proto"]), ("127.0.0.1", scheme))
        self.assertEqual(got["host"], f"127.0.0.1:{self.port}")

    def test_nginx(self):
        nginx = self.need("nginx")
        key = self.folder / "key.pem"
        certificate = self.folder / "certificate.pem"
        self.run_it("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                    "/CN=chat.example.org", "-keyout", str(key), "-out", str(certificate))
        snippet = self.put("snippet.conf", self.changed("chat-server-proxy.conf"))
        site = (
            (r"127\.0\.0\.1:8080", f"127.0.0.1:{self.server.server_address[1]}"),
            (r"listen \[::\].*", ""),
            (r"listen 80;", f"listen 127.0.0.1:{free_port()};"),
            (r"/etc/ssl/certs/ssl-cert-snakeoil\.pem", str(certificate)),
            (r"/etc/ssl/private/ssl-cert-snakeoil\.key", str(key)),
            (r"/etc/nginx/snippets/chat-server-proxy\.conf", str(snippet)),
        )
        frame = (f"error_log {self.folder}/error.log;\npid {self.folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n"
                 + "".join(f"{kind}_temp_path {self.folder}/{kind};\n"
                           for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + "%s\n}\n")
        # As it is, with TLS: nginx has nothing to say against it.
        tls = self.changed("nginx.conf", *site, (r"listen 443", f"listen 127.0.0.1:{self.port}"))
        said = self.run_it(nginx, "-t", "-q", "-c", str(self.put("tls.conf", frame % tls)))
        self.assertNotIn("warn", said.replace('the "user" directive', ""))
        # Without TLS, and without the last block, which takes what the others have left.
        plain = self.changed("nginx.conf", *site, (r"listen 443 ssl http2", f"listen 127.0.0.1:{self.port}"),
                             (r"ssl_certificate.*", ""), (r"location / \{[^}]*\}", ""))
        conf = self.put("plain.conf", frame % plain)
        self.start(nginx, "-c", str(conf), "-g", "daemon off;")
        for path in routes():
            self.ask(path, "http")

    def test_haproxy(self):
        haproxy = self.need("haproxy")
        changes = [(r"127\.0\.0\.1:8080", f"127.0.0.1:{self.server.server_address[1]}"),
                   (r"bind :80", f"bind 127.0.0.1:{self.port}")]
        self.run_it(haproxy, "-c", "-V", "-f", str(self.put("whole.cfg", self.changed("haproxy.cfg", *changes))))
        changes.append((r"default_backend chat", ""))
        conf = self.put("paths.cfg", self.changed("haproxy.cfg", *changes, (r"maxconn 100000", "maxconn 100")))
        self.start(haproxy, "-db", "-f", str(conf))
        for path in routes():
            self.ask(path, "http")

    def test_supervisor(self):
        self.need("supervisord")
        conf = self.put("supervisord.conf", "[supervisord]\nlogfile = /dev/null\nlogfile_maxbytes = 0\n" +
                        self.changed("supervisor.conf", (r"(?m)^user=.*", "user=nobody")))
        # Its own reader, of the Python that it runs with.
        program = ("import sys\nfrom supervisor.options import ServerOptions\no = ServerOptions()\n"
                   "o.realize(['-c', sys.argv[1]])\n"
                   "print([(g.name, [(p.name, p.command, p.exitcodes, p.stopwaitsecs) "
                   "for p in g.process_configs]) for g in o.process_group_configs])\n")
        said = self.run_it("/usr/bin/python3", "-c", program, str(conf))
        self.assertEqual(said.splitlines()[-1], str([("chat", [
            ("chat-broker", "/usr/sbin/chat-broker", [0, 64, 69, 78], 30),
            ("chat-worker", "/usr/sbin/chat-worker", [0, 64, 69, 78], 330)])]))


if __name__ == "__main__":
    if not any(PROGRAMS.values()):
        print("skipped: neither nginx nor haproxy nor supervisor is installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
