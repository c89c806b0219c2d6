//! The settings that serve every client without settings of its own.

use super::owned::Owned;
use super::{ConnectorSettings, NewConnectorSettings};
use crate::error::Result;
use crate::principal::Operator;

impl Operator {
    /// The deployment's settings of a connector.
    ///
    /// # Errors
    /// `NotFound`: there are none.
    pub async fn connector_settings(&self, connector: &str) -> Result<ConnectorSettings> {
        self.deployments().show(connector).await
    }

    /// Stores the deployment's settings of a connector in place of the former ones.
    ///
    /// # Errors
    /// `NotFound`: there is no such connector. `InvalidInput`: a field is malformed, or the secret of
    /// the OAuth client is missing.
    pub async fn set_connector_settings(
        &self,
        connector: &str,
        new: &NewConnectorSettings,
    ) -> Result<ConnectorSettings> {
        self.deployments().set(connector, new).await
    }

    /// Removes the deployment's settings of a connector.
    ///
    /// # Errors
    /// `NotFound`: there are none.
    pub async fn unset_connector_settings(&self, connector: &str) -> Result<()> {
        self.deployments().unset(connector).await
    }

    fn deployments(&self) -> Owned<'_> {
        Owned {
            auth: &self.auth,
            actor: &self.actor,
            owner: None,
        }
    }
}
