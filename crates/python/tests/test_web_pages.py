"""The code of docs/python-web.md runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import bosa_auth
from conftest import ROOT_KEYS, SIGNING_KEY

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "python-web.md"


def code(name: str) -> str:
    """The code of the page between its marks."""
    part = re.search(rf"<!-- {name}:begin -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert part, name
    return part[1]


def test_the_page_of_fastapi_works(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_AUTHENTICATION_URL", database)
    monkeypatch.setenv("AUTH_SECRET_KEY", SIGNING_KEY)
    monkeypatch.setenv("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS)
    names: dict[str, object] = {}
    exec(code("fastapi"), names)
    app = names["app"]
    assert isinstance(app, FastAPI)
    with TestClient(app) as web:
        key = bosa_auth.service.create_client_service.create_client("acme").api_key
        assert web.get("/client", headers={"x-api-key": key}).json() == "acme"
        made = web.post("/users?identifier=ana", headers={"x-api-key": key}).json()
        login = bosa_auth.service.authenticate_user_service.authenticate_user
        token = login(key, "ana", made["secret"]).token
        me = web.get("/me", headers={"authorization": f"Bearer {token}"}).json()
        assert me["user_id"] == made["id"]


PROBE = """
import django
from django.conf import settings

exec(open("page.py").read())
own = {name: value for name, value in globals().items() if name.isupper()}
database = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "project.sqlite3"}}
settings.configure(SECRET_KEY="x" * 50, ROOT_URLCONF="urls", DATABASES=database, **own)
django.setup()

from django.contrib.auth import authenticate
from django.core.management import call_command
from bosa_auth.django import services

call_command("migrate", verbosity=0)
client = services().create_client_service.create_client("acme")
settings.BOSA_AUTH["CLIENT_API_KEY"] = client.api_key
call_command("check", fail_level="WARNING")
user = services().create_user_service.create_user(client.api_key, "ana")
account = authenticate(None, username="ana", password=user.secret)
assert account.bosa_account.identifier == "ana" and account.username == str(user.id)
"""


def test_the_settings_of_the_page_of_django_work(database: str, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(code("django"))
    (tmp_path / "urls.py").write_text("urlpatterns = []")
    environment = {name: value for name, value in os.environ.items() if "DJANGO" not in name} | {
        "DATABASE_AUTHENTICATION_URL": database,
        "AUTH_SECRET_KEY": SIGNING_KEY,
        "BOSA_AUTH_ROOT_KEYS": ROOT_KEYS,
        "PYTHONPATH": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
