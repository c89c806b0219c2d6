//! Whether the settings of a connector can work, as far as the provider says so without a user.

use bosa_auth_connect::{ProbeFinding, ProbeRequest, Verdict, probe};
use bosa_auth_core::{ClientId, ConnectorName, Scope};

use super::oauth_client::OAuthClient;
use crate::auth::Auth;
use crate::doctor::{Finding, Severity};
use crate::error::{Error, Result};
use crate::principal::{Operator, Tenant};

impl Tenant {
    /// Asks the provider whether the OAuth client that serves this client can work: its description
    /// of itself, if it has one, and the exchange of a code that is made up. Nothing is changed there.
    ///
    /// # Errors
    /// `NotFound`: there is no such connector. `InvalidInput`: it takes no accounts by OAuth, or no
    /// OAuth client is set for it. `PermissionDenied`: the key lacks `connectors:manage`.
    pub async fn check_connector(&self, connector: &str) -> Result<Vec<Finding>> {
        self.require(Scope::ConnectorsManage)?;
        self.auth.check_connector(Some(self.id()), connector).await
    }
}

impl Operator {
    /// As [`Tenant::check_connector`], of the deployment's OAuth client.
    ///
    /// # Errors
    /// `NotFound`: there is no such connector. `InvalidInput`: it takes no accounts by OAuth, or no
    /// OAuth client is set for it.
    pub async fn check_connector(&self, connector: &str) -> Result<Vec<Finding>> {
        self.auth.check_connector(None, connector).await
    }
}

impl Auth {
    async fn check_connector(
        &self,
        client_id: Option<ClientId>,
        connector: &str,
    ) -> Result<Vec<Finding>> {
        let connector = ConnectorName::parse(connector)?;
        let client = self.oauth_client(client_id, &connector).await?;
        let redirect_uri = match self.inner.public_url() {
            Ok(url) => url.redirect_uri(&connector),
            Err(error) => {
                return Ok(vec![Finding {
                    severity: Severity::Problem,
                    title: "it is not known where browsers reach this server".to_owned(),
                    remedy: error.to_string(),
                }]);
            }
        };
        let mut findings = vec![registration(&redirect_uri)];
        findings.extend(self.ask(&client, &redirect_uri).await?);
        Ok(findings)
    }

    async fn ask(&self, client: &OAuthClient, redirect_uri: &str) -> Result<Vec<Finding>> {
        let request = ProbeRequest {
            client: &client.credentials,
            variables: &client.variables,
            scopes: &client.scopes,
            redirect_uri,
        };
        let inner = &self.inner;
        let found = probe(
            &inner.outbound,
            client.oauth()?,
            &request,
            inner.entropy.as_ref(),
        );
        let found = found.await.map_err(Error::internal)?;
        Ok(found.into_iter().map(finding).collect())
    }
}

/// What no provider tells without a user.
fn registration(redirect_uri: &str) -> Finding {
    Finding {
        severity: Severity::Fine,
        title: format!("accounts come back to {redirect_uri}"),
        remedy: "Register exactly this redirect URI at the provider.".to_owned(),
    }
}

fn finding(found: ProbeFinding) -> Finding {
    let (severity, remedy) = match found.verdict {
        Verdict::Good => (Severity::Fine, ""),
        Verdict::Doubtful => (Severity::Warning, ""),
        Verdict::Bad => (
            Severity::Problem,
            "Compare the settings with what the provider shows for this OAuth client; if it was not asked, look at the network and at the addresses of the connector.",
        ),
    };
    Finding {
        severity,
        title: found.text,
        remedy: remedy.to_owned(),
    }
}
