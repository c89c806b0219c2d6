"""Every operation of the command lines, each with a home of its own."""

from __future__ import annotations

import json
import re

import pytest

from clients import COMMAND_LINES, CommandLine, Ran
from server import Client, Server, User

every_command_line = pytest.mark.parametrize("command_line", COMMAND_LINES, indirect=True)


def says(ran: Ran, code: int, *parts: str) -> None:
    """Looks for what a person would read, and for the exit code."""
    assert ran.code == code, ran
    for part in parts:
        assert part in ran.output + ran.errors, ran
    if code:
        assert "✗" in ran.errors, ran
        assert "✓" not in ran.output, ran


def logged_in(command_line: CommandLine, client: Client, user: User) -> None:
    login = ["--api-url", client.server.url, client.key, user.identifier, user.secret]
    says(command_line("auth", "login", *login), 0, "Authentication successful")


def table(ran: Ran) -> dict[str, str]:
    """The rows of a table of two columns."""
    rows = [line.split("|") for line in ran.output.splitlines() if line.count("|") == 1]
    return {left.strip(): right.strip() for left, right in rows}


def names(client: Client, user: User) -> list[str]:
    return [account["user_identifier"] for account in client.accounts(user.id)]


@every_command_line
def test_logging_in_and_out(command_line: CommandLine, client: Client, server: Server) -> None:
    for operation in [["auth", "status"], ["integrations"], ["integrations", "show", "github"]]:
        says(command_line(*operation), 2, "Not authenticated")
    ana = client.user("ana@example.com")
    logged_in(command_line, client, ana)
    kept = json.loads(command_line.configuration.read_text())
    assert command_line.configuration.stat().st_mode & 0o777 == 0o600
    assert kept["user_id"] == ana.id
    verified = client.want("POST", "/auth/tokens/verify", {"token": kept["token"]})
    assert (verified["valid"], verified["user_id"]) == (True, ana.id)
    status = command_line("auth", "status")
    says(status, 0, "ana@example.com", server.url, ana.id, kept["expires_at"])
    assert client.key not in status.output
    says(command_line("auth", "logout"), 0, "logged out")
    says(command_line("auth", "status"), 2, "Not authenticated")


@every_command_line
def test_logging_in_at_prompts(command_line: CommandLine, client: Client, server: Server) -> None:
    ana = client.user("ana")
    answers = f"{client.key}\nana\n{ana.secret}\n"
    # An address with a slash at its end, too.
    ran = command_line("auth", "login", "--api-url", f"{server.url}/", answers=answers)
    says(ran, 0, "Authentication successful", "Logged in as: ana")
    says(command_line("auth", "status"), 0, ana.id)
    assert "example" in table(command_line("integrations"))


@every_command_line
def test_a_wrong_login_says_why(command_line: CommandLine, client: Client, other: Client) -> None:
    ana = client.user("ana")
    url = client.server.url
    wrong_login = "the user is unknown or the credential is not valid"
    wrong_key = "the client is unknown or its key is not valid"
    for key, name, secret, why in [
        (client.key, "ana", "wrong", wrong_login),
        (client.key, "nobody", ana.secret, wrong_login),
        (other.key, "ana", ana.secret, wrong_login),
        (client.key[:-1], "ana", ana.secret, wrong_key),
        ("nonsense", "ana", ana.secret, wrong_key),
    ]:
        ran = command_line("auth", "login", "--api-url", url, key, name, secret)
        says(ran, 2, f"✗ Authentication failed: API error: {why}")
        assert not command_line.configuration.exists()
    says(
        command_line("auth", "login", "--api-url", f"{url}/nothing", client.key, "ana", ana.secret),
        2,
        "✗ Authentication failed: API error: route not found",
    )


@every_command_line
def test_users_are_created(command_line: CommandLine, client: Client) -> None:
    logged_in(command_line, client, client.user("ana"))
    key = ["--client-api-key", client.key] if command_line.is_gl else []
    made = command_line("users", "create", "bo@example.com", *key)
    says(made, 0, "User created successfully", "bo@example.com")
    [secret] = re.findall(r"sk-user-[\w.-]{60,}", made.output)
    login = {"identifier": "bo@example.com", "secret": secret}
    found = client.found("bo@example.com")
    assert client.want("POST", "/auth/tokens", login)["user_id"] == found["id"]
    says(
        command_line("users", "create", "bo@example.com", *key),
        5,
        "✗ Failed to create user: API error: a user with this identifier already exists",
    )
    assert len(client.want("GET", "/users")) == 2
    if command_line.is_gl:
        says(
            command_line("users", "create", "cy", "--client-api-key", client.key[:-1]),
            5,
            "✗ Failed to create user: API error: the client is unknown or its key is not valid",
        )


@every_command_line
def test_connectors_and_integrations_are_listed(
    command_line: CommandLine, client: Client, other: Client, server: Server
) -> None:
    ana = client.user("ana")
    logged_in(command_line, client, ana)
    for name in ["octocat", "second"]:
        client.store(ana.id, "github", name)
    client.store(client.user("bo").id, "gitlab", "of another user")
    other.store(other.user("ana").id, "gitlab", "of another client")
    for operation in [["integrations"], ["integrations", "list"]]:
        listed = command_line(*operation)
        says(listed, 0, "User: ana", server.url)
        counts = table(listed)
        for name in server.want("GET", "/connectors/names"):
            assert counts[name] == ("2" if name == "github" else "0"), name


