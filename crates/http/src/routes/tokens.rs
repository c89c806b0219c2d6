//! Tokens: log in, verify, revoke, and a client's view of its users' tokens.

use axum::extract::State;
use axum::routing::{delete, get, post};
use bosa_auth::{Error, ErrorKind, Scope, Secret, TokenInfo, TokenModel, UserId, VerifiedToken};
use http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Revoked;
use super::users::unless_absent;
use crate::client_address::ClientAddress;
use crate::envelope::Enveloped;
use crate::extract::{JsonBody, Params, Query};
use crate::idempotency::Idempotency;
use crate::principals::{ClientKey, MaybeClientKey};
use crate::problem::Problem;
use crate::route::{Caller, Route};
use crate::router::AppState;
use crate::wire::{Shown, Time, naive_utc};

const ISSUE: &str = "POST /users/{id}/tokens";
const HINT: &str = "the token was shown once; POST /users/{id}/tokens with another Idempotency-Key issues a new one";

pub(crate) const ROUTES: &[Route] = &[
    Route::new(Method::POST, "/auth/tokens", Caller::MaybeClient, || {
        post(log_in)
    })
    .summary("Logs a user in. Without a client key only a generated secret is accepted.")
    .scope(Scope::TokensIssue)
    .body::<Login>()
    .data::<LoginToken>(),
    Route::new(
        Method::POST,
        "/clients/oauth-token",
        Caller::MaybeClient,
        || post(log_in),
    )
    .summary("The same as POST /auth/tokens, under its former name.")
    .scope(Scope::TokensIssue)
    .body::<Login>()
    .data::<LoginToken>(),
    Route::new(Method::POST, "/auth/tokens/verify", Caller::Client, || {
        post(verify)
    })
    .summary("Says whether a token of the client's users is valid.")
    .scope(Scope::TokensVerify)
    .body::<PresentedToken>()
    .data::<Verification>(),
    Route::new(Method::POST, "/auth/tokens/revoke", Caller::Client, || {
        post(revoke)
    })
    .summary("Revokes a token of the client's users at once.")
    .scope(Scope::TokensRevoke)
    .body::<PresentedToken>()
    .data::<Revoked>(),
    Route::new(Method::GET, "/users/{id}/tokens", Caller::Client, || {
        get(list)
    })
    .summary("Lists a user's tokens without their text, newest first.")
    .scope(Scope::UsersRead)
    .query(&[
        ("limit", "How many, 1 to 100."),
        ("cursor", "The next_cursor of the page before."),
    ])
    .list::<ListedToken>(),
    Route::new(Method::POST, "/users/{id}/tokens", Caller::Client, || {
        post(issue)
    })
    .summary("Issues a token for a user without its secret.")
    .scope(Scope::UsersCredentials)
    .data::<IssuedToken>()
    .creates(),
    Route::new(Method::DELETE, "/users/{id}/tokens", Caller::Client, || {
        delete(revoke_all)
    })
    .summary("Ends all tokens of a user for good.")
    .scope(Scope::TokensRevoke)
    .data::<Revoked>(),
];

/// A user's credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    identifier: String,
    #[schema(value_type = String)]
    secret: Secret,
}

/// A token to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PresentedToken {
    #[schema(value_type = String)]
    token: Secret,
}

/// A token after a login.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoginToken {
    /// A JWT.
    token: Shown,
    /// Always `bearer`.
    token_type: &'static str,
    /// When the token ends: UTC, without a zone, with microseconds.
    expires_at: String,
    /// Always false.
    is_revoked: bool,
    user_id: Uuid,
    client_id: Uuid,
}

/// A token that a client issued for its user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuedToken {
    /// The token's id, its `jti`.
    id: Uuid,
    /// A JWT: in the answer that issued it, and null in a replay.
    token: Option<Shown>,
    /// Always `bearer`.
    token_type: &'static str,
    /// When the token ends, in seconds since the epoch.
    expires_at: i64,
    user_id: Uuid,
    client_id: Uuid,
}

/// A token as it is listed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedToken {
    /// The token's id, its `jti`.
    id: Uuid,
    user_id: Uuid,
    issued_at: Time,
    /// When the token ends, in seconds since the epoch.
    expires_at: i64,
    revoked_at: Option<Time>,
    /// Whether a verification now would accept it.
    is_active: bool,
}

