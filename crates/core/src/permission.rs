//! What an API key may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text_enum::{UnknownText, text_enum};

text_enum! {
    /// One thing that an API key may do.
    pub enum Scope as "scope" {
        /// Read users.
        UsersRead = "users:read",
        /// Create, change and delete users.
        UsersWrite = "users:write",
        /// Reset a user's secret, or issue a token without one. Counts as access to credentials.
        UsersCredentials = "users:credentials",
        /// Log a user in. Counts as access to credentials.
        TokensIssue = "tokens:issue",
        /// Verify tokens.
        TokensVerify = "tokens:verify",
        /// Revoke tokens.
        TokensRevoke = "tokens:revoke",
        /// Read integrations without their `auth_string`.
        IntegrationsRead = "integrations:read",
        /// Create, select and delete integrations.
        IntegrationsWrite = "integrations:write",
        /// Read the `auth_string` of integrations.
        IntegrationsCredentials = "integrations:credentials",
        /// Read and change connector settings.
        ConnectorsManage = "connectors:manage",
    }
}

/// A set of scopes; the default is all of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScopeSet(u16);

impl ScopeSet {
    /// Returns the set of every scope.
    pub fn all() -> Self {
        Scope::ALL.iter().copied().collect()
    }

    /// Returns the set without any scope.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Reads a set from the texts of its scopes; repetition is harmless.
    ///
    /// # Errors
    /// [`UnknownText`] when one of the texts names no scope.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, UnknownText> {
        texts
            .iter()
            .map(|text| text.as_ref().parse::<Scope>())
            .collect()
    }

    /// Tells whether the scope is in the set.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// Tells whether every scope of the other set is in this one.
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Tells whether the set has no scope.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Iterates over the scopes in their fixed order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .iter()
            .copied()
            .filter(move |scope| self.contains(*scope))
    }
}

impl Default for ScopeSet {
    fn default() -> Self {
        Self::all()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | bit(scope)))
    }
}

impl FromStr for ScopeSet {
    type Err = UnknownText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_ascii_whitespace()
            .map(|word| word.parse::<Scope>())
            .collect()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeSet({self})")
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Scope>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

const fn bit(scope: Scope) -> u16 {
    1 << scope as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_set_is_every_scope() {
        assert_eq!(ScopeSet::default().iter().count(), 10);
        assert!(Scope::ALL.iter().all(|s| ScopeSet::all().contains(*s)));
    }

    #[test]
    fn a_set_reads_back_from_its_text_in_any_order() {
        let set: ScopeSet = "tokens:issue users:read".parse().unwrap();
        assert_eq!(set.to_string(), "users:read tokens:issue");
        assert_eq!(set.to_string().parse(), Ok(set));
        assert!(set.contains(Scope::TokensIssue) && !set.contains(Scope::UsersWrite));
    }

    #[test]
    fn an_unknown_scope_is_refused() {
        assert!("users:read users:everything".parse::<ScopeSet>().is_err());
        assert!(ScopeSet::parse(&["users:read", ""]).is_err());
        assert!("users:read,users:write".parse::<ScopeSet>().is_err());
    }

    #[test]
    fn the_empty_text_is_the_empty_set_and_not_the_default() {
        let set: ScopeSet = "".parse().unwrap();
        assert!(set.is_empty());
        assert!(!set.contains(Scope::UsersRead));
        assert!(ScopeSet::all().contains_all(set) && !set.contains_all(ScopeSet::all()));
    }

    #[test]
    fn json_is_the_array_of_scope_texts() {
        let set = ScopeSet::parse(&["users:write", "users:read"]).unwrap();
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"["users:read","users:write"]"#);
        assert_eq!(serde_json::from_str::<ScopeSet>(&json).unwrap(), set);
    }
}
