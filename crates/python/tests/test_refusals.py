"""Errors are answered as the server answers them: crates/http/refusals.json has all of its answers."""

from __future__ import annotations

import inspect
import json
import logging
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bosa_auth import BosaException, _problem, exception

RECORDED = Path(__file__).parent.parent.parent / "http" / "refusals.json"
ANSWERS: list[dict[str, Any]] = json.loads(RECORDED.read_text())
CLASSES: dict[str, type[BosaException]] = {
    kind.code: kind
    for _, kind in inspect.getmembers(exception, inspect.isclass)
    if issubclass(kind, BosaException) and not kind.__name__.startswith("_")
}


def raised(answer: dict[str, Any]) -> BosaException:
    """The exception that the library raises for the same error."""
    details = dict(answer["body"]["error"].get("details", {}))
    details.pop("retry_after_seconds", None)
    if "since" in details:
        details["since"] = datetime.fromisoformat(details["since"])
    if "violations" in details:
        details["violations"] = [tuple(each.values()) for each in details["violations"]]
    if answer["retry_after"] is not None:
        details["retry_after"] = answer["retry_after"]
    return CLASSES[answer["body"]["error"]["code"]](answer["message"], **details)


def test_every_class_is_among_the_answers() -> None:
    assert {answer["body"]["error"]["code"] for answer in ANSWERS} == set(CLASSES)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer["body"]["error"]["code"])
def test_an_exception_is_answered_as_the_server_does(
    answer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    refusal = _problem.refusal(raised(answer), request_id="r-1")
    assert refusal.status == answer["status"]
    assert json.loads(refusal.body) == answer["body"]
    ours = {"cache-control": "no-store", "x-content-type-options": "nosniff", "x-request-id": "r-1"}
    assert refusal.headers == answer["headers"] | ours
    # What the caller is not told is in the log.
    assert (answer["message"] in caplog.text) == (refusal.status >= 500)


def test_the_package_imports_no_framework() -> None:
    probe = (
        "import sys, bosa_auth.aio; "
        "assert not {'fastapi', 'starlette', 'pydantic', 'django'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)
