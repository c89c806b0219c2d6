//! `/connectors/{connector}/settings`: the OAuth client at a provider, a client's own or the
//! deployment's.

use std::collections::BTreeMap;

use axum::routing::{delete, get, put};
use bosa_auth::{ConnectorSettings, NewConnectorSettings, Scope, Secret, SecretChange};
use http::Method;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Deleted;
use crate::envelope::Enveloped;
use crate::extract::{JsonBody, Params, Query};
use crate::principals::Manager;
use crate::problem::Problem;
use crate::route::{Caller, Route};
use crate::wire::Time;

const SETTINGS: &str = "/connectors/{connector}/settings";
const CLIENT: &[(&str, &str)] = &[(
    "client",
    "With a master key: the client, by its id or name. Without it, the settings are the deployment's, \
     for every client without an OAuth client of its own.",
)];

pub(crate) const ROUTES: &[Route] = &[
    Route::new(Method::GET, SETTINGS, Caller::ClientOrMasterKey, || {
        get(show)
    })
    .summary("The settings of a connector; the secret is never shown.")
    .scope(Scope::ConnectorsManage)
    .query(CLIENT)
    .data::<Settings>(),
    Route::new(Method::PUT, SETTINGS, Caller::ClientOrMasterKey, || {
        put(set)
    })
    .summary("Stores the settings of a connector in place of the former ones.")
    .scope(Scope::ConnectorsManage)
    .query(CLIENT)
    .body::<NewSettings>()
    .data::<Settings>(),
    Route::new(Method::DELETE, SETTINGS, Caller::ClientOrMasterKey, || {
        delete(unset)
    })
    .summary("Removes the settings of a connector.")
    .scope(Scope::ConnectorsManage)
    .query(CLIENT)
    .data::<Deleted>(),
];

/// The settings of a connector to be stored; what is absent is empty from then on, except the secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSettings {
    /// The id of the OAuth client at the provider. Without one, the deployment's OAuth client serves.
    client_id: Option<String>,
    /// Its secret. Absent: the stored one stays, if the client_id does; null: there is none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    client_secret: Option<Option<Secret>>,
    /// What is asked for; empty for what the connector declares.
    #[serde(default)]
    scopes: Vec<String>,
    /// Where browsers may be sent afterwards: absolute URLs, compared as a whole.
    #[serde(default)]
    return_addresses: Vec<String>,
    /// The values of the connector's variables, each one label of a host name.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// Whether a connected account is readable only after its client has posted the code that the
    /// returning browser carried.
    #[serde(default)]
    require_completion: bool,
}

/// The settings of a connector.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Settings {
    connector: String,
    client_id: Option<String>,
    /// Whether the secret is stored.
    has_client_secret: bool,
    scopes: Vec<String>,
    return_addresses: Vec<String>,
    variables: BTreeMap<String, String>,
    require_completion: bool,
    created_at: Time,
    updated_at: Time,
}

impl From<ConnectorSettings> for Settings {
    fn from(settings: ConnectorSettings) -> Self {
        Self {
            connector: settings.connector,
            client_id: settings.client_id,
            has_client_secret: settings.has_client_secret,
            scopes: settings.scopes,
            return_addresses: settings.return_addresses,
            variables: settings.variables,
            require_completion: settings.require_completion,
            created_at: settings.created_at.into(),
            updated_at: settings.updated_at.into(),
        }
    }
}

impl From<NewSettings> for NewConnectorSettings {
    fn from(new: NewSettings) -> Self {
        Self {
            client_id: new.client_id,
            client_secret: match new.client_secret {
                None => SecretChange::Keep,
                Some(None) => SecretChange::Remove,
                Some(Some(secret)) => SecretChange::Replace(secret),
            },
            scopes: new.scopes,
            return_addresses: new.return_addresses,
            variables: new.variables,
            require_completion: new.require_completion,
        }
    }
}

async fn show(
    manager: Manager,
    Params(connector): Params<String>,
    mut query: Query,
) -> Result<Enveloped<Settings>, Problem> {
    let settings = match owner(manager, &mut query).await? {
        Manager::Client(tenant) => tenant.connector_settings(&connector).await?,
        Manager::Operator(operator) => operator.connector_settings(&connector).await?,
    };
    Ok(Enveloped::new(settings.into()))
}

async fn set(
    manager: Manager,
    Params(connector): Params<String>,
    mut query: Query,
    body: JsonBody<NewSettings>,
) -> Result<Enveloped<Settings>, Problem> {
    let new = body.value.into();
    let settings = match owner(manager, &mut query).await? {
        Manager::Client(tenant) => tenant.set_connector_settings(&connector, &new).await?,
        Manager::Operator(operator) => operator.set_connector_settings(&connector, &new).await?,
    };
    Ok(Enveloped::new(settings.into()))
}

async fn unset(
    manager: Manager,
    Params(connector): Params<String>,
    mut query: Query,
) -> Result<Enveloped<Deleted>, Problem> {
    match owner(manager, &mut query).await? {
        Manager::Client(tenant) => tenant.unset_connector_settings(&connector).await?,
        Manager::Operator(operator) => operator.unset_connector_settings(&connector).await?,
    }
    Ok(Enveloped::new(Deleted::YES))
}

/// Whose settings are meant: those of the client that calls, of the one that a master key names, or
/// of the deployment.
async fn owner(manager: Manager, query: &mut Query) -> Result<Manager, Problem> {
    let client = query.text("client");
    std::mem::take(query).finish()?;
    match (manager, client) {
        (Manager::Operator(operator), Some(client)) => {
            let id = operator.find_client_named(&client).await?.id;
            Ok(Manager::Client(operator.tenant(id).await?))
        }
        (Manager::Client(_), Some(_)) => Err(Problem::invalid(
            "client",
            "can be named with a master key only; a client key stands for its own client",
        )),
        (manager, None) => Ok(manager),
    }
}

/// Tells a member that is null from one that is absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Secret>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(Some(text.map(Secret::new)))
}
