//! The part of the settings that is stored as JSON, checked.

use std::collections::{BTreeMap, BTreeSet};

use bosa_auth_connect::{ClientAuthentication, Provider};
use bosa_auth_store::ConnectorSettingsRow;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ConnectorSettings, NewConnectorSettings};
use crate::error::{Error, Result};
use crate::public_url::is_loopback;
use crate::tenant::check_scopes;

const LONGEST_CLIENT_ID: usize = 1024;
const MOST_RETURN_ADDRESSES: usize = 100;
const LONGEST_RETURN_ADDRESS: usize = 2048;

/// All settings but the secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) return_addresses: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) variables: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) require_completion: bool,
}

impl Document {
    /// Checks new settings against what the connector declares.
    ///
    /// # Errors
    /// `InvalidInput` names the field.
    pub(super) fn check(new: &NewConnectorSettings, provider: &Provider) -> Result<Self> {
        if provider.oauth.is_none() {
            let reason = "takes no accounts by OAuth, so that it has no settings";
            return Err(Error::invalid("connector", reason));
        }
        match &new.client_id {
            Some(client_id) => {
                check_client_id(client_id)?;
                provider
                    .check_variables(&new.variables)
                    .map_err(|error| Error::invalid("variables", format!("do not fit: {error}")))?;
            }
            None if !new.variables.is_empty() => {
                return Err(Error::invalid(
                    "variables",
                    "belong to a client_id, which is missing",
                ));
            }
            None => {}
        }
        check_scopes("scopes", &new.scopes)?;
        Ok(Self {
            client_id: new.client_id.clone(),
            scopes: new.scopes.clone(),
            return_addresses: return_addresses(&new.return_addresses)?,
            variables: new.variables.clone(),
            require_completion: new.require_completion,
        })
    }

    /// Checks that an OAuth client has the secret that it needs, and none otherwise.
    ///
    /// # Errors
    /// `InvalidInput` for `client_secret`.
    pub(super) fn check_secret(&self, provider: &Provider, has_secret: bool) -> Result<()> {
        let authentication = provider
            .oauth
            .as_ref()
            .map(|oauth| oauth.client_authentication);
        let needs_secret = authentication != Some(ClientAuthentication::None);
        let reason = match (&self.client_id, has_secret) {
            (Some(_), false) if needs_secret => "is missing",
            (Some(_), true) if !needs_secret => "is not used by this connector",
            (None, true) => "belongs to a client_id, which is missing",
            _ => return Ok(()),
        };
        Err(Error::invalid("client_secret", reason))
    }

    /// # Errors
    /// `Unreadable` when the stored text is not one of ours.
    pub(super) fn read(row: &ConnectorSettingsRow) -> Result<Self> {
        serde_json::from_str(&row.settings).map_err(|_| Error::Unreadable {
            what: "the settings of a connector".to_owned(),
        })
    }

    pub(super) fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }
}

/// The settings of a row.
pub(super) fn model(row: &ConnectorSettingsRow) -> Result<ConnectorSettings> {
    let document = Document::read(row)?;
    Ok(ConnectorSettings {
        connector: row.connector.clone(),
        client_id: document.client_id,
        has_client_secret: row.secret.is_some(),
        scopes: document.scopes,
        return_addresses: document.return_addresses,
        variables: document.variables,
        require_completion: document.require_completion,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn check_client_id(client_id: &str) -> Result<()> {
    if client_id.is_empty()
        || client_id.len() > LONGEST_CLIENT_ID
        || client_id.trim() != client_id
        || client_id.chars().any(char::is_control)
    {
        let reason = "must be 1 to 1024 bytes without control characters and without spaces around";
        return Err(Error::invalid("client_id", reason));
    }
    Ok(())
}

/// The addresses as they are compared, each once.
fn return_addresses(addresses: &[String]) -> Result<Vec<String>> {
    if addresses.len() > MOST_RETURN_ADDRESSES {
        let reason = format!("has more than {MOST_RETURN_ADDRESSES} elements");
        return Err(Error::invalid("return_addresses", reason));
    }
    let mut known = BTreeSet::new();
    let mut normal = Vec::new();
    for address in addresses {
        let url = return_address(address).map_err(|reason| {
            Error::invalid("return_addresses", format!("hold one that {reason}"))
        })?;
        let text = String::from(url);
        if known.insert(text.clone()) {
            normal.push(text);
        }
    }
    Ok(normal)
}

/// An address that a browser may be sent to after an account was connected.
///
/// # Errors
/// Why it cannot be one, as the end of a sentence. The address is not quoted.
pub(crate) fn return_address(text: &str) -> Result<Url, &'static str> {
    if text.len() > LONGEST_RETURN_ADDRESS {
        return Err("is longer than 2048 bytes");
    }
    let url = Url::parse(text).map_err(|_| "is not an absolute URL")?;
    match url.scheme() {
        "https" => {}
        "http" if url.host().is_some_and(|host| is_loopback(&host)) => {}
        "http" => return Err("begins with http://, which is for loopback only; use https://"),
        _ => return Err("does not begin with https://"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user");
    }
    if url.fragment().is_some() {
        return Err("holds a fragment");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_return_to_is_https_or_loopback_and_nothing_else() {
        for good in [
            "https://app.example.com/done?tab=1",
            "http://localhost:3000/done",
            "http://127.0.0.1/",
            "http://[::1]:3000/",
        ] {
            assert!(return_address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://app.example.com/done",
            "/done",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://user@app.example.com/",
            "https://app.example.com/#token",
            "//app.example.com",
            "http://localhost.example.com/",
            "https://",
        ] {
            assert!(return_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_kept_as_they_are_compared_each_once() {
        let addresses = ["https://APP.example.com", "https://app.example.com/"].map(str::to_owned);
        assert_eq!(
            return_addresses(&addresses).unwrap(),
            ["https://app.example.com/"]
        );
    }
}
