"""What ``manage.py check`` finds wrong with a project's settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from bosa_auth.django import _instance
from bosa_auth.django.backends import BosaAuthBackend
from bosa_auth.django.middleware import BosaAuthMiddleware

_DJANGO = "django.contrib.auth.middleware.AuthenticationMiddleware"


def check(**_: Any) -> list[checks.CheckMessage]:
    """Sessions of ours need the middleware in its place, and logging in needs a key."""
    if not any(
        issubclass(import_string(path), BosaAuthBackend) for path in settings.AUTHENTICATION_BACKENDS
    ):
        return []
    found: list[checks.CheckMessage] = []
    middleware = list(settings.MIDDLEWARE)
    ours = [index for index, path in enumerate(middleware) if _is_ours(path)]
    if not ours or _DJANGO not in middleware[: ours[0]]:
        found.append(
            checks.Error(
                "BosaAuthBackend needs BosaAuthMiddleware after AuthenticationMiddleware",
                hint="Without it a session goes on after its user was signed out or suspended.",
                id="bosa_auth.E001",
            )
        )
    try:
        _instance.client_api_key()
    except ImproperlyConfigured as error:
        found.append(
            checks.Warning("nobody can log in with BOSA Auth", hint=str(error), id="bosa_auth.W001")
        )
    return found


def _is_ours(path: str) -> bool:
    middleware = import_string(path)
    return isinstance(middleware, type) and issubclass(middleware, BosaAuthMiddleware)
