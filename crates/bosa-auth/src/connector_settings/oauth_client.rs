//! Which OAuth client serves a client of ours at a provider.

use std::sync::Arc;

use bosa_auth_connect::{ClientCredentials, OAuth, Provider, Variables};
use bosa_auth_core::{ClientId, ConnectorName};
use bosa_auth_store::{ConnectorSettingsWithKey, shared_connector_settings};

use super::document::Document;
use super::secret::open_secret;
use crate::auth::Auth;
use crate::error::{Error, Result};

/// An OAuth client at a provider, with everything that is needed to act as it.
#[derive(Debug)]
pub(crate) struct OAuthClient {
    /// The connector's declaration, which has a part for OAuth.
    provider: Arc<Provider>,
    pub(crate) credentials: ClientCredentials,
    pub(crate) variables: Variables,
    /// The scopes that are asked for; none stands for the connector's own.
    pub(crate) scopes: Vec<String>,
    /// Where browsers may be sent afterwards, as they are compared.
    pub(crate) return_addresses: Vec<String>,
    pub(crate) require_completion: bool,
}

impl OAuthClient {
    /// What the connector declares for OAuth.
    pub(crate) fn oauth(&self) -> Result<&OAuth> {
        self.provider.oauth.as_ref().ok_or_else(no_oauth)
    }

    /// The connector's declaration.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }
}

impl Auth {
    /// The OAuth client with which users of a client connect accounts now: the client's own, else the
    /// deployment's; without a client, the deployment's.
    ///
    /// # Errors
    /// `NotFound`: there is no such connector. `InvalidInput`: it takes no accounts by OAuth, or no
    /// OAuth client is set for it. `Unreadable`: its secret does not open.
    pub(crate) async fn oauth_client(
        &self,
        client_id: Option<ClientId>,
        connector: &ConnectorName,
    ) -> Result<OAuthClient> {
        let found = self
            .find_oauth_client(client_id, connector, |_| true)
            .await?;
        found.ok_or_else(|| {
            Error::invalid(
                "connector",
                format!(
                    "has no OAuth client yet; set one with PUT /connectors/{connector}/settings or \
                     bosa-auth connector set {connector}"
                ),
            )
        })
    }

    /// The OAuth client of this id at the provider, the client's own or the deployment's: only the one
    /// that a refresh token was given to can use it. `None` when neither is that one any more.
    ///
    /// # Errors
    /// As [`oauth_client`](Self::oauth_client).
    pub(crate) async fn oauth_client_of_grant(
        &self,
        client_id: ClientId,
        connector: &ConnectorName,
        oauth_client_id: &str,
    ) -> Result<Option<OAuthClient>> {
        self.find_oauth_client(Some(client_id), connector, |id| id == oauth_client_id)
            .await
    }

    async fn find_oauth_client(
        &self,
        client_id: Option<ClientId>,
        connector: &ConnectorName,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<OAuthClient>> {
        let provider = self.declared(connector)?;
        if provider.oauth.is_none() {
            return Err(no_oauth());
        }
        let store = &self.inner.store;
        let own = client_id.map(|client_id| {
            store
                .client(client_id)
                .connector_settings_reading(connector.as_str())
        });
        let shared = shared_connector_settings::reading(connector.as_str());
        let (own, shared) = store.together((own, shared)).await?;
        let owned = |owner, found: Option<ConnectorSettingsWithKey>| {
            let found = found.map(|found| {
                Document::read(&found.settings).map(|document| (owner, found, document))
            });
            found.transpose()
        };
        let own = owned(client_id, own.flatten())?;
        let shared = owned(None, shared)?;
        let both = [own.as_ref(), shared.as_ref()];
        let both = || both.into_iter().flatten();
        let serving = both().find_map(|(owner, found, document)| {
            let id = document.client_id.as_deref().filter(|id| is_wanted(id))?;
            Some((*owner, found, document, id))
        });
        let Some((owner, found, document, id)) = serving else {
            return Ok(None);
        };
        // The deployment's scopes may be none of the client's own OAuth client.
        let own_scopes = own.as_ref().map(|(_, _, document)| &document.scopes);
        let scopes = match own_scopes {
            Some(scopes) if !scopes.is_empty() => scopes,
            _ => &document.scopes,
        };
        let addresses = both().flat_map(|(_, _, document)| &document.return_addresses);
        Ok(Some(OAuthClient {
            credentials: ClientCredentials {
                client_id: id.to_owned(),
                client_secret: open_secret(&self.inner, owner, found)?,
            },
            variables: document.variables.clone(),
            scopes: scopes.clone(),
            return_addresses: addresses.cloned().collect(),
            require_completion: both().any(|(_, _, document)| document.require_completion),
            provider,
        }))
    }
}

fn no_oauth() -> Error {
    Error::invalid("connector", "takes no accounts by OAuth")
}
