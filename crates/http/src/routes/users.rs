//! `/users`: the users of the calling client.

use axum::routing::{delete, get, patch, post};
use bosa_auth::{
    Error, NewUser, Scope, Secret, Tenant, UserComplete, UserId, UserModel, UserUpdate,
};
use http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Deleted;
use super::integrations::Integration;
use crate::envelope::Enveloped;
use crate::extract::{JsonBody, Params, Query};
use crate::idempotency::Idempotency;
use crate::principals::ClientKey;
use crate::problem::Problem;
use crate::route::{Caller, Route};
use crate::wire::{Shown, Time};

const CREATE: &str = "POST /users";
const HINT: &str = "the secret was shown once; POST /users/{id}/secret makes a new one";

pub(crate) const ROUTES: &[Route] = &[
    Route::new(Method::POST, "/users", Caller::Client, || post(create))
        .summary("Creates a user. A generated secret is shown here only.")
        .scope(Scope::UsersWrite)
        .body::<UserRequest>()
        .data::<UserWithIntegrations>()
        .creates(),
    Route::new(
        Method::POST,
        "/clients/register-user",
        Caller::Client,
        || post(create),
    )
    .summary("The same as POST /users, under its former name.")
    .scope(Scope::UsersWrite)
    .body::<UserRequest>()
    .data::<UserWithIntegrations>()
    .creates(),
    Route::new(Method::GET, "/users", Caller::Client, || get(list))
        .summary("Lists the client's users, or finds the one with an exact identifier.")
        .scope(Scope::UsersRead)
        .query(&[
            ("identifier", "The exact identifier."),
            ("limit", "How many, 1 to 100."),
            ("cursor", "The next_cursor of the page before."),
        ])
        .list::<User>(),
    Route::new(Method::GET, "/users/{id}", Caller::Client, || get(show))
        .summary("A user with its integrations, without their credentials.")
        .scope(Scope::UsersRead)
        .data::<UserWithIntegrations>(),
    Route::new(Method::PATCH, "/users/{id}", Caller::Client, || {
        patch(update)
    })
    .summary("Changes a user's identifier, or suspends or resumes it.")
    .scope(Scope::UsersWrite)
    .body::<UserChanges>()
    .data::<User>(),
    Route::new(Method::DELETE, "/users/{id}", Caller::Client, || {
        delete(remove)
    })
    .summary("Deletes a user with its tokens and integrations.")
    .scope(Scope::UsersWrite)
    .data::<Deleted>(),
    Route::new(Method::POST, "/users/{id}/secret", Caller::Client, || {
        post(reset_secret)
    })
    .summary("Gives a user a new secret, shown here only, and ends all its tokens.")
    .scope(Scope::UsersCredentials)
    .data::<User>(),
];

/// A user to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRequest {
    /// The name that the client gives the user: 1 to 320 characters, unique in the client.
    identifier: String,
    /// A secret chosen by the user, 15 to 256 characters; absent: one is generated.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
}

/// Changes of a user; what is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UserChanges {
    /// The new identifier. Ends all tokens of the user; its secret stays valid.
    identifier: Option<String>,
    /// False suspends the user and ends all its tokens, true resumes it.
    is_active: Option<bool>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    id: Uuid,
    client_id: Uuid,
    identifier: String,
    /// The secret: in the answer that made it, and null elsewhere.
    secret: Option<Shown>,
    /// `sk-user-...` and the last eight characters, or `chosen`.
    secret_preview: String,
    /// False while the user is suspended.
    is_active: bool,
    created_at: Time,
}

/// A user with its integrations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserWithIntegrations {
    #[serde(flatten)]
    user: User,
    /// Without their credentials.
    integrations: Vec<Integration>,
}

impl From<UserModel> for User {
    fn from(user: UserModel) -> Self {
        Self {
            id: user.id.as_uuid(),
            client_id: user.client_id.as_uuid(),
            identifier: user.identifier,
            secret: Shown::unless_empty(user.secret),
            secret_preview: user.secret_preview,
            is_active: user.is_active,
            created_at: user.created_at.into(),
        }
    }
}

impl From<UserModel> for UserWithIntegrations {
    fn from(user: UserModel) -> Self {
        Self {
            user: user.into(),
            integrations: Vec::new(),
        }
    }
}

impl From<UserComplete> for UserWithIntegrations {
    fn from(complete: UserComplete) -> Self {
        Self {
            user: complete.user.into(),
            integrations: complete
                .integrations
                .into_iter()
                .map(Integration::from)
                .collect(),
        }
    }
}

async fn create(
    ClientKey(tenant): ClientKey,
    idempotency: Idempotency,
    body: JsonBody<UserRequest>,
) -> Result<Enveloped<UserWithIntegrations>, Problem> {
    let tenant = idempotency.attach(tenant, CREATE, body.text.expose())?;
    let new = NewUser {
        identifier: body.value.identifier,
        secret: body.value.secret,
    };
    Ok(Enveloped::created(tenant.create_user(new).await?, HINT))
}

async fn list(
    ClientKey(tenant): ClientKey,
    mut query: Query,
) -> Result<Enveloped<Vec<User>>, Problem> {
    let (identifier, page) = (query.text("identifier"), query.page()?);
    query.finish()?;
    match identifier {
        None => Ok(Enveloped::page(tenant.list_users(page).await?)),
        Some(identifier) => match tenant.find_user_by_identifier(&identifier).await {
            Ok(user) => Ok(Enveloped::found(Some(user))),
            Err(Error::NotFound { .. }) => Ok(Enveloped::found(None::<UserModel>)),
            Err(error) => Err(error.into()),
        },
    }
}

async fn show(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
) -> Result<Enveloped<UserWithIntegrations>, Problem> {
    Ok(Enveloped::new(tenant.find_user_complete(id).await?.into()))
}

async fn update(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
    body: JsonBody<UserChanges>,
) -> Result<Enveloped<User>, Problem> {
    let update = UserUpdate {
        identifier: body.value.identifier,
        is_active: body.value.is_active,
    };
    Ok(Enveloped::new(tenant.update_user(id, update).await?.into()))
}

async fn remove(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
) -> Result<Enveloped<Deleted>, Problem> {
    tenant.delete_user(id).await?;
    Ok(Enveloped::new(Deleted::YES))
}

async fn reset_secret(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
) -> Result<Enveloped<User>, Problem> {
    Ok(Enveloped::new(tenant.reset_user_secret(id).await?.into()))
}

/// A user that is not there is a 404 on the routes below `/users/{id}`; the library's answer for a
/// suspended one stays what it is.
pub(super) async fn unless_absent(tenant: &Tenant, id: UserId, refusal: Error) -> Problem {
    if !matches!(refusal, Error::Unauthorized) {
        return refusal.into();
    }
    match tenant.find_user(id).await {
        Err(absent @ Error::NotFound { .. }) => absent.into(),
        _ => refusal.into(),
    }
}
