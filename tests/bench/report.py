"""Writes docs/BENCHMARKS.md from what chat-bench and the floors have said."""
import os
import platform
import statistics
import subprocess

HEAD = """\
# Benchmarks

Written by `./dev bench`. Broker and workers are measured together, from outside; what load and server do
share the processors of one machine, over its loopback. So each figure stands beside a floor of the same run: the
least that any server could do for the same work on the same kernel (`tests/bench/floor.h`). Ratios of one run
compare; absolute figures of two runs do not. PostgreSQL runs beside it, with the mirror of presence on.

| | |
|---|---|
{machine}

Every run checks exactly that each event reached each receiver, once and in its order{bad}.
"""


def _first(path, name):
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.startswith(name):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "?"


def _output(*argv):
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "?"


def _machine(seconds):
    root = os.path.join(os.path.dirname(__file__), "../..")
    rows = (
        ("processors", f"{os.cpu_count()} × {_first('/proc/cpuinfo', 'model name')}"),
        ("memory", f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 1048576:.0f} GB"),
        ("kernel", platform.release()),
        ("system", _first_of_release()),
        ("commit", _output("git", "-C", root, "log", "-1", "--format=%h of %cs")),
        ("load average before the end", " ".join(f"{x:.1f}" for x in os.getloadavg())),
        ("time it took", f"{seconds / 60:.1f} min"),
    )
    return "\n".join(f"| {name} | {value} |" for name, value in rows)


