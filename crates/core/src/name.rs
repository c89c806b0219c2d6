//! Names that people give: checked once, where they come in.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A name that was refused, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct InvalidName {
    /// The field as the callers know it, for example `identifier`.
    pub field: &'static str,
    /// What is wrong with it, as the rest of a sentence that begins with the field.
    pub reason: &'static str,
}

macro_rules! names {
    ($( $(#[$meta:meta])* $name:ident, )+) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes a text that was checked before it was stored.
            pub const fn stored(text: String) -> Self {
                Self(text)
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    )+};
}

names! {
    /// The name of a client: 1 to 200 characters without surrounding white space.
    ClientName,
    /// The identifier of a user within its client: 1 to 320 characters in Unicode NFC.
    ///
    /// Two spellings that look alike but are not equal under NFC are two identifiers.
    Identifier,
    /// The name of a connector: `[a-z0-9][a-z0-9_-]{0,63}`.
    ConnectorName,
    /// The name of an account at a connector (`user_identifier`): 1 to 320 characters, exact.
    AccountName,
}

impl ClientName {
    /// Reads a name; white space around it is dropped.
    ///
    /// # Errors
    /// [`InvalidName`] when it is empty, longer than 200 characters or has a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let name = text.trim();
        check("name", name, 200)?;
        Ok(Self(name.to_owned()))
    }
}

impl Identifier {
    /// Reads an identifier and normalizes it to Unicode NFC; nothing is trimmed.
    ///
    /// # Errors
    /// [`InvalidName`] when it is empty, longer than 320 characters after normalizing or has a
    /// control character.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        // Normalizing may shorten a text, but never this far: the rest is refused unread.
        if text.len() > 16 * MAX_IDENTIFIER {
            return Err(too_long("identifier"));
        }
        let identifier = if is_nfc(text) {
            text.to_owned()
        } else {
            text.nfc().collect()
        };
        check("identifier", &identifier, MAX_IDENTIFIER)?;
        Ok(Self(identifier))
    }
}

impl ConnectorName {
    /// Reads the name of a connector.
    ///
    /// # Errors
    /// [`InvalidName`] when it does not have the form `[a-z0-9][a-z0-9_-]{0,63}`.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let refused = |reason| InvalidName {
            field: "connector",
            reason,
        };
        let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        match text.as_bytes() {
            [] => Err(refused("must not be empty")),
            [b'_' | b'-', ..] => Err(refused("must begin with a letter or a digit")),
            bytes if !bytes.iter().copied().all(inner) => Err(refused(
                "must consist of lower-case letters, digits, `_` and `-`",
            )),
            bytes if bytes.len() > 64 => Err(refused("must have at most 64 characters")),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl AccountName {
    /// Reads the name of an account; nothing is trimmed or normalized, because it is the
    /// provider's.
    ///
    /// # Errors
    /// [`InvalidName`] when it is empty, longer than 320 characters or has a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        check("user_identifier", text, MAX_IDENTIFIER)?;
        Ok(Self(text.to_owned()))
    }
}

/// A secret that a person chose: 15 to 256 characters, compared byte by byte.
///
/// The length follows NIST SP 800-63B-4 for a secret that is the only factor.
///
/// # Security
/// Wiped when dropped; no `Clone`, `Display` or comparison. Only its Argon2 hash is ever stored.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ChosenSecret(String);

impl ChosenSecret {
    /// Reads a chosen secret; nothing is trimmed, normalized or cut off.
    ///
    /// # Errors
    /// [`InvalidName`] when it has fewer than 15 or more than 256 characters, has a control
    /// character, or begins with `sk-`, which marks generated credentials.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let refused = |reason| InvalidName {
            field: "secret",
            reason,
        };
        if text.starts_with("sk-") {
            return Err(refused("must not begin with `sk-`"));
        }
        if text.chars().nth(14).is_none() {
            return Err(refused("must have at least 15 characters"));
        }
        check("secret", text, 256)?;
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    ///
    /// # Security
    /// What is done with the text from here on is no longer guarded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ChosenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChosenSecret(redacted)")
    }
}

const MAX_IDENTIFIER: usize = 320;

fn check(field: &'static str, text: &str, max_chars: usize) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName {
            field,
            reason: "must not be empty",
        });
    }
    if text.chars().nth(max_chars).is_some() {
        return Err(too_long(field));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidName {
            field,
            reason: "must not contain control characters",
        });
    }
    Ok(())
}

const fn too_long(field: &'static str) -> InvalidName {
    InvalidName {
        field,
        reason: "is too long",
    }
}

#[cfg(test)]
mod tests;
