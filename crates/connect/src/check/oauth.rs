//! Checks of the table `[oauth]`.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::text;
use crate::declaration::{IdentityDeclaration, LifetimeDeclaration, OAuthDeclaration};
use crate::endpoint::Endpoint;
use crate::host::{HostPattern, Hosts};
use crate::pointer::Pointer;
use crate::problem::Findings;
use crate::provider::{
    Identity, IdentityMethod, IdentitySource, Lifetime, OAuth, Origin, RefreshToken,
};

/// Ten years: what lives longer is not worth telling from what lives for ever.
const LONGEST_LIFETIME: i64 = 10 * 366 * 24 * 60 * 60;

/// Parameters of the authorization request that are made anew for each, or come from the settings
/// (RFC 6749 §4.1.1, RFC 7636 §4.3).
const OWN_PARAMETERS: &[&str] = &[
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "state",
];

/// Headers that carry credentials, or that the HTTP client makes itself.
const OWN_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn check(
    declared: OAuthDeclaration,
    variables: &BTreeSet<String>,
    origin: &Origin,
    findings: &mut Findings,
) -> Option<OAuth> {
    let hosts = hosts(declared.hosts, origin, findings);
    let mut addresses = Addresses {
        hosts: &hosts,
        variables,
        origin,
        findings,
    };
    let authorization = addresses.asked("authorization_endpoint", &declared.authorization_endpoint);
    let token = addresses.asked("token_endpoint", &declared.token_endpoint);
    let revocation = declared
        .revocation_endpoint
        .and_then(|text| addresses.asked("revocation_endpoint", &text));
    let discovery = declared
        .discovery
        .and_then(|text| addresses.asked("discovery", &text));
    let issuer = declared
        .issuer
        .and_then(|text| addresses.named("issuer", &text));
    let identity = identity(declared.identity, &mut addresses);
    let findings = addresses.findings;

    let separator = given("scope_separator", declared.scope_separator, " ", findings);
    let parameter = given(
        "scope_parameter",
        declared.scope_parameter,
        "scope",
        findings,
    );
    for scope in &declared.default_scopes {
        let text = scope.get_ref();
        if text.is_empty() || text.chars().any(char::is_control) {
            findings.add(scope.span(), "default_scopes: is not a scope");
        } else if text.contains(&separator) {
            findings.add(
                scope.span(),
                "default_scopes: holds the scope_separator; write one scope in each text",
            );
        }
    }
    for (name, value) in &declared.authorization_parameters {
        if OWN_PARAMETERS.contains(&name.as_str()) || *name == parameter {
            findings.add(
                value.span(),
                format!("authorization_parameters: {name} is set by the connection itself"),
            );
        }
    }
    let token_response = match declared.token_response {
        None => Some(Pointer::default()),
        Some(text) => {
            let parsed = Pointer::parse(text.get_ref());
            findings.take("token_response", &text, parsed)
        }
    };
    let token_headers = headers("token_headers", declared.token_headers, findings);
    let lifetime = lifetime(declared.lifetime, findings);
    Some(OAuth {
        authorization_endpoint: authorization?,
        token_endpoint: token?,
        revocation_endpoint: revocation,
        issuer,
        discovery,
        hosts,
        client_authentication: declared.client_authentication,
        pkce: declared.pkce,
        scope_separator: separator,
        scope_parameter: parameter,
        default_scopes: values(declared.default_scopes),
        token_request: declared.token_request,
        token_response: token_response?,
        authorization_parameters: plain(declared.authorization_parameters),
        token_headers,
        lifetime: lifetime?,
        identity: identity?,
    })
}

fn hosts(
    declared: Spanned<Vec<Spanned<String>>>,
    origin: &Origin,
    findings: &mut Findings,
) -> Hosts {
    if declared.get_ref().is_empty() {
        findings.add(declared.span(), "hosts: names at least one host");
    }
    let mut patterns = Vec::new();
    for host in declared.into_inner() {
        let parsed = HostPattern::parse(host.get_ref());
        if let Some(pattern) = findings.take("hosts", &host, parsed) {
            if *origin == Origin::BuiltIn && !is_public_name(&pattern) {
                findings.add(
                    host.span(),
                    "hosts: a built-in connector names public hosts",
                );
            }
            patterns.push(pattern);
        }
    }
    Hosts::new(patterns)
}

/// Whether a pattern is a name with a domain, rather than an address or a name of one network.
fn is_public_name(pattern: &HostPattern) -> bool {
    match pattern {
        HostPattern::Exact(host) => {
            host.contains('.') && !host.ends_with(|last: char| last.is_ascii_digit() || last == ']')
        }
        HostPattern::Below(_) => true,
    }
}

/// What addresses are checked against.
struct Addresses<'a> {
    hosts: &'a Hosts,
    variables: &'a BTreeSet<String>,
    origin: &'a Origin,
    findings: &'a mut Findings,
}

