"""The Django integration, and its example as real servers."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
import httpx2 as httpx
import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import AsyncClient, Client, override_settings

import bosa_auth
from bosa_auth import service
from conftest import ROOT_KEYS, SIGNING_KEY

PROJECT = Path(__file__).parent.parent / "examples" / "django_project"
SERVER = "bosa_auth.django.backends.BosaAuthBackend"


@pytest.fixture(scope="module", autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Django, once in a process."""
    os.environ["DJANGO_DATABASE"] = str(tmp_path_factory.mktemp("django") / "project.sqlite3")
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_settings"
    django.setup()
    call_command("migrate", verbosity=0)


class Caller:
    """A client with a user, and their credentials as headers."""

    def __init__(self, name: str) -> None:
        client = service.create_client_service.create_client(name)
        self.id, self.api_key = client.id, client.api_key
        self.user = service.create_user_service.create_user(self.api_key, "ana")
        login = service.authenticate_user_service.authenticate_user
        self.token = login(self.api_key, "ana", self.user.secret).token
        self.key = {"x-api-key": self.api_key}
        self.bearer = {"authorization": f"Bearer {self.token}"}
        self.form = {"username": "ana", "password": self.user.secret}


def options(database: str, key: str = "") -> dict[str, str]:
    return {
        "DATABASE_AUTHENTICATION_URL": database,
        "AUTH_SECRET_KEY": SIGNING_KEY,
        "BOSA_AUTH_ROOT_KEYS": ROOT_KEYS,
        "CLIENT_API_KEY": key,
    }


def service_options(database: str) -> dict[str, str]:
    return {name: value for name, value in options(database).items() if value}


@pytest.fixture
def acme(database: str) -> Iterator[Caller]:
    """The client whose users log in to the project."""
    from django.conf import settings

    call_command("flush", interactive=False, verbosity=0)
    with override_settings(BOSA_AUTH=options(database)):
        from bosa_auth.django import services

        services()
        caller = Caller("acme")
        settings.BOSA_AUTH["CLIENT_API_KEY"] = caller.api_key
        yield caller


def refused(response: Any, status: int, code: str) -> Any:
    body = response.json()
    assert (response.status_code, body["error"]["code"]) == (status, code)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-request-id"] == body["error"]["request_id"]
    assert ("www-authenticate" in response.headers) == (status == 401)
    return body


def is_logged_in(web: Client) -> bool:
    response = web.get("/")
    assert response.status_code in (200, 302)
    return response.status_code == 200


def log_in(web: Client, caller: Caller) -> bool:
    response = web.post("/accounts/login/", caller.form)
    assert response.status_code in (200, 302)
    return response.status_code == 302


def test_the_calling_client_and_the_user_are_known(acme: Caller) -> None:
    web = Client()
    for path in ["/client", "/async-client"]:
        assert web.get(path, headers=acme.key).json() == {"name": "acme"}
    for headers in [acme.bearer, acme.bearer | acme.key]:
        user = web.get("/api/me", headers=headers).json()
        assert (user["user_id"], user["client_id"]) == (str(acme.user.id), str(acme.id))
    assert web.get("/seen").json() == {"user": None, "client": None}
    assert web.get("/seen", headers=acme.bearer).json() == {"user": "ana", "client": None}
    assert web.get("/seen", headers=acme.bearer | acme.key).json() == {"user": "ana", "client": "acme"}


