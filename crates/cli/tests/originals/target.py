"""A database of BOSA Auth that an original is imported into, with the built executable."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releases import REDIS_PORT, SETTINGS, Original
from server import EXECUTABLE, MASTER_KEY, Server


@dataclass
class Target:
    """A database and the directory that its commands run in."""

    directory: Path
    settings: dict[str, str]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "BOSA_WHITELISTED_KEYS": MASTER_KEY,
            "AUTH_SECRET_KEY_PREVIOUS": SETTINGS["AUTH_SECRET_KEY"],
            **self.settings,
        }

    def command(self, original: Original, *others: str) -> subprocess.Popen[str]:
        """Starts an import by a user who may only read."""
        arguments = ["import", "bosa", "--output", "json", "--redis", f"redis://127.0.0.1:{REDIS_PORT}"]
        environment = {**self._environment(), **SETTINGS, "BOSA_AUTH_IMPORT_FROM": original.reader()}
        environment["AUTH_SECRET_KEY"] = self.settings.get("AUTH_SECRET_KEY", "")
        return subprocess.Popen(
            [EXECUTABLE, *arguments, *others],
            cwd=self.directory,
            env={name: value for name, value in environment.items() if value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def take_over(self, original: Original, *others: str) -> dict[str, Any]:
        """Imports and returns the report."""
        process = self.command(original, *others)
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        return json.loads(output)

    @contextmanager
    def serving(self) -> Iterator[Server]:
        command = [EXECUTABLE, "serve", "--listen", "127.0.0.1:0", "--output", "json"]
        with (self.directory / "log").open("a") as log:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout
        try:
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, (self.directory / "log").read_text()
                text += line
            yield Server(json.loads(text)["url"], "")
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()
