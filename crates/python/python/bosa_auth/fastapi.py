"""BOSA Auth in FastAPI applications: who is calling, and how errors are answered.

    from fastapi import FastAPI
    from bosa_auth import fastapi as bosa

    app = FastAPI(lifespan=bosa.lifespan())
    bosa.install(app)

    @app.get("/me")
    async def me(user: bosa.AuthenticatedUser) -> CurrentUser:
        return user

Nothing here blocks the event loop.
"""

# Annotations stay values in this module: FastAPI reads those of objects that are called.

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Security
from fastapi.openapi.models import APIKey
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from bosa_auth import _problem, _process
from bosa_auth.aio import Auth, initialize_authentication_db, shutdown
from bosa_auth.exception import BosaException, InvalidClientException, UnauthorizedException
from bosa_auth.models import ClientModel, CurrentUser
from bosa_auth.settings import AuthenticationDbSettings

__all__ = [
    "AuthenticatedUser",
    "CallingClient",
    "ClientKey",
    "OptionalUser",
    "Services",
    "authenticated_user",
    "calling_client",
    "client_key",
    "install",
    "lifespan",
    "optional_user",
    "services",
]

_process_wide = Auth._of(_process.process_wide)


def lifespan(
    settings: AuthenticationDbSettings | None = None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """The ``lifespan`` of an application that opens the process-wide instance and closes it at the end.

    Args:
        settings: Its settings; without, those of the environment.
    """

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        await initialize_authentication_db(settings)
        try:
            yield
        finally:
            await shutdown()

    return run


def install(app: FastAPI, auth: Auth | None = None) -> None:
    """Answers every :class:`BosaException` of the application as our own server does.

    The body is ``{"error": {"message", "code", "type", "request_id", "details"?}, "message", …}``, or
    problem details (RFC 9457) for a caller that accepts them; a 401 has ``WWW-Authenticate``, a 429 or
    503 ``Retry-After``. What FastAPI raises itself (``HTTPException``, a request that does not fit its
    model) is answered as FastAPI does.

    Every response gets the ``X-Request-Id`` of its request, or a new one, which is also in
    ``request.state.request_id``; one to a request with a credential is not stored by caches, unless it
    has a ``Cache-Control`` of its own.

    Args:
        app: The application.
        auth: What the dependencies of this module work on; without, the process-wide instance. It
            opens at its first use; close it in the application's lifespan (``async with auth:``).
    """
    app.state.bosa_auth = auth or _process_wide
    app.add_exception_handler(BosaException, _answer)
    app.add_middleware(_Exchange)


async def services(connection: HTTPConnection) -> Auth:
    """The instance of the application, whose attributes are the services."""
    auth = getattr(connection.app.state, "bosa_auth", _process_wide)
    assert isinstance(auth, Auth)
    return auth


Services = Annotated[Auth, Depends(services)]
"""The instance of the application: ``services.create_user_service.create_user(…)``."""


class _ClientKeyHeader(SecurityBase):
    def __init__(self) -> None:
        self.model = APIKey.model_validate(
            {"in": "header", "name": _problem.API_KEY, "description": "An API key of the client."}
        )
        self.scheme_name = "client_key"

    async def __call__(self, connection: HTTPConnection) -> str | None:
        return _problem.only(connection.headers.getlist(_problem.API_KEY))


class _UserTokenHeader(SecurityBase):
    def __init__(self) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT", description="The token of a user.")
        self.scheme_name = "user_token"

    async def __call__(self, connection: HTTPConnection) -> str | None:
        return _problem.bearer(connection.headers.getlist(_problem.AUTHORIZATION))


_GivenKey = Annotated[str | None, Security(_ClientKeyHeader())]
_GivenToken = Annotated[str | None, Security(_UserTokenHeader())]


async def calling_client(services: Services, key: _GivenKey) -> ClientModel:
    """The client that calls, by its API key in ``x-api-key``.

    Raises:
        InvalidClientException: there is no key, or not a valid one.
    """
    if key is None:
        raise InvalidClientException(_problem.NEEDS_CLIENT_KEY)
    return await services.verify_client_service.verify_client_api_key(key)


CallingClient = Annotated[ClientModel, Depends(calling_client)]
"""The client that calls; its ``api_key`` is empty."""


async def client_key(client: CallingClient, key: _GivenKey) -> str:
    """The valid API key of the client that calls, for services that take one.

    What it may do is checked by the service: ``PermissionDeniedException`` when it lacks the scope.

    Raises:
        InvalidClientException: there is no key, or not a valid one.
    """
    return key or ""


ClientKey = Annotated[str, Depends(client_key)]
"""The API key of the client that calls, for services that take one. Do not answer or log it."""


async def optional_user(
    connection: HTTPConnection, services: Services, token: _GivenToken
) -> CurrentUser | None:
    """The user whose token is in ``Authorization: Bearer``; ``None`` without a token.

    Raises:
        InvalidClientException: the key beside the token, or sent without one, is not valid.
        UnauthorizedException: the token is not valid.
    """
    key = _problem.only(connection.headers.getlist(_problem.API_KEY))
    if token is not None:
        return await services.verify_token_service.current_user(token, key)
    if key is not None:
        await services.verify_client_service.verify_client_api_key(key)
    return None


OptionalUser = Annotated[CurrentUser | None, Depends(optional_user)]
"""The user that calls, or ``None`` when no token was sent. A wrong token is refused all the same."""


async def authenticated_user(
    connection: HTTPConnection, services: Services, token: _GivenToken
) -> CurrentUser:
    """The user whose token is in ``Authorization: Bearer``.

    An API key in ``x-api-key`` beside it is not needed; the token must then be of its client.

    Raises:
        UnauthorizedException: there is no token, or not a valid one.
        InvalidClientException: the key beside it is not valid, or the settings demand one.
    """
    if token is None:
        raise UnauthorizedException(_problem.NEEDS_TOKEN)
    key = _problem.only(connection.headers.getlist(_problem.API_KEY))
    return await services.verify_token_service.current_user(token, key)


AuthenticatedUser = Annotated[CurrentUser, Depends(authenticated_user)]
"""The user that calls."""


class _Exchange:
    """Gives every request its id and every response the headers that belong to it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope)
        id = _problem.request_id(given.get(_problem.REQUEST_ID))
        scope.setdefault("state", {})["request_id"] = id
        has_credential = _problem.API_KEY in given or _problem.AUTHORIZATION in given

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault(_problem.REQUEST_ID, id)
                if has_credential:
                    headers.setdefault(_problem.CACHE_CONTROL, _problem.NO_STORE)
            await send(message)

        await self.app(scope, receive, with_headers)


async def _answer(connection: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, BosaException)
    refusal = _problem.refusal(
        error,
        request_id=connection.state.request_id,
        accept=",".join(connection.headers.getlist("accept")),
    )
    if isinstance(connection, WebSocket):
        # Policy violation or internal error (RFC 6455 §7.4.1); before the handshake it is a 403.
        await connection.close(1008 if refusal.status < 500 else 1011, error.code)
    return Response(refusal.body, refusal.status, refusal.headers)