def _first_of_release():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(summary):
    if summary["min"] == summary["max"]:
        return number(summary["median"])
    return f"{number(summary['median'])} ({number(summary['min'])} … {number(summary['max'])})"


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class Bars:
    def __init__(self, results):
        self.r = results
        self.rows = []

    def add(self, what, measured, floor, value, bar, at_most=False, unit="", met=None, bar_text=None):
        """`met` and `bar_text` where the bar is more than one number."""
        if met is None:
            met = value <= bar if at_most else value >= bar
        sign = "≤" if at_most else "≥"
        self.rows.append((what, measured, floor, f"{number(value)}{unit}",
                          bar_text or f"{sign} {number(bar)}{unit}", "met" if met else "missed"))

    def floors(self, *names):
        found = [self.r[n]["per_cpu_second"] for n in names if n in self.r]
        return sum(found) / len(found) if found else None

    def fanout(self, name, what, bar, beside=None):
        """`beside`: the run whose floors these are, if not its own."""
        floor = self.floors(f"{beside or name}-send", f"{beside or name}-send-again")
        if name not in self.r or floor is None:
            return
        delivered = self.r[name]["deliveries_per_cpu_second"]
        joined = self.floors(f"{name}-writev")
        text = number(floor) + (f"; joined {number(joined)}" if joined else "")
        self.add(what, spread(delivered), text, delivered["median"] / floor, bar, unit=" ×")

    def rate(self, names, key, what, bar):
        found = [self.r[n][key] for n in names if n in self.r]
        if found:
            best = max(found, key=lambda s: s["median"])
            self.add(what, spread(best), "", best["median"], bar)

    def connects(self):
        found = [self.r[n]["connect"] for n in ("idle", "idle-again") if n in self.r]
        if not found:
            return
        best = max(c["opened"] / max(c["server_cpu"], 1e-6) for c in found)
        floor = self.r.get("idle-floor", {}).get("connect")
        text = number(floor["opened"] / floor["server_cpu"]) if floor else ""
        self.add("connects with one subscription per CPU second", number(best), text, best, 25000)
        self.memory(self.r["idle"])

    def memory(self, r):
        memory = (r["memory_after"]["server"] - r["memory_before"]["server"]) / r["connect"]["opened"]
        if memory < 100:
            return  # it has served others before: it had the memory already
        self.add("bytes of user memory per idle subscribed connection", number(memory), "", memory, 1000,
                 at_most=True)

    def many(self):
        r = self.r.get("many")
        if not r:
            return
        held = r["connect"]["ready"] - r["totals"]["lost_connections"]
        self.add("connections held at once, pinged, one event delivered to all", f"{held:,}", "", held, 300000,
                 met=r["good"] and held >= 300000)
        self.memory(r)

    def presence(self):
        for name in sorted((n for n in self.r if n.startswith("presence-") and not n.endswith("-floor")),
                           key=lambda n: int(n.split("-")[1])):
            join, n = self.r[name]["join"], self.r[name]["connections"]
            broker = join["cpu"]["broker"] / n * 1e6
            self.add(f"{n:,} joins into one presence channel: µs of the broker each", number(broker), "",
                     broker, 50, at_most=True)
            floor = self.r.get(f"{name}-floor")
            if floor:
                workers = join["cpu"]["worker"]
                self.add("the same: CPU seconds of the workers", number(workers), number(floor["cpu"]),
                         workers / floor["cpu"], 3, at_most=True, unit=" ×")

    def latency(self):
        if "latency-floor" not in self.r:
            return
        ours, floor = (self.r[n]["delivery_us"]["p99"] / 1000 for n in ("latency", "latency-floor"))
        self.add("latency at 20 % load, 99 %, ms", number(ours), number(floor), ours / floor, 2,
                 at_most=True, unit=" ×")

    # ---- the chat's database: medians of pairs that ran one after the other ----

    def messages(self):
        rates = [self.r[n]["events_per_second"]["median"] for n in sorted(self.r)
                 if n.startswith("messages-") and n != "messages-bare"]
        bare = self.r.get("messages-bare")
        if not rates or not bare:
            return
        measured = summary(rates)
        floor = summary([b["per_second"] for b in bare])
        ratio = statistics.median(rate / b["per_second"] for rate, b in zip(rates, bare))
        self.add("messages acknowledged after COMMIT, a second; floor: their statement alone", spread(measured),
                 spread(floor), ratio, 0.7, unit=" ×", met=measured["median"] >= 9000 or ratio >= 0.7,
                 bar_text="≥ 9,000 or ≥ 0.7 ×")

    def mirror(self):
        if "mirror" not in self.r:
            return
        ours, bare = ([b["postgres_cpu"] / b["done"] * 1e6 for b in self.r[n]] for n in ("mirror", "mirror-bare"))
        core = statistics.median(b["postgres_cpu"] / b["seconds"] for b in self.r["mirror"])
        ratio = statistics.median(a / b for a, b in zip(ours, bare))
        self.add("mirror of presence at 20,000 rows a second: µs of PostgreSQL for each row; floor: the statements alone",
                 f"{spread(summary(ours))}: {core:.0%} of a core", spread(summary(bare)), ratio, 1.5, at_most=True,
                 unit=" ×", met=core <= 0.25 or ratio <= 1.5, bar_text="≤ 25 % or ≤ 1.5 ×")

    def reads(self):
        n = self.r.get("history-messages", [0])[0]
        for kind, what in (("history", "page of history"), ("chats", "active chats")):
            if f"{kind}-32" not in self.r:
                continue
            ours, bare = ([b["postgres_cpu"] / b["done"] * 1e6 for b in self.r[name]]
                          for name in (f"{kind}-32", f"{kind}-32-bare"))
            self.add(f"{what} of {n:,} messages: µs of PostgreSQL for each; floor: the queries alone",
                     spread(summary(ours)), spread(summary(bare)),
                     statistics.median(a / b for a, b in zip(ours, bare)), 2, at_most=True, unit=" ×")

    def all(self):
        self.fanout("fanout-1000", "1,000 subscribers, 32 outstanding: deliveries per CPU second", 5)
        self.fanout("fanout-10000", "10,000 subscribers, likewise", 4)
        self.fanout("paced", "1,000 subscribers at 20 events a second, likewise", 0.75)
        self.fanout("paced-ring", "the same with `[worker] io_uring`", 0.75, beside="paced")
        self.rate(["client-events"], "events_per_cpu_second",
                  "250 private rooms of 4: client events per CPU second", 100000)
        self.rate([n for n in self.r if n.startswith("publish-")], "events_per_cpu_second",
                  "`POST /events` to 250 channels of 4: events per CPU second", 20000)
        self.connects()
        self.many()
        self.latency()
        self.presence()
        self.messages()
        self.mirror()
        self.reads()
        return self.rows


def _table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


def _run_row(name, r):
    times = r["delivery_us"]
    cpu = {}
    for one in r["rounds"]:
        for role, seconds in one["cpu"].items():
            cpu[role] = cpu.get(role, 0) + seconds
    return (name, f"{r['connections']:,}", spread(r["events_per_second"]), spread(r["deliveries_per_second"]),
            spread(r["events_per_cpu_second"]), spread(r["deliveries_per_cpu_second"]),
            f"{times['p50'] / 1000:.3g} / {times['p99'] / 1000:.3g}" if times["n"] else "",
            ", ".join(f"{role} {seconds:.2f}" for role, seconds in cpu.items() if seconds >= 0.005))


