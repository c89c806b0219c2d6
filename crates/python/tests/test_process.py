"""The services of the process work whatever the import order, and instances live beside them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import bosa_auth
from bosa_auth import (
    Auth,
    AuthenticationDbSettings,
    ConfigurationException,
    RevokedTokenError,
    UninitializedException,
    aio,
)
from bosa_auth.service import create_client_service, create_user_service, get_user_service
from conftest import Settings

IN_MEMORY = AuthenticationDbSettings("sqlite://")
UNUSABLE = AuthenticationDbSettings("sqlite://", auth_algorithm="none")


def run(program: str) -> str:
    """What a program prints; it must end well."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_service_that_was_imported_before_works_afterwards() -> None:
    assert (
        run(
            "from bosa_auth.service import create_client_service as early\n"
            "from bosa_auth.aio.service import create_client_service as early_aio\n"
            "import bosa_auth\n"
            "bosa_auth.initialize_authentication_db("
            "    bosa_auth.AuthenticationDbSettings('sqlite://'))\n"
            "from bosa_auth.service import create_client_service as late\n"
            "from bosa_auth import create_client_service as latest\n"
            "assert early is late is latest is bosa_auth.service.create_client_service\n"
            "import asyncio\n"
            "print(early.create_client('acme').name)\n"
            "print(asyncio.run(early_aio.create_client('globex')).name)\n"
        )
        == "acme\nglobex\n"
    )


@pytest.mark.parametrize(
    "first",
    [
        "bosa_auth.models",
        "bosa_auth.exception",
        "bosa_auth.service",
        "bosa_auth.aio",
        "bosa_auth.settings",
    ]
    + ["bosa_auth.aio.service", "bosa_auth._native"],
)
def test_every_module_can_be_imported_first(first: str) -> None:
    assert run(f"import {first}\nimport bosa_auth.service\nprint(bosa_auth.Auth)") != ""


def test_a_use_before_initialising_says_what_to_do() -> None:
    async def with_coroutines() -> None:
        await aio.service.create_client_service.create_client("acme")

    uses: list[Callable[[], object]] = [
        lambda: create_client_service.create_client("acme"),
        lambda: bosa_auth.service.verify_client_service.is_api_key_valid("sk-client-a.b.c"),
        lambda: bosa_auth.service.verify_token_service.current_user("a.b.c"),
        lambda: asyncio.run(with_coroutines()),
    ]
    for use in uses:
        with pytest.raises(UninitializedException, match="call initialize_authentication_db first"):
            use()


@pytest.mark.parametrize("test", ["one", "another", "a third"])
def test_each_test_can_have_a_fresh_system(test: str) -> None:
    bosa_auth.initialize_authentication_db(IN_MEMORY)
    assert list(bosa_auth.service.client_aware_service.get_client_list()) == []
    create_client_service.create_client("the same name")
    bosa_auth.shutdown()
    with pytest.raises(UninitializedException):
        create_client_service.create_client("late")


def test_shutting_down_twice_or_early_does_nothing() -> None:
    bosa_auth.shutdown()
    bosa_auth.initialize_authentication_db(IN_MEMORY)
    bosa_auth.shutdown()
    bosa_auth.shutdown()
    asyncio.run(aio.shutdown())


def test_initialising_again_with_the_same_settings_gives_the_same_system(settings: Settings) -> None:
    first = bosa_auth.initialize_authentication_db(settings())
    client = first.create_client_service.create_client("acme")
    again = bosa_auth.initialize_authentication_db(settings())
    assert again.client_aware_service.get_client_by_id(client.id) == client.model_copy(
        update={"api_key": ""}
    )


def test_initialising_with_other_settings_is_refused_and_changes_nothing(settings: Settings) -> None:
    bosa_auth.initialize_authentication_db(settings())
    with pytest.raises(ConfigurationException, match=r"call shutdown\(\)"):
        bosa_auth.initialize_authentication_db(settings(BOSA_AUTH_ISSUER="other"))
    with pytest.raises(ConfigurationException):
        asyncio.run(aio.initialize_authentication_db(settings(BOSA_AUTH_ISSUER="other")))
    assert create_client_service.create_client("acme").name == "acme"
    bosa_auth.shutdown()
    bosa_auth.initialize_authentication_db(settings(BOSA_AUTH_ISSUER="other"))