def test_a_credential_that_is_missing_malformed_ended_or_foreign_is_refused(acme: Caller) -> None:
    web, globex = Client(), Caller("globex")
    missing = refused(web.get("/client"), 401, "invalid_client")
    assert missing["message"] == "this route needs a client key in x-api-key"
    missing = refused(web.get("/api/me"), 401, "unauthorized")
    assert missing["message"] == "this route needs a user's token in Authorization: Bearer"
    for key in ["", "wrong", acme.api_key[:-1], acme.token, "é", f"{acme.api_key},{acme.api_key}"]:
        for path in ["/client", "/async-client"]:
            refused(web.get(path, headers={"x-api-key": key}), 401, "invalid_client")
        beside = acme.bearer | {"x-api-key": key}
        refused(web.get("/api/me", headers=beside), 401, "invalid_client")
    for token in ["", "a.b.c", acme.token[:-2], acme.api_key, "é", f"{acme.token},Bearer {acme.token}"]:
        bearer = {"authorization": f"Bearer {token}"}
        refused(web.get("/api/me", headers=bearer), 401, "invalid_token")
        # What is wrong may be meant for somebody else.
        assert web.get("/seen", headers=bearer).json() == {"user": None, "client": None}
    refused(web.get("/api/me", headers={"authorization": "Basic YTpi"}), 401, "unauthorized")
    # A second client, with its own key or with the first one's token.
    refused(web.get("/api/me", headers=acme.bearer | globex.key), 401, "invalid_token")
    assert web.get("/client", headers=acme.bearer | globex.key).json() == {"name": "globex"}
    assert service.revoke_token_service.revoke_token(acme.api_key, acme.token)
    refused(web.get("/api/me", headers=acme.bearer), 401, "revoked_token")
    service.create_client_service.update_client(globex.id, is_active=False)
    refused(web.get("/client", headers=globex.key), 401, "invalid_client")


def test_errors_have_the_body_of_our_own_server(acme: Caller, caplog: pytest.LogCaptureFixture) -> None:
    web = Client()
    asked = acme.key | {"x-request-id": "r-1", "accept": "text/html, application/problem+json;q=0.9"}
    body = {"identifier": "ana"}
    response = web.post("/api/users", body, content_type="application/json", headers=asked)
    assert response.headers["content-type"] == "application/problem+json"
    message = "a user with this identifier already exists"
    assert refused(response, 409, "user_already_exists") == {
        "error": {
            "message": message,
            "code": "user_already_exists",
            "type": "UserAlreadyExists",
            "request_id": "r-1",
        },
        "message": message,
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
    }
    caplog.set_level(logging.ERROR)
    body = refused(web.get("/wrong"), 500, "configuration")
    assert body["message"] == "the server is not configured correctly"
    assert "AUTH_SECRET_KEY is too short" in caplog.text
    assert web.get("/client", headers=acme.key).headers["cache-control"] == "no-store"
    public = web.get("/seen", headers={"x-request-id": "a.b_c-1"}).headers
    assert public["x-request-id"] == "a.b_c-1" and "cache-control" not in public


def test_decorated_views_need_no_csrf_token_and_others_still_do(acme: Caller) -> None:
    web = Client(enforce_csrf_checks=True)
    body = {"identifier": "bob"}
    response = web.post("/api/users", body, content_type="application/json", headers=acme.key)
    assert response.status_code == 201
    assert web.post("/accounts/login/", acme.form).status_code == 403


def test_async_servers_answer_the_same(acme: Caller) -> None:
    async def calls() -> None:
        web = AsyncClient()
        for path in ["/client", "/async-client"]:
            response = await web.get(path, headers=acme.key)
            assert response.json() == {"name": "acme"}
        refused(await web.get("/async-client"), 401, "invalid_client")
        me = await web.get("/api/me", headers=acme.bearer)
        assert me.json()["identifier"] == "ana"
        assert (await web.get("/async-session")).json() == {"authenticated": False}
        wrong = acme.form | {"password": "wrong"}
        assert (await web.post("/async-login", wrong)).status_code == 400
        assert (await web.post("/async-login", acme.form)).status_code == 200
        assert (await web.get("/async-session")).json() == {"authenticated": True}
        revoke = bosa_auth.aio.service.revoke_token_service.revoke_all_tokens
        await revoke(acme.api_key, acme.user.id)
        assert (await web.get("/async-session")).json() == {"authenticated": False}
        refused(await web.get("/api/me", headers=acme.bearer), 401, "revoked_token")

    asyncio.run(calls())


