"""What goes wrong, one class for each kind of error.

Every class derives from :class:`BosaException` and has a permanent ``code`` for programs and the
``status_code`` that an HTTP service answers with. No message holds a secret or a credential.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

__all__ = [
    "AmbiguousAccountException",
    "BosaException",
    "ClientAlreadyExistsException",
    "ConfigurationException",
    "DatabaseConnectionException",
    "ExpiredTokenError",
    "IdempotencyInProgressException",
    "IdempotencyMismatchException",
    "IntegrationAlreadyExistsException",
    "InvalidClientException",
    "InvalidInputException",
    "InvalidTokenError",
    "NeedsReauthorizationException",
    "NotFoundException",
    "OverloadedException",
    "PermissionDeniedException",
    "ProviderUnavailableException",
    "RateLimitedException",
    "RevokedTokenError",
    "UnauthorizedException",
    "UninitializedException",
    "UnreadableException",
    "UserAlreadyExistsException",
    "Violation",
]


class Violation(NamedTuple):
    """What is wrong with one part of a malformed argument; it never quotes the part's value."""

    pointer: str
    """Where the part is, as a JSON pointer (RFC 6901)."""
    reason: str
    """What is wrong with it."""


class BosaException(Exception):
    """Why an operation was refused or could not be carried out.

    Raised itself for a defect of this library or of its surroundings.
    """

    code: ClassVar[str] = "internal"
    """The permanent text of this kind of error, for programs."""
    status_code: ClassVar[int] = 500
    """The HTTP status of this kind of error."""

    def __init__(self, message: str = "internal error", **details: Any) -> None:
        super().__init__(message)
        self.message: str = message
        """What happened, for people; it may change."""
        self.details: dict[str, Any] = details
        """What a program can use, by name; the attributes of the classes are the same values."""

    def __reduce__(self) -> tuple[Any, ...]:
        notes = {name: value for name, value in self.__dict__.items() if name == "__notes__"}
        return _restore, (type(self), self.message, self.details), notes


def _restore(kind: type[BosaException], message: str, details: dict[str, Any]) -> BosaException:
    return kind(message, **details)


