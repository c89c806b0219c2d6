"""What the services take and give.

The models are frozen dataclasses: immutable, comparable, hashable, and accepted by pydantic and FastAPI
as field types. Their constructors take ids and times as text too, and raise ``InvalidInputException``,
which names the field, for a value of another type. They have the methods of pydantic's models that code
written for those uses. No ``repr`` shows a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from bosa_auth._model import Model

__all__ = [
    "ApiKeyModel",
    "ClientModel",
    "CurrentUser",
    "ThirdPartyIntegrationAuth",
    "TokenInfo",
    "TokenModel",
    "UserComplete",
    "UserModel",
    "VerifiedToken",
]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ClientModel(Model):
    """A client: one tenant of the system."""

    _secret: ClassVar[str | None] = "api_key"

    id: UUID
    """The client's id."""
    name: str
    """The client's name, unique in the system."""
    api_key: str
    """The client key: filled only in the result of the call that made the client."""
    is_active: bool
    """False while the client is suspended."""
    created_at: datetime
    """When the client was made, in UTC."""
    can_get_integrations: bool = True
    """Kept from the original system and shown; it limits nothing."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ApiKeyModel(Model):
    """An API key of a client."""

    _secret: ClassVar[str | None] = "api_key"

    id: UUID
    """The key's id."""
    client_id: UUID
    """The client that the key belongs to."""
    api_key: str
    """The key's text: filled only in the result of the call that made it."""
    preview: str
    """``sk-client-...`` and the last eight characters."""
    scopes: list[str]
    """What the key may do."""
    created_at: datetime
    """When the key was made, in UTC."""
    expires_at: datetime | None = None
    """When the key ends, if it does."""
    last_used_at: datetime | None = None
    """When the key was last used, to the minute."""
    revoked_at: datetime | None = None
    """When the key was revoked, if it was."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class UserModel(Model):
    """A user of one client."""

    _secret: ClassVar[str | None] = "secret"

    id: UUID
    """The user's id."""
    client_id: UUID
    """The client that the user belongs to."""
    identifier: str
    """The name that the client gave the user, for example an e-mail address."""
    secret: str
    """The secret: filled only in the result of the call that made it."""
    is_active: bool
    """False while the user is suspended."""
    created_at: datetime
    """When the user was made, in UTC."""
    secret_preview: str = ""
    """``sk-user-...`` and the last eight characters, or ``chosen`` for a chosen secret."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ThirdPartyIntegrationAuth(Model):
    """One account of a user at a third party.

    For a new one ``id``, ``selected``, ``auth_status`` and the times may be left out; they are ignored.
    """

    _secret: ClassVar[str | None] = "auth_string"

    id: UUID | None = None
    """The integration's id."""
    client_id: UUID
    """The client of the user."""
    user_id: UUID
    """The user that the account belongs to."""
    connector: str
    """The kind of third party, for example ``github``."""
    auth_string: str
    """The credential at the third party."""
    user_identifier: str
    """The account's name at the third party."""
    auth_scopes: list[str] = field(default_factory=list)
    """What the credential permits there."""
    selected: bool = False
    """Whether this is the default account of its connector."""
    auth_status: str = "active"
    """``active``, ``needs_reauth``, ``unverified``, ``pending`` or ``unreadable``."""
    created_at: datetime | None = None
    """When it was stored, in UTC."""
    auth_status_reason: str | None = None
    """Why the account must be connected again, where that is known and it must."""
    auth_status_since: datetime | None = None
    """Since when the account must be connected again, if it must."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class UserComplete(UserModel):
    """A user with the accounts that it has at third parties."""

    integrations: list[ThirdPartyIntegrationAuth] = field(default_factory=list)
    """The user's accounts; each ``auth_string`` is empty."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class TokenModel(Model):
    """A token as it is handed to its user."""

    _secret: ClassVar[str | None] = "token"

    token: str
    """The token's text, a JWT."""
    token_type: str = "bearer"
    """Always ``bearer``."""
    expires_at: int
    """When the token ends, in seconds since the epoch."""
    id: UUID | None = None
    """The token's id, its ``jti``."""
    user_id: UUID | None = None
    """The user that the token speaks for."""
    client_id: UUID | None = None
    """The client of that user."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class VerifiedToken(Model):
    """What a valid token says, read from its row."""

    id: UUID
    """The token's id, its ``jti``."""
    user_id: UUID
    """The user that the token speaks for."""
    client_id: UUID
    """The client of that user."""
    identifier: str
    """The user's identifier today."""
    expires_at: int
    """When the token ends, in seconds since the epoch: its lifetime or its idle end, the earlier."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class CurrentUser(Model):
    """The user that a verified token speaks for."""

    user_id: UUID
    """The user's id."""
    client_id: UUID
    """The user's client."""
    identifier: str
    """The user's identifier today."""
    token_id: UUID
    """The id of the token that was presented."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class TokenInfo(Model):
    """A token as it is listed, without its text."""

    id: UUID
    """The token's id, its ``jti``."""
    user_id: UUID
    """The user that the token speaks for."""
    issued_at: datetime
    """When it was issued, in UTC."""
    expires_at: int
    """When it ends, in seconds since the epoch."""
    revoked_at: datetime | None = None
    """When it was revoked, if it was."""
    is_active: bool
    """Whether a verification now would accept it."""
