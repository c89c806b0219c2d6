//! The credential of an account: checked, sealed for its row, opened.

use bosa_auth_core::{DataKeyId, Secret};
use bosa_auth_store::integrations::{IntegrationRow, IntegrationWithKey};
use bosa_auth_store::{DataKeyRow, IntegrationWithGrant, Opaque};

use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::principal::Tenant;
use crate::vault::{Place, open_data_key};

/// Longest credential, in bytes.
pub(super) const LONGEST_AUTH_STRING: usize = 64 * 1024;

impl Tenant {
    /// Seals a credential for its row under the client's active data key.
    ///
    /// # Errors
    /// `InvalidClient`: there is no key, since the client is being deleted.
    pub(super) fn seal(
        &self,
        row: &IntegrationRow,
        auth_string: &Secret,
        key: Option<&DataKeyRow>,
    ) -> Result<(Opaque, DataKeyId)> {
        let inner = &self.auth.inner;
        let key = open_data_key(inner, self.id(), key.ok_or(Error::InvalidClient)?)?;
        let place = Place::credential(row);
        let sealed = place.seal_text(&key, auth_string, inner.entropy.as_ref())?;
        Ok((sealed.bytes, sealed.key_id))
    }
}

/// Opens the credential of an integration.
///
/// # Errors
/// `Unreadable`: it was moved, edited or truncated, or its key was.
pub(super) fn open_integration(auth: &Auth, found: &IntegrationWithKey) -> Result<Secret> {
    open_credential(auth, &found.integration, &found.key)
}

/// As [`open_integration`], of an account and its key.
///
/// # Errors
/// As [`open_integration`].
pub(crate) fn open_credential(
    auth: &Auth,
    row: &IntegrationRow,
    key: &DataKeyRow,
) -> Result<Secret> {
    let key = open_data_key(&auth.inner, row.client_id, key)?;
    Place::credential(row).open_text(&key, &row.sealed)
}

/// Opens the refresh token of an account, if it has one.
///
/// # Errors
/// `Unreadable`: it was moved, edited or truncated, or its key was.
pub(crate) fn open_refresh_token(
    auth: &Auth,
    found: &IntegrationWithGrant,
) -> Result<Option<Secret>> {
    let row = &found.integration;
    let grant = found.grant.as_ref();
    let token = grant.and_then(|grant| grant.row.refresh_token.as_ref().zip(grant.key.as_ref()));
    let Some((token, key)) = token else {
        return Ok(None);
    };
    let key = open_data_key(&auth.inner, row.client_id, key)?;
    let opened = Place::refresh_token(row).open_text(&key, &token.sealed.bytes)?;
    Ok(Some(opened))
}

pub(super) fn check_auth_string(auth_string: &Secret) -> Result<()> {
    match auth_string.expose().len() {
        0 => Err(Error::invalid("auth_string", "is empty")),
        1..=LONGEST_AUTH_STRING => Ok(()),
        _ => Err(Error::invalid("auth_string", "is longer than 65536 bytes")),
    }
}
