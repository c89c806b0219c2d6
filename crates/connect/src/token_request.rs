//! Requests to a token endpoint (RFC 6749 §4.1.3 and §6, RFC 7636 §4.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bosa_auth_core::Secret;
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Map, Value};
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::authorization::CodeVerifier;
use crate::endpoint::{EndpointError, Variables};
use crate::outbound::Request;
use crate::provider::{ClientAuthentication, OAuth, RequestFormat};

/// What is exchanged for tokens.
#[derive(Debug)]
pub enum Grant<'a> {
    /// A code that the browser has brought back.
    Code {
        /// The code.
        code: &'a Secret,
        /// The same address as in the authorization request.
        redirect_uri: &'a str,
        /// The verifier whose challenge was sent.
        verifier: &'a CodeVerifier,
    },
    /// A refresh token of an earlier answer.
    Refresh {
        /// The refresh token.
        refresh_token: &'a Secret,
    },
}

/// Who asks.
#[derive(Debug)]
pub struct ClientCredentials {
    /// The client that the provider knows us as.
    pub client_id: String,
    /// Its secret; `None` for a public client.
    pub client_secret: Option<Secret>,
}

/// Makes the request that exchanges a grant for tokens.
///
/// # Errors
/// As [`OAuth::resolve`].
pub fn token_request(
    oauth: &OAuth,
    client: &ClientCredentials,
    variables: &Variables,
    grant: &Grant<'_>,
) -> Result<Request, EndpointError> {
    let url = oauth.resolve(&oauth.token_endpoint, variables)?;
    let mut request = Request::new(Method::POST, url);
    let mut fields = match grant {
        Grant::Code {
            code,
            redirect_uri,
            verifier,
        } => vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", *redirect_uri),
            ("code_verifier", verifier.expose()),
        ],
        Grant::Refresh { refresh_token } => vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ],
    };
    authenticate(
        &mut request,
        &mut fields,
        oauth.client_authentication,
        client,
    );
    request.set(header::ACCEPT, HeaderValue::from_static("application/json"));
    encode(&mut request, &fields, oauth.token_request);
    for (name, value) in &oauth.token_headers {
        // Both were checked when the file was read.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            request.set(name, value);
        }
    }
    Ok(request)
}

/// Makes the request that tells the provider to forget a token (RFC 7009 §2.1); `None` when it has
/// no endpoint for that.
///
/// # Errors
/// As [`OAuth::resolve`].
pub fn revocation_request(
    oauth: &OAuth,
    client: &ClientCredentials,
    variables: &Variables,
    token: &Secret,
) -> Result<Option<Request>, EndpointError> {
    let Some(endpoint) = &oauth.revocation_endpoint else {
        return Ok(None);
    };
    let url = oauth.resolve(endpoint, variables)?;
    let mut request = Request::new(Method::POST, url);
    let mut fields = vec![("token", token.expose())];
    authenticate(
        &mut request,
        &mut fields,
        oauth.client_authentication,
        client,
    );
    encode(&mut request, &fields, RequestFormat::Form);
    Ok(Some(request))
}

/// Adds what proves the client (RFC 6749 §2.3.1). A client without a secret can only name itself.
fn authenticate<'a>(
    request: &mut Request,
    fields: &mut Vec<(&'static str, &'a str)>,
    authentication: ClientAuthentication,
    client: &'a ClientCredentials,
) {
    match (authentication, &client.client_secret) {
        (ClientAuthentication::Basic, Some(secret)) => {
            request.set_secret(header::AUTHORIZATION, &basic(&client.client_id, secret));
        }
        (ClientAuthentication::Post, Some(secret)) => {
            fields.push(("client_id", &client.client_id));
            fields.push(("client_secret", secret.expose()));
        }
        (ClientAuthentication::None, _) | (_, None) => {
            fields.push(("client_id", &client.client_id));
        }
    }
}

