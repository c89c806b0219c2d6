"""Servers that a benchmark starts, asks and ends."""

import base64
import http.client
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time

MASTER_KEY = "a-master-key-for-benchmarks-of-32-characters-or-more"
PATIENCE = 60
# The settings of the server are the benchmark's alone.
OURS = re.compile(r"BOSA_|AUTH_|DATABASE_AUTHENTICATION_URL")


class Server:
    """A process that listens; ended at the end of a `with`."""

    def __init__(self, command, environment=None, core=None, address=None):
        inherited = {name: text for name, text in os.environ.items() if not OURS.match(name)}
        # Opened for appending, so that it can be emptied while the server writes into it.
        self.log = tempfile.TemporaryFile(mode="a+b")
        self.child = subprocess.Popen(
            command,
            env={**inherited, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
        self.address = address or self._address()

    def _address(self):
        """Waits until it has said where it listens."""
        while line := self.child.stdout.readline():
            if found := re.search(r"(?:listening on |\"url\": \"http://)([0-9.]+:[0-9]+)", line):
                return found[1]
        self.log.seek(0)
        raise RuntimeError("the server did not start: " + self.log.read().decode(errors="replace"))

    def url(self, path):
        return f"http://{self.address}{path}"

    def call(self, method, path, headers=None, body=None):
        """Sends a request; gives status, headers and text of the answer."""
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read().decode()
        finally:
            connection.close()

    def data(self, method, path, key=None, **body):
        """The data of an answer of ours that has to be a success."""
        headers = {"content-type": "application/json"}
        if key is not None:
            headers["x-api-key"] = key
        status, _, text = self.call(method, path, headers, json.dumps(body) if body else None)
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {text}")
        return json.loads(text)["data"]

    def empty_log(self):
        self.log.truncate(0)

    def processor_time(self):
        """Seconds of processor time that its threads have used."""
        total = 0
        for thread in pathlib.Path(f"/proc/{self.child.pid}/task").iterdir():
            try:
                total += int((thread / "schedstat").read_text().split()[0])
            except FileNotFoundError:
                pass
        return total / 1e9

    def memory(self, what="VmRSS"):
        """Resident memory in MiB: now, or at its highest (`VmHWM`)."""
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024

    def forget_peak(self):
        """Makes the highest resident memory begin from now."""
        pathlib.Path(f"/proc/{self.child.pid}/clear_refs").write_text("5")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        self.log.close()


class Keys:
    """Signing keys of one algorithm, and what checks their signatures."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        if algorithm == "HS256":
            self.signing = base64.b64encode(os.urandom(48)).decode()
            self.check = {"algorithm": algorithm, "secret": self.signing}
        elif algorithm == "EdDSA":
            self.signing = _openssl("genpkey", "-algorithm", "ed25519")
            public = _openssl("pkey", "-pubout", given=self.signing)
            self.check = {"algorithm": algorithm, "public_pem": public}
        else:
            raise ValueError(algorithm)


def _openssl(*arguments, given=None):
    done = subprocess.run(["openssl", *arguments], input=given, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def bosa_auth(program, directory, keys=None, settings=None, core=None, url=None):
    """Starts the server under test, on SQLite in a directory unless a URL is given."""
    environment = {
        "DATABASE_AUTHENTICATION_URL": url or f"sqlite:///{directory}/auth.db",
        "BOSA_AUTH_DATA_DIR": str(directory),
        "BOSA_WHITELISTED_KEYS": MASTER_KEY,
        **(settings or {}),
    }
    if keys is not None:
        environment |= {"AUTH_ALGORITHM": keys.algorithm, "AUTH_SECRET_KEY": keys.signing}
    command = [program, "serve", "--listen", "127.0.0.1:0", "--output", "json"]
    return Server(command, environment, core)
