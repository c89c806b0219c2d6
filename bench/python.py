#!/usr/bin/env python3
"""Our Python package beside the original, and beside our own library called from Rust.

    bench/python.py             about two minutes after compiling; writes bench/results/python.json
    bench/python.py --quick     a smoke test, which writes nothing
    bench/python.py --check     fails if a verification from memory costs too much beside Rust

Every operation of the seed is called blocking and through asyncio, on SQLite and on PostgreSQL, and of the
original with its PostgreSQL and Redis, in turns within one run. Needs Python 3.11 or newer and psql, on
Linux; installs the original, PostgreSQL and Redis when they are missing. An original that cannot
be had is named and left out.
"""

import argparse
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "python"))
import contestants  # noqa: E402
import report  # noqa: E402
import result  # noqa: E402
import turns  # noqa: E402
from contestants import ORIGINAL, Contestant, Rust  # noqa: E402
from operations import EMPTY  # noqa: E402
from subjects import Place  # noqa: E402

DATABASES = ("SQLite", "PostgreSQL")
# Each call of these needs something that is made for it before, so not too many at once.
COSTLY_TO_PREPARE = {"revoke_token": 300, "delete_integration": 300}
MOST_CALLS = 1_000_000
MOST_FRESH = 3_000
# How much more than the call from Rust a verification from memory may cost.
BOUND = 3_000
TIME = "time of a call"
IN_PYTHON, RUST = "beside the call from Rust", "Rust"
NOTE = (
    "{rounds} rounds of about {milliseconds:.0f} ms in which all take turns, operation by operation; each round is the mean "
    "of its calls, value the median of the rounds, low and high the smallest and largest. In brackets how many times "
    "as fast as the original: the quotient of the medians. Calls follow each other on one thread, for one client and "
    "one user. Each package runs in a process and a virtual environment of its own, {pinned}. PostgreSQL has fsync, "
    "synchronous_commit and full_page_writes on, SQLite synchronous full; there is no TLS to PostgreSQL. The "
    "original's verify_client_api_key is its `verify_api_key`, which returns nothing; its get_integration and "
    "delete_integration are told the account, as they must be. Beside Rust: the same verification by the example "
    "verify_rate, in a process of its own, and by the package, both on SQLite; for asyncio less what it takes to "
    "await an empty coroutine with the same arguments. The difference is the median of the differences of the rounds."
)


