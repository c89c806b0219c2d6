//! What an answer over HTTP cannot cost less than, for `bench/load.sh`: a bare route that reads the
//! same request and sends the same bytes, with or without the bare check of the token's signature.

use std::cell::OnceCell;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jsonwebtoken::crypto::JwtVerifier;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

const USAGE: &str = "baseline HOST:PORT SETTINGS.json";

#[derive(Debug, Deserialize)]
struct Settings {
    /// What every answer consists of.
    headers: Vec<(String, String)>,
    body: String,
    /// Absent: nothing is checked.
    check: Option<Check>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "algorithm")]
enum Check {
    HS256 { secret: String },
    EdDSA { public_pem: String },
}

struct Answer {
    headers: HeaderMap,
    body: Bytes,
    key: Option<(Algorithm, DecodingKey)>,
}

thread_local! {
    /// Prepared once for each thread, since it cannot be shared.
    static VERIFIER: OnceCell<Option<Box<dyn JwtVerifier>>> = const { OnceCell::new() };
}

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or(USAGE)?;
    let settings = std::fs::read(arguments.next().ok_or(USAGE)?)?;
    let answer = Arc::new(Answer::new(serde_json::from_slice(&settings)?)?);
    let app = Router::new()
        .route("/auth/tokens/verify", post(token_in_body))
        .route("/users/me", get(token_in_header))
        .route("/clients/me", get(token_in_header))
        .with_state(answer);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn token_in_body(State(answer): State<Arc<Answer>>, body: Bytes) -> Response {
    // Not even parsed: {"token":"…"}
    let token = std::str::from_utf8(&body).ok();
    answer.after_checking(token.and_then(|text| text.get(10..text.len().saturating_sub(2))))
}

async fn token_in_header(State(answer): State<Arc<Answer>>, headers: HeaderMap) -> Response {
    let value = headers.get(header::AUTHORIZATION);
    let text = value.and_then(|value| value.to_str().ok());
    answer.after_checking(text.and_then(|text| text.strip_prefix("Bearer ")))
}

impl Answer {
    fn new(settings: Settings) -> Result<Self, Failure> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(Self {
            headers,
            body: settings.body.into(),
            key: settings.check.map(Check::key).transpose()?,
        })
    }

    fn after_checking(&self, token: Option<&str>) -> Response {
        let good = match &self.key {
            None => true,
            Some(key) => token.is_some_and(|token| is_signed(token, key)),
        };
        if good {
            (self.headers.clone(), self.body.clone()).into_response()
        } else {
            StatusCode::UNAUTHORIZED.into_response()
        }
    }
}

impl Check {
    fn key(self) -> Result<(Algorithm, DecodingKey), Failure> {
        Ok(match self {
            Self::HS256 { secret } => {
                let key = DecodingKey::from_secret(secret.as_bytes());
                (Algorithm::HS256, key)
            }
            Self::EdDSA { public_pem } => {
                let key = DecodingKey::from_ed_pem(public_pem.as_bytes())?;
                (Algorithm::EdDSA, key)
            }
        })
    }
}

fn is_signed(token: &str, (algorithm, key): &(Algorithm, DecodingKey)) -> bool {
    let Some((message, signature)) = token.rsplit_once('.') else {
        return false;
    };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
        return false;
    };
    let prepare = || (DEFAULT_PROVIDER.verifier_factory)(algorithm, key).ok();
    VERIFIER.with(|verifier| match verifier.get_or_init(prepare) {
        Some(verifier) => verifier.verify(message.as_bytes(), &signature).is_ok(),
        None => false,
    })
}
