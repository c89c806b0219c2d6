use http::{HeaderMap, HeaderValue, header};
use serde_json::json;

use super::*;
use crate::Catalogue;

fn parse(connector: &str, status: u16, body: &str) -> Result<TokenResponse, TokenError> {
    let provider = Catalogue::default().get(connector).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
    let response = Response::new(status, headers, body.as_bytes().to_vec());
    parse_token_response(provider.oauth.as_ref().unwrap(), &response)
}

fn good(connector: &str, body: Value) -> TokenResponse {
    parse(connector, 200, &body.to_string()).unwrap()
}

#[test]
fn an_answer_of_the_standard_is_read() {
    let mut answer = good(
        "google",
        json!({
            "access_token": "a", "refresh_token": "r", "token_type": "Bearer",
            "expires_in": 3599, "scope": "openid email", "id_token": "i"
        }),
    );
    assert_eq!(answer.access_token.expose(), "a");
    assert_eq!(answer.expires_in, Some(Duration::from_secs(3599)));
    assert_eq!(answer.scopes.as_deref().unwrap(), ["openid", "email"]);
    assert_eq!(answer.id_token.as_ref().unwrap().expose(), "i");
    let shown = format!("{answer:?}");
    assert!(
        shown.contains("3599") && !shown.contains("access_token"),
        "{shown}"
    );
    let kept = answer.refresh_token_or(Some("old".into())).unwrap();
    assert_eq!(kept.expose(), "r");
}

#[test]
fn a_missing_refresh_token_keeps_the_old_one_and_a_missing_lifetime_is_the_connectors() {
    let provider = Catalogue::default().get("google").unwrap();
    let mut answer = good("google", json!({"access_token": "a", "refresh_token": ""}));
    let kept = answer.refresh_token_or(Some("old".into())).unwrap();
    assert_eq!(kept.expose(), "old");
    assert!(answer.refresh_token_or(None).is_none());
    let lifetime = answer.lifetime(provider.oauth.as_ref().unwrap());
    assert_eq!(lifetime, Duration::from_secs(3600));
    assert!(answer.scopes.is_none());
}

#[test]
fn lifetimes_are_numbers_or_text_and_never_for_ever() {
    for (value, expected) in [
        (json!(60), Some(60)),
        (json!("60"), Some(60)),
        (json!(" 60 "), Some(60)),
        (json!(60.9), Some(60)),
        (json!(1e300), Some(LONGEST_LIFETIME)),
        (json!(u64::MAX), Some(LONGEST_LIFETIME)),
        (json!(0), None),
        (json!(-1), None),
        (json!("never"), None),
        (json!("inf"), None),
        (json!("NaN"), None),
        (json!(null), None),
        (json!(true), None),
    ] {
        let answer = good("google", json!({"access_token": "a", "expires_in": value}));
        assert_eq!(
            answer.expires_in,
            expected.map(Duration::from_secs),
            "{value}"
        );
    }
}

#[test]
fn scopes_are_a_list_or_text_with_any_of_the_usual_separators() {
    for (connector, value, expected) in [
        (
            "github",
            json!("repo,read:user"),
            &["repo", "read:user"][..],
        ),
        (
            "slack",
            json!("chat:write,users:read"),
            &["chat:write", "users:read"],
        ),
        ("google", json!("openid  email"), &["openid", "email"]),
        ("google", json!(["openid", "email"]), &["openid", "email"]),
        ("google", json!(""), &[]),
    ] {
        let answer = good(connector, json!({"access_token": "a", "scope": value}));
        assert_eq!(answer.scopes.as_deref().unwrap(), expected, "{value}");
    }
}

#[test]
fn tokens_are_read_where_the_connector_says_that_they_are() {
    let name = bosa_auth_core::ConnectorName::parse("acme").unwrap();
    let text = include_str!("../../providers/slack.toml")
        .replace("[oauth]\n", "[oauth]\ntoken_response = \"/authed_user\"\n");
    let provider = crate::Provider::parse(&name, crate::Origin::BuiltIn, &text).unwrap();
    let oauth = provider.oauth.as_ref().unwrap();
    let answer = |body: Value| {
        let response = Response::new(200, HeaderMap::new(), body.to_string().into_bytes());
        parse_token_response(oauth, &response)
    };
    let user = answer(json!({
        "ok": true, "access_token": "bot", "id_token": "i",
        "authed_user": {"id": "U1", "access_token": "user", "scope": "search:read"}
    }));
    let user = user.unwrap();
    assert_eq!(user.access_token.expose(), "user");
    assert_eq!(user.id_token.unwrap().expose(), "i");
    let none = answer(json!({"ok": true, "access_token": "bot"}));
    assert!(matches!(none, Err(TokenError::OutcomeUnknown(_))));
}

