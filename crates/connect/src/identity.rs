//! Who an account is, as its provider says it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth_core::Secret;
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;

use crate::endpoint::{EndpointError, Variables};
use crate::outbound::{Request, Response};
use crate::provider::{Identity, IdentityMethod, IdentitySource, OAuth};
use crate::token_response::TokenResponse;

/// The account behind a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountIdentity {
    /// The provider's own identifier, which never changes.
    pub subject: String,
    /// The account's name; the subject when the provider says none.
    pub label: String,
}

/// Why it is not known who an account is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The provider's answer has nothing where the connector says that the identifier is.
    #[error("the provider does not say who the account is")]
    NoSubject,
    /// The token endpoint's answer has no ID token.
    #[error("the provider gave no ID token; the scope openid may be missing")]
    NoIdToken,
    /// The ID token is not one.
    #[error("the provider's ID token cannot be read")]
    Malformed,
    /// The ID token was issued by somebody else.
    #[error("the ID token was issued by somebody else than the provider")]
    ForeignIssuer,
    /// The ID token was issued for somebody else.
    #[error("the ID token was issued for another client")]
    ForeignAudience,
    /// The address of the identity answered with something else than the account.
    #[error("the provider did not say who the account is (status {status})")]
    Refused {
        /// The status.
        status: u16,
    },
    /// An address of the provider cannot be made.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// Who the account is, when the token endpoint's answer says so; `None` when the provider must be
/// asked with [`identity_request`].
///
/// # Errors
/// [`IdentityError`].
///
/// # Security
/// The signature of an ID token is not checked: it must come from the token endpoint over TLS, as
/// it does in a [`TokenResponse`] (OpenID Connect Core §3.1.3.7).
pub fn identity_from_tokens(
    oauth: &OAuth,
    client_id: &str,
    variables: &Variables,
    tokens: &TokenResponse,
) -> Result<Option<AccountIdentity>, IdentityError> {
    match &oauth.identity.source {
        IdentitySource::Endpoint(_) => Ok(None),
        IdentitySource::TokenResponse => find(&oauth.identity, &tokens.document).map(Some),
        IdentitySource::IdToken => {
            let token = tokens.id_token.as_ref().ok_or(IdentityError::NoIdToken)?;
            let claims = claims_of(token)?;
            if let Some(issuer) = &oauth.issuer {
                let issuer = issuer.text(variables)?;
                let said = claims.get("iss").and_then(Value::as_str);
                // Google says it with and without the scheme.
                if said != Some(issuer.as_str()) && said != issuer.strip_prefix("https://") {
                    return Err(IdentityError::ForeignIssuer);
                }
            }
            if !is_for(client_id, claims.get("aud")) {
                return Err(IdentityError::ForeignAudience);
            }
            find(&oauth.identity, &claims).map(Some)
        }
    }
}

/// The request that asks the provider who the account is; `None` when the token endpoint's answer
/// has said it.
///
/// # Errors
/// As [`OAuth::resolve`].
pub fn identity_request(
    oauth: &OAuth,
    variables: &Variables,
    access_token: &Secret,
) -> Result<Option<Request>, EndpointError> {
    let IdentitySource::Endpoint(endpoint) = &oauth.identity.source else {
        return Ok(None);
    };
    let method = match oauth.identity.method {
        IdentityMethod::Get => Method::GET,
        IdentityMethod::Post => Method::POST,
    };
    let mut request = Request::new(method, oauth.resolve(endpoint, variables)?);
    request.set(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(body) = &oauth.identity.body {
        request.set(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        request.set_body(body.clone().into_bytes());
    }
    for (name, value) in &oauth.identity.headers {
        // Both were checked when the file was read.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            request.set(name, value);
        }
    }
    let bearer = Secret::new(format!("Bearer {}", access_token.expose()));
    request.set_secret(header::AUTHORIZATION, &bearer);
    Ok(Some(request))
}

/// Reads the answer to [`identity_request`].
///
/// # Errors
/// [`IdentityError`].
pub fn parse_identity(
    oauth: &OAuth,
    response: &Response,
) -> Result<AccountIdentity, IdentityError> {
    let refused = IdentityError::Refused {
        status: response.status,
    };
    if !response.is_success() {
        return Err(refused);
    }
    find(&oauth.identity, &response.json().ok_or(refused)?)
}

fn find(identity: &Identity, document: &Value) -> Result<AccountIdentity, IdentityError> {
    let subject = identity
        .subject
        .find_text(document)
        .ok_or(IdentityError::NoSubject)?;
    let label = identity
        .label
        .iter()
        .find_map(|pointer| pointer.find_text(document));
    Ok(AccountIdentity {
        label: label.unwrap_or_else(|| subject.clone()),
        subject,
    })
}

fn claims_of(token: &Secret) -> Result<Value, IdentityError> {
    let mut parts = token.expose().split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(IdentityError::Malformed);
    };
    let bytes = URL_SAFE_NO_PAD
        .decode(claims.trim_end_matches('='))
        .map_err(|_| IdentityError::Malformed)?;
    serde_json::from_slice(&bytes)
        .ok()
        .filter(Value::is_object)
        .ok_or(IdentityError::Malformed)
}

