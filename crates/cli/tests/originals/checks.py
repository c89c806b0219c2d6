"""Whether a server knows everything that is known of an original, and nothing more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from releases import Known
from server import MASTER_KEY, Server

# No such client, or no such user, secret or token of it.
REFUSED = (401, 404)


def check(server: Server, known: Known) -> None:
    for client in known.clients:
        check_client(server, client)
    for token in known.tokens:
        check_token(server, known, token)
    for user in known.users:
        check_user(server, known, user)
    for client in known.clients:
        if client["is_active"]:
            accounts = [row for row in known.integrations if row["client_id"] == client["id"]]
            check_accounts(server, client, [user for user in known.users if user["is_active"]], accounts)


def check_client(server: Server, client: dict[str, Any]) -> None:
    found = server.want("GET", f"/clients/{client['id']}", key=MASTER_KEY)
    for field in ("name", "is_active", "can_get_integrations"):
        assert found[field] == client[field], (client, found)
    status, answer = server.ask("GET", "/clients/me", key=client["api_key"])
    assert (status == 200) is client["is_active"], (client, answer)
    assert status in (200, *REFUSED), (client, answer)
    wrong = client["api_key"][:-1] + ("A" if client["api_key"][-1] != "A" else "B")
    status, answer = server.ask("GET", "/clients/me", key=wrong)
    assert status in REFUSED, (client, answer)


def check_user(server: Server, known: Known, user: dict[str, Any]) -> None:
    client = known.client_of(user)
    body = {"identifier": user["identifier"], "secret": user["user_secret"]}
    # By its hash, then by the digest that has replaced it.
    for _ in range(2):
        status, answer = server.ask("POST", "/auth/tokens", body, key=client["api_key"])
        if client["is_active"] and user["is_active"]:
            assert status == 200, (user, answer)
            who = server.want("GET", "/users/me", token=answer["data"]["token"])
            assert (who["id"], who["identifier"]) == (user["id"], user["identifier"])
        else:
            assert status in REFUSED, (user, answer)
    for other in known.clients:
        if other["id"] != client["id"]:
            assert server.ask("POST", "/auth/tokens", body, key=other["api_key"])[0] in REFUSED
            break
    if client["is_active"]:
        path = f"/users?identifier={quote(user['identifier'], safe='')}"
        found = server.want("GET", path, key=client["api_key"])
        assert [row["id"] for row in found] == [user["id"]], (user, found)


def check_token(server: Server, known: Known, token: dict[str, Any]) -> None:
    client, user = known.client_of(token), known.user_of(token)
    body = {"token": token["token"]}
    end = datetime.fromisoformat(token["expires_at"]).replace(tzinfo=UTC)
    is_over = end < datetime.now(UTC)
    if timedelta(0) < datetime.now(UTC) - end < timedelta(minutes=2):
        # Clocks may differ a little: until then nobody promises anything.
        return
    status, answer = server.ask("POST", "/auth/tokens/verify", body, key=client["api_key"])
    if client["is_active"] and user["is_active"] and not token["is_revoked"] and not is_over:
        assert status == 200 and answer["data"]["valid"], (token, answer)
        assert answer["data"]["user_id"] == user["id"]
        assert abs(answer["data"]["expires_at"] - end.timestamp()) <= 2, (token, answer)
    else:
        assert status in REFUSED or not answer["data"]["valid"], (token, answer)
    for other in known.clients:
        if other["id"] != client["id"]:
            status, answer = server.ask("POST", "/auth/tokens/verify", body, key=other["api_key"])
            assert status in REFUSED or not answer["data"]["valid"], (token, answer)
            break


def check_accounts(
    server: Server,
    client: dict[str, Any],
    users: list[dict[str, Any]],
    accounts: list[dict[str, Any]],
) -> None:
    """A user has exactly these accounts, with these values."""
    for user in users:
        if user["client_id"] != client["id"]:
            continue
        expected = {row["id"]: row for row in accounts if row["user_id"] == user["id"]}
        path = f"/users/{user['id']}/integrations"
        found = {row["id"]: row for row in server.want("GET", path, key=client["api_key"])}
        assert found.keys() == expected.keys(), (user, found, expected)
        for row in expected.values():
            for field in ("connector", "user_identifier", "auth_scopes", "selected"):
                assert found[row["id"]][field] == row[field], (row, found[row["id"]])
            connector = quote(row["connector"], safe="")
            one = f"{path}/{connector}?user_identifier={quote(row['user_identifier'], safe='')}"
            account = server.want("GET", one, key=client["api_key"])
            assert account["auth_string"] == row["auth_string_plain"], (row, account)
            assert account["id"] == row["id"]
            if row["selected"]:
                default = server.want("GET", f"{path}/{connector}", key=client["api_key"])
                assert default["id"] == row["id"], (row, default)
