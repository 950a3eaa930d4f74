"""The private PostgreSQL cluster: made on the first start, reachable by unix socket only.

Every local user may use it as its superuser without a password: this is a demonstration that test
suites look into. It has nothing to do with clusters that the system has already.
"""
import glob
import os
import signal
import urllib.parse

import part
import say

OLDEST = 15
DATABASE = "chat"
SUPERUSER = "postgres"
BROKER_ROLE = "chat-broker"  # named like the system user of the package

ROLE_SQL = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{BROKER_ROLE}') THEN
    CREATE ROLE "{BROKER_ROLE}" LOGIN CONNECTION LIMIT 30;
  END IF;
END $$;
GRANT chat_broker TO "{BROKER_ROLE}";
"""


def _programs(cluster):
    """The folder of the server that made the cluster, else of the newest one."""
    found = {}
    for path in glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        version = path.split("/")[4]
        if version.isdigit() and int(version) >= OLDEST:
            found[int(version)] = os.path.dirname(path)
    try:
        with open(f"{cluster}/PG_VERSION", encoding="ascii") as f:
            version = int(f.read())
    except FileNotFoundError:
        version = max(found, default=OLDEST)
    if version not in found:
        raise say.Failure(f"PostgreSQL {version} is not installed; with --fresh a new cluster is made")
    return found[version]


class Postgres:
    def __init__(self, place, command):
        self.place = place
        self.command = command  # runs a program to its end: command(argv, owner=, input=)
        self.programs = _programs(place.cluster)
        self.part = part.Part(
            "PostgreSQL",
            [f"{self.programs}/postgres", "-D", place.cluster,
             "-c", "listen_addresses=", "-c", f"unix_socket_directories={place.pg_socket}",
             "-c", "port=5432", "-c", "max_connections=60", "-c", "timezone=UTC",
             "-c", "cluster_name=chat-dev", "-c", "log_line_prefix=%m [%p] %u@%d "],
            place.file("log/postgres.log"),
            [(signal.SIGINT, 10), (signal.SIGQUIT, 5)], owner=place.postgres)

    def make(self):
        """The cluster, if there is none. One that was begun only is made anew."""
        if os.path.exists(f"{self.place.cluster}/PG_VERSION"):
            return
        say.step("making a private PostgreSQL cluster")
        fresh = f"{self.place.cluster}.new"
        self.command(["rm", "-rf", fresh])
        self.place.make_for_postgres(fresh)
        self.command([f"{self.programs}/initdb", "-D", fresh, "-U", SUPERUSER, "--auth=trust",
                      "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"],
                     owner=self.place.postgres)
        os.rename(fresh, self.place.cluster)

    def answers(self):
        return self.part.pid is not None and self.command(
            [f"{self.programs}/pg_isready", "-q", "-t", "2", "-h", self.place.pg_socket, "-p", "5432"],
            check=False) is not None

    def conninfo(self, role, database=DATABASE):
        return f"host={self.place.pg_socket} port=5432 dbname={database} user={role}"

    @property
    def url(self):
        host = urllib.parse.quote(self.place.pg_socket, safe="/")
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={host}&port=5432"

    def sql(self, text, database=DATABASE):
        return self.command([f"{self.programs}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1",
                             "-d", self.conninfo(SUPERUSER, database)], input=text)

    def make_database(self):
        if not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'", "postgres").strip():
            self.sql(f"CREATE DATABASE {DATABASE}", "postgres")

    def make_role(self):
        self.sql(ROLE_SQL)