def test_a_user_logs_in_to_a_session_and_out_of_it(acme: Caller) -> None:
    web = Client()
    assert not is_logged_in(web)
    assert log_in(web, acme)
    assert web.get("/").content == b"Hello ana"
    account: Any = get_user_model()._default_manager.get()
    assert account.get_username() == str(acme.user.id)
    assert not account.has_usable_password()
    assert not account.is_staff and not account.is_superuser
    token = web.session["_bosa_auth_token"]
    assert web.post("/accounts/logout/").status_code == 302
    assert not is_logged_in(web)
    with pytest.raises(bosa_auth.RevokedTokenError):
        service.verify_token_service.verify_token(acme.api_key, token)
    # The token of the API is another one.
    assert web.get("/api/me", headers=acme.bearer).status_code == 200


def test_a_session_ends_with_its_user(acme: Caller) -> None:
    web = Client()
    users, clients = service.create_user_service, service.create_client_service

    def suspend() -> None:
        users.update_user(acme.api_key, acme.user.id, is_active=False)

    def sign_out() -> None:
        service.revoke_token_service.revoke_all_tokens(acme.api_key, acme.user.id)

    def reset() -> None:
        acme.form["password"] = users.reset_user_secret(acme.api_key, acme.user.id).secret

    for end in [sign_out, reset, suspend]:
        assert log_in(web, acme) and is_logged_in(web)
        end()
        assert not is_logged_in(web), end
        assert "_bosa_auth_token" not in web.session
    assert not log_in(web, acme)
    users.update_user(acme.api_key, acme.user.id, is_active=True)
    assert log_in(web, acme) and is_logged_in(web)
    # A client is suspended for a while.
    clients.update_client(acme.id, is_active=False)
    assert not is_logged_in(web)
    assert not log_in(Client(), acme)
    clients.update_client(acme.id, is_active=True)
    assert is_logged_in(web)
    # The project can say no as well.
    get_user_model()._default_manager.update(is_active=False)
    assert not is_logged_in(web)
    assert not log_in(web, acme)
    get_user_model()._default_manager.update(is_active=True)
    users.delete_user(acme.api_key, acme.user.id)
    assert not log_in(web, acme)


def test_a_user_keeps_its_account_whatever_it_is_called(acme: Caller) -> None:
    assert log_in(Client(), acme)
    service.create_user_service.update_user(acme.api_key, acme.user.id, identifier="anna")
    acme.form["username"] = "anna"
    web = Client()
    assert log_in(web, acme)
    assert web.get("/").content == b"Hello anna"
    # Somebody else takes the name that is free now.
    other = service.create_user_service.create_user(acme.api_key, "ana")
    first = authenticate(None, username="anna", password=acme.user.secret)
    second = authenticate(None, username="ana", password=other.secret)
    assert first and second and first.pk != second.pk
    assert get_user_model()._default_manager.count() == 2


def test_an_account_of_the_project_is_never_taken_over(acme: Caller) -> None:
    accounts: Any = get_user_model()._default_manager
    root = accounts.create_superuser("ana", "ana@example.com", "a local password")
    squatter = accounts.create_user(str(acme.user.id), password="another password")
    made: Any = authenticate(None, username="ana", password=acme.user.secret)
    assert made and made.pk not in (root.pk, squatter.pk)
    assert made.get_username().startswith(f"{acme.user.id}-")
    assert not made.is_superuser
    again = authenticate(None, username="ana", password=acme.user.secret)
    assert again and again.pk == made.pk
    # The project's own accounts log in as before, and a session of theirs is not ours to end.
    web = Client()
    form = {"username": "ana", "password": "a local password"}
    assert web.post("/accounts/login/", form).status_code == 302
    service.revoke_token_service.revoke_all_tokens(acme.api_key, acme.user.id)
    assert is_logged_in(web) and web.get("/").content == b"Hello ana"
    # Their session through our backend is none.
    web.force_login(root, backend=SERVER)
    assert not is_logged_in(web)
    # The project may log a user in without its secret.
    web.force_login(accounts.get(pk=made.pk), backend=SERVER)
    assert is_logged_in(web)


