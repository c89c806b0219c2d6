"""The scenarios of the library, through both faces of the package, on both databases."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from bosa_auth import Auth, aio
from conftest import Settings
from scenarios.expectation import check
from scenarios.file import DIRECTORY, Scenario, Step, beginnings, files, scenarios
from scenarios.run import Operation, Run, operations_of
from scenarios.text import resolve

ALL = scenarios()


def identified(scenario: Scenario) -> str:
    return f"{scenario.file}-{scenario.name}".replace(" ", "_")


@pytest.fixture(params=ALL, ids=identified)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    chosen: Scenario = request.param
    return chosen


def test_a_scenario_holds_with_blocking_calls(scenario: Scenario, settings: Settings) -> None:
    with Auth(settings()) as auth:
        run_wholly(scenario, operations_of(auth).__getitem__)


def test_a_scenario_holds_with_coroutines(scenario: Scenario, settings: Settings) -> None:
    with asyncio.Runner() as runner:
        auth = aio.Auth(settings())
        operations = operations_of(auth)

        def awaited(name: str) -> Operation:
            return lambda **arguments: runner.run(operations[name](**arguments))

        run_wholly(scenario, awaited)
        runner.run(auth.close())


def run_wholly(scenario: Scenario, operations: Callable[[str], Operation]) -> None:
    run = Run(operations)
    run.scenario(scenario)
    assert len(run.called) >= sum(calls(step) for step in scenario.steps)


def calls(step: Step) -> int:
    """How often a step calls at least, when nothing is skipped."""
    inner = 1 if step.call is not None else sum(calls(one) for one in step.steps)
    match step.each:
        case int():
            return step.each * inner
        case list():
            return len(step.each) * inner
    return inner


def test_every_scenario_of_every_file_is_run() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.toml")}
    assert {*texts} == {*files(), "given"}
    for file, text in texts.items():
        declared = re.findall(r'^\[\[scenario\]\]\nname = "(.*)"$', text, re.MULTILINE)
        assert [one.name for one in ALL if one.file == file] == declared
        assert len(declared) == text.count("[[scenario]]")
    assert len({identified(one) for one in ALL}) == len(ALL) > 50


def test_the_scenarios_call_every_operation_of_the_package(settings: Settings) -> None:
    called: set[str] = set()

    def collect(steps: list[Step]) -> None:
        for step in steps:
            collect(step.steps)
            if step.call in ("${each}", "${each.call}"):
                called.update(one if isinstance(one, str) else one["call"] for one in step.each)
            elif step.call is not None:
                called.add(step.call)

    for steps in [*beginnings().values(), *(one.steps for one in ALL)]:
        collect(steps)
    with Auth(settings()) as auth:
        # How an HTTP service asks is no scenario.
        assert {*operations_of(auth)} - {"current_user"} == called


def test_a_step_with_an_unknown_member_is_refused() -> None:
    with pytest.raises(TypeError, match="expects"):
        Step.of({"call": "create_client", "expects": {}})
    with pytest.raises(AssertionError):
        Step.of({"expect": {}})


def test_a_step_that_does_not_hold_fails_and_names_its_place() -> None:
    steps = [Step.of({"call": "work"}), Step.of({"each": [1], "call": "work", "expect": True})]
    scenario = Scenario(file="file", name="it works", steps=steps)
    with pytest.raises(AssertionError, match="expected True, got False") as failure:
        Run(lambda _: lambda: False).scenario(scenario)
    assert failure.value.__notes__ == ["in work", "in with 1", "in step 2", 'in file.toml, "it works"']
    refused = Scenario(file="file", name="x", steps=[Step.of({"call": "work", "error": "not_found"})])
    with pytest.raises(AssertionError, match="expected not_found"):
        Run(lambda _: lambda: False).scenario(refused)


def test_a_text_takes_in_what_was_saved_and_spoils_it() -> None:
    saved: dict[str, Any] = {"it": {"key": "AéC.D", "list": [True, 7]}}
    for text, value in {
        "plain $1 {}": "plain $1 {}",
        "${it.list.0}": True,
        "<${it.list.1}|${'x' | repeat 3}>": "<7|xxx>",
        "${it.key | skip 1}${it.key | cut 4}": "éC.DA",
        "${it.key | last 2 | upper}": ".D",
        "${it.key | part 0 | change 0 | change 1}": "BAC",
        "${it.key | replace AéC sk-}": "sk-.D",
        "${it.key | cut 3 | every_change}": ["Bé", "AA"],
    }.items():
        assert resolve(text, saved) == value
    for wrong in ["${it.other}", "${nothing}", "${it.key", "${it.key | turn}", "x${it.list}"]:
        with pytest.raises((LookupError, AssertionError)):
            resolve(wrong, saved)


HELD: list[Any] = [
    {},
    {"name": "ana", "secret": {"is": "empty"}, "no": {"is": "none"}},
    {"name": {"starts_with": "a", "not": "bob", "length": 3}},
    {"items": [{"n": 1}, {}]},
    {"items": {"length": 2, "every": {"n": {"is": "integer"}}}},
    {"items": {"contains": [{"n": 2}, {"n": 1}]}},
]
BROKEN: list[tuple[str, Any]] = [
    ("it.name", {"name": "Ana"}),
    ("it.name", {"name": {"is": "empty"}}),
    ("it.name", {"name": {"is": "uuid"}}),
    ("it.name", {"name": {"starts_with": "b"}}),
    ("it.name", {"name": {"not": "ana"}}),
    ("it.no", {"no": ""}),
    ("it.yes", {"yes": 1}),
    ("it", {"other": {"is": "none"}}),
    ("it.items", {"items": [{"n": 1}]}),
    ("it.items.1.n", {"items": [{"n": 1}, {"n": 1}]}),
    ("it.items.0.n", {"items": {"every": {"n": 2}}}),
    ("it.items", {"items": {"contains": [{"n": 3}]}}),
    ("it.items", {"items": {"length": 3}}),
]


def test_an_expectation_that_does_not_hold_names_its_place() -> None:
    got = {"name": "ana", "secret": "", "items": [{"n": 1}, {"n": 2}], "no": None, "yes": True}
    for held in HELD:
        check("it", held, got)
    for place, broken in BROKEN:
        with pytest.raises(AssertionError) as failure:
            check("it", broken, got)
        assert str(failure.value).split(":")[0] == place
