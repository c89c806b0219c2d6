"""What the files of scenarios hold."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parents[3] / "bosa-auth" / "tests" / "scenarios"


@dataclass(kw_only=True)
class Step:
    """A call with what is expected of it, or several steps; either of them for each value of a list."""

    each: Any = None
    steps: list[Step] = field(default_factory=list)
    call: str | None = None
    # `with` in the file, a keyword of Python.
    arguments: Any = field(default_factory=dict)
    save: str | None = None
    expect: Any = None
    error: str | None = None
    message: str | None = None
    details: Any = None

    @staticmethod
    def of(members: dict[str, Any]) -> Step:
        """Fails for a member that steps do not have."""
        known = dict(members)
        if "with" in known:
            known["arguments"] = known.pop("with")
        step = Step(**known)
        step.steps = [Step.of(inner) for inner in known.get("steps", [])]
        assert (step.call is None) == bool(step.steps), f"a step calls or has steps: {members}"
        assert step.error is None or step.expect is None, f"a result and a refusal: {members}"
        return step


@dataclass(kw_only=True)
class Scenario:
    """A sentence about behaviour, and the steps that show it."""

    file: str
    name: str
    steps: list[Step]
    given: list[str] = field(default_factory=list)
    """Names of beginnings that come before the steps."""


def read(name: str) -> dict[str, Any]:
    """A file as it is."""
    return tomllib.loads((DIRECTORY / name).read_text(encoding="utf-8"))


def files() -> list[str]:
    """The names of the files with scenarios."""
    return sorted(path.stem for path in DIRECTORY.glob("*.toml") if path.stem != "given")


def scenarios() -> list[Scenario]:
    """Every scenario of every file."""
    found = []
    for file in files():
        content = read(f"{file}.toml")
        assert list(content) == ["scenario"], f"{file}.toml holds {list(content)}"
        for members in content["scenario"]:
            steps = [Step.of(step) for step in members.pop("steps")]
            found.append(Scenario(file=file, steps=steps, **members))
    return found


def beginnings() -> dict[str, list[Step]]:
    """The beginnings that scenarios share, by name."""
    return {name: [Step.of(step) for step in steps] for name, steps in read("given.toml").items()}
