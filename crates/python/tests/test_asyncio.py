"""The face for asyncio: nothing blocks the event loop, and a call can be cancelled at any time."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

import bosa_auth
from bosa_auth import aio, exception
from conftest import Settings
from programs import program, run

CHOSEN = "correct horse battery staple"


class Ticker:
    """Counts the rounds of the event loop."""

    count = 0


@asynccontextmanager
async def ticking() -> AsyncIterator[Ticker]:
    ticker = Ticker()

    async def tick() -> None:
        while True:
            ticker.count += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(tick())
    try:
        yield ticker
    finally:
        task.cancel()


def test_two_hundred_coroutines_at_once(settings: Settings) -> None:
    async def newcomer(auth: aio.Auth, key: str, number: int) -> None:
        user = await auth.create_user_service.create_user(key, f"user {number}")
        token = await auth.authenticate_user_service.authenticate_user(key, user.identifier, user.secret)
        verify = auth.verify_token_service.verify_token_and_get_user_id
        assert await verify(key, token.token) == user.id
        assert await auth.revoke_token_service.revoke_token(key, token.token)
        with pytest.raises(exception.RevokedTokenError):
            await verify(key, token.token)

    async def main() -> None:
        async with aio.Auth(settings()) as auth:
            key = (await auth.create_client_service.create_client("acme")).api_key
            async with asyncio.TaskGroup() as group:
                for number in range(200):
                    group.create_task(newcomer(auth, key, number))
            found = [user.identifier async for user in await auth.get_user_service.list_users(key, 30)]
            assert len({*found}) == 200

    asyncio.run(main(), debug=False)


def test_the_event_loop_goes_on_during_slow_calls(settings: Settings) -> None:
    async def main() -> None:
        async with aio.Auth(settings()) as auth:
            key = (await auth.create_client_service.create_client("acme")).api_key
            async with ticking() as ticker:
                for work in [
                    auth.create_user_service.create_user(key, "ana", CHOSEN),
                    auth.authenticate_user_service.authenticate_user(key, "ana", CHOSEN),
                ]:
                    before = ticker.count
                    await work
                    # One round begins the call and one ends it; a hash is long enough for more.
                    assert ticker.count > before + 2

    asyncio.run(main())


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_cancelled_call_ends_at_once_and_the_next_one_works(settings: Settings, database: str) -> None:
    async def main() -> None:
        async with aio.Auth(settings()) as auth:
            client = await auth.create_client_service.create_client("acme")
            rename = auth.create_client_service.update_client
            with psycopg.connect(database) as connection:
                connection.execute("select 1 from bosa_clients for update")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(rename(client.id, name="umbrella"), 0.2)
                task = asyncio.create_task(rename(client.id, can_get_integrations=False))
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                # Not committed yet, by anybody.
                assert (await auth.client_aware_service.find_client(client.id)).name == "acme"
            # A write that has begun is carried out or not, never half, and a later one comes after.
            assert (await rename(client.id, name="third")).name == "third"

    asyncio.run(main())


def test_a_cancelled_write_is_either_done_or_not(settings: Settings) -> None:
    async def main() -> None:
        async with aio.Auth(settings()) as auth:
            key = (await auth.create_client_service.create_client("acme")).api_key
            create = auth.create_user_service.create_user
            for number in range(40):
                task = asyncio.create_task(create(key, f"user {number}"))
                for _ in range(number):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    pass
            made = {user.identifier async for user in await auth.get_user_service.list_users(key)}
            for number in range(40):
                identifier = f"user {number}"
                try:
                    await create(key, identifier)
                    # One that was still on its way came too late.
                except exception.UserAlreadyExistsException:
                    made.add(identifier)
                found = await auth.get_user_service.get_user_by_identifier(key, identifier)
                assert (await auth.create_user_service.reset_user_secret(key, found.id)).secret
            listed = [user.identifier async for user in await auth.get_user_service.list_users(key)]
            assert sorted(listed) == sorted(f"user {number}" for number in range(40))

    asyncio.run(main())


def test_several_event_loops_share_an_instance(settings: Settings) -> None:
    auth = aio.Auth(settings())
    key = asyncio.run(auth.create_client_service.create_client("acme")).api_key
    failures: list[BaseException] = []

    async def main(number: int) -> None:
        users = await asyncio.gather(
            *(auth.create_user_service.create_user(key, f"{number} {each}") for each in range(10))
        )
        assert {user.identifier for user in users} == {f"{number} {each}" for each in range(10)}

    def work(number: int) -> None:
        try:
            asyncio.run(main(number))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    asyncio.run(auth.close())


def test_a_loop_may_be_closed_while_a_call_runs(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    auth = aio.Auth(settings())

    async def begin() -> None:
        await auth.create_client_service.create_client("acme")
        for number in range(20):
            kept.append(auth.create_client_service._clients.create_client(f"{number}").future())

    kept: list[asyncio.Future[bosa_auth.ClientModel]] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()
    kept.clear()
    gc.collect()
    # Another loop serves the instance as before.
    assert asyncio.run(auth.client_aware_service.find_client_by_name("acme")).name == "acme"
    asyncio.run(auth.close())
    assert capsys.readouterr().err == ""


def test_an_exception_shows_where_it_was_awaited(settings: Settings) -> None:
    async def the_place_that_asks(auth: aio.Auth) -> None:
        await auth.client_aware_service.find_client_by_name("nobody")

    async def main() -> None:
        async with aio.Auth(settings()) as auth:
            with pytest.raises(exception.NotFoundException) as failure:
                await the_place_that_asks(auth)
            names = [frame.name for frame in traceback.extract_tb(failure.value.__traceback__)]
            assert names[-2:] == ["the_place_that_asks", "find_client_by_name"]

    asyncio.run(main())


def test_context_variables_survive_a_call(settings: Settings) -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    async def one(auth: aio.Auth, number: int) -> None:
        variable.set(number)
        await auth.create_client_service.create_client(f"client {number}")
        assert variable.get() == number

    async def main() -> None:
        async with aio.Auth(settings()) as auth:
            await asyncio.gather(*(one(auth, number) for number in range(20)))

    asyncio.run(main())


def test_the_blocking_face_works_in_threads_of_a_loop(settings: Settings) -> None:
    async def main() -> None:
        await aio.initialize_authentication_db(settings())
        create = bosa_auth.service.create_client_service.create_client
        async with ticking() as ticker:
            made = await asyncio.gather(
                *(asyncio.to_thread(create, f"client {number}") for number in range(20))
            )
            assert len({client.id for client in made}) == 20
            assert ticker.count > 2
        # And without a thread it works too; it only blocks the loop.
        assert create("another").name == "another"
        await aio.shutdown()

    asyncio.run(main())


def test_a_failing_group_cancels_what_still_waits(settings: Settings) -> None:
    async def main() -> None:
        async with aio.Auth(settings()) as auth:
            key = (await auth.create_client_service.create_client("acme")).api_key
            with pytest.raises(ExceptionGroup) as failure:
                async with asyncio.TaskGroup() as group:
                    for number in range(5):
                        secret = f"{CHOSEN} {number}"
                        create = auth.create_user_service.create_user(key, f"{number}", secret)
                        group.create_task(create)
                    group.create_task(auth.client_aware_service.find_client_by_name("nobody"))
            assert [type(one) for one in failure.value.exceptions] == [exception.NotFoundException]
            assert (await auth.verify_client_service.is_api_key_valid(key)) is True

    asyncio.run(main())


def test_a_result_that_nobody_fetches_is_no_complaint(tmp_path: Path) -> None:
    text = """
    async def main():
        auth = aio.Auth(SETTINGS)
        await auth.create_client_service.create_client("acme")
        for _ in range(20):
            task = asyncio.create_task(auth.client_aware_service.find_client_by_name("nobody"))
            await asyncio.sleep(0)
            task.cancel()
            del task
        await auth.close()

    asyncio.run(main(), debug=True)
    """
    run(program(text), tmp_path, "-X", "dev")
