"""Measures ours and other systems in turns; see bench/rivals.sh."""

import argparse
import contextlib
import functools
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import oha  # noqa: E402
import result  # noqa: E402
import subjects  # noqa: E402
from subjects import (  # noqa: E402
    KEY, TOKEN, Afternoon, BetterAuth, OidcProvider, Original, Ours, Place, installed,
)

CONNECTIONS = 64
IN_PROCESS = {"verify token": "verify a token in process", "verify key": "verify a key in process"}
THREADS = (1, 4)
GOALS = {"in process": 100, "original": 10, "other": 3}
NOTE = (
    "{rounds} rounds in which the subjects take turns; value is the median of the rounds, low and high the "
    "smallest and largest. Every ratio (`times`) is ours by the other's, round by round in the same run. "
    "Over HTTP: a closed loop of {connections} connections, {seconds} s each; every subject was first seen to "
    "accept the right credential and to refuse a wrong and a revoked one. {pinned} One client, one user, one "
    "token, asked for again and again: every cache is warm, in each subject. Where the generator is the limit "
    "(our processor used is below 100 %) our throughput is a lower bound; `times by processor time` "
    "compares how many requests a second of the server's own processor time answers, the databases' not counted. Ours: the release binary with default "
    "settings, verifying from memory (at most one second behind a revocation in another process), a log line "
    "for each request; the rivals log nothing. "
    "The original is called as it is documented, in process from one thread and from four. It and the afternoon's "
    "work run in `def` handlers of FastAPI on ten threads (they were faster than 40, and than asyncio), without TLS "
    "to PostgreSQL. "
    "The afternoon's work reads client and token from PostgreSQL on each request. "
    "oidc-provider introspects an opaque token of the grant `client_credentials`, the cheapest it has, from its "
    "own store in memory, on Node {node}. "
    "Better Auth offers its verification to programs only: it stands behind a bare server of Node's, without "
    "its router. Limits per key are off; SQLite is in WAL mode with synchronous=normal, and it updates the "
    "row of the key at each verification; in memory (a Map) nothing outlives the process and others could not "
    "share it. "
)


