"""What the library reports goes to the logger ``bosa_auth`` of Python."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bosa_auth import Auth, ThirdPartyIntegrationAuth, exception
from conftest import ROOT_KEYS, SIGNING_KEY, Settings
from programs import program, run

CHOSEN = "correct horse battery staple"


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.01)


class Collecting(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def everything() -> Iterator[list[logging.LogRecord]]:
    """All records of all loggers."""
    handler, root = Collecting(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.records
    root.removeHandler(handler)
    root.setLevel(before)


def test_a_warning_of_the_library_is_reported(
    settings: Settings, everything: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOSA_AUTH_NONSENSE", "a value that nobody should read")
    with pytest.warns(UserWarning, match="BOSA_AUTH_NONSENSE"), Auth(settings()):
        until(lambda: [one for one in everything if one.name == "bosa_auth"])
    record = next(one for one in everything if one.name == "bosa_auth")
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("unknown variable BOSA_AUTH_NONSENSE")


def test_no_secret_is_in_any_record(
    settings: Settings, everything: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOSA_AUTH_NONSENSE", "a value that nobody should read")
    with pytest.warns(UserWarning), Auth(settings()) as auth:
        client = auth.create_client_service.create_client("acme")
        key = client.api_key
        other = auth.create_client_service.create_api_key(client.id).api_key
        user = auth.create_user_service.create_user(key, "ana")
        auth.create_user_service.create_user(key, "cleo", CHOSEN)
        token = auth.authenticate_user_service.authenticate_user(key, "ana", user.secret).token
        chosen = auth.authenticate_user_service.authenticate_user(key, "cleo", CHOSEN).token
        github = ThirdPartyIntegrationAuth(
            client_id=client.id,
            user_id=user.id,
            connector="github",
            auth_string="gho_0123456789abcdef",
            user_identifier="octocat",
        )
        auth.third_party_integration_service.create_integration(github)
        auth.third_party_integration_service.get_integration(client.id, user.id, "github")
        for wrong in ["wrong but long enough", "sk-user-0", token[:-1]]:
            with pytest.raises(exception.UnauthorizedException):
                auth.authenticate_user_service.authenticate_user(key, "ana", wrong)
            with pytest.raises(exception.InvalidTokenError):
                auth.verify_token_service.verify_token(key, wrong)
            assert not auth.verify_client_service.is_api_key_valid(wrong)
        reset = auth.create_user_service.reset_user_secret(key, user.id)
        secrets = [key, other, user.secret, CHOSEN, token, chosen, "gho_0123456789abcdef", reset.secret]
    until(lambda: [one for one in everything if one.name == "bosa_auth"])
    for record in everything:
        text = f"{record.getMessage()} {record.args!r} {record.__dict__!r}"
        for secret in [
            *secrets,
            SIGNING_KEY,
            ROOT_KEYS.split(":")[1],
            "wrong but long",
            "nobody should",
        ]:
            assert secret not in text


REPORTED = """
def report():
    "Opens an instance that the library warns about."
    with Auth(SETTINGS):
        pass

class Handler(logging.Handler):
    def emit(self, record):
        seen.append(record.getMessage())
        {emit}

seen = []
os.environ["BOSA_AUTH_NONSENSE"] = "1"
logging.raiseExceptions = False
logging.getLogger("bosa_auth").addHandler(Handler())
auth = Auth(SETTINGS)
until(lambda: seen)
"""


@pytest.mark.parametrize(
    "emit",
    ["auth.client_aware_service.get_client_list()", "raise ValueError", "time.sleep(0.2)", "sys.exit()"],
)
def test_a_handler_may_call_the_library_or_fail(tmp_path: Path, database: str, emit: str) -> None:
    text = """
    for _ in range(3):
        before = len(seen)
        report()
        until(lambda: len(seen) > before)
        auth.client_aware_service.get_client_list()
    report()
    """
    run(program(REPORTED.format(emit=emit), text, url=database), tmp_path, "-W", "ignore")


def test_a_child_reports_too(tmp_path: Path, database: str) -> None:
    text = """
    def work():
        seen.clear()
        auth.client_aware_service.get_client_list()
        until(lambda: seen)

    ended(child(work))
    """
    run(program(REPORTED.format(emit="pass"), text, url=database), tmp_path, "-W", "ignore")
