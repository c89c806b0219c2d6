"""Runs an ASGI application on a port of the system's choice, for the rivals in Python."""

import socket

import uvicorn
from uvicorn.supervisors import Multiprocess


def serve(application, workers):
    """Serves `module:name` with uvicorn as in production, and says where."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    config = uvicorn.Config(
        application, workers=workers, loop="uvloop", http="httptools", ws="none", access_log=False, log_level="warning"
    )
    server = uvicorn.Server(config)
    host, port = listener.getsockname()
    print(f"listening on {host}:{port}", flush=True)
    if workers == 1:
        server.run(sockets=[listener])
    else:
        Multiprocess(config, target=server.run, sockets=[listener]).run()
