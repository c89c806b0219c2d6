//! `/clients/{id}/api-keys`: the keys of a client, managed with a master key.

use axum::routing::{delete, get, post};
use bosa_auth::{ApiKeyId, ApiKeyModel, ClientId, NewApiKey, Timestamp};
use http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Revoked;
use crate::envelope::Enveloped;
use crate::extract::{OptionalJson, Params, Query};
use crate::idempotency::Idempotency;
use crate::principals::MasterKey;
use crate::problem::Problem;
use crate::route::{Caller, Route};
use crate::wire::{Shown, Time};

const CREATE: &str = "POST /clients/{id}/api-keys";
const ROTATE: &str = "POST /clients/{id}/api-keys/{key_id}/rotate";
const HINT: &str =
    "the key was shown once; POST /clients/{id}/api-keys/{key_id}/rotate makes its successor";

pub(crate) const ROUTES: &[Route] = &[
    Route::new(
        Method::POST,
        "/clients/{id}/api-keys",
        Caller::MasterKey,
        || post(create),
    )
    .summary("Creates another API key of a client, which is shown here only.")
    .optional_body::<KeyRequest>()
    .data::<ApiKey>()
    .creates(),
    Route::new(
        Method::GET,
        "/clients/{id}/api-keys",
        Caller::MasterKey,
        || get(list),
    )
    .summary("Lists the API keys of a client, ended ones included, without their text.")
    .query(&[
        ("limit", "How many, 1 to 100."),
        ("cursor", "The next_cursor of the page before."),
    ])
    .list::<ApiKey>(),
    Route::new(
        Method::POST,
        "/clients/{id}/api-keys/{key_id}/rotate",
        Caller::MasterKey,
        || post(rotate),
    )
    .summary("Creates the successor of an API key and ends the key after an overlap.")
    .optional_body::<Rotation>()
    .data::<ApiKey>()
    .creates(),
    Route::new(
        Method::DELETE,
        "/clients/{id}/api-keys/{key_id}",
        Caller::MasterKey,
        || delete(revoke),
    )
    .summary("Revokes an API key at once.")
    .data::<Revoked>(),
];

/// An API key to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeyRequest {
    /// What the key may do; everything when absent.
    scopes: Option<Vec<String>>,
    /// When the key ends, in seconds since the epoch; never when absent.
    expires_at: Option<i64>,
}

/// How an API key is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rotation {
    /// How long the present key stays valid, in seconds; at most 90 days.
    overlap_seconds: u32,
}

/// An API key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKey {
    id: Uuid,
    client_id: Uuid,
    /// The key's text: in the answer that created it, and null elsewhere.
    api_key: Option<Shown>,
    /// The beginning and the last eight characters.
    preview: String,
    /// What the key may do.
    scopes: Vec<String>,
    /// When the key ends, in seconds since the epoch.
    expires_at: Option<i64>,
    /// To the minute.
    last_used_at: Option<Time>,
    revoked_at: Option<Time>,
    created_at: Time,
}

impl From<ApiKeyModel> for ApiKey {
    fn from(key: ApiKeyModel) -> Self {
        Self {
            id: key.id.as_uuid(),
            client_id: key.client_id.as_uuid(),
            api_key: Shown::unless_empty(key.api_key),
            preview: key.preview,
            scopes: key
                .scopes
                .iter()
                .map(|scope| scope.as_str().to_owned())
                .collect(),
            expires_at: key.expires_at.map(Timestamp::as_second),
            last_used_at: key.last_used_at.map(Time::from),
            revoked_at: key.revoked_at.map(Time::from),
            created_at: key.created_at.into(),
        }
    }
}

async fn create(
    MasterKey(operator): MasterKey,
    Params(id): Params<ClientId>,
    idempotency: Idempotency,
    body: OptionalJson<KeyRequest>,
) -> Result<Enveloped<ApiKey>, Problem> {
    let operator = idempotency.attach(operator, CREATE, body.text.expose())?;
    let new = NewApiKey {
        scopes: body
            .value
            .scopes
            .as_deref()
            .map(NewApiKey::parse_scopes)
            .transpose()?,
        expires_at: body.value.expires_at.map(moment).transpose()?,
    };
    let created = operator.create_api_key(id, new).await?;
    Ok(Enveloped::created(created, HINT))
}

async fn list(
    MasterKey(operator): MasterKey,
    Params(id): Params<ClientId>,
    mut query: Query,
) -> Result<Enveloped<Vec<ApiKey>>, Problem> {
    let page = query.page()?;
    query.finish()?;
    Ok(Enveloped::page(operator.list_api_keys(id, page).await?))
}

async fn rotate(
    MasterKey(operator): MasterKey,
    Params((id, key_id)): Params<(ClientId, ApiKeyId)>,
    idempotency: Idempotency,
    body: OptionalJson<Rotation>,
) -> Result<Enveloped<ApiKey>, Problem> {
    let operator = idempotency.attach(operator, ROTATE, body.text.expose())?;
    let overlap = body.value.overlap_seconds;
    let created = operator.rotate_api_key(id, key_id, overlap).await?;
    Ok(Enveloped::created(created, HINT))
}

async fn revoke(
    MasterKey(operator): MasterKey,
    Params((id, key_id)): Params<(ClientId, ApiKeyId)>,
) -> Result<Enveloped<Revoked>, Problem> {
    let revoked = operator.revoke_api_key(id, key_id).await?;
    Ok(Enveloped::new(Revoked { revoked }))
}

fn moment(seconds: i64) -> Result<Timestamp, Problem> {
    let out_of_range = |_| Problem::invalid("expires_at", "is out of range");
    Timestamp::from_second(seconds).map_err(out_of_range)
}
