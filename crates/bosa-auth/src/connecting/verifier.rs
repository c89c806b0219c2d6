//! The code verifier of a connection, sealed while its user is at the provider.

use bosa_auth_connect::CodeVerifier;
use bosa_auth_store::{ConnectReturn, ConnectStateRow, Sealed};

use super::NO_CONNECTION;
use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::vault::{Place, open_data_key};

/// # Errors
/// `NotFound` when the client is being deleted.
pub(super) async fn seal_verifier(
    inner: &Inner,
    row: &ConnectStateRow,
    verifier: &CodeVerifier,
) -> Result<Sealed> {
    let mut client = inner.store.client(row.client_id);
    let key = client.active_data_key().await?.ok_or(NO_CONNECTION)?;
    let key = open_data_key(inner, row.client_id, &key)?;
    let plain = verifier.expose().as_bytes();
    Place::code_verifier(row).seal(&key, plain, inner.entropy.as_ref())
}

/// # Errors
/// `Unreadable`: it was moved, edited or truncated, or its key was.
pub(super) async fn open_verifier(inner: &Inner, returned: &ConnectReturn) -> Result<CodeVerifier> {
    let row = &returned.row;
    let mut client = inner.store.client(row.client_id);
    let key = client.data_key(returned.verifier.key_id).await?;
    let key = key.ok_or_else(|| Error::Unreadable {
        what: "the key of a code verifier".to_owned(),
    })?;
    let key = open_data_key(inner, row.client_id, &key)?;
    let text = Place::code_verifier(row).open_text(&key, &returned.verifier.bytes)?;
    Ok(CodeVerifier::stored(text))
}
