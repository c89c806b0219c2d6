"""Measures how long the other servers accept what one has revoked; see bench/nodes.sh."""

import argparse
import base64
import contextlib
import json
import math
import os
import pathlib
import random
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import result  # noqa: E402
from server import MASTER_KEY, PATIENCE, Keys, bosa_auth  # noqa: E402

BOUNDS = (1000, 200)
PAUSE = 0.0005
NOTE = (
    "{revocations} revocations in each configuration, one after the other, at times that are random within the "
    "interval of the polls. Each of the other servers has verified the token before, so that it answers from "
    "memory, and is asked all along over one connection that stays open, with a pause of {pause} ms after each "
    "answer. The delay is from the answer to the revocation on the one server to the sending of the last request "
    "that another one accepted, or 0 if there was none; each server counts apart. Later than the bound none may "
    "be accepted. Everything runs on one machine, PostgreSQL with the settings of scripts/postgres.sh."
)


class Connection:
    """A connection that stays open, with as little work around each request as can be."""

    LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)

    def __init__(self, server):
        host, port = server.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """The body of the answer, which has to be a success."""
        self.socket.sendall(request)
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0 or len(answer) < end + 4 + self.length(answer[:end]):
            more = self.socket.recv(65536)
            if not more:
                raise RuntimeError("the server has closed the connection")
            answer += more
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(answer.decode(errors="replace"))
        return answer[end + 4 :]

    def length(self, head):
        return int(self.LENGTH.search(head)[1])

    def accepts(self, request):
        return b'"valid":true' in self.ask(request)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def post(path, key, token):
    """The bytes of a request about a token."""
    body = json.dumps({"token": token}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def last_acceptance(connection, request, begun):
    """Asks until it is refused; when the last accepted request was sent."""
    last = None
    while True:
        sent = time.monotonic()
        if not connection.accepts(request):
            return last
        last = sent
        begun.set()
        time.sleep(PAUSE)


class Bench:
    def __init__(self, options):
        self.options = options
        self.keys = Keys("HS256")
        root = base64.b64encode(os.urandom(32)).decode()
        self.secrets = {"BOSA_AUTH_ROOT_KEYS": f"k1:{root}"}
        self.rows = []

    def run(self):
        for bound in BOUNDS:
            for subject in ("announced", "polled"):
                url = f"{self.options.postgres.rsplit('/', 1)[0]}/{subject}"
                self.measure("PostgreSQL, three servers", subject, 3, bound, url)
            self.measure("SQLite, two processes", "polled", 2, bound, None)
        result.write("nodes", self.rows, note=NOTE.format(revocations=self.options.revocations, pause=PAUSE * 1000))

    def measure(self, group, subject, count, bound, url):
        settings = {**self.secrets, "BOSA_AUTH_STALENESS_MS": str(bound)}
        with contextlib.ExitStack() as stack:
            directory = self.options.directory
            servers = [
                stack.enter_context(bosa_auth(self.options.program, directory, self.keys, settings, url=url))
                for _ in range(count)
            ]
            client = servers[0].data("POST", "/clients", MASTER_KEY, name=f"bench {bound}")
            user = servers[0].data("POST", "/users", client["api_key"], identifier="ana")
            one, *others = [stack.enter_context(Connection(server)) for server in servers]
            pool = stack.enter_context(ThreadPoolExecutor(len(others)))
            delays = []
            for _ in range(self.options.revocations):
                token = servers[0].data("POST", f"/users/{user['id']}/tokens", client["api_key"])["token"]
                delays += self.revoke(one, others, pool, client["api_key"], token, bound)
        self.report(f"{group}, bound {bound} ms", subject, delays, bound)

    def revoke(self, one, others, pool, key, token, bound):
        """The delay of each of the others, in milliseconds."""
        verify = post("/auth/tokens/verify", key, token)
        revoke = post("/auth/tokens/revoke", key, token)
        asked = []
        for connection in others:
            begun = threading.Event()
            asked.append((pool.submit(last_acceptance, connection, verify, begun), begun))
        for _, begun in asked:
            if not begun.wait(PATIENCE):
                raise RuntimeError("a new token is not accepted")
        # What comes right after a poll is always found by the next one.
        time.sleep(random.uniform(0, bound / 4000))
        if b'"revoked":true' not in one.ask(revoke):
            raise RuntimeError("nothing was revoked")
        answered = time.monotonic()
        if one.accepts(verify):
            raise RuntimeError("the server itself accepts what it has revoked")
        return [max(0.0, future.result(PATIENCE) - answered) * 1000 for future, _ in asked]

    def report(self, group, subject, delays, bound):
        delays.sort()
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)):
            value = delays[math.ceil(share * len(delays)) - 1]
            self.add(group, subject, f"delay {name}", "ms", round(value, 3))
        self.add(group, subject, "later than the bound", "acceptances", sum(delay > bound for delay in delays))

    def add(self, group, subject, metric, unit, value):
        self.rows.append({"group": group, "subject": subject, "metric": metric, "unit": unit, "value": value})
        print(f"{group:45} {subject:10} {metric:22} {value:10,.2f} {unit}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("directory")
    parser.add_argument("postgres")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.revocations = 10 if options.quick else 300
    Bench(options).run()


if __name__ == "__main__":
    main()
