"""A server that loads the application once and forks its workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from programs import PATIENCE, program

# Opened and used before the workers are forked.
APPLICATION = """
auth = bosa_auth.initialize_authentication_db(SETTINGS)
client = auth.create_client_service.create_client("acme")
user = auth.create_user_service.create_user(client.api_key, "ana")
token = auth.create_token_service.create_token(user.id, client.id).token
verify = auth.verify_token_service.verify_token_and_get_user_id
assert verify(client.api_key, token) == user.id

def application(environment, start_response):
    right = verify(client.api_key, token) == user.id
    auth.create_user_service.create_user(client.api_key, os.urandom(8).hex())
    start_response("200 OK" if right else "500 Wrong", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


class Server:
    """A running server."""

    def __init__(self, address: str) -> None:
        self.address = address

    def answer(self) -> int:
        """The process that answers a request."""
        with urllib.request.urlopen(f"http://{self.address}/", timeout=PATIENCE) as response:
            return int(response.read())

    def answers(self, enough: Callable[[set[int]], bool]) -> set[int]:
        """The processes that answer, once they are enough."""
        end = time.monotonic() + PATIENCE
        seen: set[int] = set()
        while not enough(seen):
            assert time.monotonic() < end, f"only these answer: {seen}"
            try:
                seen.add(self.answer())
            except OSError:
                # It starts, or the process that was asked has just been killed.
                time.sleep(0.05)
        return seen


@pytest.fixture
def server(tmp_path: Path, database: str) -> Iterator[Server]:
    """Two workers of one application that was loaded before they were forked."""
    (tmp_path / "app.py").write_text(program(APPLICATION, url=database))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = ["--preload", "--workers", "2", "--bind", address, "--no-control-socket"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "app:application"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Server(address)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output
        assert "Traceback" not in output, output
    finally:
        process.kill()
        process.wait()


def test_forked_workers_answer_and_one_that_is_killed_is_replaced(server: Server) -> None:
    workers = server.answers(lambda seen: len(seen) == 2)
    killed = workers.pop()
    os.kill(killed, signal.SIGKILL)
    answered = server.answers(lambda seen: len(seen - {killed} - workers) == 1)
    assert killed not in answered or len(answered) > 1
