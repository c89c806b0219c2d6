"""The whole way of a newcomer, with both faces."""

from __future__ import annotations

import asyncio

import pytest

import bosa_auth
from bosa_auth import ThirdPartyIntegrationAuth, aio, exception, service
from conftest import Settings


def test_a_client_a_user_a_token_and_an_integration_work_together(settings: Settings) -> None:
    bosa_auth.initialize_authentication_db(settings())
    client = service.create_client_service.create_client("acme")
    key = client.api_key
    assert service.verify_client_service.verify_client_api_key(key).id == client.id
    user = service.create_user_service.create_user(key, "ana@example.com")
    token = service.authenticate_user_service.authenticate_user(
        client_api_key=key, identifier="ana@example.com", secret=user.secret
    )
    verify = service.verify_token_service.verify_token_and_get_user_id
    assert verify(key, token.token) == user.id
    github = ThirdPartyIntegrationAuth(
        client_id=client.id,
        user_id=user.id,
        connector="github",
        auth_string="gho_0123456789",
        user_identifier="octocat",
        auth_scopes=["repo"],
    )
    integrations = service.third_party_integration_service
    assert integrations.create_integration(github).selected
    found = integrations.get_integration(client.id, user.id, "github")
    assert found is not None and found.auth_string == "gho_0123456789"
    assert service.revoke_token_service.revoke_token(key, token.token)
    with pytest.raises(exception.RevokedTokenError):
        verify(key, token.token)


def test_the_same_works_with_coroutines(settings: Settings) -> None:
    async def tour() -> None:
        await aio.initialize_authentication_db(settings())
        client = await aio.service.create_client_service.create_client("acme")
        key = client.api_key
        user = await aio.service.create_user_service.create_user(key, "ana@example.com")
        token = await aio.service.authenticate_user_service.authenticate_user(
            key, "ana@example.com", user.secret
        )
        verify = aio.service.verify_token_service.verify_token_and_get_user_id
        assert await verify(key, token.token) == user.id
        assert await aio.service.revoke_token_service.revoke_token(key, token.token)
        with pytest.raises(exception.RevokedTokenError):
            await verify(key, token.token)
        await aio.shutdown()

    asyncio.run(tour())


def test_an_instance_of_ones_own_has_the_same_services(settings: Settings) -> None:
    with bosa_auth.Auth(settings()) as auth:
        client = auth.create_client_service.create_client("acme")
        assert auth.verify_client_service.is_api_key_valid(client.api_key)
    with pytest.raises(exception.UninitializedException):
        auth.verify_client_service.is_api_key_valid(client.api_key)


def test_an_argument_of_another_type_is_named(settings: Settings) -> None:
    bosa_auth.initialize_authentication_db(settings())
    create, get = service.create_client_service, service.get_user_service
    with pytest.raises(TypeError, match="^name must be a str, not NoneType"):
        create.create_client(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^user_id must be a uuid.UUID or its text, not int"):
        get.get_user("", 3)  # type: ignore[arg-type]
    client = create.create_client("acme")
    for number in (-1, 2**40):
        with pytest.raises(exception.InvalidInputException, match="overlap_seconds"):
            create.rotate_api_key(client.id, client.id, number)
        with pytest.raises(exception.InvalidInputException, match="limit"):
            create.list_api_keys(client.id, limit=number)
    with pytest.raises(exception.InvalidInputException, match="scopes must be among users:read"):
        create.create_api_key(client.id, ["everything"])