impl Addresses<'_> {
    /// An address that is asked: its host must be declared.
    fn asked(&mut self, key: &str, text: &Spanned<String>) -> Option<Endpoint> {
        let endpoint = self.named(key, text)?;
        if endpoint.is_covered_by(self.hosts) {
            return Some(endpoint);
        }
        let reason = format!("{key}: its host is not among hosts");
        self.findings.add(text.span(), reason);
        None
    }

    /// An address that only stands for the provider.
    fn named(&mut self, key: &str, text: &Spanned<String>) -> Option<Endpoint> {
        let parsed = Endpoint::parse(text.get_ref());
        let endpoint = self.findings.take(key, text, parsed)?;
        let undeclared = endpoint
            .variables()
            .find(|name| !self.variables.contains(*name));
        if let Some(name) = undeclared {
            let reason = format!("{key}: the variable {name} is not declared: [variables.{name}]");
            self.findings.add(text.span(), reason);
            return None;
        }
        let may_be_plain = matches!(self.origin, Origin::File(_)) && endpoint.is_loopback();
        if endpoint.is_plain() && !may_be_plain {
            let reason = format!("{key}: use https; http is for loopback, in files of your own");
            self.findings.add(text.span(), reason);
            return None;
        }
        Some(endpoint)
    }
}

fn identity(declared: IdentityDeclaration, addresses: &mut Addresses<'_>) -> Option<Identity> {
    let source = match declared.source.get_ref().as_str() {
        "id_token" => Some(IdentitySource::IdToken),
        "token_response" => Some(IdentitySource::TokenResponse),
        _ => addresses
            .asked("source", &declared.source)
            .map(IdentitySource::Endpoint),
    };
    let findings = &mut *addresses.findings;
    let is_asked = !matches!(
        source,
        Some(IdentitySource::IdToken | IdentitySource::TokenResponse)
    );
    let has_request = declared.body.is_some()
        || !declared.headers.is_empty()
        || declared.method != IdentityMethod::default();
    if !is_asked && has_request {
        findings.add(
            declared.source.span(),
            "source: method, body and headers are for an address",
        );
    }
    if let Some(body) = &declared.body {
        if declared.method != IdentityMethod::Post {
            findings.add(body.span(), "body: needs method = \"POST\"");
        }
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(body.get_ref());
        findings.take("body", body, parsed.map_err(|_| "is not JSON"));
    }
    let subject = Pointer::parse(declared.subject.get_ref());
    let subject = findings.take("subject", &declared.subject, subject);
    if declared.subject.get_ref().is_empty() {
        findings.add(
            declared.subject.span(),
            "subject: points at the whole answer, which is no identifier",
        );
    }
    if declared.label.get_ref().is_empty() {
        findings.add(declared.label.span(), "label: names at least one pointer");
    }
    let label = declared.label.into_inner();
    let label = label
        .iter()
        .filter_map(|text| findings.take("label", text, Pointer::parse(text.get_ref())))
        .collect();
    let headers = headers("headers", declared.headers, findings);
    Some(Identity {
        source: source?,
        method: declared.method,
        body: declared.body.map(Spanned::into_inner),
        headers,
        subject: subject?,
        label,
    })
}

fn lifetime(declared: LifetimeDeclaration, findings: &mut Findings) -> Option<Lifetime> {
    let access = seconds(
        "access_token_seconds",
        &declared.access_token_seconds,
        1,
        findings,
    );
    let grace = match &declared.reuse_grace_seconds {
        None => Some(0),
        Some(declared) => seconds("reuse_grace_seconds", declared, 0, findings),
    };
    if let Some(at) = &declared.reuse_grace_seconds
        && *at.get_ref() > 0
        && declared.refresh_token != RefreshToken::Rotates
    {
        findings.add(
            at.span(),
            "reuse_grace_seconds: is for refresh_token = \"rotates\"",
        );
    }
    Some(Lifetime {
        access_token_seconds: access?,
        refresh_token: declared.refresh_token,
        reuse_grace_seconds: grace?,
    })
}

fn seconds(key: &str, declared: &Spanned<i64>, least: i64, findings: &mut Findings) -> Option<u32> {
    let seconds = *declared.get_ref();
    let in_range = (least..=LONGEST_LIFETIME).contains(&seconds);
    let converted = u32::try_from(seconds).ok().filter(|_| in_range);
    let refused = format!("use seconds between {least} and {LONGEST_LIFETIME} (10 years)");
    findings.take(key, declared, converted.ok_or(refused))
}

/// A text that is not empty, or its default.
fn given(
    key: &str,
    declared: Option<Spanned<String>>,
    default: &str,
    findings: &mut Findings,
) -> String {
    match declared {
        None => default.to_owned(),
        Some(separator) if separator.get_ref() == " " => separator.into_inner(),
        Some(declared) => {
            let text = text(key, declared, findings);
            // What was refused already is no reason for a second finding.
            if text.is_empty() {
                default.to_owned()
            } else {
                text
            }
        }
    }
}

fn headers(
    key: &str,
    declared: BTreeMap<String, Spanned<String>>,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    for (name, value) in &declared {
        let lower = name.to_ascii_lowercase();
        let reason = if !is_token(name) {
            "is not the name of a header"
        } else if OWN_HEADERS.contains(&lower.as_str()) {
            "is set by the request itself"
        } else if !is_field_value(value.get_ref()) {
            "has a value that no header can have"
        } else {
            continue;
        };
        findings.add(value.span(), format!("{key}: {name} {reason}"));
    }
    plain(declared)
}

/// A `token` of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(inner)
}

/// A field value of RFC 9110 §5.5, in ASCII.
fn is_field_value(text: &str) -> bool {
    let trimmed = text.trim_matches([' ', '\t']) == text;
    trimmed && !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn values(declared: Vec<Spanned<String>>) -> Vec<String> {
    declared.into_iter().map(Spanned::into_inner).collect()
}

fn plain(declared: BTreeMap<String, Spanned<String>>) -> BTreeMap<String, String> {
    declared
        .into_iter()
        .map(|(name, value)| (name, value.into_inner()))
        .collect()
}
