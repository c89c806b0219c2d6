"""The operations of the seed, by its names, and what they are called with.

The packages differ in little: a `World` is made with the blocking services of one, and a subclass says
where it departs from the seed.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any

Arguments = tuple[Any, ...]
IDENTIFIER = "ana@example.com"
# What else the worker can run: an empty coroutine, which `aio` cannot cost less than.
EMPTY = "empty coroutine"


@dataclasses.dataclass
class Operation:
    """A call of the package, and what makes the arguments of so many of them."""

    call: Callable[..., Any]
    arguments: Callable[[int], Iterable[Arguments]]


Operations = dict[str, Operation]


class World:
    """A client with two users, a token and two integrations.

    `service` is the package's module of services, `model` its `ThirdPartyIntegrationAuth`.
    """

    # Whether an account is named when an integration is read or deleted; by the seed it is not.
    account: Arguments = ()

    def __init__(self, service: Any, model: Callable[..., Any]) -> None:
        self.service, self.model = service, model
        self.number = itertools.count().__next__
        self.client = service.create_client_service.create_client("bench")
        self.key: str = self.client.api_key
        create_user = service.create_user_service.create_user
        # What is written belongs to another one, so that what is read stays as it is.
        self.user, self.writer = (create_user(self.key, name) for name in (IDENTIFIER, "writer@example.com"))
        self.token = self.new_token()
        for connector in ("github", "google"):
            service.third_party_integration_service.create_integration(self.integration(self.user, connector))
        self.check()

    def new_token(self) -> str:
        token: str = self.service.create_token_service.create_token(*self.token_owner()).token
        return token

    def token_owner(self) -> Arguments:
        return self.user.id, self.client.id

    def integration(self, owner: Any, connector: str) -> Any:
        return self.model(
            client_id=self.client.id, user_id=owner.id, connector=connector, auth_string="x" * 40,
            user_identifier="ana", auth_scopes=["read", "write"],
        )

    def new_integration(self) -> Any:
        return self.integration(self.writer, f"connector-{self.number()}")

    def stored_integration(self) -> Arguments:
        stored = self.service.third_party_integration_service.create_integration(self.new_integration())
        return self.client.id, self.writer.id, stored.connector, *self.account

    def verify_key(self, service: Any) -> Callable[..., Any]:
        call: Callable[..., Any] = service.verify_client_service.verify_client_api_key
        return call

    def check(self) -> None:
        """Whether what is measured tells right from wrong."""
        verify, verify_key = self.service.verify_token_service.verify_token_and_get_user_id, self.verify_key(self.service)
        if verify(self.key, self.token) != self.user.id:
            raise RuntimeError("the right token is not accepted")
        verify_key(self.key)
        revoked, wrong = self.new_token(), self.key + "x"
        self.service.revoke_token_service.revoke_token(self.key, revoked)
        must_be_refused("a revoked token", lambda: verify(self.key, revoked))
        must_be_refused("a token with a wrong key", lambda: verify(wrong, self.token))
        must_be_refused("a wrong key", lambda: verify_key(wrong))

    def operations(self, service: Any) -> Operations:
        """Every operation, called on these services: the blocking ones or those of `aio`."""
        key, client, user = self.key, self.client.id, self.user
        clients, users, integrations = service.client_aware_service, service.get_user_service, service.third_party_integration_service
        return {
            "create_client": fresh(service.create_client_service.create_client, lambda: (f"client {self.number()}",)),
            "verify_client_api_key": same(self.verify_key(service), key),
            "is_api_key_valid": same(service.verify_client_service.is_api_key_valid, key),
            "get_client_by_api_key": same(clients.get_client_by_api_key, key),
            "get_client_by_id": same(clients.get_client_by_id, client),
            "create_user": fresh(service.create_user_service.create_user, lambda: (key, f"user-{self.number()}@example.com")),
            "get_user": same(users.get_user, key, user.id),
            "get_user_by_identifier": same(users.get_user_by_identifier, key, IDENTIFIER),
            "get_user_complete": same(users.get_user_complete, key, user.id),
            "authenticate_user": same(service.authenticate_user_service.authenticate_user, key, IDENTIFIER, user.secret),
            "create_token": same(service.create_token_service.create_token, *self.token_owner()),
            "verify_token_and_get_user_id": same(service.verify_token_service.verify_token_and_get_user_id, key, self.token),
            "revoke_token": fresh(service.revoke_token_service.revoke_token, lambda: (key, self.new_token())),
            "create_integration": fresh(integrations.create_integration, lambda: (self.new_integration(),)),
            "get_integration": same(integrations.get_integration, client, user.id, "github", *self.account),
            "get_integrations": same(integrations.get_integrations, client, user.id),
            "has_integration": same(integrations.has_integration, client, user.id, "github"),
            "delete_integration": fresh(integrations.delete_integration, self.stored_integration),
        }


def same(call: Callable[..., Any], *arguments: Any) -> Operation:
    """The same call again and again."""
    return Operation(call, lambda calls: itertools.repeat(arguments, calls))


def fresh(call: Callable[..., Any], make: Callable[[], Arguments]) -> Operation:
    """Each call with arguments of its own, which are all made before the first."""
    return Operation(call, lambda calls: [make() for _ in range(calls)])


def must_be_refused(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:
        return
    raise RuntimeError(f"{what} is accepted")
