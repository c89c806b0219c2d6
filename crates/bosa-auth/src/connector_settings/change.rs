//! What a change of settings makes of those that are there.

use bosa_auth_connect::Provider;
use bosa_auth_core::vault::DataKey;
use bosa_auth_core::{ClientId, Timestamp};
use bosa_auth_store::{ConnectorSettingsChange, ConnectorSettingsRow, SealedChange};
use serde_json::json;

use super::document::Document;
use super::secret::{check_secret, seal_secret};
use super::{NewConnectorSettings, SecretChange};
use crate::auth::Inner;
use crate::error::{Error, Result};

/// New settings of a connector, checked.
#[derive(Debug)]
pub(super) struct Change<'a> {
    new: &'a NewConnectorSettings,
    provider: &'a Provider,
    document: Document,
}

impl<'a> Change<'a> {
    /// # Errors
    /// `InvalidInput` names the field.
    pub(super) fn check(new: &'a NewConnectorSettings, provider: &'a Provider) -> Result<Self> {
        let document = Document::check(new, provider)?;
        match &new.client_secret {
            SecretChange::Keep => {}
            SecretChange::Replace(secret) => {
                check_secret(secret)?;
                document.check_secret(provider, true)?;
            }
            SecretChange::Remove => document.check_secret(provider, false)?,
        }
        Ok(Self {
            new,
            provider,
            document,
        })
    }

    /// Whether a key is needed to seal a secret.
    pub(super) fn has_new_secret(&self) -> bool {
        matches!(self.new.client_secret, SecretChange::Replace(_))
    }

    /// What to store in place of the settings that were read, its secret sealed under `key`.
    ///
    /// # Errors
    /// `InvalidInput`: the secret is missing, or would stay with another OAuth client.
    pub(super) fn against(
        &self,
        inner: &Inner,
        owner: Option<ClientId>,
        key: Option<&DataKey>,
        before: Option<&ConnectorSettingsRow>,
        at: Timestamp,
    ) -> Result<ConnectorSettingsChange> {
        let stays = match before {
            Some(row) if row.secret.is_some() => {
                Document::read(row)?.client_id == self.document.client_id
            }
            _ => false,
        };
        let secret = match (&self.new.client_secret, key) {
            (SecretChange::Replace(secret), Some(key)) => {
                let name = self.provider.name.as_str();
                SealedChange::Replace(seal_secret(inner, key, owner, name, secret)?)
            }
            (SecretChange::Replace(_), None) => return Err(Error::InvalidClient),
            (SecretChange::Keep, _) if stays => SealedChange::Keep,
            (SecretChange::Keep | SecretChange::Remove, _) => SealedChange::Remove,
        };
        let has_secret = !matches!(secret, SealedChange::Remove);
        self.document.check_secret(self.provider, has_secret)?;
        Ok(ConnectorSettingsChange {
            version: before.map(|row| row.version),
            settings: self.document.text()?,
            secret,
            at,
        })
    }

    /// What the audit keeps.
    pub(super) fn description(&self) -> String {
        let secret = match self.new.client_secret {
            SecretChange::Keep => "kept",
            SecretChange::Replace(_) => "replaced",
            SecretChange::Remove => "removed",
        };
        json!({
            "connector": self.provider.name.as_str(),
            "client_id": self.document.client_id,
            "client_secret": secret,
            "return_addresses": self.document.return_addresses,
        })
        .to_string()
    }
}
