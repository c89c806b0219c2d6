//! The provider as a connector file.

use super::Endpoint;
use super::behaviour::{Behaviour, RefreshTokens};

/// Writes the declaration.
pub(super) fn text(base: &str, behaviour: &Behaviour) -> String {
    let url = |endpoint: Endpoint| format!("{base}{}", endpoint.path());
    let issuer = if behaviour.declares_issuer {
        format!("issuer = \"{base}\"")
    } else {
        String::new()
    };
    let refresh_token = match behaviour.refresh_tokens {
        RefreshTokens::None => "none",
        RefreshTokens::Stay => "stays",
        RefreshTokens::Rotate { .. } => "rotates",
    };
    let declared = behaviour.declared_grace;
    let grace = declared.unwrap_or_else(|| behaviour.refresh_tokens.grace());
    format!(
        r#"title = "Loopback provider"
documentation = ["https://docs.example/"]

[oauth]
authorization_endpoint = "{authorization}"
token_endpoint = "{token}"
revocation_endpoint = "{revocation}"
discovery = "{discovery}"
{issuer}
hosts = ["127.0.0.1"]
client_authentication = "basic"
pkce = true
default_scopes = ["profile"]

[oauth.lifetime]
access_token_seconds = {access_token_seconds}
refresh_token = "{refresh_token}"
reuse_grace_seconds = {grace_seconds}

[oauth.identity]
source = "{identity}"
subject = "/id"
label = ["/email"]
"#,
        authorization = url(Endpoint::Authorization),
        token = url(Endpoint::Token),
        revocation = url(Endpoint::Revocation),
        discovery = url(Endpoint::Discovery),
        identity = url(Endpoint::Identity),
        access_token_seconds = behaviour.access_token_lifetime.as_secs(),
        grace_seconds = grace.as_secs(),
    )
}
