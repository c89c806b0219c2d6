//! The credential of an account: checked, sealed for its row, opened.

use bosa_auth_core::Secret;
use bosa_auth_core::vault::{ValueContext, ValuePurpose, open_value, seal_value};
use bosa_auth_store::integrations::{IntegrationRow, IntegrationWithKey};
use bosa_auth_store::{DataKeyRow, Opaque};

use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::operator::open_data_key;
use crate::principal::Tenant;

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
    ) -> Result<(Opaque, bosa_auth_core::DataKeyId)> {
        let inner = &self.auth.inner;
        let key = open_data_key(&self.auth, self.id(), key.ok_or(Error::InvalidClient)?)?;
        let plain = auth_string.expose().as_bytes();
        let sealed = seal_value(
            &key,
            ValuePurpose::IntegrationAuth,
            &context(row),
            plain,
            inner.entropy.as_ref(),
        )
        .map_err(Error::internal)?;
        Ok((sealed.into(), key.id()))
    }
}

/// Opens the credential of an integration.
///
/// # Errors
/// `Unreadable`: it was moved, edited or truncated, or its key was.
pub(crate) fn open_integration(auth: &Auth, found: &IntegrationWithKey) -> Result<Secret> {
    let unreadable = || Error::Unreadable {
        what: "the credential of an integration".to_owned(),
    };
    let row = &found.integration;
    let key = open_data_key(auth, row.client_id, &found.key)?;
    let plain = open_value(
        &key,
        ValuePurpose::IntegrationAuth,
        &context(row),
        &row.sealed,
    )
    .map_err(|_| unreadable())?;
    let text = std::str::from_utf8(plain.expose()).map_err(|_| unreadable())?;
    Ok(Secret::from(text))
}

fn context(row: &IntegrationRow) -> ValueContext<'_> {
    ValueContext {
        client_id: row.client_id,
        user_id: row.user_id,
        row_id: row.id,
        connector: &row.connector,
        account: &row.user_identifier,
    }
}

pub(super) fn check_auth_string(auth_string: &Secret) -> Result<()> {
    match auth_string.expose().len() {
        0 => Err(Error::invalid("auth_string", "is empty")),
        1..=LONGEST_AUTH_STRING => Ok(()),
        _ => Err(Error::invalid("auth_string", "is longer than 65536 bytes")),
    }
}
