//! The credential of an account: checked, sealed for its row, opened.

use bosa_auth_core::{DataKeyId, Secret};
use bosa_auth_store::integrations::{IntegrationRow, IntegrationWithKey};
use bosa_auth_store::{DataKeyRow, Opaque};

use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::principal::Tenant;
use crate::vault::{Place, open_data_key};

/// Longest credential, in bytes.
const LONGEST_AUTH_STRING: usize = 64 * 1024;

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
        let plain = auth_string.expose().as_bytes();
        let sealed = Place::credential(row).seal(&key, plain, inner.entropy.as_ref())?;
        Ok((sealed.bytes, sealed.key_id))
    }
}

/// Opens the credential of an integration.
///
/// # Errors
/// `Unreadable`: it was moved, edited or truncated, or its key was.
pub(super) fn open_integration(auth: &Auth, found: &IntegrationWithKey) -> Result<Secret> {
    let row = &found.integration;
    let key = open_data_key(&auth.inner, row.client_id, &found.key)?;
    Place::credential(row).open_text(&key, &row.sealed)
}

pub(super) fn check_auth_string(auth_string: &Secret) -> Result<()> {
    match auth_string.expose().len() {
        0 => Err(Error::invalid("auth_string", "is empty")),
        1..=LONGEST_AUTH_STRING => Ok(()),
        _ => Err(Error::invalid("auth_string", "is longer than 65536 bytes")),
    }
}
