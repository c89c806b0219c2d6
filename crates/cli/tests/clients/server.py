"""The built server on a database of its own, and its API as a program would use it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

REPOSITORY = Path(__file__).parents[4]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
EXECUTABLE = TARGET / "debug" / "bosa-auth"
POSTGRES = os.environ["BOSA_AUTH_TEST_POSTGRES_URL"]

MASTER_KEY = "a-master-key-for-tests-of-32-characters-or-more"


@dataclass(frozen=True)
class User:
    """A user of a client, logged in."""

    id: str
    identifier: str
    secret: str
    token: str


@dataclass(frozen=True)
class Client:
    """A client with its key."""

    server: Server
    id: str
    key: str

    def want(self, method: str, path: str, body: Any = None) -> Any:
        """Asks with the client's key for what must succeed."""
        return self.server.want(method, path, body, key=self.key)

    def user(self, identifier: str) -> User:
        made = self.want("POST", "/users", {"identifier": identifier})
        login = {"identifier": identifier, "secret": made["secret"]}
        token = self.want("POST", "/auth/tokens", login)["token"]
        return User(made["id"], identifier, made["secret"], token)

    def found(self, identifier: str) -> dict[str, Any]:
        """The user of that name, as the client's own list shows it."""
        [user] = self.want("GET", f"/users?identifier={quote(identifier)}")
        return user

    def accounts(self, user_id: str) -> list[dict[str, Any]]:
        """A user's accounts, oldest first."""
        accounts = self.want("GET", f"/users/{user_id}/integrations")
        return sorted(accounts, key=lambda account: account["created_at"])

    def account(self, user_id: str, connector: str, name: str) -> dict[str, Any]:
        """An account with its credential."""
        path = f"/users/{user_id}/integrations/{connector}?user_identifier={quote(name)}"
        return self.want("GET", path)

    def store(self, user_id: str, connector: str, name: str, auth_string: str = "x") -> None:
        body = {"connector": connector, "user_identifier": name, "auth_string": auth_string}
        self.want("POST", f"/users/{user_id}/integrations", body)


@dataclass(frozen=True)
class Server:
    """A server that listens."""

    url: str
    issuer: str

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        token: str | None = None,
    ) -> tuple[int, Any]:
        """Sends a request with JSON and returns the status and the body."""
        headers = {"content-type": "application/json"}
        if key:
            headers["x-api-key"] = key
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def want(self, method: str, path: str, body: Any = None, **who: str | None) -> Any:
        """The same, for what must succeed; returns the envelope's data."""
        status, answer = self.ask(method, path, body, **who)
        assert status == 200, (method, path, status, answer)
        return answer["data"] if isinstance(answer, dict) and "data" in answer else answer

    def client(self, name: str) -> Client:
        """A new client; the name is made unique."""
        made = self.want("POST", "/clients", {"name": f"{name} {uuid.uuid4()}"}, key=MASTER_KEY)
        return Client(self, made["id"], made["api_key"])


@contextmanager
def database(kind: str) -> Iterator[dict[str, str]]:
    """The settings of a new, empty database."""
    if kind == "sqlite":
        yield {}
        return
    with postgresql() as address:
        yield {
            "DATABASE_AUTHENTICATION_URL": address,
            "AUTH_SECRET_KEY": "a signing key for tests, 32 bytes or more",
            "BOSA_AUTH_ROOT_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        }


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of a new, empty PostgreSQL database."""
    name = f"clients_{uuid.uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
        try:
            yield re.sub(r"(://[^/]*/)[^?]*", rf"\g<1>{name}", POSTGRES)
        finally:
            connection.execute(f'drop database "{name}" with (force)')


def migrate(directory: Path, settings: dict[str, str], dump: str) -> None:
    """Imports a database of the original, given as SQL, into the one of these settings."""
    with postgresql() as source:
        with psycopg.connect(source) as connection:
            connection.execute(dump)
        command = [EXECUTABLE, "import", "bosa", "--from", source]
        environment = {"PATH": os.environ["PATH"], **settings}
        subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)


@contextmanager
def running(directory: Path, settings: dict[str, str], provider: dict[str, Any]) -> Iterator[Server]:
    """A server in a directory of its own, with one more connector called `example`."""
    (directory / "connectors").mkdir()
    (directory / "connectors" / "example.toml").write_text(provider["connector"])
    environment = {
        "PATH": os.environ["PATH"],
        "BOSA_WHITELISTED_KEYS": MASTER_KEY,
        "BOSA_AUTH_CONNECTORS_DIR": "connectors",
        "BOSA_AUTH_OUTBOUND_PRIVATE_ADDRESSES": "true",
        **settings,
    }
    command = [EXECUTABLE, "serve", "--listen", "127.0.0.1:0", "--output", "json"]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout
    try:
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, (directory / "log").read_text()
            text += line
        yield Server(json.loads(text)["url"], provider["issuer"])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