def test_a_failed_initialisation_leaves_nothing_installed() -> None:
    for initialise in (
        lambda: bosa_auth.initialize_authentication_db(UNUSABLE),
        lambda: asyncio.run(aio.initialize_authentication_db(UNUSABLE)),
    ):
        with pytest.raises(ConfigurationException, match="AUTH_ALGORITHM"):
            initialise()
        with pytest.raises(UninitializedException):
            create_client_service.create_client("acme")
    bosa_auth.initialize_authentication_db(IN_MEMORY)
    assert create_client_service.create_client("acme").name == "acme"


def test_threads_that_initialise_at_once_share_one_system(settings: Settings) -> None:
    start = threading.Barrier(8)

    def one(number: int) -> str:
        start.wait()
        auth = bosa_auth.initialize_authentication_db(settings())
        auth.create_client_service.create_client(f"client {number}")
        return create_user_service.create_user(
            create_client_service.create_client(f"other {number}").api_key, "ana"
        ).identifier

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == ["ana"] * 8
    assert len(list(bosa_auth.service.client_aware_service.get_client_list())) == 16


def test_tasks_that_initialise_at_once_share_one_system(settings: Settings) -> None:
    async def one(number: int) -> None:
        auth = await aio.initialize_authentication_db(settings())
        await auth.create_client_service.create_client(f"client {number}")

    async def all_of_them() -> int:
        await asyncio.gather(*(one(number) for number in range(8)))
        page = await aio.service.client_aware_service.get_client_list()
        return len([client async for client in page])

    assert asyncio.run(all_of_them()) == 8


def test_threads_that_fail_to_initialise_at_once_all_hear_why() -> None:
    start = threading.Barrier(8)

    def one(_: int) -> str:
        start.wait()
        with pytest.raises(ConfigurationException) as refused:
            bosa_auth.initialize_authentication_db(UNUSABLE)
        return str(refused.value)

    with ThreadPoolExecutor(8) as pool:
        (reason,) = set(pool.map(one, range(8)))
    assert "AUTH_ALGORITHM" in reason
    bosa_auth.initialize_authentication_db(IN_MEMORY)


