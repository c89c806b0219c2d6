"""Releases of the original, each running in a process of its own, and databases that they make."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

REPOSITORY = Path(__file__).parents[4]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
ENVIRONMENTS = TARGET / "originals"
REDIS_PORT = os.environ["BOSA_AUTH_TEST_REDIS_PORT"]

SETTINGS = {
    "AUTH_SECRET_KEY": "the signing key of the original, in a test",
    "BOSA_AUTH_ENCRYPTION_PASSWORD": "NFZSAYJAOBQXG43XN5ZGIIDPMYQHI2DFEBXXE2LHNFXGC3A=",
    "BOSA_AUTH_ENCRYPTION_SALT": "ONXW2ZJAONQWY5BAN5TCA2LU",
}
# Tokens of the fixtures last nine years.
LONG = 9 * 365 * 24 * 60


class Refused(Exception):
    """What the original raised."""


class Release:
    """A release that is running on a database."""

    def __init__(self, version: str, database: str, minutes: int = LONG) -> None:
        self.version = version
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ENVIRONMENTS / f"bosa-core-binary-{version}"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TZ": "UTC",
            **SETTINGS,
        }
        self._log = (ENVIRONMENTS / f"{version}.log").open("a+")
        self._process = subprocess.Popen(
            [ENVIRONMENTS / "original/bin/python", Path(__file__).with_name("release.py")]
            + [database, REDIS_PORT, str(minutes)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._answer()

    def __enter__(self) -> Release:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"{self.version} ended: see {self._log.name}"
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(f"{self.version}: {answer['error']}: {answer['text']}")
        return answer["result"]

    def call(self, service: str, method: str, **arguments: Any) -> Any:
        """Calls a method of a service and returns its result as JSON says it."""
        assert self._process.stdin
        call = {"service": f"{service}_service", "method": method, "arguments": arguments}
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def client(self, name: str) -> dict[str, Any]:
        return self.call("create_client", "create_client", client_name=name)

    def user(self, key: str, identifier: str) -> dict[str, Any]:
        return self.call("create_user", "create_user", api_key=key, identifier=identifier)

    def login(self, key: str, identifier: str, secret: str) -> dict[str, Any]:
        arguments = {"api_key": key, "identifier": identifier, "secret": secret}
        return self.call("authenticate_user", "authenticate_user", **arguments)

    def verify(self, key: str, token: str) -> str:
        arguments = {"api_key": key, "access_token": token}
        return self.call("verify_token", "verify_token_and_get_user_id", **arguments)

    def revoke(self, key: str, token: str) -> None:
        self.call("revoke_token", "revoke_token", api_key=key, access_token=token)

    def accounts(self, method: str, **arguments: Any) -> Any:
        return self.call("third_party_integration", method, **arguments)

    @property
    def number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))


@dataclass
class Known:
    """What is known of a database: everything that it was told, and the secrets it gave."""

    clients: list[dict[str, Any]] = field(default_factory=list)
    users: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)
    integrations: list[dict[str, Any]] = field(default_factory=list)

    def client_of(self, row: dict[str, Any]) -> dict[str, Any]:
        return next(client for client in self.clients if client["id"] == row["client_id"])

    def user_of(self, row: dict[str, Any]) -> dict[str, Any]:
        return next(user for user in self.users if user["id"] == row["user_id"])

    def written(self, made_by: str) -> str:
        rows = {kind: getattr(self, kind) for kind in ("clients", "users", "tokens", "integrations")}
        names = ("BOSA_AUTH_ENCRYPTION_PASSWORD", "BOSA_AUTH_ENCRYPTION_SALT")
        known = {
            "generated_by": made_by,
            "env": {name: SETTINGS[name] for name in names},
            "settings": {"auth_secret_key": SETTINGS["AUTH_SECRET_KEY"]},
            **rows,
        }
        return json.dumps(known, indent=1, ensure_ascii=False) + "\n"


@dataclass
class Original:
    """A database of the original."""

    url: str
    known: Known = field(default_factory=Known)

    def run(self, version: str, minutes: int = LONG) -> Release:
        return Release(version, self.url, minutes)

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def reader(self) -> str:
        """The URL of a user who may only read, and whose transactions are read only."""
        self.sql(
            "do $$ begin create role original_reader login; "
            "exception when duplicate_object or unique_violation then null; end $$"
        )
        self.sql("alter role original_reader set default_transaction_read_only = on")
        self.sql(
            "grant select on clients, users, tokens, third_party_integration_auths, "
            "bosa_auth_database_versions to original_reader"
        )
        return re.sub(r"://([^@/]*@)?", "://original_reader@", self.url, count=1)

    def rows(self) -> list[list[tuple[Any, ...]]]:
        """All rows of the original's tables."""
        tables = ("clients", "users", "tokens", "third_party_integration_auths")
        return [
            self.sql(f"select to_jsonb(t)::text from {table} t order by id")
            for table in (*tables, "bosa_auth_database_versions")
        ]

    def dump(self) -> str:
        """The whole database as statements, without what belongs to one tool or server alone."""
        command = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", self.url]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        lines = text.splitlines()
        unwanted = re.compile(r"(--.*|\\(un)?restrict .*|SET transaction_timeout.*|)$")
        # A line of a value may look so too, but not one that a fixture holds.
        return "\n".join(line for line in lines if not unwanted.match(line)) + "\n"
