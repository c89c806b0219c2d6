//! `/users/{id}/integrations`: a client's view of its users' accounts at third parties.

use axum::routing::{delete, get, patch, post};
use bosa_auth::{
    ConfiguredIntegration, IntegrationUpdate, NewIntegration, Scope, Secret,
    ThirdPartyIntegrationAuth, UserId,
};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Deleted;
use super::users::unless_absent;
use crate::envelope::Enveloped;
use crate::extract::{JsonBody, Params, Query};
use crate::idempotency::Idempotency;
use crate::principals::ClientKey;
use crate::problem::Problem;
use crate::route::{Caller, Route};
use crate::wire::{Shown, Time};

const CREATE: &str = "POST /users/{id}/integrations";
pub(super) const HINT: &str =
    "the account is stored; its credential is read by the GET route of the integration";
const ACCOUNT: &[(&str, &str)] = &[("user_identifier", "The account; absent: the default one.")];

pub(crate) const ROUTES: &[Route] = &[
    Route::new(
        Method::POST,
        "/users/{id}/integrations",
        Caller::Client,
        || post(create),
    )
    .summary("Stores an account of a user, its credential encrypted.")
    .scope(Scope::IntegrationsWrite)
    .body::<NewAccount>()
    .data::<Integration>()
    .creates(),
    Route::new(
        Method::GET,
        "/users/{id}/integrations",
        Caller::Client,
        || get(list),
    )
    .summary("Lists a user's accounts without their credentials.")
    .scope(Scope::IntegrationsRead)
    .query(&[
        ("connector", "Only accounts of this connector."),
        ("limit", "How many, 1 to 100."),
        ("cursor", "The next_cursor of the page before."),
    ])
    .list::<Integration>(),
    Route::new(
        Method::GET,
        "/users/{id}/integrations/{connector}",
        Caller::Client,
        || get(show),
    )
    .summary("An account with its credential.")
    .scope(Scope::IntegrationsCredentials)
    .query(ACCOUNT)
    .data::<IntegrationWithCredential>(),
    Route::new(
        Method::PATCH,
        "/users/{id}/integrations/{connector}",
        Caller::Client,
        || patch(update),
    )
    .summary("Replaces an account's credential or permissions, or makes it the default one.")
    .scope(Scope::IntegrationsWrite)
    .query(&[("user_identifier", "The account; absent: the only one.")])
    .body::<AccountChanges>()
    .data::<Integration>(),
    Route::new(
        Method::DELETE,
        "/users/{id}/integrations/{connector}",
        Caller::Client,
        || delete(remove),
    )
    .summary("Deletes an account; without a name the only one.")
    .scope(Scope::IntegrationsWrite)
    .query(&[("user_identifier", "The account; absent: the only one.")])
    .data::<Deleted>(),
];

/// An account to be stored: with `user_identifier` and `auth_string`, or with `auth_type` and
/// `configuration`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// The kind of third party, for example `github`.
    connector: String,
    /// The account's name there.
    user_identifier: Option<String>,
    /// The credential there, which is stored as it is.
    #[schema(value_type = Option<String>)]
    auth_string: Option<Secret>,
    /// What the credential permits there; absent: nothing.
    auth_scopes: Option<Vec<String>>,
    /// `api_key`, `basic`, `bearer`, `custom`, or `oauth` for tokens that were granted elsewhere.
    auth_type: Option<String>,
    /// The fields of the credential, as in `POST /connectors/{connector}/integrations`.
    #[schema(value_type = Option<Object>)]
    configuration: Option<Map<String, Value>>,
    /// Whether an account of this name may be there already and then gets the new credential.
    #[serde(default)]
    replace_duplicate: bool,
}

/// How the credential of a new account is given.
enum Given {
    AsItIs(NewIntegration),
    InFields(ConfiguredIntegration),
}

/// Changes of an account; what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountChanges {
    /// The new credential.
    #[schema(value_type = Option<String>)]
    auth_string: Option<Secret>,
    /// The new list of permissions.
    auth_scopes: Option<Vec<String>>,
    /// True makes the account the default one of its connector.
    selected: Option<bool>,
}

/// An account of a user at a third party.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Integration {
    id: Uuid,
    client_id: Uuid,
    user_id: Uuid,
    connector: String,
    /// The account's name at the third party.
    user_identifier: String,
    /// What the credential permits there.
    auth_scopes: Vec<String>,
    /// Whether it is the default account of its connector.
    selected: bool,
    /// `active`, `needs_reauth`, `unverified`, `pending` or `unreadable`.
    auth_status: &'static str,
    /// Why the account must be connected again, where that is known and it must.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_status_reason: Option<String>,
    /// Since when the account must be connected again, if it must.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_status_since: Option<Time>,
    created_at: Option<Time>,
}

/// An account with its credential.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IntegrationWithCredential {
    #[serde(flatten)]
    integration: Integration,
    /// The credential at the third party.
    auth_string: Shown,
}

impl NewAccount {
    fn given(self) -> Result<Given, Problem> {
        if self.auth_type.is_none() && self.configuration.is_none() {
            return Ok(Given::AsItIs(NewIntegration {
                connector: self.connector,
                user_identifier: required(self.user_identifier, "user_identifier")?,
                auth_string: required(self.auth_string, "auth_string")?,
                auth_scopes: self.auth_scopes.unwrap_or_default(),
                replace_duplicate: self.replace_duplicate,
            }));
        }
        for (name, is_there) in [
            ("user_identifier", self.user_identifier.is_some()),
            ("auth_string", self.auth_string.is_some()),
            ("auth_scopes", self.auth_scopes.is_some()),
        ] {
            if is_there {
                return Err(Problem::invalid(name, "belongs into configuration"));
            }
        }
        configured(
            self.connector,
            self.auth_type,
            self.configuration,
            self.replace_duplicate,
        )
        .map(Given::InFields)
    }
}

