//! The connectors that are known by name. Accounts of any other name can be stored too.

use std::sync::Arc;

use bosa_auth_connect::{ClientAuthentication, LookupError, Origin, Provider};
use bosa_auth_core::ConnectorName;
use serde::{Serialize, Serializer};

use crate::auth::Auth;
use crate::error::{Error, Result};

/// A third party whose accounts can be connected or given.
///
/// As JSON it is everything that its file declares, under the names of the file, with `takes`,
/// `needs` and `source`.
#[derive(Debug, Clone)]
pub struct Connector {
    provider: Arc<Provider>,
}

impl Connector {
    /// The name under which accounts are stored.
    #[must_use]
    pub fn name(&self) -> &str {
        self.provider.name.as_str()
    }

    /// The name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.provider.title
    }

    /// What it takes: `oauth`, and the kinds of credentials that are given by hand.
    #[must_use]
    pub fn takes(&self) -> Vec<&'static str> {
        self.provider.takes().collect()
    }

    /// The settings without which no account can be connected by OAuth.
    #[must_use]
    pub fn needs(&self) -> Vec<String> {
        let Some(oauth) = &self.provider.oauth else {
            return Vec::new();
        };
        let secret = oauth.client_authentication != ClientAuthentication::None;
        let mut needs = vec!["client_id".to_owned()];
        needs.extend(secret.then(|| "client_secret".to_owned()));
        let variables = self.provider.variables.keys();
        needs.extend(variables.map(|name| format!("variables.{name}")));
        needs
    }

    /// Where it is declared: `built-in`, or the path of the user's own file.
    #[must_use]
    pub fn source(&self) -> String {
        match &self.provider.origin {
            Origin::BuiltIn => "built-in".to_owned(),
            Origin::File(path) => path.display().to_string(),
        }
    }
}

impl Serialize for Connector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            #[serde(flatten)]
            provider: &'a Provider,
            takes: Vec<&'static str>,
            needs: Vec<String>,
            source: String,
        }
        let shown = Shown {
            provider: &self.provider,
            takes: self.takes(),
            needs: self.needs(),
            source: self.source(),
        };
        shown.serialize(serializer)
    }
}

impl Auth {
    /// The names of all connectors, in alphabetical order.
    #[must_use]
    pub fn connector_names(&self) -> Vec<String> {
        let connectors = self.inner.connectors.load();
        let names = connectors.names().into_iter();
        names.map(ToOwned::to_owned).collect()
    }

    /// The connector of a name.
    ///
    /// # Errors
    /// `InvalidInput`: the text is no name of a connector. `NotFound`: there is none of this name.
    pub fn connector(&self, name: &str) -> Result<Connector> {
        let name = ConnectorName::parse(name)?;
        let provider = self.declared(&name)?;
        Ok(Connector { provider })
    }

    /// What a connector declares.
    ///
    /// # Errors
    /// `NotFound`: there is none of this name.
    pub(crate) fn declared(&self, name: &ConnectorName) -> Result<Arc<Provider>> {
        let provider = self.inner.connectors.load().get(name.as_str());
        provider.map_err(|error| match error {
            LookupError::Unknown => Error::NotFound { what: "connector" },
            LookupError::Invalid(_) => Error::Internal(Box::new(error)),
        })
    }

    /// Reads the files of `BOSA_AUTH_CONNECTORS_DIR` again and returns how many there are; on
    /// failure the former connectors stay. It reads files, so that it belongs on a thread for
    /// blocking work.
    ///
    /// # Errors
    /// `Configuration` with one line for each problem: its file, line, column and reason.
    pub fn reload_connectors(&self) -> Result<usize> {
        let reloaded = self.inner.connectors.load().reload();
        let reloaded = reloaded.map_err(|problems| Error::configuration(problems.to_string()))?;
        let count = reloaded.own_count();
        self.inner.connectors.store(Arc::new(reloaded));
        Ok(count)
    }
}
