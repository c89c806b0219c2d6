# Made from aio/service.py by blocking.py; change that file.
"""The services of the API reference.

The objects here work on the instance that ``initialize_authentication_db`` installs, whenever they
were imported; before that their methods raise ``UninitializedException``. Those of an ``Auth`` work on
that instance. All are safe to use from many threads.

Ids are ``uuid.UUID``, or their text. Every method raises ``InvalidInputException``, which names the
argument, for one that is malformed, and ``DatabaseConnectionException`` when the database cannot be
reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bosa_auth import _native, _process
from bosa_auth._page import Page
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

__all__ = [
    "AuthenticateUserService",
    "ClientAwareService",
    "CreateClientService",
    "CreateTokenService",
    "CreateUserService",
    "GetUserService",
    "RevokeTokenService",
    "ThirdPartyIntegrationService",
    "VerifyClientService",
    "VerifyTokenService",
    "authenticate_user_service",
    "client_aware_service",
    "create_client_service",
    "create_token_service",
    "create_user_service",
    "get_user_service",
    "revoke_token_service",
    "third_party_integration_service",
    "verify_client_service",
    "verify_token_service",
]


class CreateClientService:
    """Makes and changes clients and their API keys.

    None of these methods asks for a credential: whoever can call them owns the database. A service
    that offers them to others must guard them.
    """

    def __init__(self, instance: _native.Instance) -> None:
        self._clients = _native.Clients(instance)

    def create_client(self, name: str) -> ClientModel:
        """Makes a client with its first API key, which is in this result and nowhere else, ever.

        Args:
            name: The client's name: 1 to 200 characters, unique, no control characters.

        Raises:
            ClientAlreadyExistsException: the name is taken.
        """
        return self._clients.create_client(name).wait()

    def update_client(
        self,
        client_id: UUID | str,
        name: str | None = None,
        is_active: bool | None = None,
        can_get_integrations: bool | None = None,
        *,
        sign_out: bool = False,
    ) -> ClientModel:
        """Changes a client; what is ``None`` stays as it is. Renaming leaves its keys valid.

        Args:
            client_id: The client's id.
            name: The new name.
            is_active: False suspends the client and refuses everything under it; true resumes it.
            can_get_integrations: The flag kept from the original system; it limits nothing.
            sign_out: Whether all tokens of the client's users end for good.

        Raises:
            NotFoundException: there is no such client.
            ClientAlreadyExistsException: the new name is taken.
        """
        return self._clients.update_client(
            client_id, name, is_active, can_get_integrations, sign_out
        ).wait()

    def delete_client(self, client_id: UUID | str) -> None:
        """Deletes a client with everything that belongs to it.

        Raises:
            NotFoundException: there is no such client.
        """
        self._clients.delete_client(client_id).wait()

    def create_api_key(
        self,
        client_id: UUID | str,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> ApiKeyModel:
        """Makes another API key for a client; its text is in this result only.

        Args:
            client_id: The client's id.
            scopes: What the key may do, for example ``["tokens:verify"]``; everything when ``None``.
            expires_at: When the key ends, with its time zone; never when ``None``.

        Raises:
            NotFoundException: there is no such client.
        """
        return self._clients.create_api_key(client_id, scopes, expires_at).wait()

    def list_api_keys(
        self, client_id: UUID | str, limit: int | None = None, cursor: str | None = None
    ) -> Page[ApiKeyModel]:
        """Lists the API keys of a client, ended ones included.

        Args:
            client_id: The client's id.
            limit: The largest number of items in a page, 1 to 100; 100 when ``None``.
            cursor: The ``next_cursor`` of the page before; the first page when ``None``.

        Raises:
            NotFoundException: there is no such client.
        """
        return Page(
            *self._clients.list_api_keys(client_id, limit, cursor).wait(),
            lambda cursor: self.list_api_keys(client_id, limit, cursor),
        )

    def rotate_api_key(
        self, client_id: UUID | str, key_id: UUID | str, overlap_seconds: int = 0
    ) -> ApiKeyModel:
        """Makes a successor with the same scopes and ends the given key.

        Args:
            client_id: The client's id.
            key_id: The id of the key to replace.
            overlap_seconds: For how many seconds more the given key stays valid.

        Raises:
            NotFoundException: the client has no such live key.
        """
        return self._clients.rotate_api_key(client_id, key_id, overlap_seconds).wait()

    def revoke_api_key(self, client_id: UUID | str, key_id: UUID | str) -> bool:
        """Ends an API key at once; true when this call ended it.

        Raises:
            NotFoundException: the client has no such key.
        """
        return self._clients.revoke_api_key(client_id, key_id).wait()


class VerifyClientService:
    """Verifies client keys."""

    def __init__(self, instance: _native.Instance) -> None:
        self._clients = _native.Clients(instance)

    def verify_client_api_key(self, api_key: str) -> ClientModel:
        """Returns the client that a key belongs to; its ``api_key`` is empty.

        Raises:
            InvalidClientException: the key is malformed, unknown, wrong, revoked or expired, or its
                client is suspended; one message for all of them.
        """
        known = self._clients.known_client(api_key)
        if known is not None:
            return known
        return self._clients.verify_client_api_key(api_key).wait()

    def is_api_key_valid(self, api_key: str) -> bool:
        """Whether a key is valid; false for every wrong key."""
        known = self._clients.known_validity(api_key)
        if known is not None:
            return known
        return self._clients.is_api_key_valid(api_key).wait()


class ClientAwareService:
    """Finds clients."""

    def __init__(self, instance: _native.Instance) -> None:
        self._clients = _native.Clients(instance)

    def get_client_by_api_key(self, api_key: str) -> ClientModel:
        """Returns the client that a key belongs to.

        Raises:
            InvalidClientException: the key is not valid or its client is suspended.
        """
        known = self._clients.known_client(api_key)
        if known is not None:
            return known
        return self._clients.verify_client_api_key(api_key).wait()

    def get_client_by_id(self, client_id: UUID | str) -> ClientModel:
        """Returns an active client by its id.

        Raises:
            InvalidClientException: the client is unknown or suspended.
        """
        return self._clients.get_client_by_id(client_id).wait()

    def get_client_list(self, limit: int | None = None, cursor: str | None = None) -> Page[ClientModel]:
        """Lists all clients, suspended ones included.

        Args:
            limit: The largest number of items in a page, 1 to 100; 100 when ``None``.
            cursor: The ``next_cursor`` of the page before; the first page when ``None``.
        """
        return Page(
            *self._clients.get_client_list(limit, cursor).wait(),
            lambda cursor: self.get_client_list(limit, cursor),
        )

    def find_client(self, client_id: UUID | str) -> ClientModel:
        """Finds a client by its id, suspended ones too.

        Raises:
            NotFoundException: there is no such client.
        """
        return self._clients.find_client(client_id).wait()

    def find_client_by_name(self, name: str) -> ClientModel:
        """Finds a client by its exact name, suspended ones too.

        Raises:
            NotFoundException: there is no such client.
        """
        return self._clients.find_client_by_name(name).wait()


class CreateUserService:
    """Makes and changes users.

    Every method raises ``InvalidClientException`` for a client key that is not valid, and
    ``PermissionDeniedException`` for one that lacks the scope ``users:write`` (``users:credentials``
    where a secret is reset).
    """

    def __init__(self, instance: _native.Instance) -> None:
        self._users = _native.Users(instance)

    def create_user(self, client_api_key: str, identifier: str, secret: str | None = None) -> UserModel:
        """Makes a user; a generated secret is in this result and nowhere else, ever.

        Args:
            client_api_key: The client's key.
            identifier: The user's name in the client: 1 to 320 characters, unique there, compared
                exactly after Unicode NFC, no control characters.
            secret: A secret that the user chose, 15 to 256 characters, not beginning with ``sk-``.
                Its logins are slower (Argon2id) and limited in number. Generated when ``None``.

        Raises:
            UserAlreadyExistsException: the client has a user of this identifier.
        """
        return self._users.create_user(client_api_key, identifier, secret).wait()

    def update_user(
        self,
        client_api_key: str,
        user_id: UUID | str,
        identifier: str | None = None,
        is_active: bool | None = None,
    ) -> UserModel:
        """Changes a user; what is ``None`` stays as it is.

        Args:
            client_api_key: The client's key.
            user_id: The user's id.
            identifier: The new identifier; it ends all tokens of the user for good.
            is_active: False suspends the user and ends all its tokens for good; true resumes it.

        Raises:
            NotFoundException: the client has no such user.
            UserAlreadyExistsException: the identifier is taken.
        """
        return self._users.update_user(client_api_key, user_id, identifier, is_active).wait()

    def delete_user(self, client_api_key: str, user_id: UUID | str) -> None:
        """Deletes a user with its tokens and integrations.

        Raises:
            NotFoundException: the client has no such user.
        """
        self._users.delete_user(client_api_key, user_id).wait()

    def reset_user_secret(self, client_api_key: str, user_id: UUID | str) -> UserModel:
        """Gives a user a new generated secret, in this result only, and ends all its tokens.

        Raises:
            NotFoundException: the client has no such user.
        """
        return self._users.reset_user_secret(client_api_key, user_id).wait()

    def change_user_secret(
        self, client_api_key: str, identifier: str, current_secret: str, new_secret: str
    ) -> UserModel:
        """Replaces a user's secret by one that the user chose, and ends all its tokens.

        Args:
            client_api_key: The client's key.
            identifier: The user's identifier.
            current_secret: The secret of today.
            new_secret: The new one: 15 to 256 characters, not beginning with ``sk-``.

        Raises:
            UnauthorizedException: unknown or suspended user, or wrong secret.
            RateLimitedException: too many attempts.
        """
        return self._users.change_user_secret(
            client_api_key, identifier, current_secret, new_secret
        ).wait()


class GetUserService:
    """Finds users.

    Every method raises ``InvalidClientException`` for a client key that is not valid.
    """

    def __init__(self, instance: _native.Instance) -> None:
        self._users = _native.Users(instance)

    def get_user(self, client_api_key: str, user_id: UUID | str) -> UserModel:
        """Returns a user by its id; a suspended one too, with ``is_active`` false.

        Raises:
            UnauthorizedException: the client has no such user.
        """
        return self._users.get_user(client_api_key, user_id).wait()

    def get_user_by_identifier(self, client_api_key: str, identifier: str) -> UserModel:
        """Returns a user by its exact identifier; a suspended one too.

        Raises:
            UnauthorizedException: the client has no such user.
        """
        return self._users.get_user_by_identifier(client_api_key, identifier).wait()

    def get_user_complete(self, api_key: str, user_id: UUID | str) -> UserComplete:
        """Returns a user with its integrations, their credentials left out.

        Args:
            api_key: The client's key.
            user_id: The user's id.

        Raises:
            UnauthorizedException: the client has no such user.
        """
        return self._users.get_user_complete(api_key, user_id).wait()

    def list_users(
        self, client_api_key: str, limit: int | None = None, cursor: str | None = None
    ) -> Page[UserModel]:
        """Lists the client's users.

        Args:
            client_api_key: The client's key.
            limit: The largest number of items in a page, 1 to 100; 100 when ``None``.
            cursor: The ``next_cursor`` of the page before; the first page when ``None``.
        """
        return Page(
            *self._users.list_users(client_api_key, limit, cursor).wait(),
            lambda cursor: self.list_users(client_api_key, limit, cursor),
        )

    def find_user(self, client_api_key: str, user_id: UUID | str) -> UserModel:
        """Finds a user by its id.

        Raises:
            NotFoundException: the client has no such user.
        """
        return self._users.find_user(client_api_key, user_id).wait()

    def find_user_by_identifier(self, client_api_key: str, identifier: str) -> UserModel:
        """Finds a user by its exact identifier.

        Raises:
            NotFoundException: the client has no such user.
        """
        return self._users.find_user_by_identifier(client_api_key, identifier).wait()


class AuthenticateUserService:
    """Logs users in."""

    def __init__(self, instance: _native.Instance) -> None:
        self._users = _native.Users(instance)

    def authenticate_user(self, client_api_key: str, identifier: str, secret: str) -> TokenModel:
        """Checks a user's secret and issues a token.

        Raises:
            InvalidClientException: the client key is not valid.
            UnauthorizedException: unknown user, suspended user or wrong secret, with one message and
                the same work.
            RateLimitedException: too many attempts with a chosen secret.
            OverloadedException: too many hashes of chosen secrets wait.
        """
        return self._users.authenticate_user(client_api_key, identifier, secret).wait()


class CreateTokenService:
    """Issues tokens."""

    def __init__(self, instance: _native.Instance) -> None:
        self._tokens = _native.Tokens(instance)

    def create_token(self, user_id: UUID | str, client_id: UUID | str) -> TokenModel:
        """Issues a token for a user without asking for its secret.

        Whoever can call this can act as any user.

        Raises:
            UnauthorizedException: the user is not one of the client's, or one of both is not active.
        """
        return self._tokens.create_token(user_id, client_id).wait()

    def list_tokens(
        self,
        client_api_key: str,
        user_id: UUID | str,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[TokenInfo]:
        """Lists a user's tokens, ended ones included until they are pruned.

        Args:
            client_api_key: The client's key.
            user_id: The user's id.
            limit: The largest number of items in a page, 1 to 100; 100 when ``None``.
            cursor: The ``next_cursor`` of the page before; the first page when ``None``.

        Raises:
            InvalidClientException: the client key is not valid.
            NotFoundException: the client has no such user.
        """
        return Page(
            *self._tokens.list_tokens(client_api_key, user_id, limit, cursor).wait(),
            lambda cursor: self.list_tokens(client_api_key, user_id, limit, cursor),
        )


class VerifyTokenService:
    """Verifies tokens."""

    def __init__(self, instance: _native.Instance) -> None:
        self._tokens = _native.Tokens(instance)

    def verify_token_and_get_user_id(self, client_api_key: str, token: str) -> UUID:
        """Verifies a token of the calling client and returns its user's id.

        Raises:
            InvalidClientException: the client key is not valid.
            InvalidTokenError: malformed, not issued here, or of another client.
            ExpiredTokenError: its lifetime has passed.
            RevokedTokenError: it was ended before its time.
        """
        known = self._tokens.known_user_id(client_api_key, token)
        if known is not None:
            return known
        return self._tokens.verify_token_and_get_user_id(client_api_key, token).wait()

    def verify_token(self, client_api_key: str, token: str) -> VerifiedToken:
        """Verifies a token of the calling client and returns what its row says.

        Raises:
            InvalidClientException: the client key is not valid.
            InvalidTokenError: malformed, not issued here, or of another client.
            ExpiredTokenError: its lifetime has passed.
            RevokedTokenError: it was ended before its time.
        """
        known = self._tokens.known_token(client_api_key, token)
        if known is not None:
            return known
        return self._tokens.verify_token(client_api_key, token).wait()

    def current_user(self, token: str, client_api_key: str | None = None) -> CurrentUser:
        """Verifies a user's token as an HTTP service gets it, with or without a client key beside it.

        Args:
            token: The token.
            client_api_key: The key that came with it, whose client the token must belong to. Without,
                the token's client is the caller.

        Raises:
            InvalidClientException: the key is not valid, the token's client is suspended, or the
                settings demand a key (``BOSA_AUTH_REQUIRE_CLIENT_KEY``) and there is none.
            InvalidTokenError: malformed, not issued here, or of another client.
            ExpiredTokenError: its lifetime has passed.
            RevokedTokenError: it was ended before its time.
        """
        known = self._tokens.known_user(token, client_api_key)
        if known is not None:
            return known
        return self._tokens.current_user(token, client_api_key).wait()


class RevokeTokenService:
    """Ends tokens."""

    def __init__(self, instance: _native.Instance) -> None:
        self._tokens = _native.Tokens(instance)

    def revoke_token(self, client_api_key: str, token: str) -> bool:
        """Revokes a token; true only when this call revoked a live token of the calling client.

        Once it has returned, no verification that starts later in this process accepts the token.

        Raises:
            InvalidClientException: the client key is not valid.
        """
        return self._tokens.revoke_token(client_api_key, token).wait()

    def revoke_all_tokens(self, client_api_key: str, user_id: UUID | str) -> None:
        """Ends all tokens of a user for good.

        Raises:
            InvalidClientException: the client key is not valid.
            NotFoundException: the client has no such user.
        """
        self._tokens.revoke_all_tokens(client_api_key, user_id).wait()


class ThirdPartyIntegrationService:
    """Keeps users' accounts at third parties, their credentials sealed at rest.

    Unknown and foreign ids give ``None``, an empty list or false; a suspended client raises
    ``InvalidClientException``, a suspended user ``UnauthorizedException``. An empty connector name is
    malformed, never a wildcard.

    None of these methods asks for a credential: whoever can call them can read every user's accounts.
    """

    def __init__(self, instance: _native.Instance) -> None:
        self._integrations = _native.Integrations(instance)

    def create_integration(self, integration: ThirdPartyIntegrationAuth) -> ThirdPartyIntegrationAuth:
        """Stores an account; the first one of a connector becomes its default.

        Args:
            integration: The account; it is not changed. Its ``id``, ``selected``, ``auth_status`` and
                times are ignored.

        Raises:
            UnauthorizedException: unknown or foreign user.
            IntegrationAlreadyExistsException: the user has this account already.
        """
        integration = ThirdPartyIntegrationAuth.model_validate(integration)
        return self._integrations.create_integration(
            integration.client_id,
            integration.user_id,
            integration.connector,
            integration.auth_string,
            integration.user_identifier,
            integration.auth_scopes,
        ).wait()

    def get_integration(
        self,
        client_id: UUID | str,
        user_id: UUID | str,
        connector: str,
        user_identifier: str | None = None,
    ) -> ThirdPartyIntegrationAuth | None:
        """Returns an account of a connector, its credential opened.

        Args:
            client_id: The user's client.
            user_id: The user.
            connector: The connector, for example ``github``.
            user_identifier: The account's name at the third party; the default one when ``None``.

        Raises:
            NeedsReauthorizationException: the account must be connected again.
            UnreadableException: the stored value was moved, edited or truncated.
        """
        return self._integrations.get_integration(client_id, user_id, connector, user_identifier).wait()

    def get_specific_or_default_integration(
        self,
        client_id: UUID | str,
        user_id: UUID | str,
        connector: str,
        user_identifier: str | None = None,
    ) -> ThirdPartyIntegrationAuth | None:
        """The same as :meth:`get_integration`, by the name that the original system has for it."""
        return self.get_integration(client_id, user_id, connector, user_identifier)

    def get_integrations(
        self, client_id: UUID | str, user_id: UUID | str, connector: str | None = None
    ) -> list[ThirdPartyIntegrationAuth]:
        """Returns all accounts of a user, their credentials opened.

        One that cannot be read has ``auth_status`` ``unreadable`` and an empty ``auth_string``, and
        does not fail the others.

        Args:
            client_id: The user's client.
            user_id: The user.
            connector: Only accounts of this connector.
        """
        return self._integrations.get_integrations(client_id, user_id, connector).wait()

    def has_integration(self, client_id: UUID | str, user_id: UUID | str, connector: str) -> bool:
        """Whether the user has an account of the connector."""
        return self._integrations.has_integration(client_id, user_id, connector).wait()

    def delete_integration(
        self,
        client_id: UUID | str,
        user_id: UUID | str,
        connector: str,
        user_identifier: str | None = None,
    ) -> bool:
        """Deletes an account; true when there was one.

        Args:
            client_id: The user's client.
            user_id: The user.
            connector: The connector.
            user_identifier: The account's name; without, the connector must have only one.

        Raises:
            AmbiguousAccountException: there are several, which the error names.
        """
        return self._integrations.delete_integration(
            client_id, user_id, connector, user_identifier
        ).wait()

    def set_selected_integration(
        self,
        client_id: UUID | str,
        user_id: UUID | str,
        connector: str,
        user_identifier: str,
    ) -> ThirdPartyIntegrationAuth:
        """Makes an account the default of its connector.

        Raises:
            NotFoundException: the user has no such account.
        """
        return self._integrations.set_selected_integration(
            client_id, user_id, connector, user_identifier
        ).wait()

    def update_integration_auth(
        self,
        client_id: UUID | str,
        user_id: UUID | str,
        connector: str,
        user_identifier: str,
        auth_string: str | None = None,
        auth_scopes: Sequence[str] | None = None,
    ) -> ThirdPartyIntegrationAuth:
        """Replaces an account's credential or its list of permissions.

        Raises:
            NotFoundException: the user has no such account.
        """
        return self._integrations.update_integration_auth(
            client_id, user_id, connector, user_identifier, auth_string, auth_scopes
        ).wait()


create_client_service: CreateClientService = CreateClientService(_process.process_wide)
verify_client_service: VerifyClientService = VerifyClientService(_process.process_wide)
client_aware_service: ClientAwareService = ClientAwareService(_process.process_wide)
create_user_service: CreateUserService = CreateUserService(_process.process_wide)
get_user_service: GetUserService = GetUserService(_process.process_wide)
authenticate_user_service: AuthenticateUserService = AuthenticateUserService(_process.process_wide)
create_token_service: CreateTokenService = CreateTokenService(_process.process_wide)
verify_token_service: VerifyTokenService = VerifyTokenService(_process.process_wide)
revoke_token_service: RevokeTokenService = RevokeTokenService(_process.process_wide)
third_party_integration_service: ThirdPartyIntegrationService = ThirdPartyIntegrationService(
    _process.process_wide
)
