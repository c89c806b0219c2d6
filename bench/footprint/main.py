"""Measures what the server weighs; see bench/footprint.sh."""

import base64
import json
import os
import pathlib
import shutil
import socket
import statistics
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import oha  # noqa: E402
import result  # noqa: E402
from server import MASTER_KEY, PATIENCE, Keys, Server, bosa_auth  # noqa: E402

STARTS = 15
SETTLED = 3
LOAD_SECONDS = 5
USERS = 64
LOGIN_THREADS = 8
LOGIN_SECONDS = 6
IDLE_SECONDS = 15
SECRET = "a chosen secret of a user"
NOTE = (
    "The release binary with its default settings. Memory is VmRSS, peaks are VmHWM, in MiB; about half "
    "of what is resident at rest are pages of the binary itself, which processes share. The budget of "
    "Argon2 is BOSA_AUTH_ARGON2_MEMORY_MIB (256 by default); how much of it is used depends on the cores. "
    "A start is measured from the spawning of the process to the first 200 of GET /readyz, which asks the "
    "database; value is the median, low and high the smallest and largest of {starts} starts. The files "
    "are in the page cache."
)


class Footprint:
    def __init__(self, program, directory, postgres):
        self.program, self.directory, self.postgres = program, pathlib.Path(directory), postgres
        self.keys = Keys("HS256")
        root = base64.b64encode(os.urandom(32)).decode()
        self.on_postgres = {"BOSA_AUTH_ROOT_KEYS": f"k1:{root}"}
        self.rows = []

    def run(self):
        self.add("binary", "size", "MiB", os.path.getsize(self.program) / 2**20, goal=25)
        self.memory()
        self.starts()
        result.write("footprint", self.rows, note=NOTE.format(starts=STARTS))

    def add(self, group, metric, unit, value, **more):
        row = {"group": group, "subject": "bosa-auth", "metric": metric, "unit": unit, "value": round(value, 2), **more}
        self.rows.append(row)
        goal = f"  goal {more['goal']}" if "goal" in more else ""
        print(f"{group:12} {metric:50} {value:9.1f} {unit}{goal}", flush=True)

    def memory(self):
        data = self.directory / "memory"
        data.mkdir()
        with bosa_auth(self.program, data, self.keys) as server:
            time.sleep(SETTLED)
            self.add("memory", "at rest, SQLite", "MiB", server.memory(), goal=30)
            client = server.data("POST", "/clients", MASTER_KEY, name="bench")
            key = client["api_key"]
            self.verify(server, key)
            self.logins(server, key)
        data = self.directory / "memory-postgres"
        data.mkdir()
        with bosa_auth(self.program, data, self.keys, self.on_postgres, url=self.postgres) as server:
            time.sleep(SETTLED)
            self.add("memory", "at rest, PostgreSQL", "MiB", server.memory(), goal=30)

    def verify(self, server, key):
        user = server.data("POST", "/users", key, identifier="ana")
        token = server.data("POST", "/auth/tokens", key, identifier="ana", secret=user["secret"])["token"]
        headers = {"x-api-key": key, "content-type": "application/json"}
        url, body = server.url("/auth/tokens/verify"), json.dumps({"token": token})
        server.forget_peak()
        done = oha.run(url, "POST", headers, body, connections=256, seconds=LOAD_SECONDS)
        if done["errors"]:
            raise RuntimeError(f"{done['errors']} requests failed")
        goal = {"goal": 30, "note": f"{round(done['rate'])} requests/s over 256 connections"}
        self.add("memory", "peak while tokens are verified", "MiB", server.memory("VmHWM"), **goal)

    def logins(self, server, key):
        """Logs users with chosen secrets in, over several connections at once."""
        for number in range(USERS):
            server.data("POST", "/users", key, identifier=f"user-{number}", secret=SECRET)
        server.forget_peak()
        counts, end = [0] * LOGIN_THREADS, time.monotonic() + LOGIN_SECONDS

        def log_in(thread):
            number = thread
            while time.monotonic() < end:
                server.data("POST", "/auth/tokens", key, identifier=f"user-{number % USERS}", secret=SECRET)
                number += LOGIN_THREADS
                counts[thread] += 1

        threads = [threading.Thread(target=log_in, args=(number,)) for number in range(LOGIN_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        note = f"{sum(counts)} logins in {LOGIN_SECONDS} s over {LOGIN_THREADS} connections"
        self.add("memory", "peak while chosen secrets are hashed", "MiB", server.memory("VmHWM"), goal=30 + 256, note=note)
        time.sleep(IDLE_SECONDS)
        self.add("memory", f"{IDLE_SECONDS} s after the last login", "MiB", server.memory(), goal=30)

    def starts(self):
        existing = self.directory / "existing"
        existing.mkdir()
        self.start(existing)
        self.add_times("on an existing SQLite file", [self.start(existing) for _ in range(STARTS)])
        times = []
        for _ in range(STARTS):
            new = self.directory / "new"
            new.mkdir()
            times.append(self.start(new))
            shutil.rmtree(new)
        self.add_times("creating keys, SQLite file and schema", times)
        times = [self.start(existing, self.postgres) for _ in range(STARTS)]
        self.add_times("on an existing PostgreSQL database", times)

    def add_times(self, metric, times):
        self.add("cold start", metric, "ms", statistics.median(times), goal=100,
                 low=round(min(times), 2), high=round(max(times), 2))

    def start(self, data, url=None):
        """Milliseconds from the start of the process to its first answer out of the database."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        environment = {
            "DATABASE_AUTHENTICATION_URL": url or f"sqlite:///{data}/auth.db",
            "BOSA_AUTH_DATA_DIR": str(data),
            **({} if url is None else {**self.on_postgres, "AUTH_SECRET_KEY": self.keys.signing}),
        }
        command = [self.program, "serve", "--listen", f"127.0.0.1:{port}", "--output", "json"]
        began = time.monotonic()
        with Server(command, environment, address=f"127.0.0.1:{port}") as server:
            while True:
                try:
                    # Once it listens, a request waits until the server is ready for it.
                    status, _, text = server.call("GET", "/readyz")
                    break
                except ConnectionRefusedError:
                    if time.monotonic() - began > PATIENCE:
                        raise
                    time.sleep(0.0005)
            took = (time.monotonic() - began) * 1000
        if status != 200:
            raise RuntimeError(f"not ready: {text}")
        return took


if __name__ == "__main__":
    Footprint(*sys.argv[1:]).run()
