"""How a web service answers a :class:`BosaException`: status, headers and body, as our own server does.

It knows no framework; :mod:`bosa_auth.fastapi` and :mod:`bosa_auth.django` are made of it. Status and
code come from the exception's class.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from bosa_auth.exception import (
    AmbiguousAccountException,
    BosaException,
    ConfigurationException,
    ExpiredTokenError,
    IdempotencyInProgressException,
    InvalidClientException,
    InvalidInputException,
    InvalidTokenError,
    NeedsReauthorizationException,
    OverloadedException,
    PermissionDeniedException,
    RateLimitedException,
    RevokedTokenError,
    UnauthorizedException,
    UnreadableException,
)

API_KEY = "x-api-key"
AUTHORIZATION = "authorization"
REQUEST_ID = "x-request-id"
CACHE_CONTROL = "cache-control"
NO_STORE = "no-store"

NEEDS_CLIENT_KEY = "this route needs a client key in x-api-key"
NEEDS_TOKEN = "this route needs a user's token in Authorization: Bearer"

_PROBLEM_JSON = "application/problem+json"
_INVALID_TOKEN = (InvalidTokenError, ExpiredTokenError, RevokedTokenError)
_SAYS_WHEN = (RateLimitedException, OverloadedException, IdempotencyInProgressException)
# What is wrong inside is for the log.
_ONLY_FOR_THE_LOG: dict[type[BosaException], str] = {
    ConfigurationException: "the server is not configured correctly",
    UnreadableException: "a stored value cannot be read",
}
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_log = logging.getLogger("bosa_auth.web")


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that failed."""

    status: int
    headers: dict[str, str]
    body: bytes


def only(values: Sequence[str]) -> str | None:
    """A credential that may be given once; several are one that nobody has."""
    return ", ".join(values) if values else None


def bearer(values: Sequence[str]) -> str | None:
    """The token of the ``Authorization`` headers; another scheme is no token."""
    text = only(values)
    if text is None or len(values) > 1:
        return text
    scheme, _, token = text.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def request_id(given: str | None) -> str:
    """The id of a request: the caller's, when it is a plain name, else a new one."""
    if given is not None and _PLAIN.fullmatch(given):
        return given
    # A UUID of version 7 (RFC 9562): ids sort by time.
    number = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=number))


def refusal(error: BosaException, *, request_id: str, accept: str = "") -> Refusal:
    """The answer to an exception; a failure of ours is logged with its cause.

    Args:
        error: The exception.
        request_id: The id of the request.
        accept: The request's ``Accept`` header.
    """
    status, message = error.status_code, _message(error)
    if status >= 500:
        _log.error("request %s failed: %s", request_id, error.code, exc_info=error)
    body: dict[str, Any] = {
        "message": message,
        "code": error.code,
        "type": error.code.title().replace("_", ""),
        "request_id": request_id,
    }
    details = _details(error)
    if details is not None:
        body["details"] = details
    whole = {
        "error": body,
        "message": message,
        "type": "about:blank",
        "title": _title(status),
        "status": status,
    }
    headers = {
        "content-type": _PROBLEM_JSON if _accepts_problem_json(accept) else "application/json",
        CACHE_CONTROL: NO_STORE,
        "x-content-type-options": "nosniff",
        REQUEST_ID: request_id,
    }
    challenge = _challenge(error)
    if challenge is not None:
        headers["www-authenticate"] = challenge
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        headers["retry-after"] = str(max(1, math.ceil(wait)))
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return Refusal(status, headers, text.encode())


def _message(error: BosaException) -> str:
    for kind, message in _ONLY_FOR_THE_LOG.items():
        if isinstance(error, kind):
            return message
    return error.message


def _title(status: int) -> str:
    # RFC 9110 gave 422 another name, and so does CPython from 3.13 on.
    return "Unprocessable Entity" if status == 422 else HTTPStatus(status).phrase


def _challenge(error: BosaException) -> str | None:
    if isinstance(error, InvalidClientException):
        return 'ApiKey realm="bosa-auth", header="x-api-key"'
    if isinstance(error, _INVALID_TOKEN):
        return 'Bearer realm="bosa-auth", error="invalid_token"'
    if isinstance(error, UnauthorizedException):
        return 'Bearer realm="bosa-auth"'
    return None


def _details(error: BosaException) -> dict[str, Any] | None:
    match error:
        case InvalidInputException():
            parts = [violation._asdict() for violation in error.violations]
            return {"field": error.field, **({"violations": parts} if parts else {})}
        case PermissionDeniedException():
            return {"scope": error.scope}
        case AmbiguousAccountException():
            return {"connector": error.connector, "accounts": error.accounts}
        case NeedsReauthorizationException():
            return {"connector": error.connector, "account": error.account, "since": _since(error)}
    if isinstance(error, _SAYS_WHEN):
        return {"retry_after_seconds": math.ceil(error.retry_after)}
    return None


def _since(error: NeedsReauthorizationException) -> str | None:
    if error.since is None:
        return None
    text = error.since.isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if "." in text else text) + "Z"


def _accepts_problem_json(accept: str) -> bool:
    ranges = (part.split(";")[0].strip().lower() for part in accept.split(","))
    return _PROBLEM_JSON in ranges
