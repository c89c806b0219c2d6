"""An original that goes on while its database is imported, more than once, and afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks import check
from contents import (
    add_account,
    add_client,
    add_token,
    add_user,
    fill,
    look_at_defaults,
)
from releases import Original, Release
from server import database, postgresql
from target import Target

VERSION = "0.9.7"


@pytest.fixture
def original() -> Iterator[Original]:
    with postgresql() as url:
        original = Original(url)
        with original.run(VERSION) as release:
            fill(original, release, ["acme", "Globex ☕"], ["ana", "Bó", "चित्रा", "dan"])
        look_at_defaults(original)
        yield original


@pytest.fixture(params=["sqlite", "postgresql", "the same"])
def target(request: pytest.FixtureRequest, original: Original, tmp_path: Path) -> Iterator[Target]:
    with database("postgresql" if request.param == "the same" else request.param) as settings:
        if request.param == "the same":
            settings = {**settings, "DATABASE_AUTHENTICATION_URL": original.url}
        yield Target(tmp_path, settings)


def changes(original: Original, release: Release) -> None:
    """Everything that can happen to what is there, and new things."""
    known = original.known
    acme, globex = known.clients
    new = add_client(original, release, "made meanwhile")
    user = add_user(original, release, new, "eva")
    add_token(original, release, new, user)
    add_account(original, release, user, "github", "eva", "of eva", ["repo"])
    late = add_user(original, release, acme, "late")
    add_token(original, release, acme, late)
    for client in (acme, globex):
        live = [
            row for row in known.tokens if row["client_id"] == client["id"] and not row["is_revoked"]
        ]
        release.revoke(client["api_key"], live[0]["token"])
        live[0]["is_revoked"] = True

    changed = [row for row in known.integrations if row["auth_string_plain"].startswith("ghp_")][0]
    change = {"auth_string": "another value", "auth_scopes": ["other", "scopes"]}
    release.accounts("update_integration_auth", integration=named(changed), **change)
    changed["auth_string_plain"], changed["auth_scopes"] = change["auth_string"], change["auth_scopes"]

    # One that is no default, so that none of those that stay becomes another.
    removed = [row for row in known.integrations if not row["selected"] and row is not changed][0]
    fields = ("client_id", "user_id", "connector", "user_identifier")
    release.accounts("delete_integration", **{field: removed[field] for field in fields})
    known.integrations.remove(removed)

    # A new name stays there, and all keys go on.
    arguments = {"x_api_key": globex["api_key"], "name": "renamed there", "can_get_integrations": None}
    release.call("client_aware", "update_client", **arguments)


def named(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "auth_string": row["auth_string_plain"]}


def works_there(original: Original) -> None:
    """The original still takes what it gave."""
    known = original.known
    with original.run(VERSION) as release:
        for user in known.users:
            key = known.client_of(user)["api_key"]
            assert release.login(key, user["identifier"], user["user_secret"])["token"]
        for token in known.tokens:
            if not token["is_revoked"]:
                key = known.client_of(token)["api_key"]
                assert release.verify(key, token["token"]) == token["user_id"]
        fields = ("client_id", "user_id", "connector", "user_identifier")
        for row in known.integrations:
            found = release.accounts("get_integration", **{field: row[field] for field in fields})
            assert found["auth_string"] == row["auth_string_plain"]


def test_what_changes_there_arrives_with_the_next_run(original: Original, target: Target) -> None:
    with original.run(VERSION) as release:
        # It goes on while the first run reads.
        process = target.command(original)
        number = 0
        while process.poll() is None:
            client = original.known.clients[number % 2]
            user = add_user(original, release, client, f"meanwhile {number}")
            add_token(original, release, client, user)
            add_account(original, release, user, "github", f"{number}", f"value {number}", [])
            number += 1
        assert process.returncode == 0, process.communicate()
        process.communicate()
        target.take_over(original)
        with target.serving() as server:
            check(server, original.known)
            changes(original, release)
            target.take_over(original)
            look_at_defaults(original)
            # A running server learns it all, within BOSA_AUTH_STALENESS_MS.
            time.sleep(1)
            check(server, original.known)
    works_there(original)
    # Nor does what was done here come back from there.
    again = target.take_over(original)
    assert [kind["ended"] for kind in again["kinds"]] == [0, 0, 0, 0], again
    with target.serving() as server:
        check(server, original.known)


def test_a_token_that_is_used_there_goes_on_here(original: Original, target: Target) -> None:
    known = original.known
    user = known.users[0]
    client = known.client_of(user)
    with original.run(VERSION, minutes=1) as release:
        token = add_token(original, release, client, user)
        issued = time.time()
        target.take_over(original)
        # In the second half of its life a use prolongs it.
        time.sleep(max(0.0, issued + 35 - time.time()))
        assert release.verify(client["api_key"], token["token"]) == user["id"]
    target.take_over(original)
    with target.serving() as server:
        body = {"token": token["token"]}
        status, answer = server.ask("POST", "/auth/tokens/verify", body, key=client["api_key"])
        assert status == 200 and answer["data"]["valid"], answer
        assert issued + 90 < answer["data"]["expires_at"] < issued + 120
