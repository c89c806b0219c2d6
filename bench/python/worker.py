"""Runs one package in its own virtual environment and times its calls; `turns.py` drives it over pipes.

    worker.py ours|original       requests on standard input, answers on standard output, a JSON line each

A request is `{"operation": NAME, "face": "blocking"|"aio", "calls": COUNT}`, its answer
`{"nanoseconds": PER_CALL}` or `{"error": TEXT}`. The first line, unasked, is
`{"offers": {FACE: [NAME, …]}}`. What is called with, and what has to exist before, is made before the
clock runs. The settings are in the environment.
"""

import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from operations import Arguments, Operations


def timed(call: Callable[..., object], each: Iterable[Arguments]) -> int:
    begin = time.perf_counter_ns()
    for arguments in each:
        call(*arguments)
    return time.perf_counter_ns() - begin


async def timed_in_turn(call: Callable[..., Awaitable[object]], each: Iterable[Arguments]) -> int:
    begin = time.perf_counter_ns()
    for arguments in each:
        await call(*arguments)
    return time.perf_counter_ns() - begin


def measured(faces: dict[str, Operations], request: dict[str, Any], runner: asyncio.Runner) -> dict[str, Any]:
    calls: int = request["calls"]
    operation = faces[request["face"]][request["operation"]]
    each = operation.arguments(calls)
    if request["face"] == "aio":
        passed = runner.run(timed_in_turn(operation.call, each))
    else:
        passed = timed(operation.call, each)
    return {"nanoseconds": passed / calls}


def main() -> None:
    # The packages may print; the answers go where standard output was.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        print(json.dumps(value), file=answers, flush=True)

    try:
        faces: dict[str, Operations] = importlib.import_module(sys.argv[1]).faces()
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
        raise
    answer({"offers": {face: list(operations) for face, operations in faces.items()}})
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            try:
                answer(measured(faces, json.loads(line), runner))
            except Exception as error:
                answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
