"""The blocking face from many threads."""

from __future__ import annotations

import random
import socket
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from bosa_auth import Auth, ThirdPartyIntegrationAuth, exception
from conftest import Settings
from programs import program, run

THREADS = 32
CHOSEN = "correct horse battery staple"


def together(work: Callable[[int], object]) -> list[object]:
    """Runs the work in many threads that begin at once."""
    barrier = threading.Barrier(THREADS)

    def one(number: int) -> object:
        barrier.wait(60)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS), timeout=120))


def test_many_threads_share_an_instance(settings: Settings) -> None:
    with Auth(settings()) as auth:
        key = auth.create_client_service.create_client("acme").api_key
        client = auth.verify_client_service.verify_client_api_key(key)

        def work(number: int) -> None:
            chance = random.Random(number)
            user = auth.create_user_service.create_user(key, f"user {number}")
            for round in range(3):
                token = auth.authenticate_user_service.authenticate_user(
                    key, user.identifier, user.secret
                ).token
                verify = auth.verify_token_service.verify_token_and_get_user_id
                assert [verify(key, token) for _ in range(20)] == [user.id] * 20
                account = ThirdPartyIntegrationAuth(
                    client_id=client.id,
                    user_id=user.id,
                    connector="github",
                    user_identifier=f"account {round}",
                    auth_string=f"secret {number} {round}",
                )
                auth.third_party_integration_service.create_integration(account)
                found = auth.third_party_integration_service.get_integration(
                    client.id, user.id, "github", account.user_identifier
                )
                assert found is not None and found.auth_string == account.auth_string
                if chance.random() < 0.5:
                    assert auth.revoke_token_service.revoke_token(key, token)
                else:
                    auth.revoke_token_service.revoke_all_tokens(key, user.id)
                with pytest.raises(exception.RevokedTokenError):
                    verify(key, token)

        together(work)
        assert len({user.identifier for user in auth.get_user_service.list_users(key, 7)}) == THREADS


def test_exactly_one_creation_of_a_name_wins(settings: Settings) -> None:
    with Auth(settings()) as auth:

        def work(_: int) -> bool:
            try:
                auth.create_client_service.create_client("acme")
            except exception.ClientAlreadyExistsException:
                return False
            return True

        assert together(work).count(True) == 1
        assert len(auth.client_aware_service.get_client_list().items) == 1


def test_a_revoked_token_never_verifies_after_the_revocation_returned(settings: Settings) -> None:
    with Auth(settings()) as auth:
        client = auth.create_client_service.create_client("acme")
        user = auth.create_user_service.create_user(client.api_key, "ana")
        verify = auth.verify_token_service.verify_token_and_get_user_id
        for _ in range(5):
            token = auth.create_token_service.create_token(user.id, client.id).token
            returned = threading.Event()

            def work(number: int, token: str = token, returned: threading.Event = returned) -> bool:
                if number == 0:
                    assert auth.revoke_token_service.revoke_token(client.api_key, token)
                    returned.set()
                accepted_late = False
                for _ in range(50):
                    late = returned.is_set()
                    try:
                        verify(client.api_key, token)
                    except exception.RevokedTokenError:
                        continue
                    accepted_late = accepted_late or late
                return accepted_late

            assert together(work) == [False] * THREADS


def test_other_threads_run_while_one_waits_for_a_hash(settings: Settings) -> None:
    with Auth(settings()) as auth:
        key = auth.create_client_service.create_client("acme").api_key
        auth.create_user_service.create_user(key, "ana", CHOSEN)
        count = 0
        stop = threading.Event()

        def tick() -> None:
            nonlocal count
            while not stop.is_set():
                count += 1

        ticker = threading.Thread(target=tick)
        ticker.start()
        try:
            # A whole hash passes between two looks; the other thread works in each of them.
            for _ in range(3):
                before = count
                auth.authenticate_user_service.authenticate_user(key, "ana", CHOSEN)
                assert count > before
        finally:
            stop.set()
            ticker.join()


def test_a_call_on_a_closed_instance_is_refused_in_every_thread(settings: Settings) -> None:
    auth = Auth(settings())
    client = auth.create_client_service.create_client("acme")
    user = auth.create_user_service.create_user(client.api_key, "ana")
    token = auth.create_token_service.create_token(user.id, client.id).token
    begun = threading.Semaphore(0)

    def work(number: int) -> bool:
        if number == 0:
            for _ in range(THREADS - 1):
                begun.acquire()
            auth.close()
            return True
        calls: list[Callable[[], object]] = [
            lambda: auth.verify_token_service.verify_token(client.api_key, token),
            lambda: auth.create_user_service.create_user(client.api_key, f"{uuid.uuid4()}"),
            lambda: auth.get_user_service.get_user(client.api_key, user.id),
        ]
        calls[number % 3]()
        begun.release()
        while True:
            try:
                calls[number % 3]()
            except exception.UninitializedException:
                return True
            except exception.DatabaseConnectionException:
                # The connection went away under a call that had begun.
                continue

    assert together(work) == [True] * THREADS


INTERRUPTED = """
def interrupt():
    until(lambda: waiting)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)

waiting = []
threading.Thread(target=interrupt).start()
try:
    waiting.append(1)
    {call}
except KeyboardInterrupt:
    print("interrupted")
"""


def test_control_c_ends_a_call_that_waits_for_a_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://nobody:x@127.0.0.1:{server.getsockname()[1]}/none?sslmode=disable"
        text = program(INTERRUPTED.format(call="Auth(SETTINGS)"), url=url)
        assert run(text, tmp_path) == "interrupted\n"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_control_c_ends_a_call_that_waits_for_a_lock(
    tmp_path: Path, settings: Settings, database: str
) -> None:
    with Auth(settings()) as auth:
        auth.create_client_service.create_client("acme")
        call = "auth.create_client_service.update_client(client.id, name='umbrella')"
        text = program(
            "auth = Auth(SETTINGS)\nclient = auth.client_aware_service.find_client_by_name('acme')\n",
            INTERRUPTED.format(call=call),
            "print(auth.client_aware_service.find_client(client.id).name)\n",
            url=database,
        )
        with psycopg.connect(database) as connection:
            connection.execute("select 1 from bosa_clients for update")
            assert run(text, tmp_path) == "interrupted\nacme\n"
