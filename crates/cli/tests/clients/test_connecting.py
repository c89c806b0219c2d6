"""Accounts connected through a provider and a browser, from the client's first call to its last."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from clients import COMMAND_LINES, FACES, CommandLine, Face, Refused, Sdk
from companion import BrowserAndProviders
from server import Client, Server
from test_command_lines import every_command_line, logged_in, says, table

Build = Callable[..., Sdk]

#: One face of each kind; that the others begin in the same way is tested elsewhere.
NEWEST = [face for face in FACES if not (face.release.is_older or face.has_former_names or face.options)]

#: Where applications let the browser come back to.
DONE = "http://127.0.0.1:9/done"


def claims(server: Server, access_token: str) -> Any:
    """What the provider says of the token's user, or nothing if it does not accept the token."""
    headers = {"authorization": f"Bearer {access_token}"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{server.issuer}/me", headers=headers)
        ) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return None


def is_accepted(server: Server, read: Callable[[], str], name: str) -> None:
    """The provider accepts the token that is read; tokens end so soon that another may be needed."""
    for _ in range(100):
        said = claims(server, read())
        if said:
            assert said == {"sub": name, "email": f"{name}@provider.example"}
            return
        time.sleep(0.1)
    pytest.fail("the provider accepts no token")


@every_command_line
def test_a_command_line_connects_an_account(
    command_line: CommandLine, client: Client, server: Server, browser: BrowserAndProviders
) -> None:
    ana = client.user("ana")
    logged_in(command_line, client, ana)
    begun = command_line("integrations", "add", "example", answers="y\n")
    says(begun, 0, "example")
    url = command_line.opened
    assert url.startswith(f"{server.url}/")
    assert client.accounts(ana.id) == []
    end = browser.ask("connect", url=url, name="ana", server=server.url)
    assert "is connected" in end["text"], end
    [account] = client.accounts(ana.id)
    assert account["user_identifier"] == "ana@provider.example"
    assert (account["auth_status"], account["selected"]) == ("active", True)
    assert table(command_line("integrations"))["example"] == "1"

    def shown() -> str:
        details = command_line("integrations", "show", "example", "ana@provider.example")
        says(details, 0, "Account Details: ana@provider.example", "openid")
        return table(details)["Auth String"]

    is_accepted(server, shown, "ana")

    # One more, of which the command line does not open the address.
    more = command_line("integrations", "add", "example", answers="y\nn\n")
    says(more, 0, "already have an integration")
    [url] = [word for word in more.output.split() if word.startswith(f"{server.url}/")]
    end = browser.ask("connect", url=url, name="second", server=server.url)
    assert "is connected" in end["text"], end
    assert [one["user_identifier"] for one in client.accounts(ana.id)] == [
        "ana@provider.example",
        "second@provider.example",
    ]


@pytest.mark.parametrize("face", NEWEST, ids=str)
def test_an_sdk_connects_an_account(
    face: Face, build: Build, client: Client, other: Client, server: Server, browser: BrowserAndProviders
) -> None:
    sdk = build(face, api_key=client.key)
    created = sdk.create_user("ana")
    token = sdk.authenticate("ana", created["secret"])["token"]
    url = sdk.initiate_connector_auth("example", token, DONE)
    end = browser.ask("connect", url=url, name="ana", server=server.url)
    assert end["url"].startswith(DONE), end
    assert sdk.user_has_integration("example", token) is True
    [account] = sdk.get_user_info(token)["integrations"]
    assert (account["connector"], account["user_identifier"]) == ("example", "ana@provider.example")
    [stored] = client.accounts(created["id"])
    assert (stored["id"], stored["auth_status"]) == (account["id"], "active")
    theirs = other.user("ana")
    assert build(face, api_key=other.key).user_has_integration("example", theirs.token) is False
    if face.release.names_accounts:

        def shown() -> str:
            return sdk.get_integration("example", token, "ana@provider.example")["auth_string"]

        is_accepted(server, shown, "ana")
        assert sdk.remove_integration("example", token, "ana@provider.example")["success"] is True
    else:
        assert sdk.remove_integration("example", token)["success"] is True
    assert client.accounts(created["id"]) == []


@pytest.mark.parametrize("face", [face for face in NEWEST if face.release.replaces], ids=str)
def test_an_account_of_that_name_is_replaced_when_asked_for(
    face: Face, build: Build, client: Client, server: Server, browser: BrowserAndProviders
) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    client.store(ana.id, "example", "ana@provider.example", "stored by hand")
    [stored] = client.accounts(ana.id)

    def connect(**keywords: bool) -> str:
        callback = f"{server.url}/connectors/example/success-authorize-callback"
        url = sdk.initiate_connector_auth("example", ana.token, callback, **keywords)
        return browser.ask("connect", url=url, name="ana", server=server.url)["text"]

    assert "ana@provider.example is stored already" in connect(replace_duplicate=False)
    read = client.account(ana.id, "example", "ana@provider.example")
    assert read["auth_string"] == "stored by hand"
    assert "is connected" in connect(replace_duplicate=True)
    [replaced] = client.accounts(ana.id)
    assert replaced["id"] == stored["id"]
    is_accepted(
        server,
        lambda: sdk.get_integration("example", ana.token, "ana@provider.example")["auth_string"],
        "ana",
    )


@pytest.mark.parametrize("command_line", COMMAND_LINES[:1], indirect=True)
def test_the_address_that_the_browser_returns_to_answers_without_a_code(
    command_line: CommandLine, server: Server, browser: BrowserAndProviders
) -> None:
    # The command lines name it as the place to go to in the end: it must not send the browser on.
    callback = f"{server.url}/connectors/example/success-authorize-callback"
    page = browser.ask("read", url=callback)
    assert (page["status"], page["url"]) == (200, callback)


@pytest.mark.parametrize("face", NEWEST[-1:], ids=str)
def test_an_account_that_was_not_connected_is_not_there(
    face: Face, build: Build, client: Client
) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    sdk.initiate_connector_auth("example", ana.token, DONE)
    assert sdk.user_has_integration("example", ana.token) is False
    with pytest.raises(Refused, match="integration not found"):
        sdk.get_integration("example", ana.token, "ana@provider.example")
