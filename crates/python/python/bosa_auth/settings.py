"""Settings of the authentication system."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping

from bosa_auth import _native
from bosa_auth.exception import ConfigurationException

__all__ = ["AuthenticationDbSettings"]


class AuthenticationDbSettings:
    """The settings of the authentication system.

    What is ``None`` falls back to its environment variable, then to its default. Constructing reads
    nothing and depends on no other settings object; what is wrong is reported when the settings are
    used. Settings are immutable and comparable, and their ``repr`` shows no values.

    Args:
        database_authentication_url: The database (``DATABASE_AUTHENTICATION_URL``):
            ``sqlite:///relative``, ``sqlite:////absolute``, ``sqlite://`` (in memory) or
            ``postgresql://…``. Without one, an embedded database in the data directory.
        auth_secret_key: The key that signs tokens (``AUTH_SECRET_KEY``). Without one, on SQLite a key
            is generated once and kept in the data directory; on PostgreSQL it must be given.
        auth_algorithm: The signing algorithm (``AUTH_ALGORITHM``), ``HS256`` by default.
        auth_access_token_expire_minutes: Lifetime of a token in minutes
            (``AUTH_ACCESS_TOKEN_EXPIRE_MINUTES``), 43200 by default: 30 days.
        others: Any other setting by the name of its variable, for example
            ``{"BOSA_AUTH_ISSUER": "accounts"}``.

    Raises:
        ConfigurationException: a value is neither text nor a number.
    """

    def __init__(
        self,
        database_authentication_url: str | None = None,
        auth_secret_key: str | None = None,
        auth_algorithm: str | None = None,
        auth_access_token_expire_minutes: int | None = None,
        *,
        others: Mapping[str, str | int | bool | None] | None = None,
    ) -> None:
        given: dict[str, str | int | bool | None] = {
            "DATABASE_AUTHENTICATION_URL": database_authentication_url,
            "AUTH_SECRET_KEY": auth_secret_key,
            "AUTH_ALGORITHM": auth_algorithm,
            "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES": auth_access_token_expire_minutes,
            **(others or {}),
        }
        self._given = {name: _text(name, value) for name, value in given.items() if value is not None}

    @property
    def database_authentication_url(self) -> str | None:
        """The database; it may hold a password."""
        return self._gathered().get("DATABASE_AUTHENTICATION_URL")

    @property
    def auth_secret_key(self) -> str | None:
        """The key that signs tokens, if one is configured."""
        return self._gathered().get("AUTH_SECRET_KEY")

    @property
    def auth_algorithm(self) -> str:
        """The signing algorithm."""
        return self._gathered().get("AUTH_ALGORITHM") or ""

    @property
    def auth_access_token_expire_minutes(self) -> int:
        """Lifetime of a token in minutes."""
        text = self._gathered().get("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES") or ""
        try:
            return int(text)
        except ValueError:
            raise ConfigurationException(
                "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES is not a number of minutes"
            ) from None

    def _gathered(self) -> _native.Settings:
        return _native.Settings(list(self._given.items()))

    def _checked(self) -> _native.Settings:
        settings = self._gathered()
        for text in settings.warnings():
            warnings.warn(text, stacklevel=_callers_level())
        return settings

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AuthenticationDbSettings):
            return NotImplemented
        return self._given == other._given

    def __hash__(self) -> int:
        return hash(frozenset(self._given.items()))

    def __repr__(self) -> str:
        names = ", ".join(sorted(self._given))
        return f"{type(self).__name__}({names or 'defaults'})"


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    # Other objects may show a mask as their text.
    raise ConfigurationException(f"{name} must be text, not {type(value).__name__}")


def _callers_level() -> int:
    # How many frames above the caller of this function the first one outside of the package is.
    level, frame = 1, sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level
