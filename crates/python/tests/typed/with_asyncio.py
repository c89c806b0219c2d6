"""The same with coroutines."""

import asyncio
from typing import assert_type
from uuid import UUID

from bosa_auth import AuthenticationDbSettings, ClientModel, TokenModel, UserModel, aio
from bosa_auth.aio.service import (
    authenticate_user_service,
    client_aware_service,
    create_client_service,
    create_user_service,
    verify_client_service,
    verify_token_service,
)


async def everything_at_once(client: ClientModel) -> list[UserModel]:
    key = client.api_key
    made = await asyncio.gather(
        *(create_user_service.create_user(key, f"user {number}") for number in range(3))
    )
    assert_type(made, list[UserModel])
    page = await aio.get_user_service.list_users(key, limit=2)
    assert_type(page, aio.Page[UserModel])
    assert_type(page.next_cursor, str | None)
    return [user async for user in page]


async def log_in(key: str, user: UserModel) -> UUID:
    token = await authenticate_user_service.authenticate_user(key, user.identifier, user.secret)
    assert_type(token, TokenModel)
    return await verify_token_service.verify_token_and_get_user_id(key, token.token)


async def own(settings: AuthenticationDbSettings) -> None:
    async with aio.Auth(settings) as auth:
        assert_type(auth, aio.Auth)
        assert_type(await auth.create_client_service.create_client("acme"), ClientModel)
    opened = await aio.Auth.open(settings)
    await opened.close()


async def main() -> None:
    settings = AuthenticationDbSettings("sqlite://")
    auth = await aio.initialize_authentication_db(settings)
    assert_type(auth, aio.Auth)
    client = await create_client_service.create_client("acme")
    assert_type(await verify_client_service.is_api_key_valid(client.api_key), bool)
    assert_type(await client_aware_service.get_client_by_id(client.id), ClientModel)
    user = await create_user_service.create_user(client.api_key, "ana")
    assert await log_in(client.api_key, user) == user.id
    assert len(await everything_at_once(client)) == 4
    await aio.shutdown()
    await own(settings)


if __name__ == "__main__":
    asyncio.run(main())
