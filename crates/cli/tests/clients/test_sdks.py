"""Every operation of the SDKs, in each release and each way to call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from clients import FACES, Face, Refused, Sdk
from server import Client, Server

Build = Callable[..., Sdk]

every_face = pytest.mark.parametrize("face", FACES, ids=str)
naming_accounts = [face for face in FACES if face.release.names_accounts]
every_face_that_names_accounts = pytest.mark.parametrize("face", naming_accounts, ids=str)

#: Names of accounts as users have them; the SDKs put them into paths nearly as they are.
NAMES = [
    "octocat",
    "ana.b+c@example.com",
    "two words",
    "Ångström 株式会社",
    "100% ~sure;=&",
    "T123/U456",
]

WRONG_LOGIN = "the user is unknown or the credential is not valid"
WRONG_TOKEN = "the token is not valid"


def names(client: Client, user_id: str) -> list[str]:
    return [account["user_identifier"] for account in client.accounts(user_id)]


def selected(client: Client, user_id: str) -> str:
    [name] = [one["user_identifier"] for one in client.accounts(user_id) if one["selected"]]
    return name


@every_face
def test_a_user_is_created_logged_in_and_shown(face: Face, build: Build, client: Client) -> None:
    sdk = build(face, api_key=client.key)
    created = sdk.create_user("ana@example.com")
    found = client.found("ana@example.com")
    assert created["id"] == found["id"]
    assert created["identifier"] == "ana@example.com"
    assert created["secret"].startswith("sk-user-")
    assert created["secret_preview"] == found["secret_preview"] == "sk-user-..." + created["secret"][-8:]
    assert created["is_active"] is True

    token = sdk.authenticate("ana@example.com", created["secret"])
    assert token["token_type"] == "bearer"
    assert token["is_revoked"] is False
    assert (token["user_id"], token["client_id"]) == (created["id"], client.id)
    verified = client.want("POST", "/auth/tokens/verify", {"token": token["token"]})
    assert (verified["valid"], verified["user_id"]) == (True, created["id"])
    # Text here, seconds there, and the same moment.
    ends = datetime.fromisoformat(token["expires_at"]).replace(tzinfo=UTC)
    assert ends.timestamp() == verified["expires_at"]

    shown = sdk.get_user_info(token["token"])
    assert (shown["id"], shown["client_id"]) == (created["id"], client.id)
    assert (shown["identifier"], shown["integrations"]) == ("ana@example.com", [])
    assert shown["secret_preview"] == created["secret_preview"]
    assert "secret" not in shown or shown["secret"] is None


@every_face
def test_refusals_of_users_and_tokens_say_why(face: Face, build: Build, client: Client) -> None:
    sdk = build(face, api_key=client.key)
    secret = sdk.create_user("ana")["secret"]
    with pytest.raises(Refused, match="a user with this identifier already exists"):
        sdk.create_user("ana")
    with pytest.raises(Refused, match="identifier"):
        sdk.create_user("")
    for identifier, wrong in [("ana", "wrong"), ("nobody", secret), ("ana", secret[:-1])]:
        with pytest.raises(Refused, match=WRONG_LOGIN):
            sdk.authenticate(identifier, wrong)
    with pytest.raises(Refused, match=WRONG_TOKEN):
        sdk.get_user_info("x.y.z")
    token = sdk.authenticate("ana", secret)["token"]
    client.want("POST", "/auth/tokens/revoke", {"token": token})
    with pytest.raises(Refused, match="the token has been revoked"):
        sdk.get_user_info(token)
    wrong_key = build(face, api_key=client.key[:-1])
    with pytest.raises(Refused, match="the client is unknown or its key is not valid"):
        wrong_key.create_user("bo")
    users = client.want("GET", "/users")
    assert [user["identifier"] for user in users] == ["ana"]


@every_face
def test_connectors_are_listed(face: Face, build: Build, client: Client, server: Server) -> None:
    sdk = build(face, api_key=client.key)
    known = server.want("GET", "/connectors/names")
    assert "example" in known
    assert sorted(sdk.get_available_modules()) == known
    sdk.get_connector("example")
    sdk.refresh_connector("example")
    with pytest.raises(Refused, match="No connector found for app 'unknown'"):
        sdk.get_connector("unknown")


@every_face
def test_the_address_may_end_with_a_slash(
    face: Face, build: Build, client: Client, server: Server
) -> None:
    sdk = build(face, f"{server.url}/", api_key=client.key)
    created = sdk.create_user("ana")
    assert client.found("ana")["id"] == created["id"]
    token = sdk.authenticate("ana", created["secret"])["token"]
    assert sdk.get_user_info(token)["id"] == created["id"]
    assert sorted(sdk.get_available_modules()) == server.want("GET", "/connectors/names")
    sdk.get_connector("example")
    assert sdk.initiate_connector_auth("example", token, "http://127.0.0.1:9/done").startswith(
        server.url
    )
    client.store(created["id"], "github", "octocat")
    assert sdk.user_has_integration("github", token) is True
    name = ["octocat"] if face.release.names_accounts else []
    assert sdk.remove_integration("github", token, *name)["success"] is True
    assert client.accounts(created["id"]) == []


@every_face
def test_it_is_known_whether_there_is_an_account(face: Face, build: Build, client: Client) -> None:
    sdk = build(face, api_key=client.key)
    ana, bo = client.user("ana"), client.user("bo")
    assert sdk.user_has_integration("github", ana.token) is False
    client.store(ana.id, "github", "octocat")
    assert sdk.user_has_integration("github", ana.token) is True
    assert sdk.user_has_integration("gitlab", ana.token) is False
    assert sdk.user_has_integration("github", bo.token) is False
    if face.release.raises:
        with pytest.raises(Refused, match=WRONG_TOKEN):
            sdk.user_has_integration("github", "x.y.z")
    else:
        assert sdk.user_has_integration("github", "x.y.z") is False


@every_face
def test_a_connection_is_begun(face: Face, build: Build, client: Client, server: Server) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    url = sdk.initiate_connector_auth("example", ana.token, "http://127.0.0.1:9/done")
    assert url.startswith(f"{server.url}/")
    assert client.accounts(ana.id) == []
    application = "https://app.example/done"
    with pytest.raises(Refused, match="callback_url is not an address that browsers may be sent to"):
        sdk.initiate_connector_auth("example", ana.token, application)
    settings = {"client_id": "ours", "client_secret": "a secret", "return_addresses": [application]}
    client.want("PUT", "/connectors/example/settings", settings)
    assert sdk.initiate_connector_auth("example", ana.token, application).startswith(f"{server.url}/")
    with pytest.raises(Refused, match="connector not found"):
        sdk.initiate_connector_auth("unknown", ana.token, "http://127.0.0.1:9/done")
    with pytest.raises(Refused, match="callback_url"):
        sdk.initiate_connector_auth("example", ana.token, "no address")
    with pytest.raises(Refused, match=WRONG_TOKEN):
        sdk.initiate_connector_auth("example", "x.y.z", "http://127.0.0.1:9/done")
    with pytest.raises(Refused, match="has no OAuth client yet"):
        sdk.initiate_connector_auth("github", ana.token, "http://127.0.0.1:9/done")


@every_face_that_names_accounts
def test_a_custom_configuration_is_stored(face: Face, build: Build, client: Client) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    for name in NAMES:
        configuration = {"user_identifier": name, "auth_string": f"of {name}", "auth_scopes": ["repo"]}
        done = sdk.initiate_plugin_configuration("github", ana.token, configuration)
        assert done["success"] is True, done
        stored = client.account(ana.id, "github", name)
        assert (stored["auth_string"], stored["auth_scopes"]) == (f"of {name}", ["repo"])
    assert sdk.initiate_plugin_configuration("jira", ana.token, {"url": "https://j", "key": "k"})[
        "success"
    ]
    stored = client.account(ana.id, "jira", "default")
    assert json.loads(stored["auth_string"]) == {"key": "k", "url": "https://j"}
    assert names(client, ana.id) == [*NAMES, "default"]


@every_face_that_names_accounts
def test_a_configuration_that_is_refused_changes_nothing(
    face: Face, build: Build, client: Client
) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    client.store(ana.id, "github", "octocat", "first")
    again = {"user_identifier": "octocat", "auth_string": "second"}
    for configuration, token, why in [
        (again, ana.token, "this account is already connected"),
        (again, "x.y.z", WRONG_TOKEN),
        ({"user_identifier": "", "auth_string": "x"}, ana.token, "user_identifier must not be empty"),
        ({"user_identifier": "o", "auth_string": {}}, ana.token, "configuration.auth_string"),
    ]:
        with pytest.raises(Refused, match=why):
            sdk.initiate_plugin_configuration("github", token, configuration)
    assert names(client, ana.id) == ["octocat"]
    assert client.account(ana.id, "github", "octocat")["auth_string"] == "first"


@pytest.mark.parametrize("face", [face for face in FACES if face.release.replaces], ids=str)
def test_a_duplicate_is_replaced_when_asked_for(face: Face, build: Build, client: Client) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    client.store(ana.id, "github", "octocat", "first")
    again = {"user_identifier": "octocat", "auth_string": "second"}
    with pytest.raises(Refused, match="this account is already connected"):
        sdk.initiate_plugin_configuration("github", ana.token, again, replace_duplicate=False)
    assert sdk.initiate_plugin_configuration("github", ana.token, again, replace_duplicate=True)[
        "success"
    ]
    assert names(client, ana.id) == ["octocat"]
    assert client.account(ana.id, "github", "octocat")["auth_string"] == "second"


@every_face_that_names_accounts
def test_accounts_are_shown_selected_and_removed(face: Face, build: Build, client: Client) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    for name in NAMES:
        client.store(ana.id, "github", name, f"of {name}")
    for name in NAMES:
        shown = sdk.get_integration("github", ana.token, name)
        assert (shown["connector"], shown["user_identifier"]) == ("github", name)
        assert (shown["auth_string"], shown["auth_scopes"]) == (f"of {name}", [])
        assert sdk.select_integration("github", ana.token, name)["success"] is True
        assert selected(client, ana.id) == name
        assert sdk.get_integration("github", ana.token, name)["selected"] is True
    shown = sdk.get_user_info(ana.token)["integrations"]
    assert sorted(one["user_identifier"] for one in shown) == sorted(NAMES)
    assert [one["user_identifier"] for one in shown if one["selected"]] == [NAMES[-1]]
    for place, name in enumerate(NAMES):
        assert sdk.remove_integration("github", ana.token, name)["success"] is True
        assert names(client, ana.id) == NAMES[place + 1 :]


@every_face_that_names_accounts
def test_what_fails_for_an_account_is_not_reported_as_success(
    face: Face, build: Build, client: Client
) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    client.store(ana.id, "github", "octocat")
    client.store(ana.id, "github", "second")
    for token, name, why in [
        (ana.token, "nobody", "integration not found"),
        ("x.y.z", "second", WRONG_TOKEN),
    ]:
        for operation in (sdk.select_integration, sdk.remove_integration):
            failed = operation("github", token, name)
            assert failed["success"] is False
            assert why in failed["message"]
        if face.release.raises:
            with pytest.raises(Refused, match=why):
                sdk.get_integration("github", token, name)
        else:
            assert sdk.get_integration("github", token, name) == {}
    assert names(client, ana.id) == ["octocat", "second"]
    assert selected(client, ana.id) == "octocat"


@pytest.mark.parametrize("face", [face for face in FACES if not face.release.names_accounts], ids=str)
def test_the_only_account_is_removed_without_its_name(face: Face, build: Build, client: Client) -> None:
    sdk = build(face, api_key=client.key)
    ana = client.user("ana")
    failed = sdk.remove_integration("github", ana.token)
    assert (failed["success"], failed["message"]) == (False, "integration not found")
    client.store(ana.id, "github", "octocat")
    client.store(ana.id, "github", "second")
    failed = sdk.remove_integration("github", ana.token)
    assert failed["success"] is False
    assert "several accounts" in failed["message"]
    assert names(client, ana.id) == ["octocat", "second"]
    client.want("DELETE", f"/users/{ana.id}/integrations/github?user_identifier=second")
    assert sdk.remove_integration("github", ana.token)["success"] is True
    assert client.accounts(ana.id) == []


@every_face
def test_a_second_client_learns_nothing(face: Face, build: Build, client: Client, other: Client) -> None:
    sdk = build(face, api_key=other.key)
    ana = client.user("ana")
    client.store(ana.id, "github", "octocat")
    # Its own user of the same name is another user.
    theirs = sdk.create_user("ana")
    token = sdk.authenticate("ana", theirs["secret"])["token"]
    assert sdk.get_user_info(token)["integrations"] == []
    assert sdk.user_has_integration("github", token) is False
    with pytest.raises(Refused, match=WRONG_LOGIN):
        sdk.authenticate("ana", ana.secret)
    with pytest.raises(Refused, match=WRONG_TOKEN):
        sdk.get_user_info(ana.token)
    with pytest.raises(Refused, match=WRONG_TOKEN):
        sdk.initiate_connector_auth("example", ana.token, "http://127.0.0.1:9/done")
    if face.release.names_accounts:
        for theirs_or_foreign, why in [(token, "integration not found"), (ana.token, WRONG_TOKEN)]:
            for operation in (sdk.select_integration, sdk.remove_integration):
                failed = operation("github", theirs_or_foreign, "octocat")
                assert failed["success"] is False
                assert why in failed["message"]
            if face.release.raises:
                with pytest.raises(Refused, match=why):
                    sdk.get_integration("github", theirs_or_foreign, "octocat")
            else:
                assert sdk.get_integration("github", theirs_or_foreign, "octocat") == {}
    else:
        assert sdk.remove_integration("github", token)["success"] is False
        assert sdk.remove_integration("github", ana.token)["success"] is False
    assert names(client, ana.id) == ["octocat"]


@pytest.mark.parametrize("key", [{}, {"api_key": None}], ids=["not-given", "none"])
@every_face
def test_what_needs_no_key_works_without_one(
    face: Face, key: dict[str, None], build: Build, client: Client, server: Server
) -> None:
    sdk = build(face, **key)
    ana = client.user("ana")
    if face.release.logs_in_without_key:
        token = sdk.authenticate("ana", ana.secret)["token"]
    else:
        with pytest.raises(Refused, match="API key is required"):
            sdk.authenticate("ana", ana.secret)
        token = ana.token
    assert client.want("POST", "/auth/tokens/verify", {"token": token})["user_id"] == ana.id
    assert sdk.get_user_info(token)["id"] == ana.id
    assert sorted(sdk.get_available_modules()) == server.want("GET", "/connectors/names")
    assert sdk.user_has_integration("github", token) is False
    url = sdk.initiate_connector_auth("example", token, "http://127.0.0.1:9/done")
    assert url.startswith(f"{server.url}/")
    if face.release.names_accounts:
        configuration = {"user_identifier": "octocat", "auth_string": "a"}
        assert sdk.initiate_plugin_configuration("github", token, configuration)["success"] is True
        assert sdk.get_integration("github", token, "octocat")["auth_string"] == "a"
        assert sdk.select_integration("github", token, "octocat")["success"] is True
        assert names(client, ana.id) == ["octocat"]
        assert sdk.user_has_integration("github", token) is True
        assert sdk.remove_integration("github", token, "octocat")["success"] is True
    else:
        client.store(ana.id, "github", "octocat")
        assert sdk.remove_integration("github", token)["success"] is True
    assert client.accounts(ana.id) == []
    # Only a client makes users.
    with pytest.raises(Refused, match="(?i)api key is required|needs a client key"):
        sdk.create_user("bo")
