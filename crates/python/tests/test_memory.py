"""Nothing is kept that is not needed: memory stays flat, whatever is called and however it ends."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bosa_auth import Auth, ClientModel, TokenModel, UserModel, aio, exception
from conftest import Settings

ROUNDS = 10
PAGE = resource.getpagesize()


def resident() -> int:
    """How much memory this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def kept() -> Counter[str]:
    """The objects of ours and of asyncio that are alive, by their class."""
    gc.collect()
    return Counter(
        f"{type(one).__module__}.{type(one).__qualname__}"
        for one in gc.get_objects()
        if f"{type(one).__module__}".split(".")[0] in ("bosa_auth", "asyncio", "_asyncio")
    )


def assert_flat(work: Callable[[], None]) -> None:
    """Runs the work for warmth and then in rounds, after which nothing more is there than before."""
    for _ in range(2):
        work()
    objects, memory = kept(), resident()
    for _ in range(ROUNDS):
        work()
    assert kept() == objects
    # What allocators keep for later is not what a leak would leave: at 100,000 calls, a hundred
    # bytes each would be ten megabytes.
    assert resident() - memory < 6_000_000


class Known:
    """What the calls are about."""

    def __init__(self, auth: Auth) -> None:
        self.client: ClientModel = auth.create_client_service.create_client("acme")
        self.key = self.client.api_key
        self.user: UserModel = auth.create_user_service.create_user(self.key, "ana")
        self.token: TokenModel = auth.create_token_service.create_token(self.user.id, self.client.id)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_blocking_calls_leave_nothing(settings: Settings) -> None:
    with Auth(settings()) as auth:
        known = Known(auth)
        key, token = known.key, known.token.token
        verify, services = auth.verify_token_service, auth.client_aware_service

        def work() -> None:
            for _ in range(1300):
                assert verify.verify_token_and_get_user_id(key, token) == known.user.id
                assert verify.verify_token(key, token).identifier == "ana"
                assert verify.current_user(token).user_id == known.user.id
                assert auth.verify_client_service.is_api_key_valid(key)
                auth.verify_client_service.verify_client_api_key(key).model_dump()
                with pytest.raises(exception.InvalidTokenError):
                    verify.verify_token(key, "wrong")
            for number in range(100):
                assert auth.get_user_service.get_user(
                    key, known.user.id
                ) == auth.get_user_service.find_user(key, str(known.user.id))
                with pytest.raises(exception.InvalidInputException):
                    services.find_client("no id")
                with pytest.raises(exception.NotFoundException):
                    services.find_client_by_name(f"nobody {number}")
                # A call that is never made.
                services._clients.find_client(known.client.id)
            for _ in range(5):
                made = auth.create_user_service.create_user(key, "bob")
                auth.create_user_service.delete_user(key, made.id)

        assert_flat(work)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_coroutines_leave_nothing(settings: Settings) -> None:
    with Auth(settings()) as blocking:
        known = Known(blocking)

    async def fails(call: Awaitable[object], error: type[exception.BosaException]) -> None:
        try:
            await call
        except error:
            return
        raise AssertionError

    async def calls(auth: aio.Auth) -> None:
        key, token = known.key, known.token.token
        verify, aware = auth.verify_token_service, auth.client_aware_service
        for _ in range(460):
            assert await verify.verify_token_and_get_user_id(key, token) == known.user.id
            assert (await verify.verify_token(key, token)).identifier == "ana"
            await fails(verify.verify_token(key, "wrong"), exception.InvalidTokenError)
        for _ in range(3):
            await asyncio.gather(*(aware.find_client(known.client.id) for _ in range(50)))
            await asyncio.gather(
                *(
                    fails(aware.find_client_by_name("nobody"), exception.NotFoundException)
                    for _ in range(20)
                )
            )
            cancelled = [asyncio.create_task(aware.find_client(known.client.id)) for _ in range(50)]
            for number in range(5):
                for task in cancelled[number::5]:
                    task.cancel()
                await asyncio.sleep(0)
            await asyncio.gather(*cancelled, return_exceptions=True)
        made = await auth.create_user_service.create_user(key, "bob")
        await auth.create_user_service.delete_user(key, made.id)

    with asyncio.Runner() as runner:
        auth = aio.Auth(settings())

        def work() -> None:
            runner.run(calls(auth))

        assert_flat(work)
        runner.run(auth.close())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_instances_that_were_let_go_leave_nothing(settings: Settings) -> None:
    def work() -> None:
        with Auth(settings()) as auth:
            auth.client_aware_service.get_client_list()
        Auth(settings()).client_aware_service.get_client_list()

    assert_flat(work)
