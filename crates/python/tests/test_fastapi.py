"""The FastAPI integration, and its example as a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import bosa_auth
from bosa_auth import aio, exception
from bosa_auth.fastapi import (
    AuthenticatedUser,
    CallingClient,
    ClientKey,
    OptionalUser,
    Services,
    install,
    lifespan,
)
from bosa_auth.models import ClientModel, CurrentUser, UserModel
from conftest import ROOT_KEYS, SIGNING_KEY, Settings

EXAMPLES = Path(__file__).parent.parent / "examples"


def application(settings: bosa_auth.AuthenticationDbSettings) -> FastAPI:
    app = FastAPI(lifespan=lifespan(settings))
    install(app)

    @app.get("/client")
    async def client(client: CallingClient) -> ClientModel:
        return client

    @app.post("/users")
    async def sign_up(identifier: str, key: ClientKey, services: Services) -> UserModel:
        return await services.create_user_service.create_user(key, identifier)

    @app.get("/me")
    async def me(user: AuthenticatedUser) -> CurrentUser:
        return user

    @app.get("/perhaps", response_model=CurrentUser | None)
    async def perhaps(user: OptionalUser) -> CurrentUser | None:
        return user

    @app.get("/public")
    async def public() -> dict[str, bool]:
        return {"public": True}

    @app.websocket("/socket")
    async def socket(socket: WebSocket, user: AuthenticatedUser) -> None:
        await socket.accept()
        await socket.send_text(user.identifier)
        await socket.close()

    @app.get("/wrong")
    async def wrong() -> None:
        raise exception.ConfigurationException("AUTH_SECRET_KEY is too short")

    return app


class Caller:
    """A client with a user, its credentials as headers."""

    def __init__(self, name: str) -> None:
        services = bosa_auth.service
        client = services.create_client_service.create_client(name)
        self.id = client.id
        self.api_key = client.api_key
        self.user = services.create_user_service.create_user(client.api_key, "ana")
        login = services.authenticate_user_service.authenticate_user
        self.token = login(client.api_key, "ana", self.user.secret).token
        self.key = {"x-api-key": client.api_key}
        self.bearer = {"authorization": f"Bearer {self.token}"}


@pytest.fixture
def web(settings: Settings) -> Iterator[TestClient]:
    with TestClient(application(settings())) as client:
        yield client


def refused(response: httpx.Response, status: int, code: str) -> Any:
    body = response.json()
    assert (response.status_code, body["error"]["code"]) == (status, code)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-request-id"] == body["error"]["request_id"]
    assert ("www-authenticate" in response.headers) == (status == 401)
    return body


def test_the_calling_client_and_the_user_are_known(web: TestClient) -> None:
    acme = Caller("acme")
    client = web.get("/client", headers=acme.key).json()
    assert (client["id"], client["name"], client["api_key"]) == (str(acme.id), "acme", "")
    for headers in [acme.bearer, acme.bearer | acme.key]:
        user = web.get("/me", headers=headers).json()
        assert (user["user_id"], user["client_id"]) == (str(acme.user.id), str(acme.id))
    assert web.get("/perhaps").json() is None
    assert web.get("/perhaps", headers=acme.bearer).json()["identifier"] == "ana"
    made = web.post("/users?identifier=bob", headers=acme.key).json()
    assert made["secret"].startswith("sk-user-")
    assert bosa_auth.service.get_user_service.get_user(acme.api_key, made["id"]).identifier == "bob"


def test_a_credential_that_is_missing_malformed_ended_or_foreign_is_refused(web: TestClient) -> None:
    acme, globex = Caller("acme"), Caller("globex")
    missing = refused(web.get("/client"), 401, "invalid_client")
    assert missing["message"] == "this route needs a client key in x-api-key"
    missing = refused(web.get("/me"), 401, "unauthorized")
    assert missing["message"] == "this route needs a user's token in Authorization: Bearer"
    for key in ["", "wrong", acme.api_key[:-1], acme.token, "é", "x" * 100_000]:
        header = {b"x-api-key": key.encode("latin-1")}
        for path in ["/client", "/perhaps"]:
            refused(web.get(path, headers=header), 401, "invalid_client")
        beside = header | {b"authorization": f"Bearer {acme.token}".encode()}
        refused(web.get("/me", headers=beside), 401, "invalid_client")
    for token in ["", "a.b.c", acme.token[:-2], acme.api_key, "é"]:
        header = {b"authorization": f"Bearer {token}".encode("latin-1")}
        for path in ["/me", "/perhaps"]:
            refused(web.get(path, headers=header), 401, "invalid_token")
    twice = [("x-api-key", acme.api_key), ("x-api-key", acme.api_key)]
    refused(web.get("/client", headers=twice), 401, "invalid_client")
    twice = [("authorization", acme.bearer["authorization"])] * 2
    refused(web.get("/me", headers=twice), 401, "invalid_token")
    refused(web.get("/me", headers={"authorization": "Basic YTpi"}), 401, "unauthorized")
    # The scheme in any case.
    assert web.get("/me", headers={"authorization": f"bEARER {acme.token}"}).status_code == 200
    # A second client, with its own key or with the first one's token.
    refused(web.get("/me", headers=acme.bearer | globex.key), 401, "invalid_token")
    assert bosa_auth.service.revoke_token_service.revoke_token(acme.api_key, acme.token)
    body = refused(web.get("/me", headers=acme.bearer), 401, "revoked_token")
    assert body["error"]["type"] == "RevokedToken"
    bosa_auth.service.create_client_service.update_client(globex.id, is_active=False)
    refused(web.get("/client", headers=globex.key), 401, "invalid_client")


def test_errors_have_the_body_of_our_own_server(
    web: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    acme = Caller("acme")
    asked = acme.key | {"x-request-id": "r-1", "accept": "text/html, application/problem+json;q=0.9"}
    response = web.post("/users?identifier=ana", headers=asked)
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
    response = web.post("/users?identifier=", headers=acme.key)
    assert response.headers["content-type"] == "application/json"
    assert refused(response, 400, "invalid_input")["error"]["details"] == {"field": "identifier"}
    body = refused(web.get("/wrong"), 500, "configuration")
    assert body["message"] == "the server is not configured correctly"
    assert "AUTH_SECRET_KEY is too short" in caplog.text
    # FastAPI's own stay as they are.
    assert web.post("/users", headers=acme.key).status_code == 422
    assert web.get("/nothing").json() == {"detail": "Not Found"}


def test_every_response_has_its_request_id_and_no_cache_keeps_what_a_credential_opened(
    web: TestClient,
) -> None:
    acme = Caller("acme")
    response = web.get("/public", headers={"x-request-id": "a.b_c-1"})
    assert response.headers["x-request-id"] == "a.b_c-1"
    assert "cache-control" not in response.headers
    for given in ["", "a b", 'a"b', "x" * 129]:
        made = web.get("/public", headers={"x-request-id": given}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made)
    assert web.get("/client", headers=acme.key).headers["cache-control"] == "no-store"


def test_web_sockets_know_their_user_too(web: TestClient) -> None:
    acme = Caller("acme")
    with web.websocket_connect("/socket", headers=acme.bearer) as socket:
        assert socket.receive_text() == "ana"
    with pytest.raises(WebSocketDisconnect) as closed, web.websocket_connect("/socket"):
        pass
    assert (closed.value.code, closed.value.reason) == (1008, "unauthorized")


def test_an_application_can_have_an_instance_of_its_own(settings: Settings) -> None:
    auth = aio.Auth(settings())

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with auth:
            yield

    app = FastAPI(lifespan=life)
    install(app, auth)

    @app.get("/client")
    async def client(client: CallingClient, services: Services) -> bool:
        return services is auth

    with TestClient(app) as web, bosa_auth.Auth(settings()) as other:
        key = other.create_client_service.create_client("acme").api_key
        assert web.get("/client", headers={"x-api-key": key}).json() is True
        with pytest.raises(exception.UninitializedException):
            bosa_auth.service.verify_client_service.verify_client_api_key(key)


def test_the_description_names_the_credentials_and_the_models(settings: Settings) -> None:
    described = application(settings()).openapi()
    schemes = described["components"]["securitySchemes"]
    assert (schemes["client_key"]["in"], schemes["client_key"]["name"]) == ("header", "x-api-key")
    assert (schemes["user_token"]["type"], schemes["user_token"]["scheme"]) == ("http", "bearer")
    paths = described["paths"]
    assert paths["/client"]["get"]["security"] == [{"client_key": []}]
    assert paths["/users"]["post"]["security"] == [{"client_key": []}]
    assert paths["/me"]["get"]["security"] == [{"user_token": []}]
    assert "security" not in paths["/public"]["get"]
    names = [each["name"] for each in paths["/users"]["post"]["parameters"]]
    assert names == ["identifier"]
    user = described["components"]["schemas"]["UserModel"]
    assert user["properties"]["id"]["format"] == "uuid"
    assert user["properties"]["created_at"]["format"] == "date-time"
    assert set(user["required"]) == {
        "id",
        "client_id",
        "identifier",
        "secret",
        "is_active",
        "created_at",
    }


@contextmanager
def served(database: str) -> Iterator[httpx.Client]:
    """The example, run as its first lines say."""
    environment = os.environ | {
        "DATABASE_AUTHENTICATION_URL": database,
        "AUTH_SECRET_KEY": SIGNING_KEY,
        "BOSA_AUTH_ROOT_KEYS": ROOT_KEYS,
    }
    command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--port", "0"]
    server = subprocess.Popen(command, cwd=EXAMPLES, env=environment, stderr=subprocess.PIPE, text=True)
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
        _, log = server.communicate(timeout=30)
    assert "Application shutdown complete" in log and "Traceback" not in log


def test_the_example_serves(settings: Settings, database: str) -> None:
    with bosa_auth.Auth(settings()) as auth:
        acme = auth.create_client_service.create_client("acme")
        globex = auth.create_client_service.create_client("globex")
    key, other = {"x-api-key": acme.api_key}, {"x-api-key": globex.api_key}
    with served(database) as web:
        assert web.get("/", headers=key).json() == {"client": "acme"}
        user = web.post("/users", json={"identifier": "ana@example.com"}, headers=key).json()
        credentials = {"identifier": "ana@example.com", "secret": user["secret"]}
        refused(web.post("/login", json=credentials, headers=other), 401, "unauthorized")
        token = web.post("/login", json=credentials, headers=key).json()["token"]
        bearer = {"authorization": f"Bearer {token}"}
        account = {"user_identifier": "octocat", "auth_string": "gho_marked", "auth_scopes": ["repo"]}
        stored = web.post("/accounts/github", json=account, headers=bearer)
        assert stored.status_code == 201 and "gho_marked" not in stored.text
        again = web.post("/accounts/github", json=account, headers=bearer)
        refused(again, 409, "integration_already_exists")
        me = web.get("/me", headers=bearer)
        assert "gho_marked" not in me.text and user["secret"] not in me.text
        assert me.json()["user"]["identifier"] == "ana@example.com"
        assert [each["user_identifier"] for each in me.json()["accounts"]] == ["octocat"]
        refused(web.get("/me", headers=bearer | other), 401, "invalid_token")
        refused(web.post(f"/users/{user['id']}/sign-out", headers=other), 404, "not_found")
        assert web.get("/me", headers=bearer).status_code == 200
        assert web.post(f"/users/{user['id']}/sign-out", headers=key).status_code == 204
        refused(web.get("/me", headers=bearer), 401, "revoked_token")
