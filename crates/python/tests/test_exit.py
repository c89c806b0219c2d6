"""The end of the interpreter, whatever runs then: the program's own exit code and not a word."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from programs import program, run, start

MADE = """
auth = Auth(SETTINGS)
client = auth.create_client_service.create_client("acme")
user = auth.create_user_service.create_user(client.api_key, "ana", "correct horse battery staple")
token = auth.create_token_service.create_token(user.id, client.id)

def refused(work):
    # What the end of the interpreter refuses is nothing to report, nor is too much haste.
    try:
        return work()
    except (
        exception.UninitializedException,
        exception.DatabaseConnectionException,
        exception.OverloadedException,
        exception.RateLimitedException,
    ):
        return None
"""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a PostgreSQL that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"postgresql://nobody:nothing@127.0.0.1:{server.getsockname()[1]}/nothing?sslmode=disable"


def test_a_program_ends_without_closing_anything(tmp_path: Path, database: str) -> None:
    run(program(MADE, "print(token.id)", url=database), tmp_path)


@pytest.mark.parametrize("options", [["-X", "dev"], ["-W", "error"], ["-O"]])
def test_a_strict_interpreter_has_nothing_to_complain_about(tmp_path: Path, options: list[str]) -> None:
    text = "asyncio.run(aio.initialize_authentication_db(SETTINGS))\nbosa_auth.shutdown()\n"
    run(program(MADE, text), tmp_path, *options)


THREADS = """
def hammer(number):
    while True:
        match number % 4:
            case 0:
                work = lambda: auth.verify_token_service.verify_token(client.api_key, token.token)
            case 1:
                work = lambda: auth.get_user_service.get_user(client.api_key, user.id)
            case 2:
                def work():
                    try:
                        auth.verify_token_service.verify_token(client.api_key, "wrong")
                    except exception.InvalidTokenError:
                        pass
            case 3:
                work = lambda: auth.authenticate_user_service.authenticate_user(
                    client.api_key, "ana", "correct horse battery staple"
                )
        refused(work)
        rounds[number] += 1

rounds = [0] * 8
for number in range(8):
    threading.Thread(target=hammer, args=(number,), daemon=True).start()
until(lambda: all(rounds))
"""


@pytest.mark.parametrize("interval", ["0.005", "0.000001"])
def test_daemon_threads_inside_calls_do_not_keep_a_program(tmp_path: Path, interval: str) -> None:
    for _ in range(3):
        run(program(MADE, THREADS, f"sys.setswitchinterval({interval})\nsys.exit(7)"), tmp_path, code=7)


def test_futures_may_be_outstanding(tmp_path: Path, database: str) -> None:
    text = """
    async def main():
        auth = aio.Auth(SETTINGS)
        client = await auth.create_client_service.create_client(f"client {os.getpid()}")
        for number in range(50):
            kept.append(auth.client_aware_service._clients.find_client(client.id).future())

    kept = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    """
    run(program(text, url=database), tmp_path)
    run(program(text, "loop.close()", url=database), tmp_path)
    run(program(text, "del kept, loop; gc.collect()", url=database), tmp_path)


def test_a_loop_that_was_stopped_early_is_forgotten(tmp_path: Path) -> None:
    text = """
    async def main():
        await aio.initialize_authentication_db(SETTINGS)
        create = aio.service.create_client_service.create_client
        calls = [asyncio.ensure_future(create(f"client {number}")) for number in range(20)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)

    asyncio.run(main())
    """
    run(program(text), tmp_path)


@pytest.mark.parametrize("when", ["before", "after"])
def test_shutdown_at_exit_works_whenever_it_was_registered(tmp_path: Path, when: str) -> None:
    first = "import atexit, sys\natexit.register(lambda: sys.modules['bosa_auth'].shutdown())\n"
    text = program("bosa_auth.initialize_authentication_db(SETTINGS)\n")
    run(first + text if when == "before" else text + first, tmp_path)


def test_sys_exit_in_a_thread_ends_that_thread_only(tmp_path: Path) -> None:
    text = """
    def work():
        auth.verify_token_service.verify_token(client.api_key, token.token)
        sys.exit(3)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    auth.verify_token_service.verify_token(client.api_key, token.token)
    print("still here")
    """
    assert run(program(MADE, text), tmp_path) == "still here\n"


def test_an_exception_of_the_library_may_end_a_program(tmp_path: Path) -> None:
    process = start(program(MADE, "auth.create_client_service.create_client('acme')"), tmp_path)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and output == ""
    assert errors.endswith("ClientAlreadyExistsException: a client with this name already exists\n")


def test_a_database_that_never_answers_does_not_keep_a_program(tmp_path: Path, silent: str) -> None:
    threads = """
    def work():
        started.append(1)
        Auth(SETTINGS)

    started = []
    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    until(lambda: len(started) == 4)
    time.sleep(0.3)
    sys.exit(5)
    """
    run(program(threads, url=silent), tmp_path, code=5)
    futures = """
    async def main():
        auth = aio.Auth(SETTINGS)
        try:
            await asyncio.wait_for(auth.client_aware_service.get_client_list(), 0.3)
        except TimeoutError:
            print("gone")

    asyncio.run(main())
    """
    assert run(program(futures, url=silent), tmp_path) == "gone\n"


def test_objects_at_the_level_of_a_module_may_live_to_the_end(tmp_path: Path) -> None:
    text = """
    class Keeper:
        def __init__(self, *kept):
            self.kept = kept
            self.cycle = self

        def __del__(self):
            try:
                self.kept[0].client_aware_service.get_client_list()
            except exception.UninitializedException:
                pass

    page = auth.client_aware_service.get_client_list()
    call = auth.client_aware_service._clients.find_client(client.id)
    keeper = Keeper(auth, page, call)
    bosa_auth.kept = keeper
    """
    run(program(MADE, text), tmp_path)
