//! `/connectors/{connector}/…`: a user's own accounts, with its token.

use axum::routing::{delete, get, post};
use bosa_auth::{
    BegunConnection, ConfiguredIntegration, NewConnection, Scope, Secret, ThirdPartyIntegrationAuth,
};
use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::integrations::{HINT, Integration, IntegrationWithCredential, configured};
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
const NAMING: &[(&str, &str)] = &[
    ("x-integration", "The account's name."),
    (
        "x-bosa-integration",
        "The same; with both, they must name the same.",
    ),
];
const BEGUN_HINT: &str =
    "the address was shown once; begin another connection with a new idempotency key";

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
        .summary(
            "Begins to connect an account of the user through its provider, completes that with the \
             code of the returning browser, or stores an account with a credential that is made of \
             fields.",
        )
        .scope(Scope::IntegrationsWrite)
        .body::<Connection>()
        .data::<Connected>()
        .creates(),
    Route::new(Method::GET, ACCOUNTS, Caller::User, || get(show_default))
        .summary("The default account, or the one named by X-Integration, with its credential.")
        .headers(NAMING)
        .scope(Scope::IntegrationsCredentials)
        .data::<IntegrationWithCredential>(),
    Route::new(Method::DELETE, ACCOUNTS, Caller::User, || {
        delete(remove_default)
    })
    .summary("Removes the only account, or the one named by X-Integration.")
    .headers(NAMING)
    .scope(Scope::IntegrationsWrite)
    .data::<Outcome>()
    .reports_outcome(),
    Route::new(Method::GET, ACCOUNT, Caller::User, || get(show))
        .summary("An account with its credential.")
        .ends_in_name()
        .scope(Scope::IntegrationsCredentials)
        .data::<IntegrationWithCredential>(),
    Route::new(Method::POST, ACCOUNT, Caller::User, || post(select))
        .summary("Makes an account the default one of its connector.")
        .ends_in_name()
        .scope(Scope::IntegrationsWrite)
        .optional_body::<Selection>()
        .data::<Outcome>()
        .reports_outcome(),
    Route::new(Method::DELETE, ACCOUNT, Caller::User, || delete(remove))
        .summary("Removes an account.")
        .ends_in_name()
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
    /// `api_key`, `basic`, `bearer`, `custom`, or `oauth` for tokens that were granted elsewhere.
    auth_type: Option<String>,
    /// The fields of the credential: `api_key`; `username` and `password`; `token`; for `custom`
    /// `auth_string`, or any others, which are stored as JSON with sorted keys; for `oauth`
    /// `access_token`, `refresh_token`, `expires_at` (seconds since the epoch) and `subject`, of which
    /// the first is required. Each kind also takes
    /// `user_identifier`, the account's name (else `default`, for `basic` the user name), and
    /// `auth_scopes` (else none).
    #[schema(value_type = Option<Object>)]
    configuration: Option<Map<String, Value>>,
    /// Where the browser goes once the account is connected through its provider; the answer then
    /// has the address of the page where the user goes on. Without `auth_type`, it may be left out.
    callback_url: Option<String>,
    /// The code with which the browser came back to the application: the account that waits for it
    /// can be read from then on. Needs the client key, and stands alone.
    #[schema(value_type = Option<String>)]
    completion_code: Option<Secret>,
    /// Whether an account of this name may be there already and then gets the new credential.
    #[serde(default)]
    replace_duplicate: bool,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Connected {
    /// The account is stored.
    Account(Integration),
    /// The user has to go on in a browser.
    Begun {
        /// The address of the page where the user goes on, good for one use within ten minutes. Empty
        /// on a replay.
        url: String,
    },
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
) -> Result<Enveloped<Connected>, Problem> {
    let user = idempotency.attach(user, CREATE, body.text.expose())?;
    if let Some(code) = body.value.completion_code()? {
        let completed = user.complete_connection(&connector, code);
        return Ok(Enveloped::created(completed.await?, HINT));
    }
    if body.value.is_begun() {
        let begun = user.begin_connection(body.value.into_connection(connector));
        return Ok(Enveloped::created(begun.await?, BEGUN_HINT));
    }
    let account = body.value.into_account(connector)?;
    Ok(Enveloped::created(
        user.configure_integration(account).await?,
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

impl From<ThirdPartyIntegrationAuth> for Connected {
    fn from(account: ThirdPartyIntegrationAuth) -> Self {
        Self::Account(account.into())
    }
}

impl From<BegunConnection> for Connected {
    fn from(begun: BegunConnection) -> Self {
        Self::Begun {
            url: begun.url.expose().to_owned(),
        }
    }
}

impl Connection {
    /// The code that completes a connection, which is then all that there is.
    fn completion_code(&self) -> Result<Option<&Secret>, Problem> {
        let is_alone = self.is_begun() && self.callback_url.is_none() && !self.replace_duplicate;
        match &self.completion_code {
            Some(_) if !is_alone => Err(Problem::invalid(
                "completion_code",
                "stands alone: it completes a connection that was begun before",
            )),
            code => Ok(code.as_ref()),
        }
    }

    /// Whether the account is connected through its provider.
    fn is_begun(&self) -> bool {
        self.auth_type.is_none() && self.configuration.is_none()
    }

    fn into_connection(self, connector: String) -> NewConnection {
        NewConnection {
            connector,
            callback_url: self.callback_url,
            replace_duplicate: self.replace_duplicate,
        }
    }

    fn into_account(self, connector: String) -> Result<ConfiguredIntegration, Problem> {
        if self.callback_url.is_some() {
            let reason = "belongs to a connection through the provider, which takes no auth_type";
            return Err(Problem::invalid("callback_url", reason));
        }
        configured(
            connector,
            self.auth_type,
            self.configuration,
            self.replace_duplicate,
        )
    }
}

/// The account that a header names; two that differ name nobody.
fn named_account(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut named = None;
    for value in NAMING.iter().flat_map(|(name, _)| headers.get_all(*name)) {
        let text = std::str::from_utf8(value.as_bytes())
            .map_err(|_| Problem::invalid("X-Integration", "is not UTF-8"))?;
        if named.is_some_and(|other| other != text) {
            return Err(Problem::invalid("X-Integration", "names two accounts"));
        }
        named = Some(text);
    }
    Ok(named)
}
