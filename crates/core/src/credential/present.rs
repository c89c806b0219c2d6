//! Credentials as callers present them.

use uuid::Uuid;

use super::digest::{CredentialKind, Digest, DigestKey, current_digest, imported_digest};
use super::issue::{CLIENT_PREFIX, USER_PREFIX};
use super::parse::{MalformedCredential, Parsed, parse};
use crate::id::{ClientId, UserId};
use crate::secret::Secret;
use crate::text_enum::text_enum;

text_enum! {
    /// Which form a generated credential has; the stored row says which one it takes.
    pub enum Form as "credential form" {
        /// Ours: 43 characters of secret and 6 of checksum.
        Current = "current",
        /// The original service's: 43 characters of secret, of which only id and secret count.
        Imported = "imported",
    }
}

/// A client key that was presented and has the form of one.
///
/// # Security
/// Nothing is known yet about whether it is right.
#[derive(Debug)]
pub struct PresentedClientKey<'t>(Parsed<'t>);

impl<'t> PresentedClientKey<'t> {
    /// Reads a client key strictly; at most 64 KiB are looked at.
    ///
    /// # Errors
    /// [`MalformedCredential`] for every text that was not issued in this very spelling.
    pub fn parse(text: &'t str) -> Result<Self, MalformedCredential> {
        parse(CLIENT_PREFIX, text).map(Self)
    }

    /// Returns the id inside: of the API key, or of the client in the imported form.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Returns the form.
    pub fn form(&self) -> Form {
        self.0.form
    }

    /// Returns the digest to compare with the stored one of the credential with the id inside.
    pub fn digest(&self, key: &DigestKey, client: ClientId) -> Digest {
        digest_of(&self.0, key, CredentialKind::ClientKey, client)
    }
}

/// A user secret that was presented, by the work it costs.
#[derive(Debug)]
pub enum PresentedUserSecret<'t> {
    /// Our form: one look-up and one keyed digest.
    Current(MachineUserSecret<'t>),
    /// The original's form: as ours, and one Argon2 at the original's cost on mismatch.
    Imported(MachineUserSecret<'t>),
    /// Anything else: one Argon2 at today's cost.
    Chosen(Secret),
}

impl<'t> PresentedUserSecret<'t> {
    /// Tells the form of a secret; every text has one.
    ///
    /// A text that begins like a generated secret but is not one costs what a chosen one costs.
    pub fn classify(text: &'t str) -> Self {
        match parse(USER_PREFIX, text) {
            Ok(parsed) if parsed.form == Form::Current => Self::Current(MachineUserSecret(parsed)),
            Ok(parsed) => Self::Imported(MachineUserSecret(parsed)),
            Err(MalformedCredential) => Self::Chosen(Secret::from(text)),
        }
    }

    /// Returns the user id inside; a chosen secret has none.
    pub fn user_id(&self) -> Option<UserId> {
        self.machine().map(MachineUserSecret::user_id)
    }

    /// Returns the machine form, unless the secret is a chosen one.
    pub fn machine(&self) -> Option<&MachineUserSecret<'t>> {
        match self {
            Self::Current(secret) | Self::Imported(secret) => Some(secret),
            Self::Chosen(_) => None,
        }
    }
}

/// A user secret that was presented and has the form of a generated one.
///
/// # Security
/// Nothing is known yet about whether it is right.
#[derive(Debug)]
pub struct MachineUserSecret<'t>(Parsed<'t>);

impl<'t> MachineUserSecret<'t> {
    /// Returns the user id inside.
    pub fn user_id(&self) -> UserId {
        UserId::from(self.0.id)
    }

    /// Returns the form.
    pub fn form(&self) -> Form {
        self.0.form
    }

    /// Returns the last segment, of which the original service kept an Argon2 hash.
    ///
    /// # Security
    /// It is the secret itself.
    pub fn tail(&self) -> &'t str {
        self.0.tail
    }

    /// Returns the digest to compare with the stored one of the user with the id inside.
    pub fn digest(&self, key: &DigestKey, client: ClientId) -> Digest {
        digest_of(&self.0, key, CredentialKind::UserSecret, client)
    }
}

fn digest_of(
    parsed: &Parsed<'_>,
    key: &DigestKey,
    kind: CredentialKind,
    client: ClientId,
) -> Digest {
    match parsed.form {
        Form::Current => current_digest(key, kind, client, parsed.id, parsed.middle, parsed.tail),
        Form::Imported => imported_digest(key, kind, parsed.id, parsed.tail),
    }
}
