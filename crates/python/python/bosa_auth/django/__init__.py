"""BOSA Auth in Django projects: who is calling, how errors are answered, and logging in.

    INSTALLED_APPS = [..., "bosa_auth.django"]
    MIDDLEWARE = [..., "bosa_auth.django.middleware.BosaAuthMiddleware"]
    AUTHENTICATION_BACKENDS = ["bosa_auth.django.backends.BosaAuthBackend", ...]
    BOSA_AUTH = {
        "DATABASE_AUTHENTICATION_URL": "postgresql://…",
        "CLIENT_API_KEY": os.environ["CLIENT_API_KEY"],
    }

``BOSA_AUTH`` takes every setting by the name of its variable, and ``CLIENT_API_KEY``: the key of the
client whose users log in to the project. What it lacks comes from the environment. The database is
opened when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from bosa_auth import _problem
from bosa_auth.django._instance import aservices, services
from bosa_auth.exception import BosaException, InvalidClientException, UnauthorizedException
from bosa_auth.models import ClientModel, CurrentUser

__all__ = [
    "BosaRequest",
    "aservices",
    "calling_client",
    "client_key",
    "client_required",
    "current_user",
    "services",
    "user_required",
]

_View = TypeVar("_View", bound=Callable[..., Any])


class BosaRequest(HttpRequest):
    """A request as it is behind :class:`bosa_auth.django.middleware.BosaAuthMiddleware`, for types."""

    bosa_client: ClientModel | None
    """The client whose API key is in ``x-api-key``; ``None`` without a key, or with a wrong one."""
    bosa_user: CurrentUser | None
    """The user whose token is in ``Authorization: Bearer``; ``None`` without a token, or with a wrong
    one. It is not ``request.user``, which the session knows."""
    bosa_request_id: str
    """The id of the request: that of its ``X-Request-Id``, or a new one."""
    _bosa_client_refusal: BosaException | None
    _bosa_user_refusal: BosaException | None


def calling_client(request: HttpRequest) -> ClientModel:
    """The client that calls, by its API key in ``x-api-key``.

    Raises:
        InvalidClientException: there is no key, or not a valid one.
    """
    if _told(request, "_bosa_client_refusal"):
        raise _told(request, "_bosa_client_refusal").with_traceback(None)
    client: ClientModel | None = _told(request, "bosa_client")
    if client is None:
        raise InvalidClientException(_problem.NEEDS_CLIENT_KEY)
    return client


def client_key(request: HttpRequest) -> str:
    """The valid API key of the client that calls, for services that take one.

    What it may do is checked by the service: ``PermissionDeniedException`` when it lacks the scope.

    Raises:
        InvalidClientException: there is no key, or not a valid one.
    """
    calling_client(request)
    return request.headers[_problem.API_KEY]


def current_user(request: HttpRequest) -> CurrentUser:
    """The user that calls, by the token in ``Authorization: Bearer``.

    An API key in ``x-api-key`` beside it is not needed; the token must then be of its client.

    Raises:
        UnauthorizedException: there is no token, or not a valid one.
        InvalidClientException: the key beside it is not valid, or the settings demand one.
    """
    if _told(request, "_bosa_user_refusal"):
        raise _told(request, "_bosa_user_refusal").with_traceback(None)
    user: CurrentUser | None = _told(request, "bosa_user")
    if user is None:
        raise UnauthorizedException(_problem.NEEDS_TOKEN)
    return user


def client_required(view: _View) -> _View:
    """A view for clients only; whoever has no valid API key is answered 401.

    It needs no CSRF token: no page of another site can send the header.
    """
    return _guarded(view, calling_client)


def user_required(view: _View) -> _View:
    """A view for users with a token only; whoever has no valid one is answered 401.

    It needs no CSRF token: no page of another site can send the header. For users that logged in to a
    session take Django's ``login_required``.
    """
    return _guarded(view, current_user)


def _guarded(view: _View, guard: Callable[[HttpRequest], object]) -> _View:
    if iscoroutinefunction(view):

        async def aguarded(request: HttpRequest, *arguments: Any, **named: Any) -> Any:
            guard(request)
            return await view(request, *arguments, **named)

        wrapper = wraps(view)(aguarded)
    else:

        def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> Any:
            guard(request)
            return view(request, *arguments, **named)

        wrapper = wraps(view)(guarded)
    wrapper.csrf_exempt = True  # type: ignore[attr-defined]
    return wrapper  # type: ignore[return-value]


def _told(request: HttpRequest, name: str) -> Any:
    try:
        return getattr(request, name)
    except AttributeError:
        raise ImproperlyConfigured(
            "put bosa_auth.django.middleware.BosaAuthMiddleware into MIDDLEWARE"
        ) from None
