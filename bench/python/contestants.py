"""Who is measured: the processes that run the packages, and where each is installed."""

import base64
import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Any, Self

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "rivals"))
from subjects import OURS, PATIENCE, Keys, Place, installed, last_line  # noqa: E402

ORIGINAL = "bosa-core 0.9.7"
FACES = {"blocking": "bosa_auth", "aio": "bosa_auth.aio"}


class Worker:
    """A process that times the calls of one package; ended at the end of a `with`."""

    def __init__(self, python: str, package: str, environment: dict[str, str], core: int | None) -> None:
        inherited = {name: text for name, text in os.environ.items() if not OURS.match(name)}
        self.log = tempfile.TemporaryFile(mode="w+")
        self.child = subprocess.Popen(
            [python, str(HERE / "worker.py"), package],
            env={**inherited, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
        try:
            self.offers: dict[str, list[str]] = self.answer()["offers"]
        except BaseException:
            self.end()
            raise

    def answer(self) -> dict[str, Any]:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process has ended"}
        if "error" in answer:
            self.log.seek(0)
            print(self.log.read()[-4000:], file=sys.stderr)
            raise RuntimeError(answer["error"])
        return answer

    def nanoseconds(self, face: str, operation: str, calls: int) -> float:
        """The time of one call, the mean of so many."""
        assert self.child.stdin is not None
        print(json.dumps({"operation": operation, "face": face, "calls": calls}), file=self.child.stdin, flush=True)
        nanoseconds: float = self.answer()["nanoseconds"]
        return nanoseconds

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.child.communicate(timeout=PATIENCE)
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A package on its database, called blocking or through asyncio."""

    name: str
    worker: Worker
    face: str

    def nanoseconds(self, operation: str, calls: int) -> float:
        return self.worker.nanoseconds(self.face, operation, calls)


def original(stack: contextlib.ExitStack, place: Place) -> list[Contestant]:
    python = installed("python")
    host, port = place.redis().split(":")
    environment = {
        "DATABASE_AUTHENTICATION_URL": f"postgresql+psycopg2:{durable(place, 'original').partition(':')[2]}?sslmode=disable",
        "AUTH_SECRET_KEY": secrets.token_urlsafe(48),
        "REDIS_HOST": host,
        "REDIS_PORT": port,
        "BOSA_AUTH_ENCRYPTION_PASSWORD": base64.b32encode(os.urandom(40)).decode(),
        "BOSA_AUTH_ENCRYPTION_SALT": base64.b32encode(os.urandom(20)).decode(),
    }
    worker = stack.enter_context(Worker(python, "original", environment, place.core))
    return [Contestant(ORIGINAL, worker, "blocking")]


def ours(stack: contextlib.ExitStack, place: Place, python: str, database: str) -> list[Contestant]:
    worker = stack.enter_context(Worker(python, "ours", settings(place, database, "python"), place.core))
    return [Contestant(f"{title}, {database}", worker, face) for face, title in FACES.items()]


def settings(place: Place, database: str, name: str) -> dict[str, str]:
    """The environment of our library on a new database."""
    folder = place.folder(f"{name}-{database}")
    environment = {"BOSA_AUTH_DATA_DIR": str(folder), "AUTH_SECRET_KEY": Keys("HS256").signing}
    if database == "SQLite":
        return environment | {"DATABASE_AUTHENTICATION_URL": f"sqlite:///{folder}/auth.db"}
    root_key = base64.b64encode(os.urandom(32)).decode()
    url = f"{durable(place, name)}?sslmode=disable"
    return environment | {"DATABASE_AUTHENTICATION_URL": url, "BOSA_AUTH_ROOT_KEYS": f"k1:{root_key}"}


def durable(place: Place, name: str) -> str:
    """The URL of a new database on a PostgreSQL that waits for the disk, unlike that of the tests."""
    url: str = place.postgres(name)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        subprocess.run(["psql", "-Xqc", f"alter system set {setting} = on", url], check=True)
    subprocess.run(["psql", "-Xqc", "select pg_reload_conf()", url], stdout=subprocess.DEVNULL, check=True)
    return url


class Rust:
    """The library called from Rust, by the example that measures rates, on SQLite."""

    OPERATIONS = {"verify_token_and_get_user_id": "verify token", "verify_client_api_key": "verify key"}

    def __init__(self, place: Place) -> None:
        self.place, self.environment = place, settings(place, "SQLite", "rust")

    def nanoseconds(self, seconds: float) -> dict[str, float]:
        """The time of one call of each of its operations."""
        rates = last_line(self.place.run([self.place.verify_rate, str(seconds)], self.environment))
        return {operation: 1e9 / rates[theirs] for operation, theirs in self.OPERATIONS.items()}
