"""The operations of the original, `bosa-core-binary` 0.9.7, under the seed's names."""

import functools
import os
from collections.abc import Callable
from typing import Any

from bosa_core.authentication import AuthenticationDbSettings, init_auth_services
from bosa_core.authentication.plugin.repository.models import ThirdPartyIntegrationAuth
from bosa_core.cache.config import CacheSettings
from operations import Arguments, Operations, World


class Original(World):
    account = ("ana",)

    def token_owner(self) -> Arguments:
        return (self.user,)

    def verify_key(self, service: Any) -> Callable[..., Any]:
        call: Callable[..., Any] = service.verify_client_service.verify_api_key
        return call


def faces() -> dict[str, Operations]:
    cache = CacheSettings(redis_host=os.environ["REDIS_HOST"], redis_port=int(os.environ["REDIS_PORT"]))
    init_auth_services(
        AuthenticationDbSettings(
            database_authentication_url=os.environ["DATABASE_AUTHENTICATION_URL"],
            auth_secret_key=os.environ["AUTH_SECRET_KEY"],
        ),
        cache,
    )
    # Its services exist only from then on.
    from bosa_core.authentication import service

    model = functools.partial(ThirdPartyIntegrationAuth, selected=True)
    return {"blocking": Original(service, model).operations(service)}
