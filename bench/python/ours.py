"""The operations of our package, blocking and for asyncio, on one instance."""

from bosa_auth import AuthenticationDbSettings, aio, initialize_authentication_db, service
from bosa_auth.models import ThirdPartyIntegrationAuth
from operations import EMPTY, Operations, World, same


async def empty(_key: str, _token: str) -> None:
    pass


def faces() -> dict[str, Operations]:
    initialize_authentication_db(AuthenticationDbSettings())
    world = World(service, ThirdPartyIntegrationAuth)
    for_asyncio = world.operations(aio.service)
    for_asyncio[EMPTY] = same(empty, world.key, world.token)
    return {"blocking": world.operations(service), "aio": for_asyncio}