def test_the_local_password_of_an_account_is_not_asked_by_our_backend(acme: Caller) -> None:
    accounts: Any = get_user_model()._default_manager
    accounts.create_user("local", password="a local password")
    form = {"username": "local", "password": "a local password"}

    async def logs_in() -> bool:
        return (await AsyncClient().post("/async-login", form)).status_code == 200

    with override_settings(AUTHENTICATION_BACKENDS=[SERVER]):
        assert authenticate(None, username="local", password="a local password") is None
        assert not asyncio.run(logs_in())
    assert asyncio.run(logs_in())


def test_a_second_clients_users_and_tokens_log_in_to_nothing(acme: Caller) -> None:
    globex = Caller("globex")
    assert not log_in(Client(), globex)
    web = Client()
    assert web.post("/token-login", {"token": globex.token}).status_code == 400
    assert not is_logged_in(web)
    assert web.post("/token-login", {"token": "a.b.c"}).status_code == 400
    assert get_user_model()._default_manager.count() == 0
    assert web.post("/token-login", {"token": acme.token}).status_code == 200
    assert is_logged_in(web)


def test_whoever_guesses_does_not_lock_out_an_account_of_the_project(
    acme: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    service.create_user_service.create_user(acme.api_key, "admin", "a chosen secret of bosa")
    accounts: Any = get_user_model()._default_manager
    accounts.create_superuser("admin", password="a local password")
    for _ in range(100):
        assert authenticate(None, username="admin", password="wrong, and long enough") is None
        if "may try to log in again" in caplog.text:
            break
    assert "may try to log in again" in caplog.text
    assert authenticate(None, username="admin", password="a chosen secret of bosa") is None
    assert authenticate(None, username="admin", password="a local password") is not None


def test_what_is_missing_is_said(acme: Caller, caplog: pytest.LogCaptureFixture) -> None:
    from django.conf import settings

    checked = {message.id for message in run_checks()}
    assert not {each for each in checked if str(each).startswith("bosa_auth")}
    for middleware in [[], list(reversed(settings.MIDDLEWARE))]:
        with override_settings(MIDDLEWARE=middleware):
            assert "bosa_auth.E001" in {message.id for message in run_checks()}
    settings.BOSA_AUTH["CLIENT_API_KEY"] = f"sk-client-{uuid4()}"
    assert not log_in(Client(), acme)
    assert "nobody can log in with BOSA_AUTH['CLIENT_API_KEY']" in caplog.text
    settings.BOSA_AUTH["CLIENT_API_KEY"] = ""
    assert "bosa_auth.W001" in {message.id for message in run_checks()}
    for value in [None, "", "x" * 10_000]:
        assert authenticate(None, username=value, password=None) is None


def test_migrations_describe_the_models() -> None:
    call_command("makemigrations", "bosa_auth", check=True, dry_run=True, verbosity=0)


@pytest.fixture
def deployment(database: str, tmp_path: Path) -> dict[str, str]:
    """The environment of the example's processes."""
    environment = {name: value for name, value in os.environ.items() if "DJANGO" not in name}
    return (
        environment
        | service_options(database)
        | {
            "DJANGO_DATABASE": str(tmp_path / "project.sqlite3"),
            "DJANGO_SECRET_KEY": "a secret key of Django for tests",
        }
    )


def migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True)


WSGI = """
import sys
from socketserver import {kind}MixIn
from wsgiref.simple_server import WSGIServer, make_server
from project.wsgi import application
from bosa_auth.django import services

class Server({kind}MixIn, WSGIServer):
    pass

if "{kind}" == "Forking":
    services()

with make_server("127.0.0.1", 0, application, Server) as server:
    print("running on http://127.0.0.1:%d" % server.server_port, file=sys.stderr, flush=True)
    server.serve_forever()
"""


