//! What an answer over HTTP cannot cost less than, for `bench/load.sh`: a bare route that reads the
//! same request and sends the same bytes, with or without the bare check of the token's signature.

use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use sha2::Sha256;

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
    key: Option<Key>,
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
            Some(key) => token.is_some_and(|token| key.has_signed(token)),
        };
        if good {
            (self.headers.clone(), self.body.clone()).into_response()
        } else {
            StatusCode::UNAUTHORIZED.into_response()
        }
    }
}

impl Check {
    fn key(self) -> Result<Key, Failure> {
        Ok(match self {
            Self::HS256 { secret } => Key::Mac(Hmac::new_from_slice(secret.as_bytes())?),
            Self::EdDSA { public_pem } => {
                let key = DecodingKey::from_ed_pem(public_pem.as_bytes())?;
                Key::Signature(ParsedPublicKey::new(&ED25519, key.try_get_as_bytes()?)?)
            }
        })
    }
}

/// Ready for use, as the server's own.
enum Key {
    Mac(Hmac<Sha256>),
    Signature(ParsedPublicKey),
}

impl Key {
    fn has_signed(&self, token: &str) -> bool {
        let Some((message, signature)) = token.rsplit_once('.') else {
            return false;
        };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        match self {
            Self::Mac(key) => {
                let mut mac = key.clone();
                mac.update(message.as_bytes());
                mac.verify_slice(&signature).is_ok()
            }
            Self::Signature(key) => key.verify_sig(message.as_bytes(), &signature).is_ok(),
        }
    }
}
