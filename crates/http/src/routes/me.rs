//! `/users/me`: what a user sees and changes with its own token.

use axum::routing::{get, put};
use bosa_auth::{Scope, Secret};
use http::Method;
use serde::Deserialize;
use utoipa::ToSchema;

use super::users::{User, UserWithIntegrations};
use crate::envelope::Enveloped;
use crate::extract::JsonBody;
use crate::principals::UserToken;
use crate::problem::Problem;
use crate::route::{Caller, Route};

pub(crate) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/users/me", Caller::User, || get(show))
        .summary("The user of the token, with its integrations.")
        .scope(Scope::UsersRead)
        .data::<UserWithIntegrations>(),
    Route::new(Method::GET, "/clients/user", Caller::User, || get(show))
        .summary("The same as GET /users/me, under its former name.")
        .scope(Scope::UsersRead)
        .data::<UserWithIntegrations>(),
    Route::new(Method::PUT, "/users/me/secret", Caller::User, || {
        put(change_secret)
    })
    .summary("Replaces the user's secret by a chosen one and ends all its tokens.")
    .scope(Scope::UsersWrite)
    .body::<SecretChange>()
    .data::<User>(),
];

/// The present secret and the new one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretChange {
    #[schema(value_type = String)]
    current_secret: Secret,
    /// 15 to 256 characters, not beginning with `sk-`.
    #[schema(value_type = String)]
    new_secret: Secret,
}

async fn show(UserToken(user): UserToken) -> Result<Enveloped<UserWithIntegrations>, Problem> {
    Ok(Enveloped::new(user.profile().await?.into()))
}

async fn change_secret(
    UserToken(user): UserToken,
    body: JsonBody<SecretChange>,
) -> Result<Enveloped<User>, Problem> {
    let SecretChange {
        current_secret,
        new_secret,
    } = body.value;
    let changed = user.change_secret(current_secret, new_secret).await?;
    Ok(Enveloped::new(changed.into()))
}
