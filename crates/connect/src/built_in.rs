//! The declarations that are part of the program. Each is parsed when it is first asked for: a start
//! does not pay for connectors that it does not use.

use std::sync::{Arc, OnceLock};

use bosa_auth_core::ConnectorName;

use crate::problem::Problems;
use crate::provider::{Origin, Provider};

// The table `BUILT_IN`, in the order of the names.
include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

struct BuiltIn {
    name: &'static str,
    text: &'static str,
    parsed: OnceLock<Result<Arc<Provider>, Problems>>,
}

impl BuiltIn {
    const fn new(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            text,
            parsed: OnceLock::new(),
        }
    }

    fn parse(&self) -> Result<Arc<Provider>, Problems> {
        let name = ConnectorName::stored(self.name.to_owned());
        Provider::parse(&name, Origin::BuiltIn, self.text).map(Arc::new)
    }
}

/// The names, in alphabetical order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|one| one.name)
}

/// The declaration of a name; `None` when there is no such name.
pub(crate) fn get(name: &str) -> Option<Result<Arc<Provider>, Problems>> {
    let at = BUILT_IN.binary_search_by_key(&name, |one| one.name).ok()?;
    let one = BUILT_IN.get(at)?;
    Some(one.parsed.get_or_init(|| one.parse()).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_declaration_is_valid() {
        let failures: Vec<String> = BUILT_IN
            .iter()
            .filter_map(|one| {
                let name = ConnectorName::parse(one.name).map_err(|error| error.to_string());
                let parsed = one.parse().map_err(|problems| problems.to_string());
                name.and(parsed.map(drop)).err()
            })
            .collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert!(BUILT_IN.len() >= 40);
    }

    #[test]
    fn names_are_sorted_and_each_is_found() {
        let names: Vec<&str> = names().collect();
        assert!(names.is_sorted());
        for name in names {
            assert_eq!(get(name).unwrap().unwrap().name.as_str(), name);
        }
        assert!(get("unknown").is_none());
    }
}
