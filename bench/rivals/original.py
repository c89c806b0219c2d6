"""The original, `bosa-core-binary`: its verify behind FastAPI, and called in a loop.

    original.py setup             makes a client, a user and tokens; prints them
    original.py serve WORKERS     listens
    original.py rate SECONDS THREADS   verifies in process; reads what setup printed; prints rates

The settings are in the environment, see `main.py`.
"""

import json
import os
import sys
import threading
import time

from bosa_core.authentication import AuthenticationDbSettings, init_auth_services
from bosa_core.cache.config import CacheSettings


def start():
    """Connects; the services exist only from then on."""
    cache = CacheSettings(redis_host=os.environ["RIVAL_REDIS_HOST"], redis_port=int(os.environ["RIVAL_REDIS_PORT"]))
    init_auth_services(
        AuthenticationDbSettings(
            database_authentication_url=os.environ["RIVAL_DATABASE_URL"], auth_secret_key=os.environ["RIVAL_SIGNING_KEY"]
        ),
        cache,
    )
    from bosa_core.authentication import service

    return service


def setup():
    service = start()
    client = service.create_client_service.create_client("bench")
    user = service.create_user_service.create_user(client.api_key, "ana@example.com")
    good, revoked = (
        service.authenticate_user_service.authenticate_user(client.api_key, user.identifier, user.secret).token
        for _ in range(2)
    )
    service.revoke_token_service.revoke_token(client.api_key, revoked)
    print(json.dumps({"key": client.api_key, "good": good, "revoked": revoked, "user_id": str(user.id)}))


def rate(seconds, threads):
    service = start()
    credentials = json.load(sys.stdin)
    key, good = credentials["key"], credentials["good"]
    verify = service.verify_token_service.verify_token_and_get_user_id
    assert str(verify(key, good)) == credentials["user_id"]
    assert refused(lambda: verify(key, credentials["revoked"]))
    assert refused(lambda: verify(key + "x", good))
    verify_key = service.verify_client_service.verify_api_key
    assert refused(lambda: verify_key(key + "x"))
    print(json.dumps({
        "verify token": measured(lambda: verify(key, good), seconds, threads),
        "verify key": measured(lambda: verify_key(key), seconds, threads),
    }))


def refused(call):
    try:
        call()
    except Exception:
        return True
    return False


def measured(call, seconds, threads):
    """Calls per second, of so many threads together."""
    counts = [0] * threads
    for _ in range(20):
        call()
    begin = time.perf_counter()
    end = begin + seconds

    def work(number):
        while time.perf_counter() < end:
            call()
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - begin)


def application():
    """What a thin service around the library looks like; its calls block, so the handlers are `def`."""
    from fastapi import FastAPI, Header
    from fastapi.responses import JSONResponse
    from pydantic import BaseModel
    from serving import few_threads

    service = start()
    app = FastAPI(openapi_url=None, lifespan=few_threads)

    class Body(BaseModel):
        token: str

    @app.post("/auth/tokens/verify")
    def verify_token(body: Body, x_api_key: str = Header()):
        try:
            user_id = service.verify_token_service.verify_token_and_get_user_id(x_api_key, body.token)
        except Exception as error:
            return JSONResponse({"valid": False, "code": type(error).__name__}, 401)
        return JSONResponse({"valid": True, "user_id": str(user_id)})

    @app.get("/clients/me")
    def verify_key(x_api_key: str = Header()):
        try:
            service.verify_client_service.verify_api_key(x_api_key)
        except Exception as error:
            return JSONResponse({"valid": False, "code": type(error).__name__}, 401)
        return JSONResponse({"valid": True})

    return app


def main():
    verb, *arguments = sys.argv[1:]
    if verb == "setup":
        # Migrations print what they do; what is asked for is the last line.
        setup()
    elif verb == "rate":
        rate(float(arguments[0]), int(arguments[1]))
    elif verb == "serve":
        from serving import serve

        serve("original:application", int(arguments[0]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
