//! Reading what the original has encrypted.

use bosa_auth_core::{OriginalKey, Secret, may_be_encrypted};
use bosa_auth_store::Original;

use super::{ImportOptions, of_the_source};
use crate::error::{Error, Result};

/// The first schema version in which values are encrypted.
const ENCRYPTED_SINCE: i64 = 4;
/// How often a value may have been encrypted over itself.
const MOST_LAYERS: usize = 8;

/// How the values of a source are read.
#[derive(Debug)]
pub(super) struct Opening {
    key: Option<OriginalKey>,
    is_encrypted: bool,
}

/// A value that was read.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) plain: Secret,
    pub(super) repair: Option<&'static str>,
}

impl Opening {
    /// # Errors
    /// `Configuration`: password or salt is malformed, or one is given without the other.
    pub(super) fn new(original: &Original, options: &ImportOptions) -> Result<Self> {
        let given = |secret: &'_ Option<Secret>| {
            let secret = secret.as_ref().filter(|secret| !secret.is_empty());
            secret.map(|secret| Secret::from(secret.expose()))
        };
        let key = match (
            given(&options.encryption_password),
            given(&options.encryption_salt),
        ) {
            (Some(password), Some(salt)) => {
                let key = OriginalKey::derive(&password, &salt);
                Some(key.map_err(|error| Error::configuration(format!("{NAMES}: one {error}")))?)
            }
            (None, None) => None,
            _ => {
                return Err(Error::configuration(format!(
                    "{NAMES} belong together: set both"
                )));
            }
        };
        Ok(Self {
            key,
            is_encrypted: original.version() >= ENCRYPTED_SINCE,
        })
    }

    /// Makes sure that the key is the right one, before anything is written.
    ///
    /// # Errors
    /// `Configuration`: there are encrypted values and no key, or none of them opens. What cannot be an
    /// encrypted value says nothing about the key.
    pub(super) async fn check(&self, original: &Original) -> Result<()> {
        if !self.is_encrypted {
            return Ok(());
        }
        let mut values = original.auth_strings().await.map_err(of_the_source)?;
        let mut has_any = false;
        loop {
            let portion = values.next().await.map_err(of_the_source)?;
            let Some(key) = &self.key else {
                return match portion.is_empty() {
                    true => Ok(()),
                    false => Err(Error::configuration(format!(
                        "the source holds encrypted values: set {NAMES} as they are set there"
                    ))),
                };
            };
            if portion.is_empty() {
                return match has_any {
                    false => Ok(()),
                    true => Err(Error::configuration(format!(
                        "no value of the source opens with {NAMES}: one of them is not the source's; nothing was written"
                    ))),
                };
            }
            if portion
                .iter()
                .any(|value| key.open(value.expose()).is_some())
            {
                return Ok(());
            }
            has_any |= portion.iter().any(|value| may_be_encrypted(value.expose()));
        }
    }

    /// Reads a value. Whether it is encrypted is tried out, since nothing in the source says so.
    pub(super) fn open(&self, stored: &Secret) -> std::result::Result<Opened, &'static str> {
        let opened = self.key.as_ref().and_then(|key| {
            let mut plain = key.open(stored.expose())?;
            let mut repair = None;
            for _ in 1..MOST_LAYERS {
                let Some(inner) = key.open(plain.expose()) else {
                    break;
                };
                (plain, repair) = (inner, Some("was encrypted more than once"));
            }
            Some(Opened { plain, repair })
        });
        match opened {
            Some(opened) => Ok(opened),
            None if stored.is_empty() || !self.is_encrypted => Ok(Opened {
                plain: Secret::from(stored.expose()),
                repair: None,
            }),
            None => Err("its value does not decrypt"),
        }
    }
}

const NAMES: &str = "BOSA_AUTH_ENCRYPTION_PASSWORD and BOSA_AUTH_ENCRYPTION_SALT";