/// A connector, a status and a body, and what is made of it.
#[rustfmt::skip]
const REFUSALS: &[(&str, u16, &str, &str)] = &[
    ("google", 400, r#"{"error": "invalid_grant", "error_description": "gone"}"#, "refused invalid_grant"),
    ("google", 500, r#"{"error": "invalid_grant"}"#, "refused invalid_grant"),
    ("google", 400, r#"{"error": "invalid_request"}"#, "refused invalid_request"),
    ("google", 400, r#"{"error": "unknown_to_us"}"#, "refused unknown_to_us"),
    ("github", 200, r#"{"error": "bad_refresh_token"}"#, "refused bad_refresh_token"),
    ("slack", 200, r#"{"ok": false, "error": "invalid_code"}"#, "refused invalid_code"),
    ("slack", 200, r#"{"ok": false}"#, "refused unknown"),
    ("google", 400, r#"{"error": {"type": "OAuthException", "message": "gone", "code": 190}}"#, "refused OAuthException"),
    ("google", 401, r#"{"error": "invalid_client"}"#, "client invalid_client"),
    ("google", 400, r#"{"error": "redirect_uri_mismatch"}"#, "client redirect_uri_mismatch"),
    ("google", 403, r#"{"error": "unknown_to_us"}"#, "client unknown_to_us"),
    ("google", 302, "<html>", "client http_302"),
    ("slack", 200, r#"{"ok": false, "error": "ratelimited"}"#, "unavailable"),
    ("google", 400, r#"{"error": "temporarily_unavailable"}"#, "unavailable"),
    ("google", 429, r#"{"error": "quota"}"#, "unavailable"),
    ("google", 503, r#"{"error": "unknown_to_us"}"#, "unavailable"),
    ("google", 500, "<html>", "unavailable"),
    ("google", 502, "", "unavailable"),
    ("google", 403, "<html>", "unavailable"),
    ("google", 400, "{}", "unavailable"),
    ("google", 504, "", "unknown"),
    ("google", 504, r#"{"error": "server_error"}"#, "unknown"),
    ("google", 200, "", "unknown"),
    ("google", 200, "<html>", "unknown"),
    ("google", 200, "[]", "unknown"),
    ("google", 200, "{}", "unknown"),
    ("google", 200, r#"{"access_token": ""}"#, "unknown"),
    ("google", 200, r#"{"access_token": 7}"#, "unknown"),
    ("google", 200, r#"{"access_token": "cut o"#, "unknown"),
];

#[test]
fn every_refusal_says_what_may_be_done_next() {
    for (connector, status, body, expected) in REFUSALS {
        let error = parse(connector, *status, body).unwrap_err();
        let found = match &error {
            TokenError::Refused(words) => format!("refused {}", words.code),
            TokenError::ClientRefused(words) => format!("client {}", words.code),
            TokenError::Unavailable {
                status: shown,
                retry_after_seconds,
            } => {
                assert_eq!((shown, retry_after_seconds), (status, &Some(7)));
                "unavailable".to_owned()
            }
            TokenError::NotSent(reason) => format!("not sent: {reason}"),
            TokenError::OutcomeUnknown(_) => "unknown".to_owned(),
        };
        assert_eq!(&found, expected, "{status} {body}");
    }
}

#[test]
fn a_providers_words_are_short_and_plain() {
    let long = "x".repeat(1000);
    let body =
        json!({"error": "invalid_grant", "error_description": format!("a\u{1b}[31m\n{long}")});
    let error = parse("google", 400, &body.to_string()).unwrap_err();
    let TokenError::Refused(words) = &error else {
        panic!("{error:?}")
    };
    let description = words.description.as_deref().unwrap();
    assert!(description.starts_with("a [31m x"), "{description}");
    assert_eq!(description.chars().count(), LONGEST_WORDS);
    assert!(
        error.to_string().contains("invalid_grant (a [31m"),
        "{error}"
    );
}

proptest::proptest! {
    #[test]
    fn no_answer_whatever_is_taken_for_a_token_that_is_not_there(
        status in 100_u16..600,
        body in proptest::prelude::any::<Vec<u8>>(),
    ) {
        let provider = Catalogue::default().get("slack").unwrap();
        let response = Response::new(status, HeaderMap::new(), body);
        let parsed = parse_token_response(provider.oauth.as_ref().unwrap(), &response);
        proptest::prop_assert!(parsed.is_err());
    }

    #[test]
    fn a_lifetime_is_at_least_a_second_and_at_most_ten_years(seconds in proptest::num::f64::ANY) {
        let found = super::seconds(&json!(seconds));
        let in_range = found.is_none_or(|found| (1..=LONGEST_LIFETIME).contains(&found.as_secs()));
        proptest::prop_assert!(in_range);
    }
}
