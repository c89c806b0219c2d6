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

from bosa_auth import _interpreter as _interpreter
from bosa_auth import aio, exception, models, service
from bosa_auth._auth import Auth, initialize_authentication_db, shutdown
from bosa_auth._native import VERSION as __version__
from bosa_auth._page import Page
from bosa_auth.exception import (
    AmbiguousAccountException,
    BosaException,
    ClientAlreadyExistsException,
    ConfigurationException,
    DatabaseConnectionException,
    ExpiredTokenError,
    IdempotencyInProgressException,
    IdempotencyMismatchException,
    IntegrationAlreadyExistsException,
    InvalidClientException,
    InvalidInputException,
    InvalidTokenError,
    NeedsReauthorizationException,
    NotFoundException,
    OverloadedException,
    PermissionDeniedException,
    ProviderUnavailableException,
    RateLimitedException,
    RevokedTokenError,
    UnauthorizedException,
    UninitializedException,
    UnreadableException,
    UserAlreadyExistsException,
    Violation,
)
from bosa_auth.models import (
    ApiKeyModel,
    ClientModel,
    CurrentUser,
    ThirdPartyIntegrationAuth,
    TokenInfo,
    TokenModel,
    UserComplete,
    UserModel,
    VerifiedToken,
)
from bosa_auth.service import (
    AuthenticateUserService,
    ClientAwareService,
    CreateClientService,
    CreateTokenService,
    CreateUserService,
    GetUserService,
    RevokeTokenService,
    ThirdPartyIntegrationService,
    VerifyClientService,
    VerifyTokenService,
    authenticate_user_service,
    client_aware_service,
    create_client_service,
    create_token_service,
    create_user_service,
    get_user_service,
    revoke_token_service,
    third_party_integration_service,
    verify_client_service,
    verify_token_service,
)
from bosa_auth.settings import AuthenticationDbSettings

__all__ = [
    "AmbiguousAccountException",
    "ApiKeyModel",
    "Auth",
    "AuthenticateUserService",
    "AuthenticationDbSettings",
    "BosaException",
    "ClientAlreadyExistsException",
    "ClientAwareService",
    "ClientModel",
    "ConfigurationException",
    "CreateClientService",
    "CreateTokenService",
    "CreateUserService",
    "CurrentUser",
    "DatabaseConnectionException",
    "ExpiredTokenError",
    "GetUserService",
    "IdempotencyInProgressException",
    "IdempotencyMismatchException",
    "IntegrationAlreadyExistsException",
    "InvalidClientException",
    "InvalidInputException",
    "InvalidTokenError",
    "NeedsReauthorizationException",
    "NotFoundException",
    "OverloadedException",
    "Page",
    "PermissionDeniedException",
    "ProviderUnavailableException",
    "RateLimitedException",
    "RevokeTokenService",
    "RevokedTokenError",
    "ThirdPartyIntegrationAuth",
    "ThirdPartyIntegrationService",
    "TokenInfo",
    "TokenModel",
    "UnauthorizedException",
    "UninitializedException",
    "UnreadableException",
    "UserAlreadyExistsException",
    "UserComplete",
    "UserModel",
    "VerifiedToken",
    "VerifyClientService",
    "VerifyTokenService",
    "Violation",
    "__version__",
    "aio",
    "authenticate_user_service",
    "client_aware_service",
    "create_client_service",
    "create_token_service",
    "create_user_service",
    "exception",
    "get_user_service",
    "initialize_authentication_db",
    "models",
    "revoke_token_service",
    "service",
    "shutdown",
    "third_party_integration_service",
    "verify_client_service",
    "verify_token_service",
]