@every_command_line
def test_integrations_are_shown(command_line: CommandLine, client: Client, other: Client) -> None:
    ana = client.user("ana")
    logged_in(command_line, client, ana)
    for name in ["octocat", "two words+ä@example.com"]:
        body = {"connector": "github", "user_identifier": name, "auth_string": f"of {name}"}
        client.want("POST", f"/users/{ana.id}/integrations", {**body, "auth_scopes": ["repo", "gist"]})
    other.store(other.user("ana").id, "github", "of another client")
    shown = command_line("integrations", "show", "github")
    says(shown, 0, "Found 2 integration(s)")
    assert "of another client" not in shown.output
    assert table(shown)["octocat"] == "✓ Selected"
    assert table(shown)["two words+ä@example.com"] == "Not Selected"
    for name, is_selected in [("octocat", "Yes"), ("two words+ä@example.com", "No")]:
        shown = command_line("integrations", "show", "github", name)
        says(shown, 0, f"Account Details: {name}", "repo", "gist")
        rows = table(shown)
        assert (rows["Connector"], rows["User Identifier"]) == ("github", name)
        assert (rows["Selected"], rows["Auth String"]) == (is_selected, f"of {name}")
    for name in ["nobody", "of another client"]:
        says(
            command_line("integrations", "show", "github", name),
            5,
            f"✗ Failed to get integration for {name} in github: API error: integration not found",
        )


@every_command_line
def test_an_integration_is_removed(command_line: CommandLine, client: Client, other: Client) -> None:
    ana, theirs = client.user("ana"), other.user("ana")
    logged_in(command_line, client, ana)
    other.store(theirs.id, "github", "octocat")
    for name in ["octocat", "two words+ä@example.com", "T123/U456"]:
        client.store(ana.id, "github", name)
        remove = ["integrations", "remove", "github", name]
        says(command_line(*remove, answers="n\n"), 0, "cancelled")
        assert names(client, ana) == [name]
        removed = command_line(*remove, answers="y\n")
        says(removed, 0, f"Integration removed successfully: github - {name}")
        assert names(client, ana) == []
        says(command_line(*remove, answers="y\n"), 5, "Integration not found")
    assert names(other, theirs) == ["octocat"]


@pytest.mark.parametrize("command_line", ["gl-connectors-cli"], indirect=True)
def test_an_integration_is_selected(command_line: CommandLine, client: Client, other: Client) -> None:
    ana, theirs = client.user("ana"), other.user("ana")
    logged_in(command_line, client, ana)
    for name in ["octocat", "two words+ä@example.com"]:
        client.store(ana.id, "github", name)
        other.store(theirs.id, "github", name)
    select = ["integrations", "select", "github"]
    selected = command_line(*select, "two words+ä@example.com")
    says(selected, 0, "Integration selected successfully: github - two words+ä@example.com")
    assert [account["selected"] for account in client.accounts(ana.id)] == [False, True]
    assert [account["selected"] for account in other.accounts(theirs.id)] == [True, False]
    says(command_line(*select, "nobody"), 1, "Integration not found: github with account nobody")
    assert [account["selected"] for account in client.accounts(ana.id)] == [False, True]


@pytest.mark.parametrize("command_line", ["bosa-cli", "bosa-cli-binary"], indirect=True)
def test_selecting_fails_before_any_request(command_line: CommandLine, client: Client) -> None:
    # No server can change that; `docs/compatibility.md` says so, and is wrong if this fails.
    ana = client.user("ana")
    logged_in(command_line, client, ana)
    client.store(ana.id, "github", "octocat")
    says(command_line("integrations", "select", "github", "octocat"), 1, "keyword argument 'selected'")


@every_command_line
def test_adding_an_integration_that_cannot_be_added_says_why(
    command_line: CommandLine, client: Client
) -> None:
    ana = client.user("ana")
    logged_in(command_line, client, ana)
    add = ["integrations", "add"]
    says(command_line(*add, "unknown"), 5, "Connector 'unknown' not found", "example, ")
    says(
        command_line(*add, "github"),
        5,
        "✗ Failed to initiate integration: API error: connector has no OAuth client yet",
    )
    assert command_line(*add, "example").code == 1  # nobody answers its question
    client.store(ana.id, "example", "first")
    says(command_line(*add, "example", answers="n\n"), 0, "already have an integration")
    assert names(client, ana) == ["first"]


@every_command_line
def test_a_session_that_has_ended_says_so(command_line: CommandLine, client: Client) -> None:
    ana = client.user("ana")
    logged_in(command_line, client, ana)
    client.store(ana.id, "github", "octocat")
    client.want("DELETE", f"/users/{ana.id}/tokens")
    ended = "API error: the token has been revoked"
    for operation, prefix in [
        (["list"], "Failed to get user info"),
        (["show", "github"], "Failed to get user info"),
        (["show", "github", "octocat"], "Failed to get integration for octocat in github"),
        (["remove", "github", "octocat"], "Failed to get user info"),
        (["add", "github"], "Failed to check integration status"),
    ]:
        says(command_line("integrations", *operation, answers="y\n"), 5, f"✗ {prefix}: {ended}")
    assert names(client, ana) == ["octocat"]


@every_command_line
def test_what_is_no_command_is_refused(command_line: CommandLine) -> None:
    for arguments in [["nonsense"], ["-v", "auth", "status"]]:
        ran = command_line(*arguments)
        assert (ran.code, "usage: " in ran.errors) == (2, True), ran
