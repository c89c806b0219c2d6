"""Instances of the system, and the one of the process."""

from __future__ import annotations

from functools import cached_property
from types import TracebackType

from bosa_auth import _native, _process
from bosa_auth.aio import service
from bosa_auth.settings import AuthenticationDbSettings

__all__ = ["Auth", "initialize_authentication_db", "shutdown"]


class Auth:
    """An instance of the authentication system, independent of all others.

    Its services are attributes. It closes at the end of a ``with`` block, or by :meth:`close`.
    ``Auth(settings)`` opens the database, for asyncio at the first call; :meth:`open` does so at once.

    Args:
        settings: Its settings; without, those of the environment.

    Raises:
        ConfigurationException: a setting cannot be used, or a key is missing or wrong.
        DatabaseConnectionException: the database cannot be reached.
    """

    def __init__(self, settings: AuthenticationDbSettings | None = None) -> None:
        settings = settings or AuthenticationDbSettings()
        self._instance = _process.opened_later(_native.Instance(settings._checked()))

    @classmethod
    async def open(cls, settings: AuthenticationDbSettings | None = None) -> Auth:
        """An instance whose database is open."""
        auth = cls(settings)
        await auth._instance.open().future()
        return auth

    @classmethod
    def _of(cls, instance: _native.Instance) -> Auth:
        auth = object.__new__(cls)
        auth._instance = instance
        return auth

    async def close(self) -> None:
        """Writes what is still to be written and closes the database."""
        call = self._instance.close()
        if call is not None:
            await call.future()

    async def __aenter__(self) -> Auth:
        await self._instance.open().future()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @cached_property
    def create_client_service(self) -> service.CreateClientService:
        """Makes and changes clients and their API keys."""
        return service.CreateClientService(self._instance)

    @cached_property
    def verify_client_service(self) -> service.VerifyClientService:
        """Verifies client keys."""
        return service.VerifyClientService(self._instance)

    @cached_property
    def client_aware_service(self) -> service.ClientAwareService:
        """Finds clients."""
        return service.ClientAwareService(self._instance)

    @cached_property
    def create_user_service(self) -> service.CreateUserService:
        """Makes and changes users."""
        return service.CreateUserService(self._instance)

    @cached_property
    def get_user_service(self) -> service.GetUserService:
        """Finds users."""
        return service.GetUserService(self._instance)

    @cached_property
    def authenticate_user_service(self) -> service.AuthenticateUserService:
        """Logs users in."""
        return service.AuthenticateUserService(self._instance)

    @cached_property
    def create_token_service(self) -> service.CreateTokenService:
        """Issues tokens."""
        return service.CreateTokenService(self._instance)

    @cached_property
    def verify_token_service(self) -> service.VerifyTokenService:
        """Verifies tokens."""
        return service.VerifyTokenService(self._instance)

    @cached_property
    def revoke_token_service(self) -> service.RevokeTokenService:
        """Ends tokens."""
        return service.RevokeTokenService(self._instance)

    @cached_property
    def third_party_integration_service(self) -> service.ThirdPartyIntegrationService:
        """Keeps users' accounts at third parties."""
        return service.ThirdPartyIntegrationService(self._instance)


async def initialize_authentication_db(
    settings: AuthenticationDbSettings | None = None,
) -> Auth:
    """Opens the database, creates or migrates its schema, and installs the result for the services.

    Safe when many processes start at once, and when it is called again with the same settings.

    Args:
        settings: The settings; without, those of the environment.

    Raises:
        ConfigurationException: a setting cannot be used, a key is missing or wrong, or other settings
            are installed already (call :func:`shutdown` first).
        DatabaseConnectionException: the database cannot be reached.
    """
    checked = (settings or AuthenticationDbSettings())._checked()
    while True:
        installed = _process.process_wide.install(checked)
        try:
            await installed.open().future()
        except BaseException:
            _process.process_wide.uninstall_unopened(installed)
            raise
        auth = Auth._of(installed)
        if _process.process_wide.has(installed):
            return auth
        # Another caller failed to open it, or closed it, meanwhile.
        await auth.close()


async def shutdown() -> None:
    """Closes the process-wide instance; afterwards it can be initialised again."""
    instance = _process.process_wide.uninstall()
    if instance is not None:
        await Auth._of(instance).close()
