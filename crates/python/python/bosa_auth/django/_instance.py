"""The process-wide instance, opened with Django's settings when it is first needed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

import bosa_auth
from bosa_auth import AuthenticationDbSettings, _process, aio
from bosa_auth.exception import UninitializedException

CLIENT_API_KEY = "CLIENT_API_KEY"

_auth = bosa_auth.Auth._of(_process.process_wide)
_aauth = aio.Auth._of(_process.process_wide)


def services() -> bosa_auth.Auth:
    """The services of the process-wide instance, which this opens if it is not open.

    ``services().create_user_service.create_user(…)``; the services of :mod:`bosa_auth.service` work on
    the same instance, and do not open it.
    """
    if not _is_open():
        bosa_auth.initialize_authentication_db(_settings())
    return _auth


async def aservices() -> aio.Auth:
    """The same for async views; its methods are coroutines."""
    if not _is_open():
        await aio.initialize_authentication_db(_settings())
    return _aauth


def client_api_key() -> str:
    """The key of the client whose users log in."""
    key = _options().get(CLIENT_API_KEY)
    if not isinstance(key, str) or not key:
        raise ImproperlyConfigured(
            f"set BOSA_AUTH['{CLIENT_API_KEY}'] to an API key of the client whose users log in"
        )
    return key


def _is_open() -> bool:
    try:
        # What is no key at all is known without a look into the database.
        _auth.verify_client_service.is_api_key_valid("")
    except UninitializedException:
        return False
    return True


def _options() -> dict[str, Any]:
    return dict(getattr(settings, "BOSA_AUTH", {}))


def _settings() -> AuthenticationDbSettings:
    others = {name: str(value) for name, value in _options().items() if name != CLIENT_API_KEY}
    return AuthenticationDbSettings(others=others)
