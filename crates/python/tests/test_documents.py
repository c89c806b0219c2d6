"""The programs of the documents run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
DOCUMENTS = ["README.md", "crates/python/README.md", "docs/python.md"]


def programs(document: str) -> list[tuple[int, str]]:
    """The blocks of Python of a document, with the numbers of their first lines."""
    text = (REPOSITORY / document).read_text()
    blocks = re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, block.start(1)), block[1]) for block in blocks]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_programs_of_a_document_run_in_their_order(document: str, tmp_path: Path) -> None:
    # Padded, so that a failure tells its line in the document.
    program = ""
    for line, block in programs(document):
        program += "\n" * (line - program.count("\n")) + block
    assert "bosa_auth" in program
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", "program.py"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_the_programs_of_the_tour_have_their_types(tmp_path: Path) -> None:
    for document in DOCUMENTS:
        name = re.sub(r"\W", "_", document) + ".py"
        (tmp_path / name).write_text("\n".join(block for _, block in programs(document)))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, *tmp_path.iterdir()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_links_between_the_documents_lead_somewhere() -> None:
    for document in ("docs/python.md", "docs/python-web.md"):
        path = REPOSITORY / document
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{document}: {target}"