/// An account whose credential is made of fields.
pub(super) fn configured(
    connector: String,
    auth_type: Option<String>,
    configuration: Option<Map<String, Value>>,
    replace_duplicate: bool,
) -> Result<ConfiguredIntegration, Problem> {
    let auth_type = required(auth_type, "auth_type")?;
    let configuration = required(configuration, "configuration")?;
    Ok(ConfiguredIntegration {
        connector,
        auth_type,
        configuration: Secret::new(Value::Object(configuration).to_string()),
        replace_duplicate,
    })
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::invalid(name, "is missing"))
}

impl From<ThirdPartyIntegrationAuth> for Integration {
    fn from(stored: ThirdPartyIntegrationAuth) -> Self {
        Self {
            id: stored.id.map(|id| id.as_uuid()).unwrap_or_default(),
            client_id: stored.client_id.as_uuid(),
            user_id: stored.user_id.as_uuid(),
            connector: stored.connector,
            user_identifier: stored.user_identifier,
            auth_scopes: stored.auth_scopes,
            selected: stored.selected,
            auth_status: stored.auth_status.as_str(),
            auth_status_reason: stored.auth_status_reason,
            auth_status_since: stored.auth_status_since.map(Time::from),
            created_at: stored.created_at.map(Time::from),
        }
    }
}

impl From<ThirdPartyIntegrationAuth> for IntegrationWithCredential {
    fn from(mut stored: ThirdPartyIntegrationAuth) -> Self {
        let auth_string = std::mem::take(&mut stored.auth_string).into();
        Self {
            integration: stored.into(),
            auth_string,
        }
    }
}

async fn create(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
    idempotency: Idempotency,
    body: JsonBody<NewAccount>,
) -> Result<Enveloped<Integration>, Problem> {
    let tenant = idempotency.attach(tenant, CREATE, body.text.expose())?;
    let stored = match body.value.given()? {
        Given::AsItIs(new) => tenant.add_integration(id, new).await,
        Given::InFields(new) => tenant.configure_integration(id, new).await,
    };
    match stored {
        Ok(created) => Ok(Enveloped::created(created, HINT)),
        Err(error) => Err(unless_absent(&tenant, id, error).await),
    }
}

async fn list(
    ClientKey(tenant): ClientKey,
    Params(id): Params<UserId>,
    mut query: Query,
) -> Result<Enveloped<Vec<Integration>>, Problem> {
    let (connector, page) = (query.text("connector"), query.page()?);
    query.finish()?;
    let page = tenant
        .list_integrations(id, connector.as_deref(), page)
        .await?;
    Ok(Enveloped::page(page))
}

async fn show(
    ClientKey(tenant): ClientKey,
    Params((id, connector)): Params<(UserId, String)>,
    mut query: Query,
) -> Result<Enveloped<IntegrationWithCredential>, Problem> {
    let account = query.text("user_identifier");
    query.finish()?;
    let found = tenant
        .get_specific_or_default_integration(id, &connector, account.as_deref())
        .await?;
    let found = found.ok_or_else(|| Problem::not_found("integration"))?;
    Ok(Enveloped::new(found.into()))
}

async fn update(
    ClientKey(tenant): ClientKey,
    Params((id, connector)): Params<(UserId, String)>,
    mut query: Query,
    body: JsonBody<AccountChanges>,
) -> Result<Enveloped<Integration>, Problem> {
    let account = query.text("user_identifier");
    query.finish()?;
    let changes = body.value;
    if changes.selected == Some(false) {
        return Err(Problem::invalid(
            "selected",
            "must be true; select another account instead",
        ));
    }
    let update = IntegrationUpdate {
        auth_string: changes.auth_string,
        auth_scopes: changes.auth_scopes,
    };
    let account = match account {
        Some(account) => Some(account),
        None => tenant.only_account(id, &connector).await?,
    };
    let account = account.ok_or_else(|| Problem::not_found("integration"))?;
    let only_selects = update.auth_string.is_none() && update.auth_scopes.is_none();
    let mut updated = None;
    if !(only_selects && changes.selected.is_some()) {
        let stored = tenant.update_integration_auth(id, &connector, &account, update);
        updated = Some(stored.await?);
    }
    if changes.selected.is_some() {
        updated = Some(
            tenant
                .set_selected_integration(id, &connector, &account)
                .await?,
        );
    }
    let updated = updated.ok_or_else(|| Problem::not_found("integration"))?;
    Ok(Enveloped::new(updated.into()))
}

async fn remove(
    ClientKey(tenant): ClientKey,
    Params((id, connector)): Params<(UserId, String)>,
    mut query: Query,
) -> Result<Enveloped<Deleted>, Problem> {
    let account = query.text("user_identifier");
    query.finish()?;
    if tenant
        .delete_integration(id, &connector, account.as_deref())
        .await?
    {
        Ok(Enveloped::new(Deleted::YES))
    } else {
        Err(Problem::not_found("integration"))
    }
}