def test_a_cancelled_initialisation_can_be_made_again(settings: Settings) -> None:
    async def cancelled() -> str:
        task = asyncio.create_task(aio.initialize_authentication_db(settings()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        auth = await aio.initialize_authentication_db(settings())
        return (await auth.create_client_service.create_client("acme")).name

    assert asyncio.run(cancelled()) == "acme"


def test_both_faces_work_on_one_system(settings: Settings) -> None:
    bosa_auth.initialize_authentication_db(settings())
    client = create_client_service.create_client("acme")

    async def with_coroutines() -> None:
        await aio.initialize_authentication_db(settings())
        user = await aio.service.create_user_service.create_user(client.api_key, "ana")
        assert get_user_service.get_user(client.api_key, user.id).identifier == "ana"
        await aio.shutdown()

    asyncio.run(with_coroutines())
    with pytest.raises(UninitializedException):
        get_user_service.get_user_by_identifier(client.api_key, "ana")


def test_the_object_of_an_initialisation_may_be_closed() -> None:
    with bosa_auth.initialize_authentication_db(IN_MEMORY) as auth:
        auth.create_client_service.create_client("acme")
    with pytest.raises(UninitializedException, match="closed"):
        create_client_service.create_client("acme")
    bosa_auth.initialize_authentication_db(IN_MEMORY)
    assert create_client_service.create_client("acme").name == "acme"
    bosa_auth.shutdown()


def test_instances_on_two_databases_learn_nothing_of_each_other() -> None:
    one, other = Auth(IN_MEMORY), Auth(AuthenticationDbSettings("sqlite://"))
    client = one.create_client_service.create_client("acme")
    user = one.create_user_service.create_user(client.api_key, "ana")
    token = one.create_token_service.create_token(user.id, client.id)
    assert not other.verify_client_service.is_api_key_valid(client.api_key)
    assert list(other.client_aware_service.get_client_list()) == []
    theirs = other.create_client_service.create_client("acme")
    with pytest.raises(bosa_auth.InvalidTokenError):
        other.verify_token_service.verify_token(theirs.api_key, token.token)
    with pytest.raises(bosa_auth.InvalidTokenError):
        other.verify_token_service.current_user(token.token)
    with pytest.raises(UninitializedException):
        create_client_service.create_client("acme")
    one.close()
    assert other.verify_client_service.verify_client_api_key(theirs.api_key).name == "acme"
    other.close()


def test_a_revocation_counts_at_once_in_every_instance_on_a_database(settings: Settings) -> None:
    with Auth(settings()) as one, Auth(settings()) as other:
        client = one.create_client_service.create_client("acme")
        user = one.create_user_service.create_user(client.api_key, "ana")
        for _ in range(5):
            token = one.create_token_service.create_token(user.id, client.id).token
            for instance in (one, other):
                verify = instance.verify_token_service.verify_token_and_get_user_id
                assert verify(client.api_key, token) == user.id
            assert one.revoke_token_service.revoke_token(client.api_key, token)
            for instance in (one, other):
                with pytest.raises(RevokedTokenError):
                    instance.verify_token_service.verify_token_and_get_user_id(client.api_key, token)


def test_an_instance_is_independent_of_that_of_the_process(settings: Settings) -> None:
    bosa_auth.initialize_authentication_db(settings())
    with Auth(IN_MEMORY) as own:
        own.create_client_service.create_client("acme")
        assert list(bosa_auth.service.client_aware_service.get_client_list()) == []
        bosa_auth.shutdown()
        assert len(list(own.client_aware_service.get_client_list())) == 1


def test_a_closed_instance_says_that_it_is_closed() -> None:
    auth = Auth(IN_MEMORY)
    service = auth.create_client_service
    auth.close()
    auth.close()
    uses: list[Callable[[], object]] = [
        lambda: service.create_client("acme"),
        lambda: auth.verify_client_service.is_api_key_valid("sk-client-a.b.c"),
        auth.__enter__,
    ]
    for use in uses:
        with pytest.raises(UninitializedException, match="this instance is closed"):
            use()


def test_an_instance_for_asyncio_opens_at_its_first_use_or_at_once(settings: Settings) -> None:
    async def both() -> None:
        lazy = aio.Auth(settings())
        client = await lazy.create_client_service.create_client("acme")
        await lazy.close()
        with pytest.raises(UninitializedException, match="this instance is closed"):
            await lazy.create_client_service.create_client("acme")
        async with aio.Auth(settings()) as auth:
            assert await auth.verify_client_service.is_api_key_valid(client.api_key)
        opened = await aio.Auth.open(settings())
        assert await opened.verify_client_service.is_api_key_valid(client.api_key)
        await opened.close()

    asyncio.run(both())


def test_what_an_instance_cannot_use_is_said_when_it_opens() -> None:
    async def with_coroutines() -> None:
        with pytest.raises(ConfigurationException, match="AUTH_ALGORITHM"):
            async with aio.Auth(UNUSABLE):
                pass
        with pytest.raises(ConfigurationException, match="AUTH_ALGORITHM"):
            await aio.Auth.open(UNUSABLE)

    with pytest.raises(ConfigurationException, match="AUTH_ALGORITHM"):
        Auth(UNUSABLE)
    asyncio.run(with_coroutines())


def test_settings_of_the_environment_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_AUTHENTICATION_URL", "sqlite:///here.db")
    bosa_auth.initialize_authentication_db()
    client = create_client_service.create_client("acme")
    with Auth() as auth:
        assert auth.verify_client_service.is_api_key_valid(client.api_key)
    assert os.path.exists("here.db")


def test_a_system_in_memory_can_be_made_anew_in_a_forked_child() -> None:
    assert (
        run(
            "import os, bosa_auth\n"
            "settings = bosa_auth.AuthenticationDbSettings('sqlite://')\n"
            "bosa_auth.initialize_authentication_db(settings)\n"
            "bosa_auth.create_client_service.create_client('acme')\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    bosa_auth.initialize_authentication_db(settings)\n"
            "    bosa_auth.create_client_service.create_client('acme')\n"
            "    os._exit(0)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        )
        == "0\n"
    )


@pytest.mark.parametrize("first", ["", "import bosa_auth"])
def test_a_subinterpreter_is_refused_and_told_what_to_do(first: str) -> None:
    said = run(
        f"{first}\n"
        "try:\n"
        "    import _interpreters as interpreters\n"
        "except ImportError:\n"
        "    import _xxsubinterpreters as interpreters\n"
        "try:\n"
        "    print(interpreters.run_string(interpreters.create(), 'import bosa_auth'))\n"
        "except Exception as refused:\n"
        "    print(refused)\n"
    )
    assert "bosa_auth works in the main interpreter only" in said
