//! The way to the provider: the address that the user's browser is sent to (RFC 6749 §4.1.1,
//! RFC 7636).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth_core::{Entropy, EntropyError, Secret};
use sha2::{Digest as _, Sha256};
use url::Url;
use zeroize::Zeroizing;

use crate::endpoint::{EndpointError, Variables};
use crate::provider::OAuth;

/// Random bytes in a state or a code verifier: as many as a SHA-256 challenge can tell apart.
const RANDOM_BYTES: usize = 32;

/// A random text of 43 characters that can stand in an address: the state of a connection, or the
/// secret of its page.
///
/// # Errors
/// [`EntropyError`] when there is no randomness.
pub fn random_text(entropy: &dyn Entropy) -> Result<Secret, EntropyError> {
    let mut bytes = Zeroizing::new([0_u8; RANDOM_BYTES]);
    entropy.fill(bytes.as_mut_slice())?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// The secret half of PKCE, which the token endpoint compares with the challenge.
pub struct CodeVerifier(Secret);

impl CodeVerifier {
    /// Makes a new one.
    ///
    /// # Errors
    /// [`EntropyError`] when there is no randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        random_text(entropy).map(Self)
    }

    /// Takes one that was made before and kept.
    #[must_use]
    pub const fn stored(text: Secret) -> Self {
        Self(text)
    }

    /// Returns the text.
    ///
    /// # Security
    /// Whoever has it can use the code that belongs to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The challenge of the method `S256`.
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose()))
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CodeVerifier(redacted)")
    }
}

/// What one authorization request is made of.
#[derive(Debug)]
pub struct AuthorizationRequest<'a> {
    /// The client that the provider knows us as.
    pub client_id: &'a str,
    /// Where the browser comes back to.
    pub redirect_uri: &'a str,
    /// What comes back unchanged.
    pub state: &'a Secret,
    /// The verifier whose challenge is sent.
    pub verifier: &'a CodeVerifier,
    /// The scopes; when there are none, those that the connector names.
    pub scopes: &'a [String],
    /// The values of the connector's variables.
    pub variables: &'a Variables,
}

/// The address that the user's browser is sent to.
///
/// # Errors
/// As [`OAuth::resolve`].
pub fn authorization_url(
    oauth: &OAuth,
    request: &AuthorizationRequest<'_>,
) -> Result<Url, EndpointError> {
    let mut url = oauth.resolve(&oauth.authorization_endpoint, request.variables)?;
    let scopes = scopes_asked(oauth, request.scopes);
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", request.client_id)
        .append_pair("redirect_uri", request.redirect_uri)
        .append_pair("state", request.state.expose())
        .append_pair("code_challenge", &request.verifier.challenge())
        .append_pair("code_challenge_method", "S256");
    if !scopes.is_empty() {
        let joined = scopes.join(oauth.scope_separator.as_str());
        query.append_pair(&oauth.scope_parameter, &joined);
    }
    for (name, value) in &oauth.authorization_parameters {
        query.append_pair(name, value);
    }
    drop(query);
    Ok(url)
}

/// The scopes of the settings, or those that the connector names when there are none.
#[must_use]
pub fn scopes_asked<'a>(oauth: &'a OAuth, scopes: &'a [String]) -> &'a [String] {
    if scopes.is_empty() {
        &oauth.default_scopes
    } else {
        scopes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bosa_auth_core::SeededEntropy;

    use super::*;
    use crate::Catalogue;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = CodeVerifier::stored("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        assert_eq!(
            verifier.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_verifier_has_the_length_and_the_letters_of_the_standard() {
        let entropy = SeededEntropy::new(1);
        let first = CodeVerifier::generate(&entropy).unwrap();
        let second = CodeVerifier::generate(&entropy).unwrap();
        assert_eq!(first.expose().len(), 43);
        assert!(
            first
                .expose()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_ne!(first.expose(), second.expose());
        assert_eq!(format!("{first:?}"), "CodeVerifier(redacted)");
    }

    fn query(
        connector: &str,
        scopes: &[&str],
        variables: &Variables,
    ) -> (String, BTreeMap<String, String>) {
        let provider = Catalogue::default().get(connector).unwrap();
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let request = AuthorizationRequest {
            client_id: "id & co",
            redirect_uri: "https://auth.example.com/connectors/x/success-authorize-callback?a=b",
            state: &"the-state".into(),
            verifier: &CodeVerifier::stored("verifier".into()),
            scopes: &scopes,
            variables,
        };
        let url = authorization_url(provider.oauth.as_ref().unwrap(), &request).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let map: BTreeMap<String, String> = pairs.iter().cloned().collect();
        assert_eq!(pairs.len(), map.len(), "{url}");
        let base = url.as_str().split('?').next().unwrap_or_default();
        (base.to_owned(), map)
    }

    #[test]
    fn everything_of_the_standard_and_of_the_connector_is_in_the_address() {
        let (base, query) = query("google", &[], &Variables::new());
        assert_eq!(base, "https://accounts.google.com/o/oauth2/v2/auth");
        let challenge = CodeVerifier::stored("verifier".into()).challenge();
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "id & co"),
            (
                "redirect_uri",
                "https://auth.example.com/connectors/x/success-authorize-callback?a=b",
            ),
            ("state", "the-state"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("scope", "openid email"),
            ("access_type", "offline"),
            ("prompt", "consent"),
        ] {
            assert_eq!(query.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(query.len(), 9);
    }

    #[test]
    fn scopes_of_the_settings_are_joined_as_the_provider_wants_them() {
        let none = Variables::new();
        let (_, slack) = query("slack", &["chat:write", "users:read"], &none);
        assert_eq!(slack["scope"], "chat:write,users:read");
        let (_, github) = query("github", &["repo", "read:user"], &none);
        assert_eq!(github["scope"], "repo read:user");
    }

    #[test]
    fn a_variable_is_filled_in() {
        let variables = [("subdomain".to_owned(), "acme".to_owned())].into();
        let (base, _) = query("zendesk", &[], &variables);
        assert_eq!(base, "https://acme.zendesk.com/oauth/authorizations/new");
    }
}
