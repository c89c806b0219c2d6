//! A whole connection and its refreshes, with a provider on loopback that checks what it is sent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bosa_auth_connect::{
    AuthorizationRequest, ClientCredentials, CodeVerifier, Grant, Outbound, Provider, TokenError,
    TokenResponse, Variables, authorization_url, identity_from_tokens, identity_request,
    parse_identity, parse_token_response, random_text, token_request,
};
use bosa_auth_core::SeededEntropy;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::loopback;

const IDENTITY: &str = r#"
    source = "http://127.0.0.1:PORT/me"
    subject = "/data/id"
    label = ["/data/name"]
"#;
const REDIRECT_URI: &str = "http://127.0.0.1:8000/connectors/loopback/success-authorize-callback";

/// What the provider knows: the challenge of the code, and the refresh token that is good.
#[derive(Debug, Default)]
struct Known {
    challenge: String,
    refresh_token: u32,
}

type Shared = Arc<Mutex<Known>>;

/// The token endpoint of a provider whose refresh tokens are used once.
async fn token(
    State(known): State<Shared>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, Json<Value>) {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let refused = |code: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": code})));
    let expected = format!("Basic {}", STANDARD.encode("client:secret"));
    if headers.get("authorization").unwrap() != expected.as_str() {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({"error": "invalid_client"})),
        );
    }
    let of = |name: &str| form.get(name).map_or("", String::as_str);
    let mut known = known.lock().unwrap();
    let good = match of("grant_type") {
        "authorization_code" => {
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(of("code_verifier")));
            of("code") == "the-code"
                && of("redirect_uri") == REDIRECT_URI
                && challenge == known.challenge
        }
        "refresh_token" => of("refresh_token") == format!("refresh-{}", known.refresh_token),
        _ => return refused("unsupported_grant_type"),
    };
    if !good {
        return refused("invalid_grant");
    }
    known.refresh_token += 1;
    let number = known.refresh_token;
    let answer = json!({
        "access_token": format!("access-{number}"),
        "refresh_token": format!("refresh-{number}"),
        "expires_in": 60,
        "token_type": "Bearer",
    });
    (StatusCode::OK, Json(answer))
}

async fn me(headers: HeaderMap) -> Json<Value> {
    let token = headers.get("authorization").unwrap().to_str().unwrap();
    Json(json!({"data": {"id": 7, "name": token.trim_start_matches("Bearer ")}}))
}

struct World {
    known: Shared,
    provider: Provider,
    outbound: Outbound,
    client: ClientCredentials,
}

impl World {
    async fn new() -> Self {
        let known = Shared::default();
        let router = Router::new()
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(known.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            known,
            provider: loopback::provider(port, "", &IDENTITY.replace("PORT", &port.to_string())),
            outbound: loopback::outbound(),
            client: loopback::client(),
        }
    }

    async fn exchange(&self, grant: &Grant<'_>) -> Result<TokenResponse, TokenError> {
        let oauth = self.provider.oauth.as_ref().unwrap();
        let request = token_request(oauth, &self.client, &Variables::new(), grant).unwrap();
        let response = self.outbound.send(&oauth.hosts, request).await?;
        parse_token_response(oauth, &response)
    }

    async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, TokenError> {
        let refresh_token = &refresh_token.into();
        self.exchange(&Grant::Refresh { refresh_token }).await
    }
}

#[tokio::test]
async fn an_account_is_connected_and_refreshed() {
    let mut world = World::new().await;
    let none = Variables::new();
    let oauth = world.provider.oauth.as_ref().unwrap();
    let entropy = SeededEntropy::new(7);
    let verifier = CodeVerifier::generate(&entropy).unwrap();
    let url = authorization_url(
        oauth,
        &AuthorizationRequest {
            client_id: &world.client.client_id,
            redirect_uri: REDIRECT_URI,
            state: &random_text(&entropy).unwrap(),
            verifier: &verifier,
            scopes: &[],
            variables: &none,
        },
    );
    let query: BTreeMap<String, String> = url.unwrap().query_pairs().into_owned().collect();
    assert_eq!(query["scope"], "profile");
    world.known.lock().unwrap().challenge = query["code_challenge"].clone();

    let code = "the-code".into();
    let grant = |verifier| Grant::Code {
        code: &code,
        redirect_uri: REDIRECT_URI,
        verifier,
    };
    let foreign = CodeVerifier::generate(&entropy).unwrap();
    let refused = world.exchange(&grant(&foreign)).await.unwrap_err();
    assert!(matches!(refused, TokenError::Refused(words) if words.code == "invalid_grant"));
    let mut tokens = world.exchange(&grant(&verifier)).await.unwrap();
    assert_eq!(tokens.lifetime(oauth).as_secs(), 60);

    assert_eq!(
        identity_from_tokens(oauth, "client", &none, &tokens),
        Ok(None)
    );
    let request = identity_request(oauth, &none, &tokens.access_token).unwrap();
    let response = world
        .outbound
        .send(&oauth.hosts, request.unwrap())
        .await
        .unwrap();
    let identity = parse_identity(oauth, &response).unwrap();
    assert_eq!(
        (identity.subject.as_str(), identity.label.as_str()),
        ("7", "access-1")
    );

    let first = tokens.refresh_token_or(None).unwrap();
    let second = world.refresh(first.expose()).await.unwrap();
    assert_eq!(second.access_token.expose(), "access-2");
    // The first one is used up.
    let reused = world.refresh(first.expose()).await.unwrap_err();
    assert!(matches!(reused, TokenError::Refused(_)), "{reused:?}");

    world.client.client_secret = Some("wrong".into());
    let refused = world.refresh("refresh-2").await.unwrap_err();
    assert!(
        matches!(refused, TokenError::ClientRefused(_)),
        "{refused:?}"
    );
}
