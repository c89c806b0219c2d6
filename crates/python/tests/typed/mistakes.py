"""Mistakes that type checkers find; each line says what mypy and what pyright call its mistake."""

# fmt: off
from uuid import UUID

from bosa_auth import Auth, AuthenticationDbSettings, ClientModel, ThirdPartyIntegrationAuth, aio
from bosa_auth.service import create_client_service, create_token_service
from bosa_auth.service import third_party_integration_service as accounts

AuthenticationDbSettings(auth_access_token_expire_minutes="60")  # arg-type / reportArgumentType
AuthenticationDbSettings(redis_host="localhost")  # call-arg / reportCallIssue


def of_services(client: ClientModel) -> None:
    create_client_service.create_client()  # call-arg / reportCallIssue
    create_client_service.create_client(7)  # arg-type / reportArgumentType
    create_client_service.create_user("ana")  # attr-defined / reportAttributeAccessIssue
    create_token_service.create_token(7, client.id)  # arg-type / reportArgumentType
    found = accounts.get_integration(client.id, client.id, "github")
    print(found.auth_string)  # union-attr / reportOptionalMemberAccess


def of_models(client: ClientModel) -> None:
    client.name = "new"  # misc / reportAttributeAccessIssue
    print(client.token)  # attr-defined / reportAttributeAccessIssue
    day: str = client.created_at  # assignment / reportAssignmentType
    ThirdPartyIntegrationAuth(client_id=UUID(int=0), key=day)  # call-arg / reportCallIssue


async def of_coroutines(auth: aio.Auth) -> None:
    clients = auth.create_client_service
    made: ClientModel = clients.create_client("acme")  # assignment / reportAssignmentType
    clients.delete_client(made.id)  # unused-coroutine / reportUnusedCoroutine
    for user in await auth.get_user_service.list_users("key"):  # attr-defined / reportGeneralTypeIssues
        print(user)


def of_instances(auth: Auth) -> None:
    with aio.Auth() as other:  # attr-defined / reportGeneralTypeIssues
        print(other)
    auth.create_client_service = None  # assignment / reportAttributeAccessIssue
