"""The operations of BOSA Auth, for the Python modules beside it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar, final
from uuid import UUID

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

VERSION: str

_T = TypeVar("_T")
_Page = tuple[list[_T], str | None]

@final
class Settings:
    """Settings from code and environment."""

    def __new__(cls, values: Sequence[tuple[str, str]]) -> Settings:
        """Gathers the given values, by the names of their variables, and the environment."""

    def get(self, variable: str) -> str | None:
        """The value of a setting from code, environment or default; `None` when it has none."""

    def warnings(self) -> list[str]:
        """What is odd but does not prevent a start."""

@final
class Call(Generic[_T]):
    """An operation with its arguments, made once: by `wait` or by `future`."""

    def wait(self) -> _T:
        """Makes the call and waits for its result; other threads of Python run meanwhile."""

    def future(self) -> asyncio.Future[_T]:
        """Makes the call; its result is that of a future of the running event loop."""

@final
class Instance:
    """An instance; several objects may stand for the same one."""

    def __new__(cls, settings: Settings | None = None) -> Instance:
        """An instance with the given settings; without, one that `install` gives some later."""

    def install(self, settings: Settings) -> Instance:
        """Gives this object its settings, or checks that it has them already; gives an object that
        stays with the instance."""

    def has(self, installed: Instance) -> bool:
        """Whether the instance of the other object is the one that is installed here."""

    def uninstall(self) -> Instance | None:
        """Takes the settings away; gives an object for the instance that was there."""

    def uninstall_unopened(self, installed: Instance) -> None:
        """Takes away what `install` gave, if its database could not be opened."""

    def open(self) -> Call[None]:
        """Opens the database."""

    def close(self) -> Call[None] | None:
        """Closes the database; every later use is refused."""

@final
class Clients:
    """The operations on clients and their API keys."""

    def __new__(cls, instance: Instance) -> Clients: ...
    def create_client(self, name: str) -> Call[ClientModel]: ...
    def update_client(
        self,
        client_id: UUID | str,
        name: str | None,
        is_active: bool | None,
        can_get_integrations: bool | None,
        sign_out: bool,
    ) -> Call[ClientModel]: ...
    def delete_client(self, client_id: UUID | str) -> Call[None]: ...
    def create_api_key(
        self, client_id: UUID | str, requested_scopes: Sequence[str] | None, expires_at: datetime | None
    ) -> Call[ApiKeyModel]: ...
    def list_api_keys(
        self, client_id: UUID | str, limit: int | None, cursor: str | None
    ) -> Call[_Page[ApiKeyModel]]: ...
    def rotate_api_key(
        self, client_id: UUID | str, key_id: UUID | str, overlap_seconds: int
    ) -> Call[ApiKeyModel]: ...
    def revoke_api_key(self, client_id: UUID | str, key_id: UUID | str) -> Call[bool]: ...
    def known_client(self, api_key: str) -> ClientModel | None:
        """The client of a key, from memory; `None` when a call of `verify_client_api_key` must tell."""

    def known_validity(self, api_key: str) -> bool | None:
        """Whether a key is valid, from memory; `None` when a call of `is_api_key_valid` must tell."""

    def verify_client_api_key(self, api_key: str) -> Call[ClientModel]: ...
    def is_api_key_valid(self, api_key: str) -> Call[bool]: ...
    def get_client_by_id(self, client_id: UUID | str) -> Call[ClientModel]: ...
    def get_client_list(self, limit: int | None, cursor: str | None) -> Call[_Page[ClientModel]]: ...
    def find_client(self, client_id: UUID | str) -> Call[ClientModel]: ...
    def find_client_by_name(self, name: str) -> Call[ClientModel]: ...

@final
class Users:
    """The operations on users."""

    def __new__(cls, instance: Instance) -> Users: ...
    def create_user(
        self, client_api_key: str, identifier: str, secret: str | None
    ) -> Call[UserModel]: ...
    def update_user(
        self, client_api_key: str, user_id: UUID | str, identifier: str | None, is_active: bool | None
    ) -> Call[UserModel]: ...
    def delete_user(self, client_api_key: str, user_id: UUID | str) -> Call[None]: ...
    def reset_user_secret(self, client_api_key: str, user_id: UUID | str) -> Call[UserModel]: ...
    def change_user_secret(
        self, client_api_key: str, identifier: str, current_secret: str, new_secret: str
    ) -> Call[UserModel]: ...
    def get_user(self, client_api_key: str, user_id: UUID | str) -> Call[UserModel]: ...
    def get_user_by_identifier(self, client_api_key: str, identifier: str) -> Call[UserModel]: ...
    def get_user_complete(self, api_key: str, user_id: UUID | str) -> Call[UserComplete]: ...
    def list_users(
        self, client_api_key: str, limit: int | None, cursor: str | None
    ) -> Call[_Page[UserModel]]: ...
    def find_user(self, client_api_key: str, user_id: UUID | str) -> Call[UserModel]: ...
    def find_user_by_identifier(self, client_api_key: str, identifier: str) -> Call[UserModel]: ...
    def authenticate_user(
        self, client_api_key: str, identifier: str, secret: str
    ) -> Call[TokenModel]: ...

@final
class Tokens:
    """The operations on tokens."""

    def __new__(cls, instance: Instance) -> Tokens: ...
    def create_token(self, user_id: UUID | str, client_id: UUID | str) -> Call[TokenModel]: ...
    def list_tokens(
        self, client_api_key: str, user_id: UUID | str, limit: int | None, cursor: str | None
    ) -> Call[_Page[TokenInfo]]: ...
    def known_user_id(self, client_api_key: str, token: str) -> UUID | None:
        """The user of a token, from memory; `None` when a call must tell."""

    def known_token(self, client_api_key: str, token: str) -> VerifiedToken | None:
        """What a valid token says, from memory; `None` when a call must tell."""

    def verify_token_and_get_user_id(self, client_api_key: str, token: str) -> Call[UUID]: ...
    def verify_token(self, client_api_key: str, token: str) -> Call[VerifiedToken]: ...
    def known_user(self, token: str, client_api_key: str | None) -> CurrentUser | None:
        """The user that a token speaks for, from memory; `None` when a call must tell."""

    def current_user(self, token: str, client_api_key: str | None) -> Call[CurrentUser]: ...
    def revoke_token(self, client_api_key: str, token: str) -> Call[bool]: ...
    def revoke_all_tokens(self, client_api_key: str, user_id: UUID | str) -> Call[None]: ...

@final
class Integrations:
    """The operations on users' accounts at third parties."""

    def __new__(cls, instance: Instance) -> Integrations: ...
    def create_integration(
        self,
        client_id: UUID | str,
        user_id: UUID | str,
        connector: str,
        auth_string: str,
        user_identifier: str,
        auth_scopes: Sequence[str],
    ) -> Call[ThirdPartyIntegrationAuth]: ...
    def get_integration(
        self, client_id: UUID | str, user_id: UUID | str, connector: str, user_identifier: str | None
    ) -> Call[ThirdPartyIntegrationAuth | None]: ...
    def get_integrations(
        self, client_id: UUID | str, user_id: UUID | str, connector: str | None
    ) -> Call[list[ThirdPartyIntegrationAuth]]: ...
    def has_integration(
        self, client_id: UUID | str, user_id: UUID | str, connector: str
    ) -> Call[bool]: ...
    def delete_integration(
        self, client_id: UUID | str, user_id: UUID | str, connector: str, user_identifier: str | None
    ) -> Call[bool]: ...
    def set_selected_integration(
        self, client_id: UUID | str, user_id: UUID | str, connector: str, user_identifier: str
    ) -> Call[ThirdPartyIntegrationAuth]: ...
    def update_integration_auth(
        self,
        client_id: UUID | str,
        user_id: UUID | str,
        connector: str,
        user_identifier: str,
        auth_string: str | None,
        auth_scopes: Sequence[str] | None,
    ) -> Call[ThirdPartyIntegrationAuth]: ...

def forking() -> None:
    """Makes this process ready to fork."""

def forked_in_parent() -> None:
    """Says that this process has forked."""

def forked_in_child() -> None:
    """Says that this process is a child that was just forked."""

def leave(instances: Sequence[Instance]) -> None:
    """Says that the interpreter is about to go away: closes the instances, which it waits for only so
    long, and then lets no thread of the library into the interpreter."""
