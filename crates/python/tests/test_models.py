"""Models behave as values, and as code written for pydantic's models expects."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import inspect
import json
import pickle
import pprint
import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter, ValidationError

import bosa_auth
from bosa_auth import (
    ApiKeyModel,
    ClientModel,
    CurrentUser,
    InvalidInputException,
    ThirdPartyIntegrationAuth,
    TokenInfo,
    TokenModel,
    UserComplete,
    UserModel,
    VerifiedToken,
    models,
)
from bosa_auth._model import Model

SECRET = "kept-to-itself-0123456789"
ID = UUID("0190f5fe-0000-7000-8000-00000000000a")
OTHER = UUID("0190f5fe-0000-7000-8000-00000000000b")
TIME = datetime(2026, 3, 1, 12, 30, 15, 250000, UTC)

INTEGRATION = ThirdPartyIntegrationAuth(
    client_id=ID,
    user_id=OTHER,
    connector="github",
    auth_string=SECRET,
    user_identifier="octocat",
    auth_scopes=["repo", "gist"],
)
USER: dict[str, Any] = dict(
    id=ID, client_id=OTHER, identifier="ana", secret=SECRET, is_active=True, created_at=TIME
)
EVERY: list[Model] = [
    ClientModel(id=ID, name="Ünïcode", api_key=SECRET, is_active=True, created_at=TIME),
    ApiKeyModel(
        id=ID,
        client_id=OTHER,
        api_key=SECRET,
        preview="sk-client-...12345678",
        scopes=["tokens:verify"],
        created_at=TIME,
    ),
    UserModel(**USER),
    UserComplete(**USER, integrations=[INTEGRATION, dataclasses.replace(INTEGRATION, id=ID)]),
    INTEGRATION,
    TokenModel(token=SECRET, expires_at=1_800_000_000),
    VerifiedToken(id=ID, user_id=ID, client_id=OTHER, identifier="ana", expires_at=1_800_000_000),
    CurrentUser(user_id=ID, client_id=OTHER, identifier="ana", token_id=OTHER),
    TokenInfo(id=ID, user_id=OTHER, issued_at=TIME, expires_at=1_800_000_000, is_active=False),
]
each_model = pytest.mark.parametrize("model", EVERY, ids=lambda model: type(model).__name__)


def from_native(model: Model) -> Model:
    """The model as the native module makes it."""
    return type(model)._of(dict(model))


def test_every_model_has_a_sample() -> None:
    assert {type(model).__name__ for model in EVERY} == set(models.__all__)


@each_model
def test_a_model_is_a_value(model: Model) -> None:
    for same in (
        from_native(model),
        copy.copy(model),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        pickle.loads(pickle.dumps(from_native(model))),
        dataclasses.replace(model),  # type: ignore[type-var]
        dataclasses.replace(from_native(model)),  # type: ignore[type-var]
        model.model_copy(),
        model.model_copy(deep=True),
    ):
        assert same is not model and type(same) is type(model)
        assert same == model and hash(same) == hash(model)
        assert len({same, model}) == 1
    assert model != dict(model)


@each_model
def test_a_model_differs_in_every_field(model: Model) -> None:
    for part in dataclasses.fields(model):  # type: ignore[arg-type]
        other = from_native(model)
        other.__dict__[part.name] = object()
        assert other != model


@each_model
def test_a_model_cannot_be_changed(model: Model) -> None:
    for made in (model, from_native(model)):
        for name in (*type(made).model_fields, "another"):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(made, name, "new")
            with pytest.raises(dataclasses.FrozenInstanceError):
                delattr(made, name)


def test_a_model_has_its_own_lists() -> None:
    scopes = ["repo"]
    integration = dataclasses.replace(INTEGRATION, auth_scopes=scopes)
    scopes.append("gist")
    assert integration.auth_scopes == ["repo"]
    assert integration.model_copy(deep=True).auth_scopes is not integration.auth_scopes


@each_model
def test_no_text_of_a_model_shows_its_secret(model: Model) -> None:
    class Holder(BaseModel):
        model: Any
        others: list[Any]

    @dataclasses.dataclass
    class Other:
        model: Model

    def fail(argument: Model) -> None:
        local = argument
        raise RuntimeError(local)

    try:
        fail(model)
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    held = Holder(model=model, others=[model])
    for text in (
        shown,
        repr(model),
        str(model),
        f"{model}",
        f"{model!r:>500}",
        "{} {!r}".format(model, model),  # noqa: UP032
        pprint.pformat(model, width=20),
        pprint.pformat({"a": [model, Other(model)]}, width=20),
        repr(held),
        str(held),
        repr(Other(model)),
    ):
        assert SECRET not in text
        assert type(model).__name__ in text


def test_an_empty_secret_is_seen_to_be_empty() -> None:
    assert "secret=''" in repr(UserModel(**{**USER, "secret": ""}))


def test_a_failing_assertion_shows_no_secret(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import dataclasses\n"
        "from bosa_auth import TokenModel, UserModel\n"
        f"token = TokenModel(token='{SECRET}', expires_at=1)\n"
        "other = dataclasses.replace(token, token='kept-to-itself-9876543210', expires_at=2)\n"
        "def test_one():\n    assert token == other\n"
        "def test_two():\n    assert [token] == [other]\n"
        "def test_three():\n    assert {'a': token} == {'a': other}\n"
    )
    command = [sys.executable, "-m", "pytest", "-vv", "--showlocals", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "3 failed" in done.stdout
    assert "<redacted>" in done.stdout
    assert "kept-to-itself" not in done.stdout.replace((tmp_path / "test_it.py").read_text(), "")


def test_ids_and_times_may_be_text() -> None:
    client = ClientModel(
        id=str(ID),  # type: ignore[arg-type]
        name="acme",
        api_key="",
        is_active=True,
        created_at="2026-03-01T12:30:15.25Z",  # type: ignore[arg-type]
    )
    assert (client.id, client.created_at) == (ID, TIME)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "not-a-uuid"),
        ("id", 7),
        ("id", None),
        ("name", b"acme"),
        ("name", None),
        ("is_active", "yes"),
        ("is_active", 1),
        ("created_at", "yesterday"),
        ("created_at", 1_800_000_000),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_and_named(field: str, value: object) -> None:
    values = {**EVERY[0].model_dump(), field: value}
    makers: list[Callable[[dict[str, Any]], Model]] = [
        ClientModel.model_validate,
        lambda values: ClientModel(**values),
    ]
    for make in makers:
        with pytest.raises(InvalidInputException) as refused:
            make(values)
        assert refused.value.field == field
        assert field in str(refused.value)
        assert refused.value.__context__ is None


def test_true_is_no_number_of_seconds() -> None:
    with pytest.raises(InvalidInputException, match="expires_at"):
        TokenModel(token="t", expires_at=True)


@pytest.mark.parametrize("scopes", ["repo", b"repo", None, 7, [7], {"repo": 1}])
def test_scopes_are_a_list_of_text(scopes: Any) -> None:
    with pytest.raises(InvalidInputException, match="auth_scopes"):
        dataclasses.replace(INTEGRATION, auth_scopes=scopes)


def test_scopes_may_be_another_collection() -> None:
    values = INTEGRATION.model_dump()
    for scopes in (("repo", "gist"), ["repo", "gist"]):
        found = ThirdPartyIntegrationAuth.model_validate({**values, "auth_scopes": scopes})
        assert found.auth_scopes == ["repo", "gist"]
    found = ThirdPartyIntegrationAuth.model_validate({**values, "auth_scopes": {"repo"}})
    assert found.auth_scopes == ["repo"]


def test_a_wrong_part_of_a_list_is_named_with_its_way() -> None:
    values = EVERY[3].model_dump(mode="json")
    del values["integrations"][1]["connector"]
    with pytest.raises(InvalidInputException) as refused:
        UserComplete.model_validate(values)
    assert refused.value.field == "integrations.connector"
    assert str(refused.value) == "integrations.connector is missing"
    assert SECRET not in "".join(traceback.format_exception(refused.value))


@each_model
def test_a_missing_field_is_named(model: Model) -> None:
    for part in dataclasses.fields(model):  # type: ignore[arg-type]
        values = model.model_dump(mode="json", exclude={part.name})
        optional = (
            part.default is not dataclasses.MISSING or part.default_factory is not dataclasses.MISSING
        )
        if optional:
            assert type(model).model_validate(values)
            continue
        with pytest.raises(InvalidInputException) as refused:
            type(model).model_validate(values)
        assert refused.value.field == part.name
        with pytest.raises(TypeError, match=part.name):
            type(model)(**values)


@each_model
def test_a_model_is_made_from_everything_that_holds_its_fields(model: Model) -> None:
    kind = type(model)

    class Holder:
        def __init__(self) -> None:
            self.__dict__.update(dict(model), unknown=1)

    assert kind.model_validate(model) is model
    for held in (
        dict(model),
        {**dict(model), "unknown": 1},
        model.model_dump(),
        model.model_dump(mode="json"),
        Holder(),
        json.loads(model.model_dump_json()),
    ):
        assert kind.model_validate(held) == model
    for text in (model.model_dump_json(), model.model_dump_json(indent=2).encode()):
        assert kind.model_validate_json(text) == model
    with pytest.raises(InvalidInputException):
        kind.model_validate(Holder(), from_attributes=False)


def test_a_user_is_made_from_a_complete_one() -> None:
    user = UserModel.model_validate(EVERY[3].model_dump())
    assert type(user) is UserModel and user == EVERY[2]


@pytest.mark.parametrize("nothing", ["{}", b"{}", 7, None, [], object()])
def test_what_holds_no_field_is_refused(nothing: object) -> None:
    with pytest.raises(InvalidInputException, match="ClientModel cannot be made from"):
        ClientModel.model_validate(nothing)


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 100_000, f'{{"api_key": "{SECRET}"'])
def test_what_is_no_json_is_refused_without_quoting_it(text: str | bytes) -> None:
    with pytest.raises(InvalidInputException) as refused:
        ClientModel.model_validate_json(text)
    assert refused.value.field == "json_data"
    assert refused.value.__context__ is None


def test_strictness_wants_ids_and_times() -> None:
    values = EVERY[0].model_dump()
    assert ClientModel.model_validate(values, strict=True) == EVERY[0]
    for field in ("id", "created_at"):
        with pytest.raises(InvalidInputException, match=field):
            ClientModel.model_validate({**values, field: str(values[field])}, strict=True)


@each_model
@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"include": {"id", "client_id", "integrations"}},
        {"exclude": {"id", "client_id", "nothing"}},
        {"include": {"id": True, "integrations": {"__all__": {"connector", "auth_scopes"}}}},
        {"exclude": {"id": True, "integrations": {"__all__": {"auth_string": True}}}},
        {"exclude": {"integrations": {0: {"auth_string"}, 1: True}}},
        {"include": {"integrations": {1: ...}}},
        {"include": {"id", "user_id"}, "exclude": {"id"}},
        {"exclude_none": True},
        {"exclude_defaults": True},
        {"exclude_none": True, "exclude": {"integrations": {"__all__": {"user_id"}}}},
    ],
    ids=str,
)
def test_a_dump_is_that_of_pydantic(model: Model, choice: dict[str, Any]) -> None:
    pydantic = TypeAdapter(type(model))
    assert model.model_dump(**choice) == pydantic.dump_python(model, **choice)
    in_json = pydantic.dump_python(model, mode="json", **choice)
    assert model.model_dump(mode="json", **choice) == in_json
    assert model.model_dump_json(**choice) == pydantic.dump_json(model, **choice).decode()
    assert json.loads(model.model_dump_json(indent=2, **choice)) == in_json


@each_model
def test_code_for_models_of_pydantic_finds_its_members(model: Model) -> None:
    names = [part.name for part in dataclasses.fields(model)]  # type: ignore[arg-type]
    assert list(type(model).model_fields) == names
    assert model.model_fields_set == set(names)
    assert dict(model) == {name: getattr(model, name) for name in names}
    assert model.model_dump(by_alias=True, exclude_unset=True) == model.model_dump()
    changed = model.model_copy(update={names[-1]: getattr(model, names[-1])})
    assert changed == model


def test_a_copy_with_a_wrong_value_is_refused() -> None:
    with pytest.raises(InvalidInputException, match="is_active"):
        EVERY[0].model_copy(update={"is_active": "no"})
    with pytest.raises(TypeError, match="unknown"):
        EVERY[0].model_copy(update={"unknown": 1})


@each_model
def test_a_schema_describes_every_field(model: Model) -> None:
    schema = type(model).model_json_schema()
    assert schema == TypeAdapter(type(model)).json_schema()
    assert schema["description"] == inspect.cleandoc(type(model).__doc__ or "")
    for name in set(type(model).model_fields) & set(type(model).__annotations__):
        assert schema["properties"][name]["description"], name


@each_model
def test_a_model_is_a_field_of_a_pydantic_model(model: Model) -> None:
    kind: Any = type(model)

    class Holder(BaseModel):
        one: kind
        many: list[kind] = []
        perhaps: kind | None = None

    for made in (model, from_native(model)):
        holder = Holder(one=made, many=[made], perhaps=made)
        assert holder.one is made and holder.many[0] is made and holder.perhaps is made
        assert Holder.model_validate(holder.model_dump()) == holder
        assert Holder.model_validate(holder.model_dump(mode="json")) == holder
        read = Holder.model_validate_json(holder.model_dump_json())
        assert read == holder and type(read.one) is kind
        assert hash(read.one) == hash(made)
    assert "one" in Holder.model_json_schema()["properties"]
    with pytest.raises(ValidationError, match="Field required"):
        Holder(one={})


@each_model
def test_a_model_is_what_fastapi_takes_and_answers(model: Model) -> None:
    kind: Any = type(model)
    app = FastAPI()

    def echo(body: Any) -> Any:
        assert type(body) is kind
        return body

    echo.__annotations__["body"] = kind
    app.post("/echo", response_model=kind)(echo)

    @app.get("/one", response_model=kind)
    def one() -> Any:
        return from_native(model)

    @app.get("/many", response_model=list[kind])
    async def many() -> Any:
        return [model, from_native(model)]

    @app.get("/loose")
    def loose() -> dict[str, Any]:
        return {"it": model}

    async def answer(method: str, path: str, body: Any = None) -> Any:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as web:
            return (await web.request(method, path, json=body)).json()

    def ask(method: str, path: str, body: Any = None) -> Any:
        return asyncio.run(answer(method, path, body))

    expected = model.model_dump(mode="json")
    assert ask("POST", "/echo", expected) == expected
    assert ask("POST", "/echo", {})["detail"][0]["type"] == "missing"
    assert ask("GET", "/one") == expected
    assert ask("GET", "/many") == [expected, expected]
    assert kind.model_validate(ask("GET", "/loose")["it"]) == model
    schema = ask("GET", "/openapi.json")["components"]["schemas"][kind.__name__]
    assert set(schema["properties"]) == set(kind.model_fields)


def test_an_integration_is_made_with_and_without_an_id(settings: Any) -> None:
    auth = bosa_auth.initialize_authentication_db(settings())
    client = auth.create_client_service.create_client("acme")
    user = auth.create_user_service.create_user(client.api_key, "ana")
    without = dataclasses.replace(INTEGRATION, client_id=client.id, user_id=user.id)
    with_one = dataclasses.replace(without, id=ID, connector="gitlab", selected=False, created_at=TIME)
    for given in (without, with_one):
        before = copy.deepcopy(given)
        stored = auth.third_party_integration_service.create_integration(given)
        assert given == before
        assert stored.id not in (None, ID) and stored.created_at not in (None, TIME)
        assert stored.selected
        assert stored == dataclasses.replace(
            given, id=stored.id, created_at=stored.created_at, selected=True
        )


def test_a_model_of_ours_is_that_of_its_constructor(settings: Any) -> None:
    auth = bosa_auth.initialize_authentication_db(settings())
    client = auth.create_client_service.create_client("acme")
    key = client.api_key
    user = auth.create_user_service.create_user(key, "ana")
    token = auth.authenticate_user_service.authenticate_user(key, "ana", user.secret)
    given = dataclasses.replace(INTEGRATION, client_id=client.id, user_id=user.id)
    found: list[Model] = [
        client,
        user,
        token,
        auth.third_party_integration_service.create_integration(given),
        auth.get_user_service.get_user_complete(key, user.id),
        auth.verify_client_service.verify_client_api_key(key),
        auth.verify_token_service.verify_token(key, token.token),
        auth.verify_token_service.current_user(token.token),
        auth.create_client_service.create_api_key(client.id, ["tokens:verify"]),
        *auth.create_token_service.list_tokens(key, user.id),
    ]
    assert {type(model) for model in found} == {type(model) for model in EVERY}
    for model in found:
        made = type(model)(**dict(model))
        assert made == model and hash(made) == hash(model) and repr(made) == repr(model)
        assert set(model.__dict__) == set(type(model).model_fields)
        assert type(model).model_validate(model.model_dump(), strict=True) == model
        assert pickle.loads(pickle.dumps(model)) == model
        for name, value in model:
            if isinstance(value, datetime):
                assert value.tzinfo is UTC, name
