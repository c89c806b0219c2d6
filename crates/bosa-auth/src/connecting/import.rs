//! Accounts that were connected elsewhere arrive with their tokens, and are refreshed here from then
//! on.

use std::time::Duration;

use bosa_auth_connect::{AccountIdentity, TokenResponse};
use bosa_auth_core::{AccountName, ConnectorName, IntegrationId, Scope, Secret, Timestamp, UserId};
use bosa_auth_store::ConnectStateRow;
use serde_json::Value;

use super::ConnectFailure;
use super::exchange::{Granted, identity};
use super::store::{Storing, store};
use crate::connector_settings::OAuthClient;
use crate::error::{Error, Result};
use crate::model::{Created, ThirdPartyIntegrationAuth};
use crate::principal::Tenant;
use crate::tenant::{model, scopes_text};

const SUBJECT: &str = "configuration.subject";
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Tokens of an account that was connected elsewhere.
#[derive(Debug)]
pub(crate) struct ImportedTokens {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    /// When the access token ends; absent: as long from now as the connector declares.
    pub(crate) expires_at: Option<Timestamp>,
    /// The account's immutable identifier at the provider.
    pub(crate) subject: Option<String>,
    /// The account's name here; absent: the one that the provider gives it.
    pub(crate) user_identifier: Option<String>,
    pub(crate) auth_scopes: Vec<String>,
    pub(crate) replace_duplicate: bool,
}

impl Tenant {
    /// Stores an account with tokens that the OAuth client of the settings was given elsewhere. The
    /// provider is asked whose they are; where it cannot tell, the caller has to.
    ///
    /// # Errors
    /// `InvalidInput`: a field is malformed, the connector has no OAuth client, the provider names
    /// another subject or none, or the name is that of another account. `IntegrationAlreadyExists`.
    /// `ProviderUnavailable`: it is not known whose the tokens are. `Unauthorized`: unknown or
    /// suspended user.
    pub(crate) async fn import_connection(
        &self,
        user_id: UserId,
        connector: &str,
        import: ImportedTokens,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = ConnectorName::parse(connector)?;
        if let Some(name) = &import.user_identifier {
            AccountName::parse(name)?;
        }
        let asked_scopes = scopes_text(&import.auth_scopes)?;
        self.require_active_user(user_id).await?;
        let inner = &self.auth.inner;
        let client = self.auth.oauth_client(Some(self.id()), &connector).await?;
        let now = inner.clock.now();
        let tokens = TokenResponse {
            access_token: import.access_token,
            refresh_token: import.refresh_token,
            expires_in: import.expires_at.map(|end| {
                let left = end.duration_since(now);
                Duration::try_from(left).unwrap_or_default()
            }),
            scopes: None,
            id_token: None,
            document: Value::Null,
        };
        let identity = self
            .whose(&client, &tokens, import.subject, import.user_identifier)
            .await?;
        let state = ConnectStateRow {
            client_id: self.id(),
            id: IntegrationId::generate(now, inner.entropy.as_ref())?,
            user_id,
            connector: connector.as_str().to_owned(),
            api_key_id: None,
            return_address: None,
            replaces: import.replace_duplicate,
            created_at: now,
            expires_at: now,
        };
        let granted = Granted {
            tokens,
            identity,
            at: now,
        };
        let storing = Storing {
            state: &state,
            asked_scopes: &asked_scopes,
            client: &client,
            granted: &granted,
            completion: None,
            actor: self.actor,
            idempotency: &self.idempotency,
        };
        let stored = store(&self.auth, &storing).await?.map_err(refusal)?;
        Ok(Created {
            resource: model(&stored.resource, Secret::default())?,
            replayed: stored.replayed,
        })
    }

    async fn whose(
        &self,
        client: &OAuthClient,
        tokens: &TokenResponse,
        subject: Option<String>,
        name: Option<String>,
    ) -> Result<AccountIdentity> {
        let asked = identity(&self.auth.inner, client, client.oauth()?, tokens).await;
        let known = match (asked, subject) {
            (Ok(known), Some(subject)) if known.subject != subject => {
                let reason = "is not the one that the provider names for this access token";
                return Err(Error::invalid(SUBJECT, reason));
            }
            (Ok(known), _) => known,
            (Err(_), Some(subject)) => AccountIdentity {
                label: subject.clone(),
                subject,
            },
            (Err(failure), None) => return Err(refusal(failure)),
        };
        Ok(AccountIdentity {
            label: name.unwrap_or(known.label),
            subject: known.subject,
        })
    }
}

fn refusal(failure: ConnectFailure) -> Error {
    match failure {
        ConnectFailure::AlreadyExists { .. } => Error::IntegrationAlreadyExists,
        ConnectFailure::OtherAccount { .. } => Error::invalid(
            "configuration.user_identifier",
            "is the name of another account of this connector",
        ),
        ConnectFailure::NotAllowed => Error::Unauthorized,
        ConnectFailure::UnknownIdentity(reason) => Error::invalid(
            SUBJECT,
            format!("is missing, and the provider does not say whose the token is: {reason}"),
        ),
        ConnectFailure::Unavailable(_) | ConnectFailure::AnswerLost(_) => {
            Error::ProviderUnavailable {
                retry_after: RETRY_AFTER,
            }
        }
        other => Error::internal(other.code()),
    }
}
