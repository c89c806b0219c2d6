"""Every service, blocking, as a program uses them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import assert_type
from uuid import UUID

import bosa_auth
from bosa_auth import Auth, AuthenticationDbSettings, Page, initialize_authentication_db, shutdown
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
    CreateClientService,
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


def clients() -> ClientModel:
    client = create_client_service.create_client("acme")
    assert_type(client, ClientModel)
    assert_type(client.id, UUID)
    assert_type(client.name, str)
    assert_type(client.is_active, bool)
    assert_type(client.created_at, datetime)
    create_client_service.update_client(client.id, can_get_integrations=False)
    create_client_service.update_client(str(client.id), "acme & sons", sign_out=True)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    key = create_client_service.create_api_key(client.id, ["tokens:verify"], expires_at=tomorrow)
    assert_type(key, ApiKeyModel)
    assert_type(key.scopes, list[str])
    assert_type(key.expires_at, datetime | None)
    key = create_client_service.rotate_api_key(client.id, key.id, overlap_seconds=60)
    assert_type(create_client_service.list_api_keys(client.id), Page[ApiKeyModel])
    assert_type(create_client_service.revoke_api_key(client.id, key.id), bool)
    assert_type(verify_client_service.verify_client_api_key(client.api_key), ClientModel)
    assert_type(verify_client_service.is_api_key_valid(api_key=client.api_key), bool)
    assert_type(client_aware_service.get_client_by_api_key(client.api_key), ClientModel)
    assert_type(client_aware_service.get_client_by_id(client.id), ClientModel)
    assert_type(client_aware_service.find_client(client.id), ClientModel)
    assert_type(client_aware_service.find_client_by_name("acme & sons"), ClientModel)
    assert [each.name for each in client_aware_service.get_client_list()] == ["acme & sons"]
    return client


def users(key: str) -> UserModel:
    user = create_user_service.create_user(key, "ana@example.com")
    assert_type(user, UserModel)
    chosen = create_user_service.create_user(key, "bob", secret="a long secret of bob's own")
    assert_type(chosen.secret_preview, str)
    create_user_service.update_user(key, chosen.id, is_active=False)
    create_user_service.delete_user(key, chosen.id)
    user = create_user_service.reset_user_secret(key, user.id)
    assert_type(get_user_service.get_user(key, user.id), UserModel)
    assert_type(get_user_service.get_user_by_identifier(key, "ana@example.com"), UserModel)
    complete = get_user_service.get_user_complete(api_key=key, user_id=user.id)
    assert_type(complete, UserComplete)
    assert_type(complete.integrations, list[ThirdPartyIntegrationAuth])
    names: Sequence[str] = [each.identifier for each in get_user_service.list_users(key, limit=10)]
    assert names == ["ana@example.com"]
    return user


def tokens(client: ClientModel, user: UserModel) -> None:
    key = client.api_key
    token = authenticate_user_service.authenticate_user(key, user.identifier, user.secret)
    assert_type(token, TokenModel)
    assert_type(token.expires_at, int)
    assert token.token_type == "bearer"
    assert_type(create_token_service.create_token(user.id, client.id), TokenModel)
    assert_type(create_token_service.list_tokens(key, user.id), Page[TokenInfo])
    user_id = verify_token_service.verify_token_and_get_user_id(client_api_key=key, token=token.token)
    assert_type(user_id, UUID)
    assert_type(verify_token_service.verify_token(key, token.token), VerifiedToken)
    assert_type(verify_token_service.current_user(token.token), CurrentUser)
    assert_type(revoke_token_service.revoke_token(key, token.token), bool)
    revoke_token_service.revoke_all_tokens(key, user.id)


def integrations(client: ClientModel, user: UserModel) -> None:
    service = third_party_integration_service
    stored = service.create_integration(
        ThirdPartyIntegrationAuth(
            client_id=client.id,
            user_id=user.id,
            connector="github",
            auth_string="gho_0123456789",
            user_identifier="octocat",
            auth_scopes=["repo"],
        )
    )
    assert_type(stored, ThirdPartyIntegrationAuth)
    assert_type(stored.id, UUID | None)
    found = service.get_integration(client.id, user.id, "github")
    assert_type(found, ThirdPartyIntegrationAuth | None)
    assert found is not None and found.auth_string == "gho_0123456789"
    assert_type(service.get_integrations(client.id, user.id), list[ThirdPartyIntegrationAuth])
    assert_type(service.has_integration(client.id, user.id, "github"), bool)
    service.update_integration_auth(client.id, user.id, "github", "octocat", "gho_9876543210")
    service.set_selected_integration(client.id, user.id, "github", "octocat")
    assert_type(service.delete_integration(client.id, user.id, "github"), bool)


def own(settings: AuthenticationDbSettings) -> None:
    with Auth(settings) as auth:
        assert_type(auth, Auth)
        assert_type(auth.create_client_service, CreateClientService)
        auth.create_client_service.create_client("acme")


def main() -> None:
    print(bosa_auth.__version__)
    settings = AuthenticationDbSettings(database_authentication_url="sqlite://")
    assert_type(initialize_authentication_db(settings), Auth)
    client = clients()
    user = users(client.api_key)
    tokens(client, user)
    integrations(client, user)
    shutdown()
    own(settings)


if __name__ == "__main__":
    main()
