"""Errors, models as values, models in pydantic, and helpers that are written for any model."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, assert_never, assert_type

from pydantic import BaseModel

from bosa_auth import (
    Auth,
    AuthenticationDbSettings,
    BosaException,
    ClientModel,
    InvalidInputException,
    TokenModel,
    UserModel,
    exception,
)
from bosa_auth.exception import AmbiguousAccountException, RateLimitedException

Result = TypeVar("Result")


def attempt(call: Callable[[], Result]) -> Result | str:
    try:
        return call()
    except InvalidInputException as error:
        assert_type(error.field, str)
        return ", ".join(violation.pointer for violation in error.violations) or error.field
    except AmbiguousAccountException as error:
        return ", ".join(error.accounts)
    except RateLimitedException as error:
        assert_type(error.retry_after, float)
        return "later"
    except BosaException as error:
        assert_type(error.code, str)
        assert_type(error.status_code, int)
        return error.code


class Answer(BaseModel):
    client: ClientModel
    token: TokenModel | None = None


def names(models: Iterable[ClientModel | UserModel]) -> list[str]:
    found: list[str] = []
    for model in models:
        match model:
            case ClientModel(name=name):
                found.append(name)
            case UserModel(identifier=identifier):
                found.append(identifier)
            case _:
                assert_never(model)
    return found


def main() -> None:
    with Auth(AuthenticationDbSettings("sqlite://")) as auth:
        client = auth.create_client_service.create_client("acme")
        user = auth.create_user_service.create_user(client.api_key, "ana")
        assert attempt(lambda: auth.create_client_service.create_client("")) == "name"
        again = attempt(lambda: auth.create_client_service.create_client("acme"))
        assert again == exception.ClientAlreadyExistsException.code
    assert names([client, user]) == ["acme", "ana"]
    dumped = client.model_dump(mode="json", exclude={"api_key"})
    assert_type(dumped, dict[str, Any])
    hidden = dataclasses.replace(client, api_key="")
    assert_type(hidden, ClientModel)
    assert_type(client.model_copy(update={"api_key": ""}), ClientModel)
    assert_type(ClientModel.model_validate({**dumped, "api_key": ""}), ClientModel)
    assert_type(UserModel.model_validate_json(user.model_dump_json()), UserModel)
    assert Answer(client=client).client == client
    assert {client, hidden} == {hidden, client}


if __name__ == "__main__":
    main()
