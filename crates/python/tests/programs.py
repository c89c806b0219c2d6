"""Programs of their own: what happens when a process forks or ends is tried outside of the tests'."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

PATIENCE = 60.0
"""For how many seconds a program may run before it counts as one that hangs."""

BEGINNING = """
import asyncio, atexit, gc, logging, os, signal, sys, threading, time, traceback
import bosa_auth
from bosa_auth import Auth, AuthenticationDbSettings, aio, exception

SETTINGS = AuthenticationDbSettings(
    {url!r},
    "a signing key for tests, 32 bytes or more",
    others={{
        "BOSA_AUTH_ROOT_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        **{others!r},
    }},
)

# A shell that runs the tests in the background has its programs ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def until(holds, seconds=40):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.005)

def child(work):
    "Forks; the child does the work, prints what goes wrong, and ends without the rest of the program."
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush(); sys.stderr.flush()
            os._exit(code)
    return pid

def ended(*pids):
    "Waits for children, which must end well."
    for pid in pids:
        def gone():
            global status
            found, status = os.waitpid(pid, os.WNOHANG)
            return found
        try:
            until(gone)
        except AssertionError:
            os.kill(pid, signal.SIGKILL)
            raise
        assert status == 0, f"a child ended with {{status}}"
"""


def program(*texts: str, url: str = "sqlite://", others: dict[str, str] | None = None) -> str:
    """A program of several texts, with the settings of a database."""
    return BEGINNING.format(url=url, others=others or {}) + "".join(map(textwrap.dedent, texts))


def start(text: str, directory: Path, *options: str) -> subprocess.Popen[str]:
    """Starts a program."""
    return subprocess.Popen(
        [sys.executable, *options, "-c", text],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """What a program printed; it must end by itself, with this code and without complaint."""
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise AssertionError(f"the program hangs; it said: {output}{errors}") from None
    assert (process.returncode, errors) == (code, ""), f"{process.returncode}: {output}{errors}"
    return output


def run(text: str, directory: Path, *options: str, code: int = 0) -> str:
    """Runs a program to its end."""
    return finish(start(text, directory, *options), code)
