"""Settings of the authentication system."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from bosa_auth import _native

__all__ = ["AuthenticationDbSettings"]


class AuthenticationDbSettings:
    """The settings of the authentication system.

    What is ``None`` falls back to its environment variable, then to its default. Constructing never
    fails and depends on no other settings object; what is wrong is reported when the settings are
    used.

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
    """

    def __init__(
        self,
        database_authentication_url: str | None = None,
        auth_secret_key: str | None = None,
        auth_algorithm: str | None = None,
        auth_access_token_expire_minutes: int | None = None,
        *,
        others: Mapping[str, str] | None = None,
    ) -> None:
        given = {
            "DATABASE_AUTHENTICATION_URL": database_authentication_url,
            "AUTH_SECRET_KEY": auth_secret_key,
            "AUTH_ALGORITHM": auth_algorithm,
            "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES": auth_access_token_expire_minutes,
            **(others or {}),
        }
        self._given = {name: str(value) for name, value in given.items() if value is not None}

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
        return int(self._gathered().get("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES") or 0)

    def _gathered(self) -> _native.Settings:
        return _native.Settings(list(self._given.items()))

    def _checked(self) -> _native.Settings:
        settings = self._gathered()
        for text in settings.warnings():
            warnings.warn(text, stacklevel=4)
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
