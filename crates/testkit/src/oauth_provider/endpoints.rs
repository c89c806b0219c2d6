//! What each endpoint does with a request.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::behaviour::AuthorizationAnswer;
use super::grants::{Asked, Issued};
use super::{CLIENT_ID, CLIENT_SECRET, Endpoint, RecordedRequest, State};

/// An answer, before anything goes wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("cache-control", "no-store".to_owned()),
        ];
        Self {
            status,
            headers,
            body: body.to_string(),
        }
    }

    fn error(code: &str) -> Self {
        let status = if code == "invalid_client" { 401 } else { 400 };
        Self::json(status, &json!({"error": code}))
    }

    fn page(status: u16, text: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())],
            body: text.to_owned(),
        }
    }

    /// Where the browser is sent, if it is.
    pub(super) fn location(&self) -> Option<&str> {
        let found = self.headers.iter().find(|(name, _)| *name == "location");
        found.map(|(_, value)| value.as_str())
    }
}

/// Does what a request asks for.
pub(super) fn serve(state: &mut State, now: Duration, request: &RecordedRequest) -> Reply {
    match (request.endpoint, request.method.as_str()) {
        (Some(Endpoint::Authorization), "GET") => authorize(state, now, request),
        (Some(Endpoint::Token), "POST") => token(state, now, request),
        (Some(Endpoint::Revocation), "POST") => revoke(state, request),
        (Some(Endpoint::Identity), "GET") => identity(state, now, request),
        (Some(Endpoint::Discovery), "GET") => Reply::json(200, &description(&state.base)),
        (Some(_), _) => Reply::page(405, "method not allowed"),
        (None, _) => Reply::page(404, "not found"),
    }
}

/// RFC 6749 §4.1.1: without a client and an address to go back to there is only a page.
fn authorize(state: &mut State, now: Duration, request: &RecordedRequest) -> Reply {
    let asked = |name: &str| request.query.get(name).map_or("", String::as_str);
    let redirect_uri = asked("redirect_uri").to_owned();
    let allowed = &state.behaviour.redirect_uris;
    let Ok(mut location) = Url::parse(&redirect_uri) else {
        return Reply::page(400, "redirect_uri is missing");
    };
    if !allowed.is_empty() && !allowed.contains(&redirect_uri) {
        return Reply::page(400, "redirect_uri is not registered");
    }
    if !state.clients.contains_key(asked("client_id")) {
        return Reply::page(400, "client_id is unknown");
    }
    let answer = state.answers.pop_front().unwrap_or_default();
    let complaint = if asked("response_type") != "code" {
        Some(("unsupported_response_type", "only code is supported"))
    } else if asked("code_challenge_method") != "S256" || asked("code_challenge").len() != 43 {
        Some(("invalid_request", "PKCE with S256 is required"))
    } else {
        None
    };
    {
        let mut query = location.query_pairs_mut();
        let refused = answer.error.as_ref();
        let refused = refused.map(|(code, words)| (code.as_str(), words.as_str()));
        if let Some((code, words)) = complaint.or(refused) {
            query.append_pair("error", code);
            if !words.is_empty() {
                query.append_pair("error_description", words);
            }
        } else {
            let kept = Asked {
                client_id: asked("client_id").to_owned(),
                redirect_uri: redirect_uri.clone(),
                challenge: asked("code_challenge").to_owned(),
                scope: asked("scope").to_owned(),
            };
            let expires_at = now.saturating_add(state.behaviour.code_lifetime);
            let label = state.logged_in.clone();
            state.grants.account(&label);
            let code = state.grants.issue_code(kept, &label, expires_at);
            query.append_pair("code", answer.code.as_ref().unwrap_or(&code));
        }
        let returned = answer.state.as_deref().unwrap_or(asked("state"));
        if !returned.is_empty() {
            query.append_pair("state", returned);
        }
        if let Some(issuer) = issuer(state, &answer) {
            query.append_pair("iss", &issuer);
        }
    }
    Reply {
        status: 303,
        headers: vec![("location", location.into())],
        body: String::new(),
    }
}

fn issuer(state: &State, answer: &AuthorizationAnswer) -> Option<String> {
    match &answer.issuer {
        Some(other) => Some(other.clone()).filter(|other| !other.is_empty()),
        None => state.behaviour.says_issuer.then(|| state.base.clone()),
    }
}

fn token(state: &mut State, now: Duration, request: &RecordedRequest) -> Reply {
    let Some(client_id) = client(state, request) else {
        return Reply::error("invalid_client");
    };
    let field = |name: &str| request.form.get(name).map_or("", String::as_str);
    let State {
        grants, behaviour, ..
    } = state;
    let issued = match field("grant_type") {
        "authorization_code" => grants.exchange(now, behaviour, &client_id, &request.form),
        "refresh_token" => grants.refresh(now, behaviour, &client_id, field("refresh_token")),
        _ => Err("unsupported_grant_type"),
    };
    match issued {
        Ok(issued) => Reply::json(200, &tokens(state, issued)),
        Err(code) => Reply::error(code),
    }
}

fn tokens(state: &State, issued: Issued) -> Value {
    let mut answer = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "scope": issued.scope,
    });
    if let Some(members) = answer.as_object_mut() {
        if let Some(refresh_token) = issued.refresh_token {
            members.insert("refresh_token".to_owned(), refresh_token.into());
        }
        if state.behaviour.says_lifetime {
            let seconds = state.behaviour.access_token_lifetime.as_secs();
            members.insert("expires_in".to_owned(), seconds.into());
        }
    }
    answer
}

fn revoke(state: &mut State, request: &RecordedRequest) -> Reply {
    let Some(client_id) = client(state, request) else {
        return Reply::error("invalid_client");
    };
    let token = request.form.get("token").map_or("", String::as_str);
    state.grants.revoke(&client_id, token);
    Reply::page(200, "")
}

fn identity(state: &mut State, now: Duration, request: &RecordedRequest) -> Reply {
    let bearer = request.headers.get("authorization");
    let bearer = bearer.and_then(|text| text.strip_prefix("Bearer "));
    match state.grants.whose(now, bearer.unwrap_or_default()) {
        Some(account) => {
            let body = json!({"id": account.subject, "email": account.email()});
            Reply::json(200, &body)
        }
        None => Reply::json(401, &json!({"error": "invalid_token"})),
    }
}

/// RFC 8414.
fn description(base: &str) -> Value {
    json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}{}", Endpoint::Authorization.path()),
        "token_endpoint": format!("{base}{}", Endpoint::Token.path()),
        "revocation_endpoint": format!("{base}{}", Endpoint::Revocation.path()),
        "userinfo_endpoint": format!("{base}{}", Endpoint::Identity.path()),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// The client that has proved itself, by either way of RFC 6749 §2.3.1.
fn client(state: &State, request: &RecordedRequest) -> Option<String> {
    let basic = request.headers.get("authorization");
    let (id, secret) = match basic.and_then(|text| text.strip_prefix("Basic ")) {
        Some(encoded) => {
            let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            let (id, secret) = pair.split_once(':')?;
            (decoded(id), decoded(secret))
        }
        None => {
            let field = |name: &str| request.form.get(name).cloned();
            (field("client_id")?, field("client_secret")?)
        }
    };
    (state.clients.get(&id) == Some(&secret)).then_some(id)
}

fn decoded(text: &str) -> String {
    let pairs = form_urlencoded::parse(text.as_bytes());
    pairs.map(|(name, _)| name.into_owned()).collect()
}

/// The client that every provider knows.
pub(super) fn clients() -> BTreeMap<String, String> {
    BTreeMap::from([(CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned())])
}
