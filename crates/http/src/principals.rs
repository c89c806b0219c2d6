//! Who is calling, from the request's headers.

use axum::extract::FromRequestParts;
use bosa_auth::{CurrentUser, Error, ErrorKind, Operator, Tenant};
use http::request::Parts;
use http::{HeaderMap, header};

use crate::problem::Problem;
use crate::router::AppState;

const API_KEY: &str = "x-api-key";
/// What public clients send as their key when they were built without one. No key looks like these.
const WITHOUT_A_KEY: [&str; 2] = ["bosa", "connector"];
const BEARER: &str = "bearer";
const NEEDS_MASTER_KEY: &str = "this route needs a master key in x-api-key";
const NEEDS_CLIENT_KEY: &str = "this route needs a client key in x-api-key";
const NEEDS_EITHER_KEY: &str = "this route needs a client key or a master key in x-api-key";
const NEEDS_TOKEN: &str = "this route needs a user's token in Authorization: Bearer";

/// A caller with a master key in `x-api-key`.
#[derive(Debug)]
pub(crate) struct MasterKey(pub(crate) Operator);

/// A client with one of its API keys in `x-api-key`.
#[derive(Debug)]
pub(crate) struct ClientKey(pub(crate) Tenant);

/// A client with one of its API keys, for itself, or a caller with a master key, for any client or for
/// all of them.
#[derive(Debug)]
pub(crate) enum Manager {
    Client(Tenant),
    Operator(Operator),
}

/// A client, if it sent a key. A wrong key is refused all the same.
#[derive(Debug)]
pub(crate) struct MaybeClientKey(pub(crate) Option<Tenant>);

/// A user with its token in `Authorization: Bearer`, and perhaps its client's key beside it.
#[derive(Debug)]
pub(crate) struct UserToken(pub(crate) CurrentUser);

/// A user, if a token was sent. A wrong token, and a wrong client key without one, is refused all
/// the same.
#[derive(Debug)]
pub(crate) struct MaybeUserToken(pub(crate) Option<CurrentUser>);

impl FromRequestParts<AppState> for MasterKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let refusal = || Problem::unauthenticated(ErrorKind::InvalidClient, NEEDS_MASTER_KEY);
        let key = api_key(&parts.headers)?.ok_or_else(refusal)?;
        match state.auth.verify_master_key(key) {
            Ok(operator) => Ok(Self(operator)),
            Err(Error::InvalidClient) => Err(refusal()),
            Err(error) => Err(error.into()),
        }
    }
}

impl FromRequestParts<AppState> for ClientKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let refusal = || Problem::unauthenticated(ErrorKind::InvalidClient, NEEDS_CLIENT_KEY);
        let key = api_key(&parts.headers)?.ok_or_else(refusal)?;
        Ok(Self(state.auth.authenticate_client(key).await?))
    }
}

impl FromRequestParts<AppState> for Manager {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let refusal = || Problem::unauthenticated(ErrorKind::InvalidClient, NEEDS_EITHER_KEY);
        let key = api_key(&parts.headers)?.ok_or_else(refusal)?;
        match state.auth.verify_master_key(key) {
            Ok(operator) => Ok(Self::Operator(operator)),
            Err(Error::InvalidClient) => {
                let tenant = state.auth.authenticate_client(key).await?;
                Ok(Self::Client(tenant))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl FromRequestParts<AppState> for MaybeClientKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(match api_key(&parts.headers)? {
            Some(key) => Some(state.auth.authenticate_client(key).await?),
            None if state.auth.requires_client_key() => {
                let kind = ErrorKind::InvalidClient;
                return Err(Problem::unauthenticated(kind, NEEDS_CLIENT_KEY));
            }
            None => None,
        }))
    }
}

impl FromRequestParts<AppState> for UserToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let refusal = || Problem::unauthenticated(ErrorKind::Unauthorized, NEEDS_TOKEN);
        let token = bearer(&parts.headers)?.ok_or_else(refusal)?;
        let key = api_key(&parts.headers)?;
        Ok(Self(state.auth.current_user(key, token).await?))
    }
}

impl FromRequestParts<AppState> for MaybeUserToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(match bearer(&parts.headers)? {
            Some(token) => {
                let key = api_key(&parts.headers)?;
                Some(state.auth.current_user(key, token).await?)
            }
            None => {
                MaybeClientKey::from_request_parts(parts, state).await?;
                None
            }
        }))
    }
}

/// The one `x-api-key`; two of them, or one that is no text, are a wrong key.
fn api_key(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(API_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let key = value.to_str().map_err(|_| Error::InvalidClient)?;
            Ok(Some(key).filter(|key| !WITHOUT_A_KEY.contains(key)))
        }
        (Some(_), Some(_)) => Err(Error::InvalidClient),
    }
}

/// The one bearer token (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1). Another scheme is
/// no token.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| Error::InvalidToken)?,
        (Some(_), Some(_)) => return Err(Error::InvalidToken),
    };
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case(BEARER) {
        Ok(Some(token.trim()))
    } else {
        Ok(None)
    }
}