def _presence_rows(results):
    for name, r in results.items():
        for what in ("join", "leave"):
            if what not in r:
                continue
            span = r[what]
            n = span["joined"] + span["left"]
            yield (f"{name}, {what}", f"{n:,}", f"{span['member_events']:,}", f"{span['seconds']:.2f}",
                   ", ".join(f"{role} {seconds / max(n, 1) * 1e6:.1f}" for role, seconds in span["cpu"].items()))


def _connection_rows(results):
    for name, r in results.items():
        if "connect" not in r or r["connections"] < 500:
            continue
        c, n = r["connect"], max(r["connect"]["opened"], 1)
        user = (r["memory_after"]["server"] - r["memory_before"]["server"]) / n
        kernel = (r["memory_after"]["kernel"] - r["memory_before"]["kernel"]) / n
        yield (name, f"{n:,}", number(n / c["seconds"]),
               number(n / c["server_cpu"]) if c["server_cpu"] else "", number(max(user, 0)),
               number(max(kernel, 0)), f"{r['memory_after']['server'] / 1e6:.1f}")


def _bare_rows(results):
    """The house and the statements alone, in pairs."""
    for name, ours in results.items():
        bare = results.get(f"{name}-bare")
        if not bare or "kind" not in ours[0]:
            continue
        for label, runs in ((name, ours), (f"{name}, queries alone", bare), (f"{name}, first query", results.get(f"{name}-list"))):
            if not runs:
                continue
            yield (label, spread(summary([r["per_second"] for r in runs])),
                   spread(summary([r["p50_us"] / 1000 for r in runs])), spread(summary([r["p99_us"] / 1000 for r in runs])),
                   spread(summary([r["postgres_cpu"] / r["done"] * 1e6 for r in runs])))


def write(path, results, commands, seconds):
    runs = {n: r for n, r in results.items() if "mode" in r}
    bad = [n for n, r in runs.items() if not r["good"]]
    rows = Bars(results).all()
    with open(path, "w", encoding="utf-8") as out:
        out.write(HEAD.format(machine=_machine(seconds),
                              bad=f"; these did not: {', '.join(bad)}" if bad else ", and found no exception"))
        if rows:
            out.write("\n## The bars\n\n")
            out.write(_table(("work", "measured", "floor", "ratio", "bar", ""), rows))
        talks = [_run_row(n, r) for n, r in runs.items() if r["rounds"]]
        if talks:
            out.write("\n## Events\n\nMedian of the rounds, and their spread. Latency from sending to arrival, in ms, "
                      "50 % / 99 %. CPU seconds of all rounds.\n\n")
            out.write(_table(("run", "connections", "events/s", "deliveries/s", "events per CPU second",
                              "deliveries per CPU second", "latency", "CPU"), talks))
        bare = list(_bare_rows(results))
        if bare:
            out.write("\n## The database\n\nThe house, and the statements that it sends alone, in turns: `history-32` has 32 "
                      "requests under way. Both are as durable as the house: `fsync` and `synchronous_commit` are on "
                      "for messages; the mirror commits without waiting.\n\n")
            out.write(_table(("run", "a second", "50 %, ms", "99 %, ms", "µs of PostgreSQL each"), bare))
        presence = list(_presence_rows(runs))
        if presence:
            out.write("\n## Presence\n\nµs of CPU for each that joins or leaves.\n\n")
            out.write(_table(("run", "members", "told", "seconds", "µs each"), presence))
        connections = list(_connection_rows(runs))
        if connections:
            out.write("\n## Connections\n\nBytes for each; later runs find memory that earlier ones have left. The "
                      "kernel's are both ends and whatever else the machine did.\n\n")
            out.write(_table(("run", "opened", "per second", "per CPU second", "user bytes", "kernel bytes",
                              "server MB"), connections))
        if "many" not in runs:
            with open(os.path.join(os.path.dirname(__file__), "notes.md"), encoding="utf-8") as notes:
                out.write("\n" + notes.read())
        out.write("\n## Commands\n\n")
        out.write("\n".join(f"    {command:<72}# {name}" for name, command in commands.items()) + "\n")
