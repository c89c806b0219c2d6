"""Makes the blocking half of the package from its asyncio half.

python crates/python/blocking.py           writes the files
python crates/python/blocking.py --check   fails when one of them is out of date
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

PACKAGE = Path(__file__).parent / "python" / "bosa_auth"
FILES = ["_auth.py", "_page.py", "service.py"]
NOTE = "# Made from aio/{name} by blocking.py; change that file.\n"
WORDS = {
    "future": "wait",
    "opened_later": "opened_now",
    "AsyncIterator": "Iterator",
}
# What is more than a word.
TEXTS = {
    "bosa_auth.aio": "bosa_auth",
    "import Iterator, Awaitable, Callable": "import Callable, Iterator",
    '"Awaitable[Page[_T]]"': '"Page[_T]"',
}


def made() -> dict[Path, str]:
    """The text of every file, by its path."""
    with tempfile.TemporaryDirectory() as directory:
        rule = unasync.Rule(str(PACKAGE / "aio"), directory, WORDS)
        unasync.unasync_files([str(PACKAGE / "aio" / name) for name in FILES], [rule])
        texts = {name: (Path(directory) / name).read_text() for name in FILES}
    for before, after in TEXTS.items():
        texts = {name: text.replace(before, after) for name, text in texts.items()}
    return {PACKAGE / name: tidied(NOTE.format(name=name) + text) for name, text in texts.items()}


def tidied(text: str) -> str:
    """The text with its imports sorted and its lines broken as those of all other files."""
    name = str(PACKAGE / "made.py")
    for command in (["check", "--quiet", "--fix"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", name, "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> int:
    """Writes or checks the files."""
    texts = made()
    if "--check" not in sys.argv:
        for path, text in texts.items():
            path.write_text(text)
        return 0
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{path} is out of date: run python crates/python/blocking.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
