"""The native module lives in one interpreter of a process, the main one."""

from __future__ import annotations

from importlib import import_module


def refuse_others() -> None:
    """Refuses to be imported by a subinterpreter, which could not even end.

    Raises:
        ImportError: this is a subinterpreter.
    """
    # The name of CPython 3.13 and newer, and the one before.
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            interpreters = import_module(name)
        except ImportError:
            continue
        if interpreters.get_current() != interpreters.get_main():
            raise ImportError(
                "bosa_auth works in the main interpreter only, not in a subinterpreter"
                " (mod_wsgi: set WSGIApplicationGroup %{GLOBAL})"
            )
        return


refuse_others()
