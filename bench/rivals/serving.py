"""Runs an ASGI application on a port of the system's choice, for the rivals in Python."""

import contextlib
import socket

import anyio.to_thread
import uvicorn
from uvicorn.supervisors import Multiprocess


# Threads of a worker, as many as its pool has connections: with FastAPI's 40 they only get in each
# other's way, and connections beyond the pool are opened and closed for each request.
THREADS = 10


@contextlib.asynccontextmanager
async def few_threads(_application):
    """The lifespan of an application whose handlers are `def`."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def serve(application, workers):
    """Serves what the function `module:name` makes with uvicorn as in production, and says where."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    config = uvicorn.Config(
        application, factory=True, workers=workers, loop="uvloop", http="httptools", ws="none", access_log=False,
        log_level="warning",
    )
    host, port = listener.getsockname()
    print(f"listening on {host}:{port}", flush=True)
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
    else:
        Multiprocess(config, [listener]).run()
