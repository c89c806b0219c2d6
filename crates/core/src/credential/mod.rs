//! Generated credentials: client keys and user secrets, their texts and their digests.
//!
//! A text is `sk-client-<id>.<label>.<secret>` or `sk-user-<id>.<label>.<secret>`, where the first
//! two segments are base64url without padding of UTF-8 text. The formats are written down, with
//! golden vectors, in `docs/formats.md`.

mod checksum;
mod digest;
mod issue;
mod parse;
mod present;

pub use digest::{CredentialKind, Digest, DigestKey, imported_digest, keyed_digest};
pub use issue::{IssuedCredential, as_label, cut, issue_client_key, issue_user_secret};
pub use parse::MalformedCredential;
pub use present::{Form, MachineUserSecret, PresentedClientKey, PresentedUserSecret};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
