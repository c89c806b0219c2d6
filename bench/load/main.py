"""Measures the server and two baselines in turns; see bench/load.sh."""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import oha  # noqa: E402
import result  # noqa: E402
from server import MASTER_KEY, Keys, Server, bosa_auth  # noqa: E402

SUBJECT, BARE, CHECKED = "bosa-auth", "axum", "axum + signature"
ALGORITHMS = ("HS256", "EdDSA")
CONNECTIONS = 64
NOTE = (
    "Closed loop: {connections} connections, {rounds} rounds of {seconds} s in which the subjects take "
    "turns; value is the median of the rounds, low and high the smallest and largest. Open loop: half "
    "of the server's own closed-loop throughput, asked of each subject. Every subject answers with the "
    "same headers and the same body to the same request, with one client, one user and one token. "
    "{pinned} Processor time is the server's alone, the kernel's part of it included: its ratio does not "
    "depend on what the generator can do. A server that does not use up its processor in the closed "
    "loop (see processor used) was waiting for the generator, and its throughput is a lower bound. The "
    "server is the release binary with its default settings on SQLite, logging to a file; the baselines "
    "log nothing. GET /users/me reads the user and its integrations from the database at each request."
)


class Request:
    """What is sent, and what the right answer to it is."""

    def __init__(self, method, path, headers, body=None):
        self.method, self.path, self.headers, self.body = method, path, headers, body

    def expected(self, server):
        status, headers, text = server.call(self.method, self.path, self.headers, self.body)
        if status != 200:
            raise RuntimeError(f"{self.method} {self.path}: {status} {text}")
        ours = [(name, value) for name, value in headers if name not in ("content-length", "date")]
        return {"headers": ours, "body": text}

    def load(self, server, **options):
        return oha.run(
            server.url(self.path), self.method, self.headers, self.body, connections=CONNECTIONS, threads=1, **options
        )


def requests(server):
    """Makes a client, a user and a token; gives what is measured with them."""
    client = server.data("POST", "/clients", MASTER_KEY, name="bench")
    key, identifier = client["api_key"], "ana@example.com"
    user = server.data("POST", "/users", key, identifier=identifier)
    token = server.data("POST", "/auth/tokens", key, identifier=identifier, secret=user["secret"])["token"]
    body = json.dumps({"token": token}, separators=(",", ":"))
    by_key = {"x-api-key": key}
    return [
        Request("POST", "/auth/tokens/verify", {**by_key, "content-type": "application/json"}, body),
        Request("GET", "/users/me", {**by_key, "authorization": f"Bearer {token}"}),
        Request("GET", "/clients/me", by_key),
    ]


class Bench:
    def __init__(self, options):
        self.options = options
        cores = sorted(os.sched_getaffinity(0))
        self.core = cores[0] if len(cores) > 1 else None
        if self.core is not None:
            # What is started from here on without another word, the generator, stays off that core.
            os.sched_setaffinity(0, set(cores[1:2]))
        self.rows = []

    def run(self):
        for algorithm in ALGORITHMS:
            keys = Keys(algorithm)
            with tempfile.TemporaryDirectory(prefix="bosa-auth-load-") as directory:
                with bosa_auth(self.options.program, directory, keys, core=self.core) as server:
                    for request in requests(server):
                        if request.path != "/clients/me" or algorithm == ALGORITHMS[0]:
                            self.compare(server, request, keys, pathlib.Path(directory))
        pinned = "The server has one core, the generator another." if self.core is not None else "Nothing is pinned."
        result.write("load", self.rows, note=NOTE.format(
            connections=CONNECTIONS, rounds=self.options.rounds, seconds=self.options.seconds, pinned=pinned
        ))

    def compare(self, server, request, keys, directory):
        expected = request.expected(server)
        signed = request.path != "/clients/me"
        group = f"{request.method} {request.path}" + (f" {keys.algorithm}" if signed else "")
        checks = {BARE: None, CHECKED: keys.check} if signed else {BARE: None}
        with contextlib.ExitStack() as stack:
            subjects = {SUBJECT: server}
            for name, check in checks.items():
                settings = directory / "baseline.json"
                settings.write_text(json.dumps({**expected, "check": check}))
                command = [self.options.baseline, "127.0.0.1:0", str(settings)]
                subjects[name] = stack.enter_context(Server(command, core=self.core))
            self.closed(group, request, subjects)
            self.open(group, request, subjects)

    def closed(self, group, request, subjects):
        for server in subjects.values():
            request.load(server, seconds=0.5)
        rounds = {name: [] for name in subjects}
        names = list(subjects)
        for number in range(self.options.rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                rounds[name].append(self.round(request, subjects[name], self.options.seconds))
        strictest = names[-1]
        for metric, unit in (("throughput", "requests/s"), ("processor time", "µs/request"), ("processor used", "%")):
            medians = {name: statistics.median(one[metric] for one in rounds[name]) for name in names}
            for name in names:
                values = [one[metric] for one in rounds[name]]
                row = {
                    "group": group, "subject": name, "metric": metric, "unit": unit, "value": medians[name],
                    "low": min(values), "high": max(values),
                }
                if name == SUBJECT and unit != "%":
                    row |= {"baseline": strictest, "ratio": medians[name] / medians[strictest]}
                self.add(row)
        for name in names:
            self.add({
                "group": group, "subject": name, "metric": "errors", "unit": "requests",
                "value": sum(one["errors"] for one in rounds[name]),
            })

    def round(self, request, server, seconds):
        server.empty_log()
        before = server.processor_time()
        done = request.load(server, seconds=seconds)
        used = server.processor_time() - before
        return {
            "throughput": done["rate"],
            "processor time": used * 1e6 / max(done["requests"], 1),
            "processor used": used * 100 / seconds,
            "errors": done["errors"],
        }

    def open(self, group, request, subjects):
        ours = [row for row in self.rows if row["group"] == group and row["subject"] == SUBJECT]
        half = next(row["value"] for row in ours if row["metric"] == "throughput") / 2
        for name, server in subjects.items():
            server.empty_log()
            done = request.load(server, rate=round(half), seconds=self.options.open_seconds)
            common = {"group": f"{group}, open loop at {round(half)} requests/s", "subject": name}
            self.add({**common, "metric": "rate reached", "unit": "requests/s", "value": done["rate"]})
            for metric, field in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999")):
                self.add({**common, "metric": metric, "unit": "ms", "value": done[field]})
            self.add({**common, "metric": "errors", "unit": "requests", "value": done["errors"]})

    def add(self, row):
        self.rows.append({name: rounded(value) for name, value in row.items()})
        ratio = f"  {row['ratio']:.2f} of {row['baseline']}" if "ratio" in row else ""
        print(f"{row['group']:60} {row['subject']:17} {row['metric']:15} {row['value']:>12,.2f} {row['unit']}{ratio}", flush=True)


def rounded(value):
    return round(value, 4) if isinstance(value, float) else value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("baseline")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.rounds, options.seconds, options.open_seconds = (1, 1, 1) if options.quick else (5, 2, 5)
    Bench(options).run()


if __name__ == "__main__":
    main()
