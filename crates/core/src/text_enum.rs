//! Enums whose members have one fixed text, in the database and on every face.

/// A text that names no member of the enum it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what}")]
pub struct UnknownText {
    /// What the text was read as, for example "client state".
    pub what: &'static str,
}

/// Declares an enum with `ALL`, `as_str`, `Display`, `FromStr` and serde as its text.
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident as $what:literal {
            $( $(#[$member_meta:meta])* $member:ident = $text:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $( $(#[$member_meta])* $member, )+
        }

        impl $name {
            /// Every member, in the order of declaration.
            pub const ALL: &'static [Self] = &[$( Self::$member, )+];

            /// Returns the member's fixed text.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$member => $text, )+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::text_enum::UnknownText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $( $text => Ok(Self::$member), )+
                    _ => Err($crate::text_enum::UnknownText { what: $what }),
                }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use text_enum;

#[cfg(test)]
mod tests {
    use crate::{AuditAction, AuthStatus, ClientState, Form, Scope, SecretKind, UserState};

    #[test]
    fn every_member_reads_back_from_its_text() {
        macro_rules! check {
            ($($name:ident),+) => {$(
                for member in $name::ALL {
                    assert_eq!(member.as_str().parse(), Ok(*member));
                    let json = serde_json::to_string(member).unwrap();
                    assert_eq!(serde_json::from_str::<$name>(&json).unwrap(), *member);
                }
                assert!("".parse::<$name>().is_err());
                assert!("Active".parse::<$name>().is_err());
            )+};
        }
        check!(
            AuditAction,
            AuthStatus,
            ClientState,
            Form,
            Scope,
            SecretKind,
            UserState
        );
    }
}
