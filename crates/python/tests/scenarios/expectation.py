"""Whether a value is what a scenario expects. Members that are not mentioned may be anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID


def check(place: str, expected: Any, got: Any) -> None:
    """Raises an ``AssertionError`` that names the place, what was expected, and what is there."""
    match expected:
        case dict():
            for name, member in expected.items():
                _check_member(place, name, member, got)
        case list():
            _check_length(place, len(expected), got)
            for index, item in enumerate(expected):
                check(f"{place}.{index}", item, got[index])
        case _:
            # True is 1 to Python.
            same = expected == got and isinstance(expected, bool) == isinstance(got, bool)
            _demand(same, place, expected, got)


def _check_member(place: str, name: str, expected: Any, got: Any) -> None:
    match name, expected:
        case "is", str():
            _demand(_KINDS[expected](got), place, f"is {expected}", got)
        case "starts_with", str():
            starts = isinstance(got, str) and got.startswith(expected)
            _demand(starts, place, f"starts_with {expected!r}", got)
        case "length", int():
            _check_length(place, expected, got)
        case "every", _:
            _demand(isinstance(got, list), place, "a list", got)
            for index, item in enumerate(got):
                check(f"{place}.{index}", expected, item)
        case "contains", list():
            _demand(isinstance(got, list), place, "a list", got)
            for wanted in expected:
                found = any(_holds(wanted, item) for item in got)
                _demand(found, place, f"contains {wanted}", got)
        case "not", _:
            _demand(not _holds(expected, got), place, f"not {expected!r}", got)
        case _:
            _demand(isinstance(got, dict) and name in got, place, f"a member {name}", got)
            check(f"{place}.{name}", expected, got[name])


def _holds(expected: Any, got: Any) -> bool:
    try:
        check("", expected, got)
    except AssertionError:
        return False
    return True


def _check_length(place: str, count: int, got: Any) -> None:
    _demand(isinstance(got, (str, list)) and len(got) == count, place, f"length {count}", got)


def _demand(holds: bool, place: str, expected: object, got: Any) -> None:
    assert holds, f"{place}: expected {expected!r}, got {got!r}"


def _is_uuid(got: Any) -> bool:
    try:
        return isinstance(got, str) and str(UUID(got)) == got
    except ValueError:
        return False


def _is_timestamp(got: Any) -> bool:
    try:
        return datetime.fromisoformat(got).utcoffset() == timedelta() and got.endswith("Z")
    except (TypeError, ValueError):
        return False


_KINDS: dict[str, Callable[[Any], bool]] = {
    "none": lambda got: got is None,
    "empty": lambda got: got in ("", []),
    "text": lambda got: isinstance(got, str) and got != "",
    "integer": lambda got: isinstance(got, int) and not isinstance(got, bool),
    "uuid": _is_uuid,
    "timestamp": _is_timestamp,
}