class Bench:
    def __init__(self, options: argparse.Namespace, place: Place) -> None:
        self.options, self.place = options, place
        self.rows: list[turns.Row] = []
        self.missing: list[str] = []

    def run(self, stack: contextlib.ExitStack, python: str) -> None:
        theirs = self.original(stack)
        ours = [one for database in DATABASES for one in contestants.ours(stack, self.place, python, database)]
        for operation in self.options.only or ours[0].worker.offers["blocking"]:
            print(operation, file=sys.stderr, flush=True)
            self.operation(operation, theirs, ours)
        print(IN_PYTHON, file=sys.stderr, flush=True)
        self.beside_rust(ours[:2])

    def original(self, stack: contextlib.ExitStack) -> list[Contestant]:
        try:
            return contestants.original(stack, self.place)
        except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
            print(f"the original is left out: {error}", file=sys.stderr, flush=True)
            # Without the reason: it may hold paths of this machine.
            self.missing.append(ORIGINAL)
            return []

    def calls(self, one: Contestant, operation: str, seconds: float) -> int:
        fresh = operation.startswith("create_") or operation in COSTLY_TO_PREPARE
        most = COSTLY_TO_PREPARE.get(operation, MOST_FRESH if fresh else MOST_CALLS)
        return turns.calls_within(seconds, lambda calls: one.nanoseconds(operation, calls), most)

    def operation(self, operation: str, theirs: list[Contestant], ours: list[Contestant]) -> None:
        everyone = {one.name: (one, self.calls(one, operation, self.options.seconds)) for one in theirs + ours}
        taken = turns.rounds(self.options.rounds, everyone, lambda pair: pair[0].nanoseconds(operation, pair[1]) / 1e3)
        for name, values in taken.items():
            self.rows.append(turns.median(operation, name, TIME, "µs", values))
            if theirs and name != ORIGINAL:
                self.rows.append(turns.times(operation, name, values, ORIGINAL, taken[ORIGINAL]))

    def beside_rust(self, ours: list[Contestant]) -> None:
        """Verifications from memory, blocking and through asyncio, beside those of a Rust program."""
        rust, seconds = Rust(self.place), self.options.seconds
        blocking, aio = ours
        empty = self.calls(aio, EMPTY, seconds)
        counts = {operation: self.calls(blocking, operation, seconds) for operation in Rust.OPERATIONS}

        def package(one: Contestant) -> dict[str, float]:
            taken = {operation: one.nanoseconds(operation, calls) for operation, calls in counts.items()}
            return taken | ({EMPTY: one.nanoseconds(EMPTY, empty)} if one is aio else {})

        measures = {RUST: lambda: rust.nanoseconds(seconds), blocking.name: lambda: package(blocking), aio.name: lambda: package(aio)}
        taken = turns.rounds(self.options.rounds, measures, lambda measure: measure())
        awaiting = [one[EMPTY] for one in taken[aio.name]]
        self.rows.append(turns.median(IN_PYTHON, aio.name, EMPTY, "ns", awaiting, 1))
        for operation in Rust.OPERATIONS:
            bare, direct, awaited = ([one[operation] for one in taken[name]] for name in measures)
            for name, values in ((RUST, bare), (blocking.name, direct), (aio.name, awaited)):
                self.rows.append(turns.median(IN_PYTHON, name, operation, "ns", values, 1))
            self.difference(operation, blocking.name, [one - base for one, base in zip(direct, bare, strict=True)])
            self.difference(
                operation, aio.name, [one - nothing - base for one, nothing, base in zip(awaited, awaiting, bare, strict=True)]
            )

    def difference(self, operation: str, name: str, values: list[float]) -> None:
        self.rows.append(turns.median(IN_PYTHON, name, f"{operation}, difference", "ns", values, 1) | {"goal": BOUND})

    def within(self) -> bool:
        """Prints whether the differences from Rust are small enough."""
        bounded = [row for row in self.rows if "goal" in row]
        for row in bounded:
            verdict = "PASS" if row["value"] <= row["goal"] else "FAIL"
            print(f"{verdict}: {row['subject']}, {row['metric']}: {row['value'] / 1e3:.2f} µs of {row['goal'] / 1e3:.0f} µs")
        return all(row["value"] <= row["goal"] for row in bounded)

    def write(self) -> None:
        pinned = "all of them on one core; PostgreSQL and Redis have another, which favours those that ask them"
        if self.place.core is None:
            pinned = "on the only core"
        note = NOTE.format(rounds=self.options.rounds, milliseconds=self.options.seconds * 1e3, pinned=pinned)
        if self.missing:
            note += " Left out, because they could not be had: " + ", ".join(self.missing) + "."
        result.write("python", self.rows, note=note, wide=TIME, python=sys.version.split()[0])


def built_rate() -> pathlib.Path:
    """The program that calls the library from Rust."""
    subprocess.run(["cargo", "build", "--release", "-p", "bosa-auth", "--example", "verify_rate"], cwd=ROOT, check=True)
    return target() / "release" / "examples" / "verify_rate"


def built_wheel() -> pathlib.Path:
    subprocess.run(["scripts/python.sh", "wheel"], cwd=ROOT, stdout=sys.stderr, check=True)
    return next((target() / "wheels").glob("*.whl"))


def target() -> pathlib.Path:
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def environment_with(wheel: pathlib.Path, place: pathlib.Path) -> str:
    """Makes a virtual environment with nothing but the wheel; gives its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = str(place / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round each")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the bound beside Rust is missed")
    parser.add_argument("--only", nargs="+", metavar="OPERATION", help="these operations; writes nothing")
    parser.add_argument("--wheel", type=pathlib.Path, help="a wheel of a release build, instead of building one")
    options = parser.parse_args()
    options.rounds, options.seconds = (1, 0.02) if options.quick else (9, 0.1)
    # So that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bosa-auth-python-")))
        rate = built_rate()
        python = environment_with(options.wheel or built_wheel(), directory / "environment")
        bench = Bench(options, Place(stack, directory, None, rate))
        bench.run(stack, python)
        if not (options.quick or options.only):
            bench.write()
    print(*report.tables(bench.rows, TIME), "", sep="\n")
    if not bench.within() and options.check:
        sys.exit(1)


if __name__ == "__main__":
    main()
