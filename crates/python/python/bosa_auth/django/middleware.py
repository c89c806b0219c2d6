"""Who is calling, and how errors are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from bosa_auth import _problem
from bosa_auth.django import BosaRequest, _session
from bosa_auth.django._instance import aservices, services
from bosa_auth.exception import BosaException

__all__ = ["BosaAuthMiddleware"]


class BosaAuthMiddleware:
    """Tells every request who is calling, and answers every :class:`BosaException` of a view.

    ``request.bosa_client`` and ``request.bosa_user`` are the client of ``x-api-key`` and the user of
    ``Authorization: Bearer``, or ``None``. A wrong credential is ``None`` too, since it may be meant for
    another part of the project; :func:`bosa_auth.django.calling_client`,
    :func:`~bosa_auth.django.current_user` and the decorators refuse it.

    ``request.user`` of a session that :class:`~bosa_auth.django.backends.BosaAuthBackend` opened is
    anonymous once the user is signed out, suspended or deleted, or its client is suspended. For that the
    middleware has to come after Django's ``AuthenticationMiddleware``.

    Responses get the ``X-Request-Id`` of their request, and those to a request with a credential
    ``Cache-Control: no-store``, unless the view set its own.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._acall(cast(BosaRequest, request))
        bosa = cast(BosaRequest, request)
        key, token = _begin(bosa)
        if key is not None:
            try:
                bosa.bosa_client = services().verify_client_service.verify_client_api_key(key)
            except BosaException as error:
                bosa._bosa_client_refusal = error
        if token is not None:
            try:
                bosa.bosa_user = services().verify_token_service.current_user(token, key)
            except BosaException as error:
                bosa._bosa_user_refusal = error
        return _finish(bosa, self._get_response(request))

    async def _acall(self, request: BosaRequest) -> HttpResponseBase:
        key, token = _begin(request)
        if key is not None:
            try:
                request.bosa_client = await (
                    await aservices()
                ).verify_client_service.verify_client_api_key(key)
            except BosaException as error:
                request._bosa_client_refusal = error
        if token is not None:
            try:
                request.bosa_user = await (await aservices()).verify_token_service.current_user(
                    token, key
                )
            except BosaException as error:
                request._bosa_user_refusal = error
        return _finish(request, await self._get_response(request))

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django's hook for exceptions of views."""
        if not isinstance(exception, BosaException):
            return None
        refusal = _problem.refusal(
            exception,
            request_id=cast(BosaRequest, request).bosa_request_id,
            accept=request.headers.get("accept", ""),
        )
        return HttpResponse(refusal.body, status=refusal.status, headers=refusal.headers)


def _begin(request: BosaRequest) -> tuple[str | None, str | None]:
    """Prepares a request and gives the key and the token that came with it."""
    request.bosa_request_id = _problem.request_id(request.headers.get(_problem.REQUEST_ID))
    request.bosa_client = request._bosa_client_refusal = None
    request.bosa_user = request._bosa_user_refusal = None
    if hasattr(request, "user"):
        _watch_session(request)
    # Of headers that are sent twice WSGI and ASGI make one.
    key, authorization = (
        request.headers.get(name) for name in (_problem.API_KEY, _problem.AUTHORIZATION)
    )
    return key, None if authorization is None else _problem.bearer([authorization])


def _watch_session(request: HttpRequest) -> None:
    user, auser = request.user, request.auser

    def checked() -> Any:
        is_over = user.is_authenticated and _session.is_ours(request.session)
        return AnonymousUser() if is_over and not _session.is_valid(request) else user

    async def achecked() -> Any:
        found = await auser()
        if not found.is_authenticated or not _session.is_ours(request.session):
            return found
        return found if await _session.ais_valid(request) else AnonymousUser()

    request.user = SimpleLazyObject(checked)  # type: ignore[assignment]
    request.auser = achecked


def _finish(request: BosaRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault(_problem.REQUEST_ID, request.bosa_request_id)
    if _problem.API_KEY in request.headers or _problem.AUTHORIZATION in request.headers:
        response.headers.setdefault(_problem.CACHE_CONTROL, _problem.NO_STORE)
    return response
