//! Whether a connector's settings can work, as far as its provider says so without a user.

use bosa_auth_core::{Entropy, EntropyError};
use http::{HeaderValue, Method, header};
use serde_json::Value;

use crate::authorization::{CodeVerifier, random_text, scopes_asked};
use crate::endpoint::{Endpoint, Variables};
use crate::outbound::{Outbound, Request};
use crate::provider::{ClientAuthentication, OAuth};
use crate::token_request::{ClientCredentials, Grant, token_request};
use crate::token_response::{TokenError, is_refused_grant, parse_token_response, words_of};

/// What is tried.
#[derive(Debug)]
pub struct ProbeRequest<'a> {
    /// The client of the settings.
    pub client: &'a ClientCredentials,
    /// The values of the connector's variables.
    pub variables: &'a Variables,
    /// The scopes of the settings; none stands for the connector's own.
    pub scopes: &'a [String],
    /// Where browsers come back to.
    pub redirect_uri: &'a str,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFinding {
    /// What it means for the settings.
    pub verdict: Verdict,
    /// What was found, in one sentence.
    pub text: String,
}

/// What a finding means for the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// They can work.
    Good,
    /// It cannot be told, or may be wrong.
    Doubtful,
    /// They cannot work.
    Bad,
}

/// Asks the provider for its description of itself, if the connector names one, and exchanges a code
/// that is made up: how it is refused tells whether the client is accepted. Nothing is changed at the
/// provider.
///
/// # Errors
/// [`EntropyError`] when there is no randomness for the code.
pub async fn probe(
    outbound: &Outbound,
    oauth: &OAuth,
    request: &ProbeRequest<'_>,
    entropy: &dyn Entropy,
) -> Result<Vec<ProbeFinding>, EntropyError> {
    let mut findings = Vec::new();
    if let Some(endpoint) = &oauth.discovery {
        match describe(outbound, oauth, endpoint, request.variables).await {
            Ok(document) => compare(oauth, request, &document, &mut findings),
            Err(finding) => findings.push(finding),
        }
    }
    findings.push(exchange(outbound, oauth, request, entropy).await?);
    Ok(findings)
}

async fn describe(
    outbound: &Outbound,
    oauth: &OAuth,
    endpoint: &Endpoint,
    variables: &Variables,
) -> Result<Value, ProbeFinding> {
    let url = oauth.resolve(endpoint, variables).map_err(|error| {
        bad(format!(
            "the provider's description has no address: {error}"
        ))
    })?;
    let mut request = Request::new(Method::GET, url);
    request.set(header::ACCEPT, HeaderValue::from_static("application/json"));
    let response = outbound
        .send(&oauth.hosts, request)
        .await
        .map_err(|error| doubtful(format!("the provider's description was not read: {error}")))?;
    let status = response.status;
    response
        .json()
        .filter(|document| response.is_success() && document.is_object())
        .ok_or_else(|| {
            doubtful(format!(
                "the provider does not describe itself (status {status})"
            ))
        })
}

/// Compares a provider's description (RFC 8414 §2) with what is declared.
fn compare(
    oauth: &OAuth,
    request: &ProbeRequest<'_>,
    document: &Value,
    findings: &mut Vec<ProbeFinding>,
) {
    let before = findings.len();
    let addresses = [
        ("issuer", oauth.issuer.as_ref(), Verdict::Bad),
        (
            "authorization_endpoint",
            Some(&oauth.authorization_endpoint),
            Verdict::Doubtful,
        ),
        (
            "token_endpoint",
            Some(&oauth.token_endpoint),
            Verdict::Doubtful,
        ),
        (
            "revocation_endpoint",
            oauth.revocation_endpoint.as_ref(),
            Verdict::Doubtful,
        ),
    ];
    for (name, declared, verdict) in addresses {
        let declared = declared.and_then(|endpoint| endpoint.text(request.variables).ok());
        let said = document.get(name).and_then(words_of);
        if let (Some(declared), Some(said)) = (declared, said)
            && declared != said
        {
            let text = format!("the provider's {name} is {said}, not {declared}");
            findings.push(ProbeFinding { verdict, text });
        }
    }
    let method = match oauth.client_authentication {
        ClientAuthentication::Basic => "client_secret_basic",
        ClientAuthentication::Post => "client_secret_post",
        ClientAuthentication::None => "none",
    };
    if !may_hold(document, "token_endpoint_auth_methods_supported", method) {
        findings.push(bad(format!(
            "the provider does not list the client authentication {method}"
        )));
    }
    if oauth.pkce && !may_hold(document, "code_challenge_methods_supported", "S256") {
        findings.push(doubtful(
            "the provider does not list the PKCE method S256".to_owned(),
        ));
    }
    for scope in scopes_asked(oauth, request.scopes) {
        if !may_hold(document, "scopes_supported", scope) {
            findings.push(doubtful(format!(
                "the provider does not list the scope {scope}"
            )));
        }
    }
    if findings.len() == before {
        findings.push(good("the provider describes itself as the connector does"));
    }
}

/// Whether a list holds a text, or is not there and so says nothing.
fn may_hold(document: &Value, name: &str, text: &str) -> bool {
    match document.get(name) {
        Some(Value::Array(all)) => all.iter().any(|one| *one == text),
        _ => true,
    }
}

async fn exchange(
    outbound: &Outbound,
    oauth: &OAuth,
    request: &ProbeRequest<'_>,
    entropy: &dyn Entropy,
) -> Result<ProbeFinding, EntropyError> {
    let grant = Grant::Code {
        code: &random_text(entropy)?,
        redirect_uri: request.redirect_uri,
        verifier: &CodeVerifier::generate(entropy)?,
    };
    let message = match token_request(oauth, request.client, request.variables, &grant) {
        Ok(message) => message,
        Err(error) => return Ok(bad(format!("the token endpoint has no address: {error}"))),
    };
    let answer = match outbound.send(&oauth.hosts, message).await {
        Ok(response) => parse_token_response(oauth, &response),
        Err(error) => Err(error.into()),
    };
    Ok(match answer {
        Err(TokenError::Refused(words)) if is_refused_grant(&words.code) => {
            good("the provider accepts the client")
        }
        Err(TokenError::Refused(words)) => doubtful(format!(
            "the provider refused a code that was made up with {words}, which does not tell whether it accepts the client"
        )),
        Err(error @ (TokenError::ClientRefused(_) | TokenError::NotSent(_))) => {
            bad(error.to_string())
        }
        Err(error) => doubtful(error.to_string()),
        Ok(_) => doubtful("the provider gave tokens for a code that was made up".to_owned()),
    })
}

fn good(text: &str) -> ProbeFinding {
    ProbeFinding {
        verdict: Verdict::Good,
        text: text.to_owned(),
    }
}

fn doubtful(text: String) -> ProbeFinding {
    ProbeFinding {
        verdict: Verdict::Doubtful,
        text,
    }
}

fn bad(text: String) -> ProbeFinding {
    ProbeFinding {
        verdict: Verdict::Bad,
        text,
    }
}
