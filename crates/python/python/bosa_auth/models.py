"""What the services take and give.

The models are frozen dataclasses: immutable, comparable, and accepted by pydantic and FastAPI as field
types. They have the methods of pydantic's models that code written for those uses. No ``repr`` shows a
secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

from bosa_auth.exception import InvalidInputException

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

_M = TypeVar("_M", bound="Model")


class Model:
    """What all models can do."""

    _secret: ClassVar[str | None] = None
    """The field whose value is never shown."""

    @classmethod
    def _of(cls: type[_M], values: dict[str, Any]) -> _M:
        # All fields, in their order and of their types: made by the native module.
        model = object.__new__(cls)
        object.__setattr__(model, "__dict__", values)
        return model

    @classmethod
    def model_validate(cls: type[_M], obj: Any, *, from_attributes: bool = True) -> _M:
        """Makes a model from a mapping, from another model, or from an object with its attributes.

        Ids may be text, times ISO 8601 text; what is not a field is ignored.

        Raises:
            InvalidInputException: a field is missing or of the wrong type; it is named.
        """
        if isinstance(obj, cls):
            return obj
        if isinstance(obj, Mapping):
            given = {name: obj[name] for name in _names(cls) if name in obj}
        elif from_attributes:
            given = {name: getattr(obj, name) for name in _names(cls) if hasattr(obj, name)}
        else:
            raise InvalidInputException(f"{cls.__name__} needs a mapping", field=cls.__name__)
        hints = get_type_hints(cls)
        values = {name: _parsed(name, value, hints[name]) for name, value in given.items()}
        try:
            return cls(**values)
        except TypeError:
            missing = _missing(cls, values)
            raise InvalidInputException(f"{missing} is missing", field=missing) from None

    @classmethod
    def model_validate_json(cls: type[_M], json_data: str | bytes | bytearray) -> _M:
        """Makes a model from the text of a JSON object; see :meth:`model_validate`."""
        try:
            return cls.model_validate(json.loads(json_data))
        except ValueError:
            raise InvalidInputException("json_data is not JSON", field="json_data") from None

    def model_dump(
        self,
        *,
        mode: Literal["python", "json"] = "python",
        include: set[str] | None = None,
        exclude: set[str] | None = None,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """All fields by name, secrets included; with ``mode="json"`` as values that JSON can hold."""
        return {
            name: _json(value) if mode == "json" else _plain(value)
            for name, value in ((name, getattr(self, name)) for name in _names(type(self)))
            if (include is None or name in include)
            and (exclude is None or name not in exclude)
            and not (exclude_none and value is None)
        }

    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        include: set[str] | None = None,
        exclude: set[str] | None = None,
        exclude_none: bool = False,
    ) -> str:
        """The text of :meth:`model_dump` as JSON."""
        values = self.model_dump(
            mode="json", include=include, exclude=exclude, exclude_none=exclude_none
        )
        separators = None if indent else (",", ":")
        return json.dumps(values, indent=indent, separators=separators, ensure_ascii=False)

    def model_copy(self: _M, *, update: Mapping[str, Any] | None = None) -> _M:
        """A copy, with the given fields changed."""
        return replace(self, **(update or {}))  # type: ignore[type-var]

    def __repr__(self) -> str:
        shown = (f"{name}={self._shown(name)}" for name in _names(type(self)))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str) -> str:
        value = getattr(self, name)
        return "'<redacted>'" if name == self._secret and value else repr(value)


@dataclass(frozen=True, kw_only=True, repr=False)
class ClientModel(Model):
    """A client: one tenant of the system."""

    _secret = "api_key"

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


@dataclass(frozen=True, kw_only=True, repr=False)
class ApiKeyModel(Model):
    """An API key of a client."""

    _secret = "api_key"

    id: UUID
    """The key's id."""
    client_id: UUID
    """The client that the key belongs to."""
    api_key: str
    """The key's text: filled only in the result of the call that made it."""
    preview: str
    """``sk-client-...`` and the last eight characters."""
    scopes: list[str] = field(hash=False)
    """What the key may do."""
    created_at: datetime
    """When the key was made, in UTC."""
    expires_at: datetime | None = None
    """When the key ends, if it does."""
    last_used_at: datetime | None = None
    """When the key was last used, to the minute."""
    revoked_at: datetime | None = None
    """When the key was revoked, if it was."""


@dataclass(frozen=True, kw_only=True, repr=False)
class UserModel(Model):
    """A user of one client."""

    _secret = "secret"

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


@dataclass(frozen=True, kw_only=True, repr=False)
class ThirdPartyIntegrationAuth(Model):
    """One account of a user at a third party.

    For a new one ``id``, ``selected``, ``auth_status`` and the times may be left out; they are ignored.
    """

    _secret = "auth_string"

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
    auth_scopes: list[str] = field(default_factory=list, hash=False)
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


@dataclass(frozen=True, kw_only=True, repr=False)
class UserComplete(UserModel):
    """A user with the accounts that it has at third parties."""

    integrations: list[ThirdPartyIntegrationAuth] = field(default_factory=list, hash=False)
    """The user's accounts; each ``auth_string`` is empty."""


@dataclass(frozen=True, kw_only=True, repr=False)
class TokenModel(Model):
    """A token as it is handed to its user."""

    _secret = "token"

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


@dataclass(frozen=True, kw_only=True, repr=False)
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


@dataclass(frozen=True, kw_only=True, repr=False)
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


@dataclass(frozen=True, kw_only=True, repr=False)
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


def _names(model: type[Any]) -> list[str]:
    return [each.name for each in fields(model)]


def _missing(model: type[Any], values: Mapping[str, Any]) -> str:
    required = (
        each.name
        for each in fields(model)
        if each.default is MISSING and each.default_factory is MISSING
    )
    return next((name for name in required if name not in values), model.__name__)


def _parsed(name: str, value: Any, hint: Any) -> Any:
    try:
        return _value(value, hint)
    except (TypeError, ValueError):
        raise InvalidInputException(f"{name} is not a value of its type", field=name) from None


def _value(value: Any, hint: Any) -> Any:
    kinds = get_args(hint)
    if get_origin(hint) is list:
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            raise TypeError
        return [_value(item, kinds[0]) for item in value]
    if kinds:
        # Something or nothing.
        return None if value is None else _value(value, kinds[0])
    if issubclass(hint, Model):
        return hint.model_validate(value)
    if isinstance(value, str) and hint is UUID:
        return UUID(value)
    if isinstance(value, str) and hint is datetime:
        return datetime.fromisoformat(value)
    # True is an int to Python, but no number of seconds.
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.model_dump()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _json(value: Any) -> Any:
    match value:
        case Model():
            return value.model_dump(mode="json")
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case list():
            return [_json(item) for item in value]
    return value
