"""The same as :mod:`bosa_auth`, as coroutines for asyncio.

The process-wide instance is the same one, whichever of both opened it. Cancelling a call ends it,
unless it has begun to write; no call blocks the event loop.
"""

from bosa_auth import exception, models
from bosa_auth.aio import service
from bosa_auth.aio._auth import Auth, initialize_authentication_db, shutdown
from bosa_auth.aio._page import Page
from bosa_auth.aio.service import *  # noqa: F403
from bosa_auth.exception import *  # noqa: F403
from bosa_auth.models import *  # noqa: F403
from bosa_auth.settings import AuthenticationDbSettings

__all__ = [
    "Auth",
    "AuthenticationDbSettings",
    "Page",
    "exception",
    "initialize_authentication_db",
    "models",
    "service",
    "shutdown",
]
__all__ += exception.__all__
__all__ += models.__all__
__all__ += service.__all__
