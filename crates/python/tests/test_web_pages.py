"""The code of docs/python-web.md runs."""

from __future__ import annotations

import re
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