class Bench:
    def __init__(self, options, place):
        self.options, self.place = options, place
        self.rows, self.missing = [], []

    def run(self):
        ours = [Ours(self.place, database) for database in ("SQLite", "PostgreSQL")]
        python, node = (functools.cache(functools.partial(installed, what)) for what in ("python", "node"))
        original = self.rival("the original", lambda: Original(self.place, python()))
        others = [
            original,
            self.rival("the afternoon's work", lambda: Afternoon(self.place, python())),
            self.rival("oidc-provider", lambda: OidcProvider(self.place, node())),
            self.rival("Better Auth on SQLite", lambda: BetterAuth(self.place, node(), "SQLite")),
            self.rival("Better Auth in memory", lambda: BetterAuth(self.place, node(), "memory")),
        ]
        self.in_process(ours, original)
        running = []
        with contextlib.ExitStack() as stack:
            for subject in ours + [other for other in others if other is not None]:
                if self.starts(subject, stack):
                    running.append(subject)
            for group in (TOKEN, KEY):
                self.over_http(group, [one for one in running if group in one.groups])
        self.write()

    def rival(self, name, make):
        """A rival, or None where it cannot be had: the others are measured all the same."""
        try:
            return make()
        except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
            return self.misses(name, error)

    def starts(self, subject, stack):
        with contextlib.ExitStack() as own:
            try:
                subject.start(own)
                for question in subject.questions.values():
                    question.check(subject.server)
            except (OSError, RuntimeError, ValueError, KeyError) as error:
                if isinstance(subject, Ours):
                    raise
                return self.misses(subject.name, error) is not None
            stack.push(own.pop_all())
        return True

    def misses(self, name, error):
        print(f"{name} is left out: {error}", file=sys.stderr, flush=True)
        # Without the reason: it may hold paths of this machine.
        self.missing.append(name)

    def in_process(self, ours, original):
        calls = {one.name: one.rate for one in ours}
        theirs = []
        if original is not None:
            for threads in THREADS:
                name = f"bosa-core 0.9.7, {threads} thread{'s' if threads > 1 else ''}"
                calls[name] = functools.partial(original.rate, threads=threads)
                theirs.append(name)
        rounds = self.rounds(calls, lambda call: call(self.options.seconds))
        for what, group in IN_PROCESS.items():
            rates = {name: [one[what] for one in each] for name, each in rounds.items()}
            for name, values in rates.items():
                self.add_median(group, name, "throughput", "calls/s", values)
            for one in ours:
                for name in theirs:
                    self.add_ratio(group, one.name, name, rates, GOALS["in process"])

    def over_http(self, group, all_subjects):
        for subject in all_subjects:
            self.load(subject, group, 1)
        by_name = {one.name: one for one in all_subjects}
        rounds = self.rounds(by_name, lambda subject: self.one_round(subject, group))
        for metric, unit in (
            ("throughput", "requests/s"), ("processor time", "µs/request"), ("processor used", "%"), ("p50", "ms"), ("p99", "ms"),
            ("errors", "requests"),
        ):
            for name, each in rounds.items():
                values = [one[metric] for one in each]
                if metric == "errors":
                    self.add({"group": group, "subject": name, "metric": metric, "unit": unit, "value": sum(values)})
                else:
                    self.add_median(group, name, metric, unit, values)
        rates = {name: [one["throughput"] for one in each] for name, each in rounds.items()}
        # What one second of processor time is enough for: unlike the throughput never the generator's limit.
        thrift = {name: [1 / max(one["processor time"], 1e-9) for one in each] for name, each in rounds.items()}
        for one in all_subjects:
            for other in all_subjects:
                if isinstance(one, Ours) and not isinstance(other, Ours):
                    goal = GOALS["original" if isinstance(other, Original) else "other"]
                    self.add_ratio(group, one.name, other.name, rates, goal)
                    self.add_ratio(group, one.name, other.name, thrift, goal, "times by processor time")

    def one_round(self, subject, group):
        subject.server.empty_log()
        before = tree_time(subject.server.child.pid)
        done = self.load(subject, group, self.options.seconds)
        used = tree_time(subject.server.child.pid) - before
        # A server that has broken down may go on answering 200.
        subject.questions[group].check(subject.server)
        return {
            "throughput": done["rate"], "processor time": used * 1e6 / max(done["requests"], 1), "p50": done["p50"], "p99": done["p99"],
            "processor used": used * 100 / self.options.seconds, "errors": done["errors"],
        }

    def load(self, subject, group, seconds):
        good = subject.questions[group].good
        url = subject.server.url(good.path)
        return oha.run(
            url, good.method, good.headers, good.body, connections=CONNECTIONS, threads=1, seconds=seconds
        )

    def rounds(self, who, measure):
        """Measures each in turn, beginning with another one in each round."""
        names = list(who)
        rounds = {name: [] for name in names}
        for number in range(self.options.rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                rounds[name].append(measure(who[name]))
        return rounds

    def add_median(self, group, subject, metric, unit, values):
        self.add({
            "group": group, "subject": subject, "metric": metric, "unit": unit,
            "value": statistics.median(values), "low": min(values), "high": max(values),
        })

    def add_ratio(self, group, ours, other, rates, goal, metric="times"):
        ratio = statistics.median(rates[ours]) / statistics.median(rates[other])
        each = [one / another for one, another in zip(rates[ours], rates[other])]
        self.add({
            "group": group, "subject": ours, "metric": metric, "unit": f"of {other}", "value": ratio,
            "low": min(each), "high": max(each), "baseline": other, "ratio": ratio, "goal": goal,
        })

    def add(self, row):
        self.rows.append({name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()})
        goal = f"  goal {row['goal']}" if "goal" in row else ""
        print(f"{row['group']:26} {row['subject']:28} {row['metric']:23} {row['value']:>14,.2f} {row['unit']}{goal}", flush=True)

    def write(self):
        pinned = "Nothing is pinned: there is one core."
        if self.place.core is not None:
            pinned = (
                "Each server has one core, and one worker. The generator has another one, and so have PostgreSQL and "
                "Redis: this favours those that ask them for each request."
            )
        note = NOTE.format(
            rounds=self.options.rounds, seconds=self.options.seconds, connections=CONNECTIONS, pinned=pinned,
            node=result.output("node", "--version"),
        )
        if self.missing:
            note += "Left out, because they could not be had: " + ", ".join(self.missing) + "."
        result.write("rivals", self.rows, note=note.strip())


def tree_time(process):
    """Seconds of processor time of a process and of its descendants that are alive."""
    children, used = {}, {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        number = int(path.parent.name)
        children.setdefault(int(fields[1]), []).append(number)
        used[number] = int(fields[11]) + int(fields[12])
    total, waiting = 0, [process]
    while waiting:
        one = waiting.pop()
        total += used.get(one, 0)
        waiting += children.get(one, [])
    return total / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("verify_rate")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.rounds, options.seconds = (1, 1) if options.quick else (5, 3)
    # So that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bosa-auth-rivals-"))
        Bench(options, Place(stack, directory, options.program, options.verify_rate)).run()


if __name__ == "__main__":
    main()
