"""The keys that a database's releases left in Redis."""

from __future__ import annotations

import socket

from releases import REDIS_PORT, Original


def take(original: Original) -> str:
    """Those of the clients of this database, as commands that make them again."""
    lines = []
    for client in original.known.clients:
        for key in sorted(_ask("KEYS", f"token::{client['id']}::*")):
            value, until = _ask("GET", key), _ask("EXPIRETIME", key)
            lines.append(f"SET {key} '{value}' EXAT {until}\n")
    return "".join(lines)


def _ask(*command: str) -> list[str]:
    with socket.create_connection(("127.0.0.1", int(REDIS_PORT))) as connection:
        words = [word.encode() for word in command]
        frame = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        connection.sendall(b"*%d\r\n%b" % (len(words), frame))
        with connection.makefile("rb") as answer:
            return _read(answer)


def _read(answer):
    line = answer.readline()
    kind, rest = line[:1], line[1:].strip()
    if kind == b"*":
        return [_read(answer) for _ in range(int(rest))]
    if kind == b"$":
        return answer.read(int(rest) + 2)[:-2].decode()
    if kind == b":":
        return int(rest)
    raise AssertionError(line)