/// Both halves are encoded before they are joined, so that a colon in the id does no harm.
fn basic(client_id: &str, client_secret: &Secret) -> Secret {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let id = encoded(client_id);
    let pair = Secret::new(format!("{id}:{}", encoded(client_secret.expose())));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

fn encode(request: &mut Request, fields: &[(&str, &str)], format: RequestFormat) {
    let (body, content_type) = match format {
        RequestFormat::Form => {
            let body = Serializer::new(String::new()).extend_pairs(fields).finish();
            (body, "application/x-www-form-urlencoded")
        }
        RequestFormat::Json => {
            let members: Map<String, Value> = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
                .collect();
            (Value::Object(members).to_string(), "application/json")
        }
    };
    request.set(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    request.set_body(body.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    fn client(secret: Option<&str>) -> ClientCredentials {
        ClientCredentials {
            client_id: "id:1".to_owned(),
            client_secret: secret.map(Secret::from),
        }
    }

    fn refresh(connector: &str, client: &ClientCredentials) -> Request {
        let provider = Catalogue::default().get(connector).unwrap();
        let grant = Grant::Refresh {
            refresh_token: &"old token".into(),
        };
        let oauth = provider.oauth.as_ref().unwrap();
        let variables = [("subdomain".to_owned(), "acme".to_owned())].into();
        token_request(oauth, client, &variables, &grant).unwrap()
    }

    fn body(request: &Request) -> &str {
        std::str::from_utf8(request.body()).unwrap()
    }

    #[test]
    fn a_code_is_exchanged_with_its_verifier_and_its_redirect_uri() {
        let provider = Catalogue::default().get("github").unwrap();
        let grant = Grant::Code {
            code: &"c/1".into(),
            redirect_uri: "https://auth.example.com/back",
            verifier: &CodeVerifier::stored("v".into()),
        };
        let oauth = provider.oauth.as_ref().unwrap();
        let request =
            token_request(oauth, &client(Some("s&1")), &Variables::new(), &grant).unwrap();
        assert_eq!(
            body(&request),
            "grant_type=authorization_code&code=c%2F1&redirect_uri=https%3A%2F%2Fauth.example.com%2Fback\
             &code_verifier=v&client_id=id%3A1&client_secret=s%261"
        );
        assert_eq!(
            request.header("content-type"),
            Some("application/x-www-form-urlencoded")
        );
        assert_eq!(request.header("accept"), Some("application/json"));
        assert_eq!(request.header("authorization"), None);
    }

    #[test]
    fn basic_encodes_both_halves_before_joining_them() {
        let request = refresh("slack", &client(Some("s 1")));
        assert_eq!(
            body(&request),
            "grant_type=refresh_token&refresh_token=old+token"
        );
        let expected = format!("Basic {}", STANDARD.encode("id%3A1:s+1"));
        assert_eq!(request.header("authorization"), Some(expected.as_str()));
        assert!(!format!("{request:?}").contains(&expected));
        assert!(!format!("{request:?}").contains("old"));
    }

    #[test]
    fn a_client_without_a_secret_only_names_itself() {
        for connector in ["slack", "github"] {
            let request = refresh(connector, &client(None));
            assert!(body(&request).ends_with("&client_id=id%3A1"));
            assert_eq!(request.header("authorization"), None);
        }
    }

    #[test]
    fn json_and_further_headers_are_sent_where_the_connector_says_so() {
        let notion = refresh("notion", &client(Some("s")));
        assert_eq!(notion.header("notion-version"), Some("2025-09-03"));
        let zendesk = refresh("zendesk", &client(Some("s")));
        assert_eq!(zendesk.header("content-type"), Some("application/json"));
        let sent: Value = serde_json::from_str(body(&zendesk)).unwrap();
        assert_eq!(
            sent,
            serde_json::json!({
                "grant_type": "refresh_token", "refresh_token": "old token",
                "client_id": "id:1", "client_secret": "s"
            })
        );
    }

    #[test]
    fn a_token_is_revoked_where_there_is_an_endpoint() {
        let provider = Catalogue::default().get("google").unwrap();
        let oauth = provider.oauth.as_ref().unwrap();
        let request = revocation_request(oauth, &client(None), &Variables::new(), &"t".into());
        assert_eq!(body(&request.unwrap().unwrap()), "token=t&client_id=id%3A1");
        let provider = Catalogue::default().get("linear").unwrap();
        let oauth = provider.oauth.as_ref().unwrap();
        let request = revocation_request(oauth, &client(None), &Variables::new(), &"t".into());
        assert!(request.unwrap().is_none());
    }
}
