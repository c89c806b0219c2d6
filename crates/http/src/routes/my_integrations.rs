//! `/connectors/{connector}/…`: a user's own accounts, with its token.

use std::collections::BTreeMap;

use axum::routing::{delete, get, post};
use bosa_auth::{NewIntegration, Scope, Secret};
use http::{HeaderMap, Method};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::integrations::{HINT, Integration, IntegrationWithCredential};
use crate::envelope::Enveloped;
use crate::extract::{JsonBody, OptionalJson, Params, Query};
use crate::idempotency::Idempotency;
use crate::principals::{MaybeUserToken, UserToken};
use crate::problem::Problem;
use crate::route::{Caller, Route};

const CREATE: &str = "POST /connectors/{connector}/integrations";
const ACCOUNTS: &str = "/connectors/{connector}/integrations";
const ACCOUNT: &str = "/connectors/{connector}/integrations/{user_identifier}";
/// The headers that name an account, the newer one first.
const NAMING: [&str; 2] = ["x-integration", "x-bosa-integration"];
const CUSTOM: &str = "custom";
const DEFAULT_ACCOUNT: &str = "default";

pub(crate) const ROUTES: &[Route] = &[
    Route::new(
        Method::GET,
        "/connectors/{connector}/integration-exists",
        Caller::MaybeUser,
        || get(exists),
    )
    .summary("Whether the user has an account of the connector; false without a token.")
    .scope(Scope::IntegrationsRead)
    .data::<Existence>(),
    Route::new(Method::POST, ACCOUNTS, Caller::User, || post(connect))
        .summary("Stores an account of the user from a custom configuration.")
        .scope(Scope::IntegrationsWrite)
        .body::<Connection>()
        .data::<Integration>()
        .creates(),
    Route::new(Method::GET, ACCOUNTS, Caller::User, || get(show_default))
        .summary("The default account, or the one named by X-Integration, with its credential.")
        .scope(Scope::IntegrationsCredentials)
        .data::<IntegrationWithCredential>(),
    Route::new(Method::DELETE, ACCOUNTS, Caller::User, || {
        delete(remove_default)
    })
    .summary("Removes the only account, or the one named by X-Integration.")
    .scope(Scope::IntegrationsWrite)
    .data::<Outcome>()
    .reports_outcome(),
    Route::new(Method::GET, ACCOUNT, Caller::User, || get(show))
        .summary("An account with its credential.")
        .scope(Scope::IntegrationsCredentials)
        .data::<IntegrationWithCredential>(),
    Route::new(Method::POST, ACCOUNT, Caller::User, || post(select))
        .summary("Makes an account the default one of its connector.")
        .scope(Scope::IntegrationsWrite)
        .optional_body::<Selection>()
        .data::<Outcome>()
        .reports_outcome(),
    Route::new(Method::DELETE, ACCOUNT, Caller::User, || delete(remove))
        .summary("Removes an account.")
        .scope(Scope::IntegrationsWrite)
        .data::<Outcome>()
        .reports_outcome(),
];

/// Whether there is an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Existence {
    has_integration: bool,
}

/// How an account is connected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connection {
    /// `custom`.
    auth_type: Option<String>,
    /// `user_identifier` (else `default`) and `auth_scopes` (else none) are taken out; the credential
    /// is `auth_string` if it is there, else the rest as JSON with sorted keys.
    #[schema(value_type = Option<Object>)]
    configuration: Option<BTreeMap<String, Value>>,
    /// Not supported yet.
    #[schema(value_type = Option<String>)]
    callback_url: Option<IgnoredAny>,
    /// Whether an account of this name may be there already and then gets the new credential.
    #[serde(default)]
    replace_duplicate: bool,
}

/// The wish to select an account; it may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Selection {
    /// True.
    selected: Option<bool>,
}

/// The outcome of selecting or removing an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outcome {
    /// Always true: a failure has another status.
    success: bool,
    message: &'static str,
}

async fn exists(
    MaybeUserToken(user): MaybeUserToken,
    Params(connector): Params<String>,
) -> Result<Enveloped<Existence>, Problem> {
    let has_integration = match user {
        Some(user) => user.has_integration(&connector).await?,
        None => false,
    };
    Ok(Enveloped::new(Existence { has_integration }))
}

async fn connect(
    UserToken(user): UserToken,
    Params(connector): Params<String>,
    idempotency: Idempotency,
    body: JsonBody<Connection>,
) -> Result<Enveloped<Integration>, Problem> {
    let user = idempotency.attach(user, CREATE, body.text.expose())?;
    let account = body.value.into_account(connector)?;
    Ok(Enveloped::created(
        user.create_integration(account).await?,
        HINT,
    ))
}

