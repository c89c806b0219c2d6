//! `/clients`: the tenants of the system, managed with a master key.

use axum::routing::{delete, get, patch, post};
use bosa_auth::{ClientId, ClientModel, ClientUpdate, Error};
use http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Deleted;
use crate::envelope::Enveloped;
use crate::extract::{JsonBody, Params, Query};
use crate::idempotency::Idempotency;
use crate::principals::{ClientKey, MasterKey};
use crate::problem::Problem;
use crate::route::{Caller, Route};
use crate::wire::{Shown, Time};

const CREATE: &str = "POST /clients";
const HINT: &str = "the key was shown once; POST /clients/{id}/api-keys makes another one";

pub(crate) const ROUTES: &[Route] = &[
    Route::new(Method::POST, "/clients", Caller::MasterKey, || post(create))
        .summary("Creates a client with its first API key, which is shown here only.")
        .body::<NewClient>()
        .data::<Client>()
        .creates(),
    Route::new(Method::GET, "/clients", Caller::MasterKey, || get(list))
        .summary("Lists the clients, or finds the one with an exact name.")
        .query(&[
            ("name", "The exact name."),
            ("limit", "How many, 1 to 100."),
            ("cursor", "The next_cursor of the page before."),
        ])
        .list::<Client>(),
    Route::new(Method::GET, "/clients/me", Caller::Client, || get(me))
        .summary("The client that the key belongs to.")
        .data::<Client>(),
    Route::new(Method::GET, "/clients/{id}", Caller::MasterKey, || {
        get(show)
    })
    .summary("A client, suspended ones too.")
    .data::<Client>(),
    Route::new(Method::PATCH, "/clients/{id}", Caller::MasterKey, || {
        patch(update)
    })
    .summary("Renames, suspends or resumes a client, or signs all its users out.")
    .body::<ClientChanges>()
    .data::<Client>(),
    Route::new(Method::DELETE, "/clients/{id}", Caller::MasterKey, || {
        delete(remove)
    })
    .summary("Deletes a client with everything that belongs to it.")
    .data::<Deleted>(),
];

/// A client to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewClient {
    /// 1 to 200 characters, unique.
    name: String,
}

/// Changes of a client; what is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientChanges {
    /// The new name. Keys stay valid.
    name: Option<String>,
    /// False suspends, true resumes.
    is_active: Option<bool>,
    /// Kept from the original system; it limits nothing.
    can_get_integrations: Option<bool>,
    /// True ends every token of the client's users for good.
    sign_out: bool,
}

/// A client.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Client {
    id: Uuid,
    name: String,
    /// The first API key: in the answer that created the client, and null elsewhere.
    api_key: Option<Shown>,
    /// False while the client is suspended.
    is_active: bool,
    /// Kept from the original system; it limits nothing.
    can_get_integrations: bool,
    created_at: Time,
}

impl From<ClientModel> for Client {
    fn from(client: ClientModel) -> Self {
        Self {
            id: client.id.as_uuid(),
            name: client.name,
            api_key: Shown::unless_empty(client.api_key),
            is_active: client.is_active,
            can_get_integrations: client.can_get_integrations,
            created_at: client.created_at.into(),
        }
    }
}

async fn create(
    MasterKey(operator): MasterKey,
    idempotency: Idempotency,
    body: JsonBody<NewClient>,
) -> Result<Enveloped<Client>, Problem> {
    let operator = idempotency.attach(operator, CREATE, body.text.expose())?;
    let created = operator.create_client(&body.value.name).await?;
    Ok(Enveloped::created(created, HINT))
}

async fn list(
    MasterKey(operator): MasterKey,
    mut query: Query,
) -> Result<Enveloped<Vec<Client>>, Problem> {
    let (name, page) = (query.text("name"), query.page()?);
    query.finish()?;
    match name {
        None => Ok(Enveloped::page(operator.get_client_list(page).await?)),
        Some(name) => match operator.find_client_by_name(&name).await {
            Ok(client) => Ok(Enveloped::found(Some(client))),
            Err(Error::NotFound { .. }) => Ok(Enveloped::found(None::<ClientModel>)),
            Err(error) => Err(error.into()),
        },
    }
}

async fn me(ClientKey(tenant): ClientKey) -> Enveloped<Client> {
    Enveloped::new(tenant.into_client().into())
}

async fn show(
    MasterKey(operator): MasterKey,
    Params(id): Params<ClientId>,
) -> Result<Enveloped<Client>, Problem> {
    Ok(Enveloped::new(operator.find_client(id).await?.into()))
}

async fn update(
    MasterKey(operator): MasterKey,
    Params(id): Params<ClientId>,
    body: JsonBody<ClientChanges>,
) -> Result<Enveloped<Client>, Problem> {
    let changes = body.value;
    let update = ClientUpdate {
        name: changes.name,
        is_active: changes.is_active,
        can_get_integrations: changes.can_get_integrations,
        sign_out: changes.sign_out,
    };
    Ok(Enveloped::new(
        operator.update_client(id, update).await?.into(),
    ))
}

async fn remove(
    MasterKey(operator): MasterKey,
    Params(id): Params<ClientId>,
) -> Result<Enveloped<Deleted>, Problem> {
    operator.delete_client(id).await?;
    Ok(Enveloped::new(Deleted::YES))
}