/// Whether a token is valid, and for whom.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verification {
    valid: bool,
    /// When valid: the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Uuid>,
    /// When valid: the user's identifier today.
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    /// When valid: the token's end, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// When not valid: `invalid_token`, `expired_token` or `revoked_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

impl From<TokenModel> for LoginToken {
    fn from(token: TokenModel) -> Self {
        Self {
            token: token.token.into(),
            token_type: token.token_type,
            expires_at: naive_utc(token.expires_at),
            is_revoked: false,
            user_id: token.user_id.as_uuid(),
            client_id: token.client_id.as_uuid(),
        }
    }
}

impl From<TokenModel> for IssuedToken {
    fn from(token: TokenModel) -> Self {
        Self {
            id: token.id.as_uuid(),
            token: Shown::unless_empty(token.token),
            token_type: token.token_type,
            expires_at: token.expires_at,
            user_id: token.user_id.as_uuid(),
            client_id: token.client_id.as_uuid(),
        }
    }
}

impl From<TokenInfo> for ListedToken {
    fn from(token: TokenInfo) -> Self {
        Self {
            id: token.id.as_uuid(),
            user_id: token.user_id.as_uuid(),
            issued_at: token.issued_at.into(),
            expires_at: token.expires_at,
            revoked_at: token.revoked_at.map(Time::from),
            is_active: token.is_active,
        }
    }
}

impl From<VerifiedToken> for Verification {
    fn from(token: VerifiedToken) -> Self {
        Self {
            valid: true,
            user_id: Some(token.user_id.as_uuid()),
            identifier: Some(token.identifier),
            expires_at: Some(token.expires_at),
            code: None,
        }
    }
}

impl Verification {
    /// The answer to a token that is not valid; any other error is an error.
    fn refused(error: Error) -> Result<Self, Error> {
        match error.kind() {
            ErrorKind::InvalidToken | ErrorKind::ExpiredToken | ErrorKind::RevokedToken => {
                Ok(Self {
                    valid: false,
                    user_id: None,
                    identifier: None,
                    expires_at: None,
                    code: Some(error.code()),
                })
            }
            _ => Err(error),
        }
    }
}

async fn log_in(
    State(state): State<AppState>,
    MaybeClientKey(tenant): MaybeClientKey,
    ClientAddress(address): ClientAddress,
    body: JsonBody<Login>,
) -> Result<Enveloped<LoginToken>, Problem> {
    let (identifier, secret) = (&body.value.identifier, body.value.secret.expose());
    let token = match tenant {
        Some(tenant) => tenant.authenticate_user(identifier, secret).await?,
        None => {
            let auth = &state.auth;
            auth.authenticate_user_without_client(identifier, secret, address)
                .await?
        }
    };
    Ok(Enveloped::new(token.into()))
}

async fn verify(
    ClientKey(tenant): ClientKey,
    body: JsonBody<PresentedToken>,
) -> Result<Enveloped<Verification>, Problem> {
    let verified = tenant.verify_token(body.value.token.expose()).await;
    let verification = verified.map_or_else(Verification::refused, |token| Ok(token.into()))?;
    Ok(Enveloped::new(verification))
}

async fn revoke(
    ClientKey(tenant): ClientKey,
    body: JsonBody<PresentedToken>,
) -> Result<Enveloped<Revoked>, Problem> {
    let revoked = tenant.revoke_token(body.value.token.expose()).await?;
    Ok(Enveloped::new(Revoked { revoked }))
}

async fn list(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
    mut query: Query,
) -> Result<Enveloped<Vec<ListedToken>>, Problem> {
    let page = query.page()?;
    query.finish()?;
    Ok(Enveloped::page(tenant.list_tokens(id, page).await?))
}

async fn issue(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
    idempotency: Idempotency,
) -> Result<Enveloped<IssuedToken>, Problem> {
    let tenant = idempotency.attach(tenant, ISSUE, "")?;
    match tenant.create_token(id).await {
        Ok(created) => Ok(Enveloped::created(created, HINT)),
        Err(error) => Err(unless_absent(&tenant, id, error).await),
    }
}

async fn revoke_all(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
) -> Result<Enveloped<Revoked>, Problem> {
    tenant.revoke_all_tokens(id).await?;
    Ok(Enveloped::new(Revoked { revoked: true }))
}
