"""Databases of PostgreSQL that are empty at first and gone afterwards."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

SERVER = os.environ["BOSA_AUTH_TEST_POSTGRES_URL"]


@contextmanager
def on_postgresql() -> Iterator[str]:
    """The address of a new database."""
    name = f"python_{uuid.uuid4().hex}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
        try:
            yield re.sub(r"(://[^/]*/)[^?]*", rf"\g<1>{name}", SERVER)
        finally:
            connection.execute(f'drop database "{name}" with (force)')
