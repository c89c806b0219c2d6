"""Multi-tenant authentication: clients with API keys, their users, tokens, and a vault of the users'
accounts at third parties, on an embedded SQLite file or on PostgreSQL.

Open the database once, then use the services:

    >>> from bosa_auth import AuthenticationDbSettings, initialize_authentication_db
    >>> from bosa_auth.service import create_client_service, create_user_service
    >>> auth = initialize_authentication_db(
    ...     AuthenticationDbSettings(database_authentication_url="sqlite://")
    ... )
    >>> client = create_client_service.create_client("acme")
    >>> user = create_user_service.create_user(client.api_key, "ana@example.com")
    >>> user.identifier
    'ana@example.com'

The same names are in :mod:`bosa_auth.aio`, as coroutines. :class:`Auth` makes instances that are
independent of the process-wide one. Every failure is a :class:`BosaException` with a permanent ``code``.
"""

from bosa_auth import exception, models, service
from bosa_auth._auth import Auth, initialize_authentication_db, shutdown
from bosa_auth._native import VERSION as __version__
from bosa_auth._page import Page
from bosa_auth.exception import *  # noqa: F403
from bosa_auth.models import *  # noqa: F403
from bosa_auth.service import *  # noqa: F403
from bosa_auth.settings import AuthenticationDbSettings

__all__ = [
    "Auth",
    "AuthenticationDbSettings",
    "Page",
    "__version__",
    "exception",
    "initialize_authentication_db",
    "models",
    "service",
    "shutdown",
]
__all__ += exception.__all__
__all__ += models.__all__
__all__ += service.__all__
