#!/usr/bin/env python3
"""Clients of an installed server, for package_test.py; to be run in its network namespace.

    client.py chat     subscribes, publishes, chats; the environment says who and where
    client.py load     connects again and again until standard input ends; prints what it saw
"""
import base64
import collections
import hashlib
import hmac
import http.client
import json
import os
import select
import socket
import struct
import sys
import threading
import time

PORT = int(os.environ.get("PORT", "8080"))
KEPT = 20
PATIENCE = 30


class Closed(Exception):
    """The server has closed; args[0] is its code, or None without a close frame."""


class Socket:
    """One connection that speaks the Pusher protocol, just enough of it."""

    def __init__(self):
        self.data = b""
        self.tcp = socket.create_connection(("127.0.0.1", PORT), PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.tcp.sendall(
            f"GET /app/{os.environ['APP_KEY']}?protocol=7&client=test HTTP/1.1\r\n"
            f"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        head = self._until(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise OSError(f"refused: {head[:60]!r}")
        self.id = json.loads(self.expect("pusher:connection_established")["data"])["socket_id"]

    def close(self):
        self.tcp.close()

    def _more(self):
        part = self.tcp.recv(65536)
        if not part:
            raise Closed(None)
        self.data += part

    def _until(self, mark):
        while mark not in self.data:
            self._more()
        head, self.data = self.data.split(mark, 1)
        return head

    def _take(self, n):
        while len(self.data) < n:
            self._more()
        part, self.data = self.data[:n], self.data[n:]
        return part

    def receive(self):
        while True:
            first, length = self._take(2)
            if length == 126:
                length, = struct.unpack(">H", self._take(2))
            elif length == 127:
                length, = struct.unpack(">Q", self._take(8))
            body = self._take(length)
            if first & 15 == 8:
                raise Closed(struct.unpack(">H", body[:2])[0] if body else None)
            if first & 15 == 1:
                return json.loads(body)

    def expect(self, event):
        while True:
            message = self.receive()
            if message["event"] == "pusher:error":
                raise Closed(message["data"].get("code"))
            if message["event"] == event:
                return message

    def send(self, event, data):
        body = json.dumps({"event": event, "data": data}).encode()
        assert len(body) < 65536
        size = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + struct.pack(">H", len(body))
        self.tcp.sendall(b"\x81" + size + b"\0\0\0\0" + body)  # a mask of zeros

    def subscribe(self, channel, auth=None):
        data = {"channel": channel}
        if auth:
            data["auth"] = auth
        self.send("pusher:subscribe", data)
        self.expect("pusher_internal:subscription_succeeded")


def call(method, path, body=None, token=None):
    link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    link.request(method, path, body, headers)
    answer = link.getresponse()
    text = answer.read()
    link.close()
    assert answer.status < 300, (method, path, answer.status, text)
    return json.loads(text) if text else None


def publish(channel, name, data):
    app = os.environ["APP_ID"]
    body = json.dumps({"name": name, "channels": [channel], "data": json.dumps(data)})
    query = (f"auth_key={os.environ['APP_KEY']}&auth_timestamp={int(time.time())}&auth_version=1.0"
             f"&body_md5={hashlib.md5(body.encode()).hexdigest()}")
    signature = hmac.new(os.environ["APP_SECRET"].encode(),
                         f"POST\n/apps/{app}/events\n{query}".encode(), "sha256").hexdigest()
    call("POST", f"/apps/{app}/events?{query}&auth_signature={signature}", body)


def chat():
    """An event on a public channel; a message of a chat, live and in its history."""
    chat_id = os.environ["CHAT_ID"]
    one, two = Socket(), Socket()
    one.subscribe("news")
    publish("news", "hello", {"n": 1})
    assert json.loads(one.expect("hello")["data"]) == {"n": 1}

    channel = f"private-chat.{chat_id}"
    auth = call("POST", "/broadcasting/auth",
                json.dumps({"socket_id": two.id, "channel_name": channel}), os.environ["TOKEN2"])
    two.subscribe(channel, auth["auth"])
    text = f"said at {time.time()}"
    call("POST", f"/api/websocket/chats/{chat_id}/messages",
         json.dumps({"body": text}), os.environ["TOKEN1"])
    heard = two.expect("message.sent")
    assert text in json.dumps(heard), heard
    assert text in json.dumps(call("GET", f"/api/websocket/chats/{chat_id}/messages", None,
                                   os.environ["TOKEN2"]))
    print("chatted")


class Load:
    """Short connections one after the other, and some that stay and come back when told to."""

    def __init__(self):
        self.counts = collections.Counter()
        self.faults = []
        self.over = False

    def fault(self, what, error):
        self.counts["faults"] += 1
        if len(self.faults) < 10:
            self.faults.append(f"{what}: {error!r}")

    def short(self):
        while not self.over:
            try:
                call("GET", "/up")
                Socket().close()
                self.counts["connected"] += 1
            except Closed as e:
                if e.args[0] == 4200:  # accepted by a worker that was told to go meanwhile
                    self.counts["told to come back"] += 1
                else:
                    self.fault("short", e)
            except (OSError, AssertionError, http.client.HTTPException) as e:
                self.fault("short", e)

    def kept(self):
        while not self.over:
            try:
                link = Socket()
                link.subscribe("news")
                self.counts["kept"] += 1
                while not self.over:
                    if select.select([link.tcp], [], [], 0.2)[0]:
                        link.receive()
            except Closed as e:
                if e.args[0] == 4200:  # "come back at once"
                    self.counts["told to come back"] += 1
                elif not self.over:
                    self.fault("kept", e)
            except OSError as e:
                self.fault("kept", e)

    def run(self):
        threads = [threading.Thread(target=self.short) for _ in range(2)]
        threads += [threading.Thread(target=self.kept) for _ in range(KEPT)]
        for thread in threads:
            thread.start()
        while self.counts["kept"] < KEPT and not self.faults:
            time.sleep(0.05)
        print("loaded", flush=True)
        sys.stdin.read()
        self.over = True
        for thread in threads:
            thread.join()
        print(json.dumps({"faults": 0, **self.counts, "first": self.faults}))


if __name__ == "__main__":
    if sys.argv[1] == "load":
        Load().run()
    else:
        chat()
