"""Processes that fork: a handle from before works in the child, or says what to do; nothing hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from programs import program, run

MADE = """
auth = Auth(SETTINGS)
client = auth.create_client_service.create_client("acme")
key = client.api_key
user = auth.create_user_service.create_user(key, "ana")
token = auth.create_token_service.create_token(user.id, client.id).token
verify = auth.verify_token_service.verify_token_and_get_user_id
assert verify(key, token) == user.id

def is_valid(token):
    try:
        return verify(key, token) == user.id
    except exception.RevokedTokenError:
        return False

def write(name):
    made = auth.create_user_service.create_user(key, name)
    assert auth.get_user_service.get_user(key, made.id) == auth.get_user_service.find_user(key, made.id)

def count():
    return sum(1 for _ in auth.get_user_service.list_users(key))
"""


def test_parent_and_child_work_at_the_same_time(tmp_path: Path, database: str) -> None:
    text = """
    def work(name):
        for number in range(15):
            write(f"{name} {number}")
            assert is_valid(token)

    pids = [child(lambda name=name: work(name)) for name in ("one", "two", "three")]
    work("parent")
    ended(*pids)
    print(count())
    """
    assert run(program(MADE, text, url=database), tmp_path) == "61\n"


def test_revocations_are_heard_of_across_a_fork(tmp_path: Path, database: str) -> None:
    text = """
    second = auth.create_token_service.create_token(user.id, client.id).token
    assert is_valid(second)

    def work():
        assert is_valid(token) and is_valid(second)
        assert auth.revoke_token_service.revoke_token(key, second)
        until(lambda: not is_valid(token))

    pid = child(work)
    until(lambda: not is_valid(second))
    assert auth.revoke_token_service.revoke_token(key, token)
    ended(pid)
    """
    run(program(MADE, text, url=database), tmp_path)


HAMMERED = """
def hammer(number):
    made = 0
    while not stopped:
        write(f"thread {number} {made}")
        assert is_valid(token)
        try:
            auth.find = auth.client_aware_service.find_client_by_name("nobody")
        except exception.NotFoundException:
            pass
        made += 1
    written.append(made)

stopped, written = [], []
threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
FORKS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
for number in range(FORKS):
    def work():
        assert is_valid(token)
        write(f"child {number}")
    ended(child(work))
stopped.append(1)
for thread in threads:
    thread.join()