fn is_for(client_id: &str, audience: Option<&Value>) -> bool {
    match audience {
        Some(Value::String(one)) => one == client_id,
        Some(Value::Array(all)) => all.iter().any(|one| *one == client_id),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;
    use crate::Catalogue;

    fn tokens(id_token: Option<String>, document: Value) -> TokenResponse {
        TokenResponse {
            access_token: "a".into(),
            refresh_token: None,
            expires_in: None,
            scopes: None,
            id_token: id_token.map(Secret::from),
            document,
        }
    }

    fn jwt(claims: &Value) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.sig", part("{}"), part(&claims.to_string()))
    }

    fn google(id_token: Option<String>) -> Result<Option<AccountIdentity>, IdentityError> {
        let provider = Catalogue::default().get("google").unwrap();
        let oauth = provider.oauth.as_ref().unwrap();
        let answer = tokens(id_token, json!({}));
        identity_from_tokens(oauth, "me", &Variables::new(), &answer)
    }

    #[test]
    fn an_id_token_says_who_the_account_is() {
        for issuer in ["https://accounts.google.com", "accounts.google.com"] {
            for audience in [json!("me"), json!(["other", "me"])] {
                let claims =
                    json!({"iss": issuer, "aud": audience, "sub": "7", "email": "ana@example.com"});
                let identity = google(Some(jwt(&claims))).unwrap().unwrap();
                assert_eq!(
                    (identity.subject.as_str(), identity.label.as_str()),
                    ("7", "ana@example.com")
                );
            }
        }
    }

    #[test]
    fn an_id_token_of_or_for_somebody_else_is_refused() {
        let issuer = "https://accounts.google.com";
        for (claims, expected) in [
            (
                json!({"iss": issuer, "aud": "me"}),
                IdentityError::NoSubject,
            ),
            (
                json!({"iss": issuer, "aud": "me", "sub": ""}),
                IdentityError::NoSubject,
            ),
            (
                json!({"iss": issuer, "aud": "other", "sub": "7"}),
                IdentityError::ForeignAudience,
            ),
            (
                json!({"iss": issuer, "aud": [], "sub": "7"}),
                IdentityError::ForeignAudience,
            ),
            (
                json!({"iss": issuer, "sub": "7"}),
                IdentityError::ForeignAudience,
            ),
            (
                json!({"iss": "https://accounts.google.com/", "aud": "me", "sub": "7"}),
                IdentityError::ForeignIssuer,
            ),
            (
                json!({"iss": "http://accounts.google.com", "aud": "me", "sub": "7"}),
                IdentityError::ForeignIssuer,
            ),
            (
                json!({"aud": "me", "sub": "7"}),
                IdentityError::ForeignIssuer,
            ),
            (json!([]), IdentityError::Malformed),
        ] {
            assert_eq!(google(Some(jwt(&claims))), Err(expected), "{claims}");
        }
        assert_eq!(google(None), Err(IdentityError::NoIdToken));
        for text in ["", "a", "a.b", "a.!.c", "a.b.c.d", "a.e30"] {
            assert_eq!(
                google(Some(text.to_owned())),
                Err(IdentityError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn the_token_endpoints_answer_says_who_the_account_is() {
        let provider = Catalogue::default().get("slack").unwrap();
        let oauth = provider.oauth.as_ref().unwrap();
        let answer = tokens(None, json!({"team": {"id": "T1", "name": "Acme"}}));
        let identity = identity_from_tokens(oauth, "me", &Variables::new(), &answer);
        let identity = identity.unwrap().unwrap();
        assert_eq!(
            (identity.subject.as_str(), identity.label.as_str()),
            ("T1", "Acme")
        );
        let organization = tokens(None, json!({"team": null}));
        let refused = identity_from_tokens(oauth, "me", &Variables::new(), &organization);
        assert_eq!(refused, Err(IdentityError::NoSubject));
    }

    #[test]
    fn an_address_is_asked_with_the_token_and_the_connectors_headers() {
        let catalogue = Catalogue::default();
        let linear = catalogue.get("linear").unwrap();
        let linear = linear.oauth.as_ref().unwrap();
        let request = identity_request(linear, &Variables::new(), &"t".into())
            .unwrap()
            .unwrap();
        assert_eq!(request.url().as_str(), "https://api.linear.app/graphql");
        assert_eq!(request.header("authorization"), Some("Bearer t"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert!(request.body().starts_with(b"{\"query\""));
        let github = catalogue.get("github").unwrap();
        let github = github.oauth.as_ref().unwrap();
        let request = identity_request(github, &Variables::new(), &"t".into())
            .unwrap()
            .unwrap();
        assert_eq!(
            request.header("accept"),
            Some("application/vnd.github+json")
        );
        assert!(request.body().is_empty());

        let answer = |status: u16, body: &str| {
            let response = Response::new(status, HeaderMap::new(), body.as_bytes().to_vec());
            parse_identity(github, &response)
        };
        let known = answer(200, r#"{"id": 583231, "login": "octocat", "email": null}"#).unwrap();
        assert_eq!(
            (known.subject.as_str(), known.label.as_str()),
            ("583231", "octocat")
        );
        let bare = answer(200, r#"{"id": 583231}"#).unwrap();
        assert_eq!(bare.label, "583231");
        assert_eq!(answer(200, "{}"), Err(IdentityError::NoSubject));
        assert_eq!(
            answer(200, "<html>"),
            Err(IdentityError::Refused { status: 200 })
        );
        assert_eq!(
            answer(401, "{}"),
            Err(IdentityError::Refused { status: 401 })
        );
        let google = catalogue.get("google").unwrap();
        let none = identity_request(
            google.oauth.as_ref().unwrap(),
            &Variables::new(),
            &"t".into(),
        );
        assert!(none.unwrap().is_none());
    }
}
