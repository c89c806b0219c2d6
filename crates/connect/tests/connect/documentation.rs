//! The examples of the documentation are files that can be used.

use bosa_auth_connect::{Origin, Provider};
use bosa_auth_core::ConnectorName;

const CONNECTORS: &str = include_str!("../../../../docs/connectors.md");

#[test]
fn every_connector_file_in_the_documentation_is_valid() {
    let blocks: Vec<&str> = CONNECTORS
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 2);
    let name = ConnectorName::parse("acme").unwrap();
    for block in blocks {
        let parsed = Provider::parse(&name, Origin::File("acme.toml".into()), block);
        assert!(parsed.is_ok(), "{}\n{block}", parsed.unwrap_err());
    }
}
