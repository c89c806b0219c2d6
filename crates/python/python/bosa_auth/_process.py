"""The process-wide instance, and what happens to instances when the process forks or ends."""

from __future__ import annotations

import atexit
import os
import weakref

from bosa_auth import _native

process_wide = _native.Instance()
"""What :func:`bosa_auth.initialize_authentication_db` opens and the services of
:mod:`bosa_auth.service` work on."""

_open: weakref.WeakSet[_native.Instance] = weakref.WeakSet()


def opened_later(instance: _native.Instance) -> _native.Instance:
    """Has the instance closed when the interpreter ends."""
    _open.add(instance)
    return instance


def opened_now(instance: _native.Instance) -> _native.Instance:
    """The same, opened."""
    instance.open().wait()
    return opened_later(instance)


def _end() -> None:
    _native.leave([process_wide, *_open])


atexit.register(_end)
os.register_at_fork(
    before=_native.forking,
    after_in_parent=_native.forked_in_parent,
    after_in_child=_native.forked_in_child,
)
