"""What the tests work with: the installed package, on a database of its own for each test."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bosa_auth
from bosa_auth import AuthenticationDbSettings
from databases import on_postgresql

SIGNING_KEY = "a signing key for tests, 32 bytes or more"
ROOT_KEYS = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

Settings = Callable[..., AuthenticationDbSettings]


@pytest.fixture(autouse=True)
def ours_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings from outside, a directory of its own, and nothing left open."""
    for name in list(os.environ):
        if re.match("BOSA_AUTH_|AUTH_|DATABASE_AUTHENTICATION_", name):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield
    bosa_auth.shutdown()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new, empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    with on_postgresql() as address:
        yield address
        bosa_auth.shutdown()


@pytest.fixture
def settings(database: str) -> Settings:
    """Settings of that database; others by keyword."""

    def make(**others: str) -> AuthenticationDbSettings:
        return AuthenticationDbSettings(
            database, SIGNING_KEY, others={"BOSA_AUTH_ROOT_KEYS": ROOT_KEYS, **others}
        )

    return make
