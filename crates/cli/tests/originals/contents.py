"""What the releases are told to store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from releases import Original, Release

CLIENTS = [
    "acme",
    "北京 ☕ हिन्दी",
    "شركة العربية",
    "  two blanks  ",
    "O'Reilly\"; drop table clients; -- ../a.b/c?d=e",
    "Caf\u00e9",
    "Cafe\u0301",
    "שלום\u202eabc\u202c",
    "長" * 300,
    "",
]
IDENTIFIERS = [
    "alice@acme.test",
    "Ἀλέξανδρος",
    "मीरा शर्मा",
    "李小龍",
    "محمد بن موسى",
    "👩\u200d👩\u200d👧\u200d👦",
    "zo\u00eb",
    "zoe\u0308",
    " before",
    "after ",
    "Alice@acme.test",
    "a.b/../c?d=e&f#g%20+",
    "' or 1=1 --",
    "%",
    "line\nbreak\ttab",
    "İstanbul ﬀ ①",
    "\u202eright to left",
    "x" * 1000,
    "",
]
CONNECTORS = ["github", "google", "Mein Konnektor/ä", "google_drive", "連接器.1"]


def fill(
    original: Original,
    release: Release,
    clients: Sequence[str] = CLIENTS,
    identifiers: Sequence[str] = IDENTIFIERS,
    large: int = 20_000,
) -> None:
    """Makes clients, users, tokens and accounts, and remembers everything that is known of them."""
    made = [add_client(original, release, name) for name in clients]
    for number, identifier in enumerate(identifiers):
        client = made[number % len(made)]
        user = add_user(original, release, client, identifier)
        for _ in range(2 if number % 3 == 0 else 1):
            add_token(original, release, client, user)
        if number % 2 == 0:
            gone = add_token(original, release, client, user)
            release.revoke(client["api_key"], gone["token"])
            gone["is_revoked"] = True
        if number % 3 != 2:
            _add_accounts(original, release, user, number, large)


def look_at_defaults(original: Original) -> None:
    """Remembers which accounts are the default ones: those of the first schema are the only ones."""
    [(version,)] = original.sql("select version from bosa_auth_database_versions")
    if version > 1:
        ids = original.sql("select id::text from third_party_integration_auths where selected")
        for integration in original.known.integrations:
            integration["selected"] = (integration["id"],) in ids


def encrypt_again(original: Original, version: str) -> None:
    """Lets the migration that encrypts run once more over what is encrypted and not marked as it."""
    original.sql("update bosa_auth_database_versions set version = 3")
    # A database that was begun by 0.8.0 has no such column.
    where = "to_jsonb(i)->>'is_encrypted' is distinct from 'true' and auth_string <> ''"
    ids = original.sql(f"select id::text from third_party_integration_auths i where {where}")
    with original.run(version):
        pass
    for integration in original.known.integrations:
        integration["is_encrypted_again"] = (integration["id"],) in ids


def over(original: Original, version: str) -> None:
    """Adds a token for each of some users that lasts a minute."""
    with original.run(version, minutes=1) as release:
        for user in original.known.users[:2]:
            token = add_token(original, release, original.known.client_of(user), user)
            token["is_over"] = True


def switch_off(original: Original) -> None:
    """Makes the last client and the first client's last user inactive, for which there is no call."""
    known = original.known
    client = known.clients[-1]
    user = [user for user in known.users if user["client_id"] == known.clients[0]["id"]][-1]
    original.sql("update clients set is_active = false where id = %s", client["id"])
    original.sql("update users set is_active = false where id = %s", user["id"])
    client["is_active"] = user["is_active"] = False


def add_client(original: Original, release: Release, name: str) -> dict[str, Any]:
    client = release.client(name)
    may = client.get("can_get_integrations", False)
    if release.number >= (0, 8, 6) and len(original.known.clients) % 2 == 0:
        arguments = {"x_api_key": client["api_key"], "name": None, "can_get_integrations": True}
        may = release.call("client_aware", "update_client", **arguments)["can_get_integrations"]
    row = {
        "id": client["id"],
        "name": name,
        "api_key": client["api_key"],
        "is_active": True,
        "can_get_integrations": may,
    }
    original.known.clients.append(row)
    return row


def add_user(
    original: Original, release: Release, client: dict[str, Any], identifier: str
) -> dict[str, Any]:
    user = release.user(client["api_key"], identifier)
    row = {
        "id": user["id"],
        "client_id": client["id"],
        "identifier": identifier,
        "user_secret": user["secret"],
        "secret_preview": user["secret_preview"],
        "is_active": True,
    }
    original.known.users.append(row)
    return row


def add_token(
    original: Original, release: Release, client: dict[str, Any], user: dict[str, Any]
) -> dict[str, Any]:
    token = release.login(client["api_key"], user["identifier"], user["user_secret"])
    row = {
        "id": token["id"],
        "client_id": client["id"],
        "user_id": user["id"],
        "token": token["token"],
        "expires_at": token["expires_at"],
        "is_revoked": False,
        "is_over": False,
        "made_by": release.version,
    }
    original.known.tokens.append(row)
    return row


def _add_accounts(
    original: Original, release: Release, user: dict[str, Any], number: int, large: int
) -> None:
    """Accounts of a user: several of a connector where the release knows of such."""
    values: list[tuple[str, list[str]]] = [
        (json.dumps({"token_type": "bearer", "access_token": f"gho_{number}"}), ["repo", "user"]),
        (f"ghp_plain_{number}", []),
        ("", ["https://www.googleapis.com/auth/drive", "a b", 'ü,{}"\\', ""]),
        ("пароль 密码 🔑 \u202e\n" + "z" * (large if number == 0 else 10), ["*"]),
    ]
    several = release.number >= (0, 6)
    for turn, connector in enumerate(CONNECTORS[number % 3 :][:3]):
        names = [user["identifier"] or "name", "second/ä.b", " Café "] if turn == 0 else ["default"]
        for place, name in enumerate(names if several else names[:1]):
            auth_string, auth_scopes = values[(number + turn + place) % len(values)]
            add_account(original, release, user, connector, name, auth_string, auth_scopes)
    if several:
        connector = CONNECTORS[number % 3]
        where = {"client_id": user["client_id"], "user_id": user["id"], "connector": connector}
        release.accounts("set_selected_integration", **where, user_identifier="second/ä.b")
        if number % 4 == 0:
            # Deleting the default account makes another one the default.
            release.accounts("delete_integration", **where, user_identifier="second/ä.b")
            original.known.integrations = [
                row
                for row in original.known.integrations
                if (row["user_id"], row["user_identifier"]) != (user["id"], "second/ä.b")
            ]


def add_account(
    original: Original,
    release: Release,
    user: dict[str, Any],
    connector: str,
    name: str,
    auth_string: str,
    auth_scopes: list[str],
) -> None:
    account = {
        "client_id": user["client_id"],
        "user_id": user["id"],
        "connector": connector,
        "user_identifier": name,
        "auth_string": auth_string,
        "auth_scopes": auth_scopes,
        "selected": True,
    }
    made = release.accounts("create_integration", integration=account)
    [(made_id,)] = (
        [(made["id"],)]
        if made
        else original.sql(
            "select id::text from third_party_integration_auths where user_id = %s and connector = %s",
            user["id"],
            connector,
        )
    )
    row = {**account, "id": made_id, "auth_string_plain": auth_string}
    del row["auth_string"]
    original.known.integrations.append(row)
