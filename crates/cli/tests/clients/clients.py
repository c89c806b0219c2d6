"""The public clients: which there are, what each of them can do, and how a test uses them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from companion import Companion
from server import TARGET

ENVIRONMENTS = TARGET / "clients"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Release:
    """One release of an SDK, and in what it differs from the others."""

    package: str
    version: str
    #: The environment, if it is not the one of the newest release.
    environment: str = ""
    is_older: bool = True
    #: Has custom configurations and operations on one of several accounts.
    names_accounts: bool = True
    #: Has the argument `replace_duplicate`.
    replaces: bool = False
    #: Has every operation as a coroutine, too.
    has_coroutines: bool = False
    #: Raises an error where the others answer with a value: `False`, or an account without anything.
    raises: bool = False
    #: Logs in without a key; this does not depend on the server.
    logs_in_without_key: bool = True

    @property
    def is_gl(self) -> bool:
        return self.package == "gl-connectors-sdk"


BOSA = "bosa-connectors-binary"
GL = "gl-connectors-sdk"
RELEASES = [
    Release(BOSA, "0.0.10", f"{BOSA}-0.0.10", is_older=False, names_accounts=False),
    Release(BOSA, "0.1.2", names_accounts=False),
    Release(BOSA, "0.1.12"),
    Release(BOSA, "0.2.5"),
    Release(BOSA, "0.3.0"),
    Release(BOSA, "0.3.3", is_older=False),
    Release(GL, "0.1.0"),
    Release(GL, "0.1.5", has_coroutines=True, logs_in_without_key=False),
    Release(GL, "0.1.10", has_coroutines=True),
    Release(GL, "0.1.14", replaces=True, has_coroutines=True, raises=True),
    Release(GL, "0.1.15.post1", is_older=False, replaces=True, has_coroutines=True, raises=True),
]
NEWEST = RELEASES[-1]


@dataclass(frozen=True)
class Face:
    """A way to call a release."""

    release: Release
    is_asynchronous: bool = False
    #: Under the names of the SDK that came before it.
    has_former_names: bool = False
    options: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        parts = [self.release.package, self.release.version]
        parts += ["async"] if self.is_asynchronous else []
        parts += ["former-names"] if self.has_former_names else []
        return "-".join(parts + [f"{name}-{value}" for name, value in self.options.items()])


FACES = [
    *(Face(release) for release in RELEASES),
    *(Face(release, is_asynchronous=True) for release in RELEASES if release.has_coroutines),
    Face(NEWEST, has_former_names=True),
    Face(NEWEST, options={"error_contract": 2}),
]


class Refused(Exception):
    """What an SDK raised: the name of the error and its text."""


class SdkProcesses:
    """The processes in which the SDKs run, each started when it is first needed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._processes: dict[tuple[str, ...], Companion] = {}

    def of(self, face: Face) -> Companion:
        release = face.release
        if face.has_former_names or not release.is_gl:
            connector = ["bosa_connectors", "BosaConnector"]
            connector[0] += "" if release.is_gl else ".connector"
        else:
            connector = ["gl_connectors_sdk", "GLConnectors"]
        python = ENVIRONMENTS / (release.environment or release.package) / "bin" / "python"
        environment = bare_environment(self._home)
        if release.is_older:
            environment["PYTHONPATH"] = str(ENVIRONMENTS / f"{release.package}-{release.version}")
        key = (release.package, release.version, *connector)
        if key not in self._processes:
            command = [str(python), str(HERE / "sdk.py"), *connector]
            self._processes[key] = Companion(command, environment, self._home)
        return self._processes[key]

    def close(self) -> None:
        for process in self._processes.values():
            process.end()
        for process in self._processes.values():
            process.close()


class Sdk:
    """An SDK, built with a key or without."""

    def __init__(self, process: Companion, face: Face, address: str, key: dict[str, str | None]) -> None:
        self._process = process
        self.face = face
        self._options = {"api_base_url": address, **face.options, **key}

    def __getattr__(self, operation: str) -> Any:
        """A method of the SDK; `create_user` and `authenticate` under the name that it has there."""
        if (self.face.has_former_names or not self.face.release.is_gl) and operation in (
            "create_user",
            "authenticate",
        ):
            operation = {"create_user": "create_bosa_user", "authenticate": "authenticate_bosa_user"}[
                operation
            ]
        if self.face.is_asynchronous:
            operation = f"a{operation}"

        def call(*arguments: Any, **keywords: Any) -> Any:
            answer = self._process.ask(
                options=self._options, method=operation, arguments=arguments, keywords=keywords
            )
            if "error" in answer:
                raise Refused(f"{answer['error']}: {answer['text']}")
            return answer["result"]

        return call


@dataclass(frozen=True)
class Ran:
    """What a command line said, without colours, and its exit code."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class CommandLine:
    """A command line with a home of its own."""

    package: str
    home: Path

    @property
    def is_gl(self) -> bool:
        return self.package == "gl-connectors-cli"

    @property
    def configuration(self) -> Path:
        return self.home / (".connector" if self.is_gl else ".bosa") / "config.json"

    def __call__(self, *arguments: str, answers: str = "") -> Ran:
        program = ENVIRONMENTS / self.package / "bin" / ("glcon" if self.is_gl else "bosa")
        opener = self.home / "open"
        opener.write_text('#!/bin/sh\nprintf %s "$1" >"$HOME/opened"\n')
        opener.chmod(0o700)
        environment = bare_environment(self.home) | {"BROWSER": f"{opener} %s"}
        ran = subprocess.run(
            [program, *arguments],
            env=environment,
            input=answers,
            capture_output=True,
            text=True,
            cwd=self.home,
        )
        output, errors = (re.sub(r"\x1b\[[0-9;]*m", "", text) for text in (ran.stdout, ran.stderr))
        return Ran(ran.returncode, output, errors)

    @property
    def opened(self) -> str:
        """The address that it opened in a browser."""
        return (self.home / "opened").read_text()


COMMAND_LINES = ["bosa-cli", "bosa-cli-binary", "gl-connectors-cli"]


def bare_environment(home: Path) -> dict[str, str]:
    """Nothing of the caller's but the path."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONWARNINGS": "ignore",
    }
