"""Users of the original go on, with the clients, keys, secrets and tokens that they have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clients import COMMAND_LINES, FACES, CommandLine, Face, Refused, Sdk
from server import REPOSITORY, Client, Server, User, migrate, running
from test_command_lines import logged_in, says, table

Build = Callable[..., Sdk]

RELEASE = REPOSITORY / "crates/bosa-auth/tests/fixtures/original-0.9.7"
KNOWN: dict[str, Any] = json.loads((RELEASE / "known.json").read_text())
USERS = [user for user in KNOWN["users"] if user["is_active"]]

every_user = pytest.mark.parametrize("user", USERS, ids=lambda user: user["identifier"])


@pytest.fixture(scope="module")
def server(
    settings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    provider: dict[str, Any],
) -> Iterator[Server]:
    """A server on what the original had, with the original's settings."""
    directory = tmp_path_factory.mktemp("migrated")
    settings = {**settings, "AUTH_SECRET_KEY": KNOWN["settings"]["auth_secret_key"]}
    migrate(directory, {**settings, **KNOWN["env"]}, (RELEASE / "dump_inserts.sql").read_text())
    with running(directory, settings, provider) as server:
        yield server


def of(kind: str, user: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in KNOWN[kind] if row["user_id"] == user["id"]]


def client_of(server: Server, user: dict[str, Any]) -> Client:
    [client] = [client for client in KNOWN["clients"] if client["id"] == user["client_id"]]
    return Client(server, client["id"], client["api_key"])


def name(account: dict[str, Any]) -> tuple[str, str]:
    return account["connector"], account["user_identifier"]


def is_default(account: dict[str, Any]) -> bool:
    return account["selected"]


@every_user
@pytest.mark.parametrize("face", FACES, ids=str)
def test_a_user_goes_on_in_an_sdk(
    face: Face, user: dict[str, Any], build: Build, server: Server
) -> None:
    sdk = build(face, api_key=client_of(server, user).key)
    new = sdk.authenticate(user["identifier"], user["user_secret"])
    assert (new["user_id"], new["client_id"]) == (user["id"], user["client_id"])
    accounts = of("integrations", user)
    live = [token["token"] for token in of("tokens", user) if not token["is_revoked"]]
    for token in [new["token"], *live]:
        shown = sdk.get_user_info(token)
        assert (shown["id"], shown["identifier"]) == (user["id"], user["identifier"])
        assert shown["secret_preview"] == user["secret_preview"]
        told = shown["integrations"]
        assert sorted(map(name, told)) == sorted(map(name, accounts))
        # The oldest releases leave it out.
        defaults = sorted(map(name, filter(is_default, accounts)))
        assert "selected" not in told[0] or sorted(map(name, filter(is_default, told))) == defaults
        for account in accounts if face.release.names_accounts else []:
            found = sdk.get_integration(account["connector"], token, account["user_identifier"])
            assert found["auth_string"] == account["auth_string_plain"]
            assert found["auth_scopes"] == account["auth_scopes"]
    for token in of("tokens", user):
        if token["is_revoked"]:
            with pytest.raises(Refused):
                sdk.get_user_info(token["token"])


@pytest.mark.parametrize("command_line", COMMAND_LINES, indirect=True)
def test_a_user_goes_on_at_a_command_line(command_line: CommandLine, server: Server) -> None:
    # The one with the oddest names of client and account.
    [user] = [user for user in USERS if user["identifier"] == "carol@globex.test"]
    client = client_of(server, user)
    logged_in(command_line, client, User(user["id"], user["identifier"], user["user_secret"], ""))
    says(command_line("auth", "status"), 0, user["identifier"], user["id"])
    for account in of("integrations", user):
        shown = command_line("integrations", "show", account["connector"])
        assert table(shown)[account["user_identifier"]].endswith("Selected")
        shown = command_line("integrations", "show", account["connector"], account["user_identifier"])
        says(shown, 0, *account["auth_scopes"])
        assert table(shown)["User Identifier"] == account["user_identifier"]


@every_user
def test_a_second_client_learns_nothing_of_them(
    user: dict[str, Any], build: Build, server: Server
) -> None:
    [other] = [client for client in KNOWN["clients"] if client["id"] != user["client_id"]]
    sdk = build(FACES[0], api_key=other["api_key"])
    with pytest.raises(Refused):
        sdk.authenticate(user["identifier"], user["user_secret"])
    for token in of("tokens", user):
        with pytest.raises(Refused):
            sdk.get_user_info(token["token"])
