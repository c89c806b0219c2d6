"""The token that a session was opened with: while it is valid, the session is."""

from __future__ import annotations

from django.contrib.auth import BACKEND_SESSION_KEY, load_backend
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from bosa_auth.django._instance import aservices, client_api_key, services
from bosa_auth.exception import InvalidClientException, UnauthorizedException

TOKEN = "_bosa_auth_token"


def is_ours(session: SessionBase) -> bool:
    """Whether the session's user came through our backend."""
    from bosa_auth.django.backends import BosaAuthBackend

    path = session.get(BACKEND_SESSION_KEY)
    return path is not None and isinstance(load_backend(path), BosaAuthBackend)


def is_valid(request: HttpRequest) -> bool:
    """Whether the session's user is still logged in; if it is not for good, the session ends."""
    token = request.session.get(TOKEN) or ""
    try:
        services().verify_token_service.current_user(token, client_api_key())
    except UnauthorizedException:
        request.session.flush()
        return False
    except InvalidClientException:
        # The client is suspended, which is reversible.
        return False
    return True


async def ais_valid(request: HttpRequest) -> bool:
    """The same for an async view."""
    token = await request.session.aget(TOKEN) or ""
    try:
        await (await aservices()).verify_token_service.current_user(token, client_api_key())
    except UnauthorizedException:
        await request.session.aflush()
        return False
    except InvalidClientException:
        return False
    return True
