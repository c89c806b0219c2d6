"""A service for the users of one or many clients, with FastAPI.

    export DATABASE_AUTHENTICATION_URL=sqlite:///accounts.db
    uvicorn fastapi_app:app

Whoever has a client's API key signs its users up and logs them in; a user keeps accounts at third
parties. `/docs` tries everything out.
"""

from fastapi import FastAPI
from pydantic import BaseModel

from bosa_auth import CurrentUser, ThirdPartyIntegrationAuth, TokenModel, UserModel
from bosa_auth.fastapi import AuthenticatedUser, CallingClient, ClientKey, Services, install, lifespan

# Settings come from the environment.
app = FastAPI(title="Accounts", lifespan=lifespan())
install(app)


class SignUp(BaseModel):
    identifier: str


class Login(BaseModel):
    identifier: str
    secret: str


class Account(BaseModel):
    """An account at a third party. Its credential goes in and never comes out."""

    user_identifier: str
    auth_string: str
    auth_scopes: list[str] = []


class StoredAccount(BaseModel):
    connector: str
    user_identifier: str
    auth_scopes: list[str]
    selected: bool


class WhoAmI(BaseModel):
    # The models of BOSA Auth are fields like any other.
    user: CurrentUser
    accounts: list[StoredAccount]


@app.get("/")
async def client(client: CallingClient) -> dict[str, str]:
    return {"client": client.name}


@app.post("/users", status_code=201)
async def sign_up(body: SignUp, key: ClientKey, services: Services) -> UserModel:
    """Makes a user; its secret is in this answer only."""
    return await services.create_user_service.create_user(key, body.identifier)


@app.post("/login")
async def login(body: Login, key: ClientKey, services: Services) -> TokenModel:
    return await services.authenticate_user_service.authenticate_user(key, body.identifier, body.secret)


@app.get("/me")
async def me(user: AuthenticatedUser, services: Services) -> WhoAmI:
    complete = await services.third_party_integration_service.get_integrations(
        user.client_id, user.user_id
    )
    return WhoAmI(user=user, accounts=[stored(account) for account in complete])


@app.post("/accounts/{connector}", status_code=201)
async def connect(
    connector: str, body: Account, user: AuthenticatedUser, services: Services
) -> StoredAccount:
    account = await services.third_party_integration_service.create_integration(
        ThirdPartyIntegrationAuth(
            client_id=user.client_id,
            user_id=user.user_id,
            connector=connector,
            **body.model_dump(),
        )
    )
    return stored(account)


@app.post("/users/{user_id}/sign-out", status_code=204)
async def sign_out(user_id: str, key: ClientKey, services: Services) -> None:
    """Ends all tokens of a user; the next request with one of them is refused."""
    await services.revoke_token_service.revoke_all_tokens(key, user_id)


def stored(account: ThirdPartyIntegrationAuth) -> StoredAccount:
    return StoredAccount.model_validate(account, from_attributes=True)
