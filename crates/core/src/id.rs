//! Typed ids: each a UUID, none of which can stand for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::entropy::{Entropy, EntropyError};

/// A text that is not a UUID of 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: a UUID of 36 characters is expected")]
pub struct InvalidId;

macro_rules! ids {
    ($( $(#[$meta:meta])* $name:ident, )+) => {$(
        $(#[$meta])*
        ///
        /// Its text is the hyphenated lower-case UUID.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id, ordered by time (UUID version 7, RFC 9562 section 5.7).
            ///
            /// # Errors
            /// [`EntropyError`] when there is no randomness.
            ///
            /// # Security
            /// An id is not a secret: it tells when it was made.
            pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                time_ordered(now, entropy).map(Self)
            }

            /// Returns the plain UUID.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                strict(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// The id of a client.
    ClientId,
    /// The id of a user.
    UserId,
    /// The id of an API key of a client.
    ApiKeyId,
    /// The id of a token, its `jti` claim.
    TokenId,
    /// The id of a third-party integration.
    IntegrationId,
    /// The id of a digest key.
    DigestKeyId,
    /// The id of a client's data key.
    DataKeyId,
    /// The id of one operation, in the audit and in requests.
    OperationId,
    /// The id of an instance: one database and everything that works on it.
    InstanceId,
    /// The id of a running process of an instance.
    NodeId,
}

fn time_ordered(now: Timestamp, entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    let mut random = [0; 10];
    entropy.fill(&mut random)?;
    // Before 1970 there is no version 7: the id is then as old as it can be.
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// Reads an id from the text that it is written as, and from no other.
pub(crate) fn canonical(text: &str) -> Option<Uuid> {
    let id = strict(text).ok()?;
    // With hyphens and 36 characters, only capital digits are left to differ.
    let has_capitals = text.bytes().any(|byte| byte.is_ascii_uppercase());
    (!has_capitals).then_some(id)
}

fn strict(text: &str) -> Result<Uuid, InvalidId> {
    // The parser also takes braces, `urn:uuid:` and text without hyphens; their lengths differ.
    if text.len() != 36 {
        return Err(InvalidId);
    }
    Uuid::try_parse(text).map_err(|_| InvalidId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    const TEXT: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

    #[test]
    fn an_id_reads_back_from_its_text_and_from_json() {
        let id: UserId = TEXT.parse().unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), format!("UserId({TEXT})"));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<UserId>(&json).unwrap(), id);
        assert_eq!(UserId::from(Uuid::from(id)), id);
    }

    #[test]
    fn other_forms_of_a_uuid_are_refused() {
        let plain = TEXT.replace('-', "");
        let others = [
            String::new(),
            plain.clone(),
            format!("{{{TEXT}}}"),
            format!("urn:uuid:{TEXT}"),
            format!(" {TEXT}"),
            format!("{TEXT}\n"),
            format!("{plain}0000"),
            TEXT.replace('9', "g"),
            TEXT.replace("0190163d", "0190163é"),
            "\0".repeat(36),
        ];
        for other in others {
            assert_eq!(other.parse::<ClientId>(), Err(InvalidId), "{other:?}");
        }
    }

    #[test]
    fn generated_ids_are_version_7_and_ordered_by_time() {
        let entropy = SeededEntropy::new(1);
        let earlier = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
        let later = Timestamp::from_millisecond(1_700_000_000_001).unwrap();
        let first = TokenId::generate(earlier, &entropy).unwrap();
        let second = TokenId::generate(later, &entropy).unwrap();
        assert!(first < second);
        assert_eq!(first.as_uuid().get_version_num(), 7);
        assert!(first.to_string().starts_with("018bcfe5-6800-7"));
    }

    #[test]
    fn ids_of_one_millisecond_differ() {
        let entropy = SeededEntropy::new(1);
        let now = Timestamp::UNIX_EPOCH;
        assert_ne!(
            UserId::generate(now, &entropy).unwrap(),
            UserId::generate(now, &entropy).unwrap()
        );
    }
}
