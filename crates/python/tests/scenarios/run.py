"""Runs a scenario through one face of the package, and says where it stopped and why."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from bosa_auth import Page, ThirdPartyIntegrationAuth, aio
from bosa_auth.exception import BosaException
from bosa_auth.models import Model
from scenarios.expectation import check
from scenarios.file import Scenario, Step, beginnings
from scenarios.text import Saved, resolve

Operation = Callable[..., Any]
"""A method of a service, called with arguments by name."""


class Run:
    """One run of a scenario.

    Args:
        operations: Gives an operation by its name.
    """

    def __init__(self, operations: Callable[[str], Operation]) -> None:
        self._operations = operations
        self._saved: Saved = {}
        self.called: list[str] = []
        """The operations that were called, in turn."""

    def scenario(self, scenario: Scenario) -> None:
        """Raises an ``AssertionError`` with notes that say at which step it failed."""
        shared = beginnings()
        for name in scenario.given:
            with _noting(f"given.toml, {name}"):
                self._steps(shared[name])
        with _noting(f'{scenario.file}.toml, "{scenario.name}"'):
            self._steps(scenario.steps)

    def _steps(self, steps: list[Step]) -> None:
        for number, step in enumerate(steps, 1):
            with _noting(f"step {number}"):
                if step.each is None:
                    self._step(step)
                else:
                    self._each(step)

    def _each(self, step: Step) -> None:
        values = resolve(step.each, self._saved)
        outer = {name: value for name, value in self._saved.items() if name == "each"}
        for value in range(values) if isinstance(values, int) else values:
            self._saved["each"] = value
            with _noting(f"with {repr(value)[:300]}"):
                self._step(step)
        del self._saved["each"]
        self._saved.update(outer)

    def _step(self, step: Step) -> None:
        if step.call is None:
            self._steps(step.steps)
            return
        operation = resolve(step.call, self._saved)
        with _noting(operation):
            arguments = _arguments(resolve(step.arguments, self._saved))
            self.called.append(operation)
            try:
                got = _plain(self._operations(operation)(**arguments))
            except BosaException as error:
                if step.error is None:
                    raise AssertionError("expected a result") from error
                check("the error", resolve(_refusal(step), self._saved), _described(error))
                got = None
            else:
                assert step.error is None, f"expected {step.error}, got {got}"
                expected = {} if step.expect is None else step.expect
                check("the result", resolve(expected, self._saved), got)
            _let_time_pass()
            if step.save is not None:
                self._saved[step.save] = got


@contextmanager
def _noting(text: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"in {text}")
        raise


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    arguments = dict(given)
    if "expires_at" in arguments:
        arguments["expires_at"] = datetime.fromisoformat(arguments["expires_at"])
    if "integration" in arguments:
        arguments["integration"] = ThirdPartyIntegrationAuth.model_validate(arguments["integration"])
    return arguments


def _plain(value: Any) -> Any:
    match value:
        case Page() | aio.Page():
            return {"items": _plain(value.items), "next_cursor": value.next_cursor}
        case Model():
            return value.model_dump(mode="json")
        case UUID():
            return str(value)
        case list():
            return [_plain(item) for item in value]
    assert value is None or isinstance(value, bool), f"{value!r} is no result"
    return value


def _refusal(step: Step) -> dict[str, Any]:
    expected = {"code": step.error, "message": step.message, "details": step.details}
    return {name: value for name, value in expected.items() if value is not None}


def _described(error: BosaException) -> dict[str, Any]:
    for name, value in error.details.items():
        assert getattr(error, name) == value
    return {"code": error.code, "message": str(error), "details": error.details}


def _let_time_pass() -> None:
    """Returns in another millisecond, so that what is made later is newer."""
    before = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 <= before:
        time.sleep(0.0005)


def operations_of(auth: object) -> dict[str, Operation]:
    """Every operation of an instance's services, by its name."""
    services = [name for name in dir(type(auth)) if name.endswith("_service")]
    return {
        name: method
        for service in services
        for name, method in inspect.getmembers(getattr(auth, service), inspect.ismethod)
        if not name.startswith("_")
    }
