"""Forks and ends programs that are busy, many times over, and writes bench/results/python-forks.json.

    scripts/python.sh install
    target/python/bin/python crates/python/tests/campaign.py [FORKS [ENDS]]

A case that hangs, complains, loses a row or ends otherwise than it says fails the campaign. It needs the
PostgreSQL of BOSA_AUTH_TEST_POSTGRES_URL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import test_exit
import test_fork

import databases
import programs

RESULT = Path(__file__).parents[3] / "bench" / "result.py"


def on_sqlite(work: Callable[[str], int]) -> int:
    """Works on a file."""
    with tempfile.TemporaryDirectory() as directory:
        return work(f"sqlite:///{directory}/test.db")


def on_postgresql(work: Callable[[str], int]) -> int:
    """Works on a database of its own."""
    with databases.on_postgresql() as url:
        return work(url)


def forks(number: int, url: str) -> int:
    """How many forks of a program with eight busy threads went wrong: none, or all of them."""
    text = programs.program(test_fork.MADE, test_fork.HAMMERED, url=url)
    return 0 if ended_well(text, str(number), code=0, output="whole\n") else number


def ends(number: int, url: str) -> int:
    """How many programs did not end as they said, with eight threads inside calls: this one, or none."""
    interval = (0.005, 1e-6)[number % 2]
    ending = f"sys.setswitchinterval({interval})\nsys.exit(7)"
    text = programs.program(test_exit.MADE, test_exit.THREADS, ending, url=url)
    return 0 if ended_well(text, code=7, output="") else 1


def ended_well(text: str, *arguments: str, code: int, output: str) -> bool:
    """Whether a program ends by itself, as it should and without complaint."""
    command = [sys.executable, "-c", text, *arguments]
    with tempfile.TemporaryDirectory() as directory:
        try:
            done = subprocess.run(
                command,
                cwd=directory,
                env={name: value for name, value in os.environ.items() if "BOSA_AUTH" not in name},
                capture_output=True,
                text=True,
                timeout=20 * programs.PATIENCE,
            )
        except subprocess.TimeoutExpired:
            print("a program hangs", file=sys.stderr)
            return False
    if (done.returncode, done.stdout, done.stderr) == (code, output, ""):
        return True
    print(done.returncode, done.stdout, done.stderr, file=sys.stderr)
    return False


def main() -> int:
    """Runs every case and says how many went wrong."""
    numbers = [int(argument) for argument in sys.argv[1:]] + [300, 100][len(sys.argv) - 1 :]
    rows: list[dict[str, Any]] = []
    for subject, on in (("SQLite", on_sqlite), ("PostgreSQL", on_postgresql)):
        failed = {
            ("forks", numbers[0]): on(partial(forks, numbers[0])),
            ("ends", numbers[1]): sum(on(partial(ends, each)) for each in range(numbers[1])),
        }
        for (group, number), wrong in failed.items():
            print(f"{subject}: {wrong} of {number} {group} went wrong")
            row = {"group": group, "subject": subject, "unit": ""}
            rows += [{**row, "metric": "tried", "value": number}]
            rows += [{**row, "metric": "went wrong", "value": wrong}]
    subprocess.run(
        [sys.executable, str(RESULT), "python-forks"], input=json.dumps(rows), text=True, check=True
    )
    return 1 if any(row["metric"] == "went wrong" and row["value"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
