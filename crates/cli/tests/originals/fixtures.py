"""Makes the fixtures of the tests in Rust: `python fixtures.py DIRECTORY [NAME…]`."""

from __future__ import annotations

import sys
from pathlib import Path

import redis_keys
from contents import CLIENTS, IDENTIFIERS, encrypt_again, fill, look_at_defaults, over, switch_off
from releases import Original
from server import postgresql

# Of each schema version the release that made it, and the last of them, which were brought up to date by
# starting newer ones.
MADE_BY = {
    "0.4.5": ["0.4.5"],
    "0.6.2": ["0.6.2"],
    "0.7.5": ["0.7.5"],
    "0.8.0": ["0.8.0"],
    "0.8.6": ["0.8.6"],
    "0.9.0": ["0.9.0"],
    "0.9.2": ["0.9.2"],
    "0.9.7": ["0.9.7"],
    "upgraded": ["0.4.5", "0.7.5", "0.8.6", "0.9.7"],
}


def make(directory: Path, name: str, number: int) -> None:
    """Each has other names: all of them together have all."""
    with postgresql() as url:
        original = Original(url)
        for turn, version in enumerate(MADE_BY[name]):
            start = number * 3 + turn
            clients = [*CLIENTS, *CLIENTS][start % len(CLIENTS) :][: 2 if turn else 3]
            if turn:
                clients = [f"{name} of {version}" for name in clients]
            identifiers = [*IDENTIFIERS, *IDENTIFIERS][(number * 4 + turn * 3) % len(IDENTIFIERS) :]
            identifiers = identifiers[: 2 if len(MADE_BY[name]) > 1 else 5]
            with original.run(version) as release:
                fill(original, release, clients, identifiers, large=1000)
            over(original, version)
            if version == "0.8.6" and name == "upgraded":
                encrypt_again(original, version)
        switch_off(original)
        look_at_defaults(original)
        (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / name / "dump.sql").write_text(original.dump())
        made_by = "bosa-core-binary " + ", then ".join(MADE_BY[name])
        (directory / name / "known.json").write_text(original.known.written(made_by))
        keys = redis_keys.take(original)
        if keys:
            (directory / name / "redis.txt").write_text(keys)


def main() -> None:
    directory, *names = sys.argv[1:]
    for number, name in enumerate(MADE_BY):
        if not names or name in names:
            make(Path(directory), name, number)
            print(name)


main()