@contextmanager
def served(kind: str, environment: dict[str, str]) -> Iterator[httpx.Client]:
    arguments = {
        "threads": ["-c", WSGI.format(kind="Threading")],
        "forks": ["-c", WSGI.format(kind="Forking")],
        "asgi": ["-m", "uvicorn", "project.asgi:application", "--port", "0", "--lifespan", "off"],
    }
    server = subprocess.Popen(
        [sys.executable, *arguments[kind]],
        cwd=PROJECT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    try:
        address = None
        for line in server.stderr:
            address = re.search(r"running on (http://\S+)", line)
            if address:
                break
        assert address, "it has not started"
        with httpx.Client(base_url=address[1]) as client:
            yield client
    finally:
        server.terminate()
        server.communicate(timeout=30)


def test_workers_that_are_forked_from_an_open_server_serve(
    database: str, deployment: dict[str, str]
) -> None:
    migrate(deployment)
    bosa_auth.initialize_authentication_db(
        bosa_auth.AuthenticationDbSettings(others=service_options(database))
    )
    acme = Caller("acme")
    with served("forks", deployment | {"CLIENT_API_KEY": acme.api_key}) as web:
        for _ in range(3):
            assert web.get("/api/me", headers=acme.bearer).json()["identifier"] == "ana"
            refused(web.get("/api/me", headers={"authorization": "Bearer x"}), 401, "invalid_token")


@pytest.mark.parametrize("kind", ["threads", "asgi"])
def test_the_example_serves(kind: str, database: str, deployment: dict[str, str]) -> None:
    # Without a client key, and before the database of BOSA Auth exists.
    migrate(deployment)
    others = service_options(database)
    with bosa_auth.Auth(bosa_auth.AuthenticationDbSettings(others=others)) as auth:
        acme = auth.create_client_service.create_client("acme")
        globex = auth.create_client_service.create_client("globex")
        key, other = {"x-api-key": acme.api_key}, {"x-api-key": globex.api_key}
        with served(kind, deployment | {"CLIENT_API_KEY": acme.api_key}) as web:
            user = web.post("/api/users", json={"identifier": "ana@example.com"}, headers=key).json()
            credentials = {"identifier": "ana@example.com", "secret": user["secret"]}
            refused(web.post("/api/login", json=credentials, headers=other), 401, "unauthorized")
            token = web.post("/api/login", json=credentials, headers=key).json()["token"]
            bearer = {"authorization": f"Bearer {token}"}
            account = {"user_identifier": "octocat", "auth_string": "gho_marked"}
            stored = web.post("/api/accounts/github", json=account, headers=bearer)
            assert stored.status_code == 201 and "gho_marked" not in stored.text
            again = web.post("/api/accounts/github", json=account, headers=bearer)
            refused(again, 409, "integration_already_exists")
            missing = refused(web.post("/api/accounts/github", headers=bearer), 400, "invalid_input")
            assert missing["error"]["details"] == {"field": "auth_string"}
            assert web.get("/api/me", headers=bearer).json()["user_id"] == user["id"]
            refused(web.get("/api/me", headers=bearer | other), 401, "invalid_token")
            # A person with a browser.
            assert web.get("/").headers["location"] == "/accounts/login/?next=/"
            page = web.get("/accounts/login/").text
            csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
            assert csrf
            form = {"username": "ana@example.com", "password": user["secret"]}
            form |= {"csrfmiddlewaretoken": csrf[1]}
            assert web.post("/accounts/login/", data=form).headers["location"] == "/"
            assert web.get("/").text == "Hello ana@example.com"
            session = web.cookies["sessionid"]
            # Ended in another process.
            auth.revoke_token_service.revoke_all_tokens(acme.api_key, user["id"])
            for _ in range(10_000):
                if web.get("/api/me", headers=bearer).status_code == 401:
                    break
            refused(web.get("/api/me", headers=bearer), 401, "revoked_token")
            web.cookies.set("sessionid", session)
            assert web.get("/").status_code == 302
