//! A provider on loopback: its declaration, and what may ask it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bosa_auth_connect::{ClientCredentials, Origin, Outbound, OutboundOptions, Provider};
use bosa_auth_core::ConnectorName;

/// The provider at a port; `oauth` and `identity` are further lines of these tables.
pub(crate) fn provider(port: u16, oauth: &str, identity: &str) -> Provider {
    let text = format!(
        r#"
        title = "Loopback"
        documentation = ["https://docs.example/"]
        [oauth]
        authorization_endpoint = "http://127.0.0.1:{port}/authorize"
        token_endpoint = "http://127.0.0.1:{port}/token"
        hosts = ["127.0.0.1"]
        client_authentication = "basic"
        pkce = true
        default_scopes = ["profile"]
        {oauth}
        [oauth.lifetime]
        access_token_seconds = 3600
        refresh_token = "rotates"
        [oauth.identity]
        {identity}
        "#
    );
    let name = ConnectorName::parse("loopback").unwrap();
    Provider::parse(&name, Origin::File("loopback.toml".into()), &text).unwrap()
}

pub(crate) fn options() -> OutboundOptions {
    OutboundOptions {
        private_addresses: true,
        ..Default::default()
    }
}

pub(crate) fn outbound() -> Outbound {
    Outbound::new(options()).unwrap()
}

pub(crate) fn client() -> ClientCredentials {
    ClientCredentials {
        client_id: "client".to_owned(),
        client_secret: Some("secret".into()),
    }
}
