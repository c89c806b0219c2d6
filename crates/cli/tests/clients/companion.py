"""A process that answers a line of JSON for each line of JSON that it is given."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


class Companion:
    """Such a process, from its first command on."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: Path) -> None:
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        """Sends a command and returns the answer to it."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{self._process.args} has ended: {self._process.wait()}"
        return json.loads(line)

    def end(self) -> None:
        """Ends its input, without waiting for it."""
        assert self._process.stdin
        self._process.stdin.close()

    def close(self) -> None:
        """Ends its input, and waits for it."""
        assert self._process.stdout
        self.end()
        self._process.wait()
        self._process.stdout.close()


class BrowserAndProviders:
    """Chromium and OpenID Connect providers, those of the tests in a browser."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._companion = Companion(["node", "companion.mjs"], environment, directory)

    def ask(self, command: str, **rest: Any) -> dict[str, Any]:
        answer = self._companion.ask(command=command, **rest)
        assert "error" not in answer, answer
        return answer

    def close(self) -> None:
        self._companion.close()
