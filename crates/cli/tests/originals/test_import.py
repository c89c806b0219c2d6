"""Databases that releases of the original make, imported into SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checks import check
from contents import (
    CLIENTS,
    IDENTIFIERS,
    encrypt_again,
    fill,
    look_at_defaults,
    over,
    switch_off,
)
from releases import Original
from server import database, postgresql
from target import Target

HISTORIES = [
    ["0.4.5"],
    ["0.6.2"],
    ["0.7.5"],
    ["0.8.0"],
    ["0.8.6"],
    ["0.9.0"],
    ["0.9.2"],
    ["0.9.7"],
    ["0.4.5", "0.7.5", "0.8.6", "0.9.7"],
    ["0.8.0", "0.8.6", "0.9.2", "0.9.7"],
]


@pytest.fixture(scope="module", params=HISTORIES, ids="-".join)
def original(request: pytest.FixtureRequest) -> Iterator[Original]:
    """A database that each of these releases in turn has brought up to date and added to."""
    history = request.param
    with postgresql() as url:
        original = Original(url)
        for turn, version in enumerate(history):
            clients = [f"{name} of {version}" for name in CLIENTS[:3]] if turn else CLIENTS
            identifiers = [f"{name} of {version}" for name in IDENTIFIERS[:3]] if turn else IDENTIFIERS
            with original.run(version) as release:
                fill(original, release, clients, identifiers)
            over(original, version)
            if turn and version == "0.8.6":
                encrypt_again(original, version)
        switch_off(original)
        look_at_defaults(original)
        yield original


@pytest.fixture(params=["sqlite", "postgresql", "the same"])
def target(request: pytest.FixtureRequest, original: Original, tmp_path: Path) -> Iterator[Target]:
    """An empty one, or the original's own database."""
    if request.param == "the same":
        with database("postgresql") as settings:
            yield Target(tmp_path, {**settings, "DATABASE_AUTHENTICATION_URL": original.url})
        drop_ours(original)
    else:
        with database(request.param) as settings:
            yield Target(tmp_path, settings)


def drop_ours(original: Original) -> None:
    tables = original.sql(
        "select tablename from pg_tables where schemaname = 'public' and tablename like 'bosa\\_%' "
        "and tablename <> 'bosa_auth_database_versions'"
    )
    names = ", ".join(name for (name,) in tables)
    original.sql(f"drop table {names} cascade")


def test_everything_arrives_and_stays(original: Original, target: Target) -> None:
    before = original.rows()
    dry = target.take_over(original, "--dry-run")
    report = target.take_over(original)
    assert {**dry, "dry_run": False} == report
    again = target.take_over(original)
    assert [kind["imported"] for kind in again["kinds"]] == [0, 0, 0, 0]
    assert [kind["ended"] for kind in again["kinds"] if kind["kind"] != "token"] == [0, 0, 0]
    assert not [line for line in report["rows"] if line["outcome"] == "skipped"], report
    repaired = [row for row in original.known.integrations if row.get("is_encrypted_again")]
    assert sum(line["outcome"] == "repaired" for line in report["rows"]) == len(repaired)
    with target.serving() as server:
        check(server, original.known)
    assert original.rows() == before