async fn show_default(
    UserToken(user): UserToken,
    Params(connector): Params<String>,
    query: Query,
    headers: HeaderMap,
) -> Result<Enveloped<IntegrationWithCredential>, Problem> {
    query.finish()?;
    let found = user
        .get_integration(&connector, named_account(&headers)?)
        .await?;
    Ok(Enveloped::new(found.into()))
}

async fn remove_default(
    UserToken(user): UserToken,
    Params(connector): Params<String>,
    query: Query,
    headers: HeaderMap,
) -> Result<Enveloped<Outcome>, Problem> {
    query.finish()?;
    user.delete_integration(&connector, named_account(&headers)?)
        .await?;
    Ok(Enveloped::new(Outcome::REMOVED))
}

async fn show(
    UserToken(user): UserToken,
    Params((connector, account)): Params<(String, String)>,
    query: Query,
) -> Result<Enveloped<IntegrationWithCredential>, Problem> {
    query.finish()?;
    let found = user.get_integration(&connector, Some(&account)).await?;
    Ok(Enveloped::new(found.into()))
}

async fn select(
    UserToken(user): UserToken,
    Params((connector, account)): Params<(String, String)>,
    query: Query,
    body: OptionalJson<Selection>,
) -> Result<Enveloped<Outcome>, Problem> {
    query.finish()?;
    if body.value.selected == Some(false) {
        return Err(Problem::invalid(
            "selected",
            "must be true; select another account instead",
        ));
    }
    user.select_integration(&connector, &account).await?;
    Ok(Enveloped::new(Outcome::SELECTED))
}

async fn remove(
    UserToken(user): UserToken,
    Params((connector, account)): Params<(String, String)>,
    query: Query,
) -> Result<Enveloped<Outcome>, Problem> {
    query.finish()?;
    user.delete_integration(&connector, Some(&account)).await?;
    Ok(Enveloped::new(Outcome::REMOVED))
}

impl Outcome {
    const SELECTED: Self = Self {
        success: true,
        message: "the account is the default one",
    };
    const REMOVED: Self = Self {
        success: true,
        message: "the account is removed",
    };
}

impl Connection {
    fn into_account(self, connector: String) -> Result<NewIntegration, Problem> {
        if self.callback_url.is_some() {
            let reason = "is not supported; send auth_type \"custom\" and a configuration";
            return Err(Problem::invalid("callback_url", reason));
        }
        match self.auth_type.as_deref() {
            Some(CUSTOM) => {}
            Some(_) => return Err(Problem::invalid("auth_type", "must be \"custom\"")),
            None => return Err(Problem::invalid("auth_type", "is missing")),
        }
        let Some(mut configuration) = self.configuration else {
            return Err(Problem::invalid("configuration", "is missing"));
        };
        let user_identifier = match configuration.remove("user_identifier") {
            None => DEFAULT_ACCOUNT.to_owned(),
            Some(Value::String(name)) => name,
            Some(_) => return Err(mistyped("user_identifier", "a string")),
        };
        let auth_scopes = match configuration.remove("auth_scopes") {
            None => Vec::new(),
            Some(scopes) => serde_json::from_value(scopes)
                .map_err(|_| mistyped("auth_scopes", "a list of strings"))?,
        };
        let auth_string = match configuration.remove("auth_string") {
            None => sorted_json(configuration),
            Some(Value::String(text)) => text,
            Some(_) => return Err(mistyped("auth_string", "a string")),
        };
        Ok(NewIntegration {
            connector,
            user_identifier,
            auth_string: Secret::new(auth_string),
            auth_scopes,
            replace_duplicate: self.replace_duplicate,
        })
    }
}

fn mistyped(name: &str, expected: &str) -> Problem {
    let field = format!("configuration.{name}");
    Problem::invalid(&field, format_args!("must be {expected}"))
}

/// JSON with the keys of every level sorted, however the map keeps them.
fn sorted_json(members: BTreeMap<String, Value>) -> String {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let members: BTreeMap<_, _> = members.into_iter().collect();
                let members = members
                    .into_iter()
                    .map(|(name, value)| (name, sorted(value)));
                Value::Object(members.collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    sorted(Value::Object(members.into_iter().collect())).to_string()
}

/// The account that a header names; two that differ name nobody.
fn named_account(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut named = None;
    for value in NAMING.iter().flat_map(|name| headers.get_all(*name)) {
        let text = std::str::from_utf8(value.as_bytes())
            .map_err(|_| Problem::invalid("X-Integration", "is not UTF-8"))?;
        if named.is_some_and(|other| other != text) {
            return Err(Problem::invalid("X-Integration", "names two accounts"));
        }
        named = Some(text);
    }
    Ok(named)
}
