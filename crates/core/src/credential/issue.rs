//! Making new credentials.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::checksum::checksum;
use super::digest::{CredentialKind, Digest, DigestKey, current_digest};
use crate::entropy::{Entropy, EntropyError};
use crate::id::{ApiKeyId, ClientId, UserId};
use crate::secret::Secret;

pub(super) const CLIENT_PREFIX: &str = "sk-client-";
pub(super) const USER_PREFIX: &str = "sk-user-";

/// Longest label in a credential or token, in bytes: 320 characters of four bytes.
const MAX_LABEL: usize = 1280;

/// Returns a name as it labels a credential or a token: cut to at most 1280 bytes, since imported names
/// may be longer than those that are taken today.
pub fn as_label(name: &str) -> &str {
    cut(name, MAX_LABEL)
}

/// Returns as many whole characters from the beginning of a text as have at most `most` bytes.
pub fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// A new credential, to be shown once.
pub struct IssuedCredential {
    /// The whole text.
    pub text: Secret,
    /// What may be shown later: the prefix, `...` and the last 8 characters.
    pub preview: String,
    /// The middle segment as it stands in the text.
    pub middle: String,
    /// The last segment, checksum included.
    pub tail: Secret,
}

impl IssuedCredential {
    /// Returns the digest to store for the credential; its form is the current one.
    pub fn digest(
        &self,
        key: &DigestKey,
        kind: CredentialKind,
        client: ClientId,
        credential_id: Uuid,
    ) -> Digest {
        current_digest(
            key,
            kind,
            client,
            credential_id,
            &self.middle,
            self.tail.expose(),
        )
    }
}

impl fmt::Debug for IssuedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCredential")
            .field("preview", &self.preview)
            .finish_non_exhaustive()
    }
}

/// Makes a client key for the API key with this id, labelled with the client's name.
///
/// A name longer than 1280 bytes is cut for the label, so that the key stays within the size
/// that is looked at.
///
/// # Errors
/// [`EntropyError`] when there is no randomness.
pub fn issue_client_key(
    id: ApiKeyId,
    client_name: impl AsRef<str>,
    entropy: &dyn Entropy,
) -> Result<IssuedCredential, EntropyError> {
    issue(CLIENT_PREFIX, id.as_uuid(), client_name.as_ref(), entropy)
}

/// Makes a secret for the user with this id, labelled with the user's identifier.
///
/// An identifier longer than 1280 bytes is cut for the label.
///
/// # Errors
/// [`EntropyError`] when there is no randomness.
pub fn issue_user_secret(
    id: UserId,
    identifier: impl AsRef<str>,
    entropy: &dyn Entropy,
) -> Result<IssuedCredential, EntropyError> {
    issue(USER_PREFIX, id.as_uuid(), identifier.as_ref(), entropy)
}

fn issue(
    prefix: &str,
    id: Uuid,
    label: &str,
    entropy: &dyn Entropy,
) -> Result<IssuedCredential, EntropyError> {
    let mut random = Zeroizing::new([0; 32]);
    entropy.fill(random.as_mut_slice())?;
    let middle = URL_SAFE_NO_PAD.encode(as_label(label));
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
    let id = URL_SAFE_NO_PAD.encode(id.hyphenated().to_string());

    let covered = Zeroizing::new(format!("{prefix}{id}.{middle}.{}", secret.as_str()));
    let check = checksum(&covered);
    let check = String::from_utf8_lossy(&check);
    let shown = secret.get(secret.len().saturating_sub(2)..).unwrap_or("");
    Ok(IssuedCredential {
        preview: format!("{prefix}...{shown}{check}"),
        text: Secret::new(format!("{}{check}", covered.as_str())),
        tail: Secret::new(format!("{}{check}", secret.as_str())),
        middle,
    })
}
