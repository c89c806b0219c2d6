"""Settings come from code or environment, and what is wrong is said when they are used."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest

from bosa_auth import (
    Auth,
    AuthenticationDbSettings,
    ConfigurationException,
    initialize_authentication_db,
)

KEY = "a signing key for tests, 32 bytes or more"


def test_the_defaults_are_those_of_the_reference() -> None:
    settings = AuthenticationDbSettings()
    assert settings.database_authentication_url is None
    assert settings.auth_secret_key is None
    assert settings.auth_algorithm == "HS256"
    assert settings.auth_access_token_expire_minutes == 43200


def test_the_environment_fills_what_code_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_AUTHENTICATION_URL", "sqlite:///of-environment.db")
    monkeypatch.setenv("AUTH_SECRET_KEY", KEY)
    monkeypatch.setenv("AUTH_ALGORITHM", "HS512")
    monkeypatch.setenv("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "60")
    settings = AuthenticationDbSettings()
    assert settings.database_authentication_url == "sqlite:///of-environment.db"
    assert settings.auth_secret_key == KEY
    assert settings.auth_algorithm == "HS512"
    assert settings.auth_access_token_expire_minutes == 60
    settings = AuthenticationDbSettings("sqlite://", "given", "HS384", 5)
    assert settings.database_authentication_url == "sqlite://"
    assert settings.auth_secret_key == "given"
    assert settings.auth_algorithm == "HS384"
    assert settings.auth_access_token_expire_minutes == 5


def test_a_secret_comes_from_the_file_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    monkeypatch.setenv("AUTH_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert AuthenticationDbSettings().auth_secret_key == KEY
    monkeypatch.setenv("AUTH_SECRET_KEY", KEY)
    with pytest.raises(ConfigurationException, match="AUTH_SECRET_KEY_FILE"):
        Auth(AuthenticationDbSettings("sqlite://"))


def test_settings_are_values_without_each_other() -> None:
    one = AuthenticationDbSettings("sqlite://", KEY)
    other = AuthenticationDbSettings("sqlite://", "another")
    assert one.auth_secret_key == KEY and other.auth_secret_key == "another"
    assert one != other and one != "sqlite://"
    for same in (
        AuthenticationDbSettings(database_authentication_url="sqlite://", auth_secret_key=KEY),
        AuthenticationDbSettings("sqlite://", others={"AUTH_SECRET_KEY": KEY}),
        copy.copy(one),
        copy.deepcopy(one),
        pickle.loads(pickle.dumps(one)),
    ):
        assert same == one and hash(same) == hash(one)
    with pytest.raises(AttributeError):
        one.auth_secret_key = "changed"  # type: ignore[misc]


def test_no_text_of_settings_shows_a_value() -> None:
    settings = AuthenticationDbSettings(
        "postgresql://bosa:password-of-mine@127.0.0.1/bosa", KEY, others={"BOSA_AUTH_ISSUER": "mine"}
    )
    for text in (repr(settings), str(settings), f"{settings}", repr([settings])):
        assert "AUTH_SECRET_KEY" in text
        assert KEY not in text and "password-of-mine" not in text


def test_what_is_given_as_a_number_or_a_truth_value_is_understood() -> None:
    given: dict[str, str | int | bool | None] = {
        "BOSA_AUTH_REQUIRE_CLIENT_KEY": True,
        "BOSA_AUTH_STALENESS_MS": 0,
        "BOSA_AUTH_ISSUER": None,
    }
    with Auth(AuthenticationDbSettings("sqlite://", others=given)):
        pass


@pytest.mark.parametrize("value", [b"sqlite://", object(), 1.5, ["sqlite://"], Path("here.db")])
def test_what_is_no_text_is_refused_and_named(value: Any) -> None:
    with pytest.raises(ConfigurationException, match="DATABASE_AUTHENTICATION_URL must be text"):
        AuthenticationDbSettings(value)


@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("AUTH_ALGORITHM", {"auth_algorithm": "none"}),
        ("AUTH_ALGORITHM", {"auth_algorithm": "hs256"}),
        ("AUTH_SECRET_KEY", {"auth_secret_key": "too short"}),
        ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", {"auth_access_token_expire_minutes": 0}),
        ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", {"auth_access_token_expire_minutes": -5}),
        ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", {"auth_access_token_expire_minutes": "abc"}),
        ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", {"auth_access_token_expire_minutes": 10**30}),
        ("BOSA_AUTH_UNKNOWN", {"others": {"BOSA_AUTH_UNKNOWN": "1"}}),
        ("DATABASE_AUTHENTICATION_URL", {"database_authentication_url": "mysql://nowhere/"}),
    ],
)
def test_what_cannot_be_used_is_said_when_it_is_used(named: str, given: dict[str, Any]) -> None:
    settings = AuthenticationDbSettings(**{"database_authentication_url": "sqlite://", **given})
    for use in (Auth, initialize_authentication_db):
        with pytest.raises(ConfigurationException, match=named) as refused:
            use(settings)
        assert refused.value.code == "configuration"


def test_a_number_of_minutes_that_is_none_is_a_typed_error() -> None:
    settings = AuthenticationDbSettings(auth_access_token_expire_minutes="abc")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationException, match="AUTH_ACCESS_TOKEN_EXPIRE_MINUTES"):
        _ = settings.auth_access_token_expire_minutes


def test_an_unknown_variable_is_a_warning_at_the_line_that_uses_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BOSA_AUTH_ISSUR", "accounts")
    for use in (Auth, Auth.open, initialize_authentication_db):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            use(AuthenticationDbSettings("sqlite://"))
        (warning,) = caught
        assert "BOSA_AUTH_ISSUR" in str(warning.message) and "BOSA_AUTH_ISSUER" in str(warning.message)
        assert warning.filename == __file__


def test_postgresql_needs_keys_of_its_own(database: str) -> None:
    if database.startswith("postgresql"):
        with pytest.raises(ConfigurationException, match="AUTH_SECRET_KEY|BOSA_AUTH_ROOT_KEYS"):
            Auth(AuthenticationDbSettings(database))
