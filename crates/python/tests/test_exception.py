"""The exceptions are those of the table of errors."""

from __future__ import annotations

import copy
import pickle
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bosa_auth import exception
from bosa_auth.exception import (
    AmbiguousAccountException,
    BosaException,
    InvalidInputException,
    NeedsReauthorizationException,
    NotFoundException,
    RateLimitedException,
    UnauthorizedException,
)

REPOSITORY = Path(__file__).parents[3]
ROW = re.compile(r"\| `\w+` \| `(\w+)` \| (\d+) \| `(\w+)` \|")
ROWS = ROW.findall((REPOSITORY / "docs/errors.md").read_text())
CLASSES = [
    kind
    for kind in map(vars(exception).get, exception.__all__)
    if isinstance(kind, type) and issubclass(kind, BosaException)
]


def test_every_row_of_the_table_has_its_class() -> None:
    assert len(ROWS) > 20
    for code, status, name in ROWS:
        kind = getattr(exception, name)
        assert (kind.code, kind.status_code) == (code, int(status))
        assert exception._CLASSES[code] is kind
    assert {name for _, _, name in ROWS} == {kind.__name__ for kind in CLASSES}
    assert len(exception._CLASSES) == len(CLASSES)


def test_tokens_that_are_refused_are_unauthorized() -> None:
    names = {kind.__name__ for kind in CLASSES if issubclass(kind, UnauthorizedException)}
    assert names == {
        "UnauthorizedException",
        "InvalidTokenError",
        "ExpiredTokenError",
        "RevokedTokenError",
    }
    others = [kind for kind in CLASSES if kind.__name__ not in names]
    for kind in others:
        assert sum(issubclass(kind, other) for other in CLASSES) <= 2, "itself and BosaException"


@pytest.mark.parametrize("kind", CLASSES)
def test_every_exception_can_be_raised_copied_and_sent(kind: type[BosaException]) -> None:
    error = kind("what happened")
    error.add_note("a remedy")
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(same) is kind and str(same) == "what happened"
        assert same.details == error.details and same.__notes__ == ["a remedy"]
    assert (error.code, error.status_code) == (kind.code, kind.status_code)
    assert str(kind())
    with pytest.raises(BosaException):
        raise error


def test_what_a_program_needs_survives_being_sent() -> None:
    since = datetime(2026, 1, 2, tzinfo=UTC)
    errors = [
        InvalidInputException("m", field="name", violations=[("/0", "is empty")]),
        AmbiguousAccountException("m", connector="github", accounts=["a", "b"]),
        NeedsReauthorizationException("m", connector="github", account="a", since=since),
        RateLimitedException("m", retry_after=2.5),
        NotFoundException("m", what="user"),
    ]
    for error in errors:
        same = pickle.loads(pickle.dumps(error))
        assert vars(same) == vars(error)
    assert errors[0].violations[0].pointer == "/0"  # type: ignore[attr-defined]
