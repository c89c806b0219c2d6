"""Calls a public SDK for the tests: runs in the environment of that SDK.

Takes a command on each line of the input and answers with what came of it, or with the error that was
raised, on a line of the output.
"""

import asyncio
import importlib
import inspect
import json
import os
import sys


def plain(value):
    """The same as JSON can say it."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, type({}.keys())):
        return list(value)
    return value


def main():
    # The SDKs and what they use may print.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, name = sys.argv[1:]
    connector = getattr(importlib.import_module(module), name)
    loop = asyncio.new_event_loop()
    made = {}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            options = json.dumps(command["options"])
            if options not in made:
                made[options] = connector(**command["options"])
            method = getattr(made[options], command["method"])
            result = method(*command["arguments"], **command["keywords"])
            if inspect.iscoroutine(result):
                result = loop.run_until_complete(result)
            answer = json.dumps({"result": plain(result)}, default=repr)
        except Exception as error:
            answer = json.dumps({"error": type(error).__name__, "text": str(error)})
        print(answer, file=output, flush=True)


main()
