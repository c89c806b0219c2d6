"""Type checkers understand programs that use the package, find their mistakes, and agree with it."""

from __future__ import annotations

import inspect
import json
import os
import pydoc
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bosa_auth
from bosa_auth import _native, aio, exception, models, service, settings

PROGRAMS = Path(__file__).parent / "typed"
GOOD = sorted(path for path in PROGRAMS.glob("*.py") if path.stem != "mistakes")
MISTAKES = PROGRAMS / "mistakes.py"

Findings = set[tuple[int, str]]


def module(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A module as the environment of the tests has it."""
    command = [sys.executable, "-m", *map(str, arguments)]
    # Pyright looks for packages where the first interpreter has them.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})


def pyright(*arguments: object) -> dict[str, Any]:
    done = module("pyright", "--outputjson", *arguments)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def by_pyright(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Findings]:
    """What pyright finds at its strictest, by the name of the program."""
    directory = tmp_path_factory.mktemp("pyright")
    for path in (*GOOD, MISTAKES):
        shutil.copy(path, directory)
    (directory / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    report = pyright("-p", directory)
    assert report["summary"]["filesAnalyzed"] == len(GOOD) + 1
    found: dict[str, Findings] = defaultdict(set)
    for each in report["generalDiagnostics"]:
        found[Path(each["file"]).stem].add((each["range"]["start"]["line"] + 1, each["rule"]))
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy keeps between its runs."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture(scope="module")
def by_mypy(cache: Path) -> dict[str, Findings]:
    """What mypy finds at its strictest, by the name of the program."""
    done = module("mypy", "--strict", "--output", "json", "--cache-dir", cache, *GOOD, MISTAKES)
    assert done.stdout, done.stderr
    found: dict[str, Findings] = defaultdict(set)
    for each in map(json.loads, done.stdout.splitlines()):
        if each["severity"] == "error":
            found[Path(each["file"]).stem].add((each["line"], each["code"]))
    return found


def expected(column: int) -> Findings:
    """What the comments of the mistakes say about one of the two checkers."""
    found = set()
    for number, line in enumerate(MISTAKES.read_text().splitlines(), 1):
        comment = re.search(r"# ([\w-]+) / (\w+)$", line)
        if comment is not None:
            found.add((number, comment[column]))
    assert len(found) > 12
    return found


@pytest.mark.parametrize("program", GOOD, ids=lambda path: path.stem)
def test_the_program_runs(program: Path) -> None:
    done = subprocess.run([sys.executable, program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", GOOD, ids=lambda path: path.stem)
def test_nothing_is_found_in_a_program_that_is_right(
    program: Path, by_mypy: dict[str, Findings], by_pyright: dict[str, Findings]
) -> None:
    assert by_mypy[program.stem] == set()
    assert by_pyright[program.stem] == set()


def test_each_mistake_is_found(by_mypy: dict[str, Findings], by_pyright: dict[str, Findings]) -> None:
    assert by_mypy[MISTAKES.stem] == expected(1)
    # Pyright also finds what follows from a mistake.
    followed = {finding for finding in by_pyright[MISTAKES.stem] if "Unknown" in finding[1]}
    assert by_pyright[MISTAKES.stem] - followed == expected(2)


def test_nothing_is_found_in_the_package(cache: Path) -> None:
    done = module("mypy", "--strict", "--cache-dir", cache, "-p", "bosa_auth")
    assert done.returncode == 0, done.stdout


def test_every_public_name_has_a_type() -> None:
    report = pyright("--verifytypes", "bosa_auth", "--ignoreexternal")["typeCompleteness"]
    # These are for Django itself, whose base classes say the types.
    for_django = ("bosa_auth.django.apps.", "bosa_auth.django.migrations.")
    unclear = [
        each["name"]
        for each in report["symbols"]
        if each["isExported"] and not each["isTypeKnown"] and not each["name"].startswith(for_django)
    ]
    assert len(report["symbols"]) > 400
    assert unclear == []


def test_the_stub_of_the_native_module_agrees_with_it() -> None:
    done = module("mypy.stubtest", "bosa_auth._native", "--ignore-missing-stub")
    assert done.returncode == 0, done.stdout


MODULES = [bosa_auth, aio, exception, models, service, aio.service, settings]


@pytest.mark.parametrize("public", MODULES, ids=lambda each: each.__name__)
def test_what_is_public_is_described(public: ModuleType) -> None:
    assert inspect.getdoc(public)
    for name in public.__all__:
        what = getattr(public, name)
        assert name == "__version__" or inspect.getdoc(what), name
        if not inspect.isclass(what) or issubclass(what, tuple):
            continue
        for member, value in vars(what).items():
            if member.startswith("_") or not (callable(value) or isinstance(value, property)):
                continue
            assert inspect.getdoc(value), f"{name}.{member}"


@pytest.mark.parametrize("public", MODULES, ids=lambda each: each.__name__)
def test_help_can_be_asked_for(public: ModuleType) -> None:
    for what in (public, *(getattr(public, name) for name in public.__all__ if name != "__version__")):
        assert pydoc.render_doc(what, renderer=pydoc.plaintext)


@pytest.mark.parametrize("public", [bosa_auth, aio], ids=lambda each: each.__name__)
def test_nothing_else_is_public(public: ModuleType) -> None:
    assert len(public.__all__) == len(set(public.__all__))
    star: dict[str, object] = {}
    exec(f"from {public.__name__} import *", star)
    assert set(public.__all__) <= set(star)
    for part in (exception, models, public.service):
        assert set(part.__all__) <= set(public.__all__)


def test_the_blocking_services_have_the_signatures_of_the_others() -> None:
    for name in service.__all__:
        blocking, coroutines = getattr(service, name), getattr(aio.service, name)
        if not inspect.isclass(blocking):
            assert type(blocking).__name__ == type(coroutines).__name__
            continue
        for member, value in vars(blocking).items():
            if member.startswith("__") or not inspect.isfunction(value):
                continue
            other = getattr(coroutines, member)
            assert inspect.iscoroutinefunction(other) and not inspect.iscoroutinefunction(value)
            assert inspect.signature(value).parameters == inspect.signature(other).parameters
            assert inspect.getdoc(value) == inspect.getdoc(other)


def test_native_functions_tell_their_arguments() -> None:
    for kind in vars(_native).values():
        if not inspect.isclass(kind):
            continue
        for member, value in vars(kind).items():
            if callable(value) and not member.startswith("__"):
                assert inspect.signature(value).parameters, f"{kind.__name__}.{member}"


def test_the_version_is_that_of_the_wheel() -> None:
    from importlib.metadata import version

    assert bosa_auth.__version__ == version("bosa-auth")