class InvalidInputException(BosaException):
    """An argument is malformed; nothing was read or written."""

    code: ClassVar[str] = "invalid_input"
    status_code: ClassVar[int] = 400

    def __init__(
        self,
        message: str = "the input is not valid",
        *,
        field: str = "",
        violations: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.field: str = field
        """The argument, by its name in the API reference."""
        self.violations: list[Violation] = [Violation(*violation) for violation in violations]
        """What is wrong inside it, where it has parts of its own."""
        super().__init__(message, field=field, violations=self.violations)


class InvalidClientException(BosaException):
    """The client key, or the client itself, is not accepted; one message for every reason."""

    code: ClassVar[str] = "invalid_client"
    status_code: ClassVar[int] = 401


class UnauthorizedException(BosaException):
    """The user is unknown or suspended, or the credential is wrong; one message for every reason."""

    code: ClassVar[str] = "unauthorized"
    status_code: ClassVar[int] = 401


class InvalidTokenError(UnauthorizedException):
    """The token is malformed, was not issued here, or belongs to another client."""

    code: ClassVar[str] = "invalid_token"


class ExpiredTokenError(UnauthorizedException):
    """The token's lifetime has passed."""

    code: ClassVar[str] = "expired_token"


class RevokedTokenError(UnauthorizedException):
    """The token was ended before its time: revoked, signed out, or its user or client changed."""

    code: ClassVar[str] = "revoked_token"


class PermissionDeniedException(BosaException):
    """The API key is valid but lacks the scope that the operation needs."""

    code: ClassVar[str] = "permission_denied"
    status_code: ClassVar[int] = 403

    def __init__(self, message: str = "the key lacks a scope", *, scope: str = "") -> None:
        self.scope: str = scope
        """The missing scope."""
        super().__init__(message, scope=scope)


class NotFoundException(BosaException):
    """What was asked for does not exist, or belongs to somebody else."""

    code: ClassVar[str] = "not_found"
    status_code: ClassVar[int] = 404


class ClientAlreadyExistsException(BosaException):
    """A client of this name exists."""

    code: ClassVar[str] = "client_already_exists"
    status_code: ClassVar[int] = 409


class UserAlreadyExistsException(BosaException):
    """A user with this identifier exists in the client."""

    code: ClassVar[str] = "user_already_exists"
    status_code: ClassVar[int] = 409


class IntegrationAlreadyExistsException(BosaException):
    """The user already has this account of this connector."""

    code: ClassVar[str] = "integration_already_exists"
    status_code: ClassVar[int] = 409


class AmbiguousAccountException(BosaException):
    """Several accounts of the connector exist and none was named."""

    code: ClassVar[str] = "ambiguous_account"
    status_code: ClassVar[int] = 409

    def __init__(
        self,
        message: str = "several accounts exist; name one of them",
        *,
        connector: str = "",
        accounts: Sequence[str] = (),
    ) -> None:
        self.connector: str = connector
        """The connector."""
        self.accounts: list[str] = list(accounts)
        """The ``user_identifier`` of every account."""
        super().__init__(message, connector=connector, accounts=self.accounts)


class NeedsReauthorizationException(BosaException):
    """The account must be connected again before its credential can be used."""

    code: ClassVar[str] = "needs_reauthorization"
    status_code: ClassVar[int] = 409

    def __init__(
        self,
        message: str = "the account must be connected again",
        *,
        connector: str = "",
        account: str = "",
        since: datetime | None = None,
    ) -> None:
        self.connector: str = connector
        """The connector."""
        self.account: str = account
        """The account's ``user_identifier``."""
        self.since: datetime | None = since
        """Since when, in UTC."""
        super().__init__(message, connector=connector, account=account, since=since)


class _Retryable(BosaException):
    def __init__(self, message: str = "try again later", *, retry_after: float = 1.0) -> None:
        self.retry_after: float = retry_after
        """When to try again, in seconds from now."""
        super().__init__(message, retry_after=retry_after)


class RateLimitedException(_Retryable):
    """Too many attempts; try again after ``retry_after`` seconds."""

    code: ClassVar[str] = "rate_limited"
    status_code: ClassVar[int] = 429


class OverloadedException(_Retryable):
    """More expensive work waits than is allowed; try again after ``retry_after`` seconds."""

    code: ClassVar[str] = "overloaded"
    status_code: ClassVar[int] = 503


class IdempotencyMismatchException(BosaException):
    """The idempotency key was used before with another request."""

    code: ClassVar[str] = "idempotency_mismatch"
    status_code: ClassVar[int] = 422


class IdempotencyInProgressException(_Retryable):
    """A request with the same idempotency key is still being carried out."""

    code: ClassVar[str] = "idempotency_in_progress"
    status_code: ClassVar[int] = 409


class DatabaseConnectionException(_Retryable):
    """The database cannot be reached or did not answer in time.

    For the cause see the note of the exception, which tracebacks show and ``str()`` does not.
    """

    code: ClassVar[str] = "database_unavailable"
    status_code: ClassVar[int] = 503


class ProviderUnavailableException(_Retryable):
    """The provider of the integration cannot be reached, or refuses for now."""

    code: ClassVar[str] = "provider_unavailable"
    status_code: ClassVar[int] = 503


class UninitializedException(BosaException):
    """A service was used before ``initialize_authentication_db``, or its instance is closed."""

    code: ClassVar[str] = "uninitialized"
    status_code: ClassVar[int] = 500


class ConfigurationException(BosaException):
    """The settings cannot be used; the message says which and what to do."""

    code: ClassVar[str] = "configuration"
    status_code: ClassVar[int] = 500


class UnreadableException(BosaException):
    """A stored value does not open: it was moved, edited or truncated, or its key is wrong."""

    code: ClassVar[str] = "unreadable"
    status_code: ClassVar[int] = 500


_CLASSES: dict[str, type[BosaException]] = {
    kind.code: kind
    for kind in globals().values()
    if isinstance(kind, type) and issubclass(kind, BosaException) and not kind.__name__.startswith("_")
}
"""The class of each code."""
