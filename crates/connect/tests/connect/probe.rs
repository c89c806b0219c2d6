//! What is found out about a connector's settings, with a provider on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bosa_auth_connect::{ProbeFinding, ProbeRequest, Variables, Verdict, probe};
use bosa_auth_core::SeededEntropy;
use serde_json::{Value, json};

use crate::loopback;

const IDENTITY: &str = r#"
    source = "token_response"
    subject = "/id"
    label = ["/id"]
"#;

/// Serves a description, in which `PORT` stands for the port, and one answer to every token request;
/// returns what is found.
async fn found(description: Option<Value>, status: u16, answer: Value) -> Vec<ProbeFinding> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut router = Router::new().route(
        "/token",
        post(async move || (StatusCode::from_u16(status).unwrap(), Json(answer))),
    );
    if let Some(description) = description {
        let text = description.to_string().replace("PORT", &port.to_string());
        router = router.route("/description", get(async move || text));
    }
    tokio::spawn(async move { axum::serve(listener, router).await });
    let described = format!(
        r#"
        issuer = "http://127.0.0.1:{port}"
        discovery = "http://127.0.0.1:{port}/description"
        "#
    );
    let provider = loopback::provider(port, &described, IDENTITY);
    let request = ProbeRequest {
        client: &loopback::client(),
        variables: &Variables::new(),
        scopes: &[],
        redirect_uri: "http://127.0.0.1:8000/back",
    };
    let outbound = loopback::outbound();
    let oauth = provider.oauth.as_ref().unwrap();
    probe(&outbound, oauth, &request, &SeededEntropy::new(1))
        .await
        .unwrap()
}

fn described() -> Option<Value> {
    Some(json!({
        "issuer": "http://127.0.0.1:PORT",
        "authorization_endpoint": "http://127.0.0.1:PORT/authorize",
        "token_endpoint": "http://127.0.0.1:PORT/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "scopes_supported": ["openid", "profile"],
    }))
}

fn verdicts(findings: &[ProbeFinding]) -> Vec<Verdict> {
    findings.iter().map(|finding| finding.verdict).collect()
}

#[tokio::test]
async fn settings_that_can_work_are_good() {
    let findings = found(described(), 400, json!({"error": "invalid_grant"})).await;
    assert_eq!(
        verdicts(&findings),
        [Verdict::Good, Verdict::Good],
        "{findings:?}"
    );
}

#[tokio::test]
async fn how_a_made_up_code_is_refused_tells_whether_the_client_is_accepted() {
    for (status, answer, verdict, words) in [
        (
            200,
            json!({"error": "bad_verification_code"}),
            Verdict::Good,
            "accepts the client",
        ),
        (
            401,
            json!({"error": "invalid_client"}),
            Verdict::Bad,
            "invalid_client",
        ),
        (
            400,
            json!({"error": "redirect_uri_mismatch"}),
            Verdict::Bad,
            "redirect_uri_mismatch",
        ),
        (
            404,
            json!({"error": "nothing_here"}),
            Verdict::Bad,
            "nothing_here",
        ),
        (
            400,
            json!({"error": "invalid_request"}),
            Verdict::Doubtful,
            "invalid_request",
        ),
        (503, json!({}), Verdict::Doubtful, "unavailable"),
        (200, json!({}), Verdict::Doubtful, "cannot be used"),
        (
            200,
            json!({"access_token": "a"}),
            Verdict::Doubtful,
            "made up",
        ),
    ] {
        let findings = found(described(), status, answer.clone()).await;
        let last = findings.last().unwrap();
        assert_eq!(last.verdict, verdict, "{answer}: {last:?}");
        assert!(last.text.contains(words), "{answer}: {last:?}");
    }
}

#[tokio::test]
async fn what_a_provider_says_otherwise_about_itself_is_named() {
    for (name, value, verdict, words) in [
        (
            "issuer",
            json!("https://evil.example"),
            Verdict::Bad,
            "issuer is https://evil.example",
        ),
        (
            "token_endpoint",
            json!("https://new.example/token"),
            Verdict::Doubtful,
            "token_endpoint",
        ),
        (
            "token_endpoint_auth_methods_supported",
            json!(["private_key_jwt"]),
            Verdict::Bad,
            "client_secret_basic",
        ),
        (
            "code_challenge_methods_supported",
            json!(["plain"]),
            Verdict::Doubtful,
            "S256",
        ),
        (
            "scopes_supported",
            json!(["openid"]),
            Verdict::Doubtful,
            "the scope profile",
        ),
    ] {
        let mut description = described().unwrap();
        description[name] = value;
        let findings = found(Some(description), 400, json!({"error": "invalid_grant"})).await;
        assert_eq!(
            verdicts(&findings),
            [verdict, Verdict::Good],
            "{name}: {findings:?}"
        );
        assert!(
            findings.iter().any(|one| one.text.contains(words)),
            "{name}: {findings:?}"
        );
    }
}

#[tokio::test]
async fn a_provider_that_does_not_describe_itself_is_doubtful() {
    for description in [None, Some(json!([])), Some(json!("text"))] {
        let findings = found(description, 400, json!({"error": "invalid_grant"})).await;
        assert_eq!(
            verdicts(&findings),
            [Verdict::Doubtful, Verdict::Good],
            "{findings:?}"
        );
    }
    let silent = found(Some(json!({})), 400, json!({"error": "invalid_grant"})).await;
    assert_eq!(
        verdicts(&silent),
        [Verdict::Good, Verdict::Good],
        "{silent:?}"
    );
}