assert count() == 1 + FORKS + sum(written), (count(), FORKS, written)
assert len(written) == 8
print("whole")
"""


def test_threads_may_hammer_the_library_while_it_forks(tmp_path: Path, database: str) -> None:
    assert run(program(MADE, HAMMERED, url=database), tmp_path) == "whole\n"


def test_a_program_of_asyncio_may_fork(tmp_path: Path, database: str) -> None:
    text = """
    async def reads(auth, key, number):
        made = await auth.create_user_service.create_user(key, f"user {number}")
        assert (await auth.get_user_service.get_user(key, made.id)).id == made.id

    def work(auth, key, number):
        # The parent's loop is not the child's.
        asyncio.set_event_loop(None)
        asyncio.events._set_running_loop(None)
        asyncio.run(reads(auth, key, f"of child {number}"))

    async def main():
        auth = aio.Auth(SETTINGS)
        key = (await auth.create_client_service.create_client("acme")).api_key
        for number in range(4):
            running = [asyncio.create_task(reads(auth, key, f"{number} {each}")) for each in range(5)]
            await asyncio.sleep(0)
            pid = child(lambda: work(auth, key, number))
            await asyncio.gather(*running)
            await asyncio.to_thread(ended, pid)
        print(len([user async for user in await auth.get_user_service.list_users(key)]))
        await auth.close()

    asyncio.run(main())
    """
    assert run(program(text, url=database), tmp_path) == "24\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_of_processes_shares_the_database(tmp_path: Path, database: str, method: str) -> None:
    module = """
    def begin():
        bosa_auth.initialize_authentication_db(SETTINGS)

    def work(argument):
        key, name = argument
        made = bosa_auth.create_user_service.create_user(key, name)
        return made, bosa_auth.get_user_service.get_user(key, made.id).identifier

    def main():
        import multiprocessing

        begin()
        key = bosa_auth.create_client_service.create_client("acme").api_key
        context = multiprocessing.get_context({method!r})
        initializer = None if {method!r} == "fork" else begin
        with context.Pool(3, initializer) as pool:
            made = pool.map(work, [(key, f"user {{number}}") for number in range(12)])
            pool.close()
            pool.join()
        assert [name for _, name in made] == [f"user {{number}}" for number in range(12)]
        assert len({{user.id for user, _ in made}}) == 12
        print("all")
    """
    text = program(
        module.replace("{method!r}", repr(method)).replace("{{", "{").replace("}}", "}"), url=database
    )
    (tmp_path / "pooled.py").write_text(text)
    main = "import sys\nsys.path.insert(0, '.')\nimport pooled\nif __name__ == '__main__': pooled.main()"
    (tmp_path / "main.py").write_text(main)
    assert run("import runpy; runpy.run_path('main.py', run_name='__main__')", tmp_path) == "all\n"


def test_a_database_in_memory_says_what_to_do_in_a_child(tmp_path: Path) -> None:
    text = """
    def work():
        for call in (lambda: verify(key, token), lambda: write("bob")):
            try:
                call()
            except exception.ConfigurationException as refusal:
                print(refusal)
        bosa_auth.initialize_authentication_db(SETTINGS)
        print(bosa_auth.create_client_service.create_client("own").name)
        bosa_auth.shutdown()

    ended(child(work))
    assert is_valid(token)
    """
    refusal = (
        "a database in memory stays with the process that made it; "
        "initialise in each child, or use a file or PostgreSQL\n"
    )
    assert run(program(MADE, text), tmp_path).endswith(refusal * 2 + "own\n")


def test_grandchildren_work_too(tmp_path: Path, database: str) -> None:
    text = """
    def work(depth):
        write(f"generation {depth}")
        assert is_valid(token)
        if depth < 4:
            ended(child(lambda: work(depth + 1)))
            write(f"generation {depth} again")

    work(0)
    print(count())
    """
    assert run(program(MADE, text, url=database), tmp_path) == "10\n"


def test_a_handle_that_was_never_used_works_in_the_child(tmp_path: Path, database: str) -> None:
    text = """
    auth = aio.Auth(SETTINGS)

    def work(name):
        asyncio.run(auth.create_client_service.create_client(name))

    pids = [child(lambda name=name: work(name)) for name in ("one", "two")]
    work("parent")
    ended(*pids)
    print(len(asyncio.run(auth.client_aware_service.get_client_list()).items))
    asyncio.run(auth.close())
    """
    assert run(program(text, url=database), tmp_path) == "3\n"


@pytest.mark.parametrize("use", ["pass", "write('child')", "auth.close()", "del auth; gc.collect()"])
def test_a_child_may_end_as_programs_end(tmp_path: Path, database: str, use: str) -> None:
    text = f"""
    pid = os.fork()
    if pid == 0:
        {use}
        sys.exit(0)
    ended(pid)
    write("parent")
    assert is_valid(token)
    """
    run(program(MADE, text, url=database), tmp_path)


def test_a_closed_handle_stays_closed_in_the_child(tmp_path: Path, database: str) -> None:
    text = """
    auth.close()

    def work():
        try:
            write("bob")
        except exception.UninitializedException:
            print("closed")

    ended(child(work))
    """
    assert run(program(MADE, text, url=database), tmp_path) == "closed\n"


def test_a_handler_of_signals_may_fork_during_a_call(tmp_path: Path, database: str) -> None:
    text = """
    auth.create_user_service.create_user(key, "cleo", "correct horse battery staple")

    def fork(*_):
        pids.append(os.fork())

    pids = []
    signal.signal(signal.SIGUSR1, fork)
    threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
    login = auth.authenticate_user_service.authenticate_user
    while not pids:
        try:
            login(key, "cleo", "correct horse battery staple")
        except RuntimeError as refusal:
            assert str(refusal) == "the process forked during this call; make it again"
    write(f"of {pids[0] != 0}")
    if pids[0] == 0:
        os._exit(0)
    ended(*pids)
    print(count())
    """
    assert run(program(MADE, text, url=database), tmp_path) == "4\n"
