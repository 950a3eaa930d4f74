"""What is in the house from the first day: three users with tokens, a chat, the page."""
import json
import os
import shutil

import folder
import settings

USERS = ({"id": "1", "name": "Ada"}, {"id": "2", "name": "Grace"}, {"id": "3", "name": "Alan"})
CHAT_NAME = "Ada and Grace"


class Demo:
    """`tokens` (by user id) and `chat` stay the same as long as the database has them."""

    def __init__(self, place, postgres, command):
        self.place = place
        self.file = place.file("demo.json")
        self._chatctl = lambda *words: command(
            [settings.program("chatctl"), *words, "--conninfo", postgres.conninfo("postgres")])
        try:
            with open(self.file, encoding="utf-8") as f:
                known = json.load(f)
        except (FileNotFoundError, ValueError):
            known = {}
        self.tokens = known.get("tokens", {})
        self.chat = known.get("chat")

    def _list(self, *words):
        return json.loads(self._chatctl(*words, "--json"))

    def migrate(self):
        self._chatctl("migrate", "--sql-dir", f"{folder.ROOT}/sql")

    def seed(self):
        """Makes what is missing."""
        there = {user["id"] for user in self._list("user", "list")}
        for user in USERS:
            if user["id"] not in there:
                self._chatctl("user", "add", "--id", user["id"], "--name", user["name"])
            valid = {str(t["id"]) for t in self._list("token", "list", "--user", user["id"])
                     if not t["expired"]}
            if self.tokens.get(user["id"], "").split("|")[0] not in valid:
                self.tokens[user["id"]] = self._chatctl(
                    "token", "create", "--user", user["id"], "--name", "demo").strip()
        self._find_chat()
        self.place.write(self.file, json.dumps({"tokens": self.tokens, "chat": self.chat}))

    def _find_chat(self):
        pair = {USERS[0]["id"], USERS[1]["id"]}
        for chat in self._list("chat", "list", "--user", USERS[0]["id"]):
            if chat["id"] == self.chat and pair <= set(chat["participants"]):
                return
        self.chat = self._list("chat", "create", "--owner", USERS[0]["id"],
                               "--user", USERS[1]["id"], "--name", CHAT_NAME)["id"]

    def serve_page(self):
        """The built page, and the users that it offers."""
        shutil.rmtree(self.place.web, ignore_errors=True)
        self.place.make_for_daemons(self.place.web)
        users = [{"id": int(u["id"]), "name": u["name"], "token": self.tokens[u["id"]]} for u in USERS]
        built = os.path.join(folder.ROOT, "web/dist")
        for name in sorted(os.listdir(built)):
            with open(os.path.join(built, name), "rb") as f:
                self.place.write(f"{self.place.web}/{name}", f.read(), for_daemons=True)
        self.place.write(f"{self.place.web}/demo.json", json.dumps({"users": users}), for_daemons=True)
