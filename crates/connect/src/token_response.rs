//! Answers of token endpoints (RFC 6749 §5), with the ways in which providers differ from it.

use std::fmt;
use std::time::Duration;

use bosa_auth_core::Secret;
use serde_json::Value;

use crate::outbound::{NotSent, OutboundError, Response};
use crate::pointer::Pointer;
use crate::provider::OAuth;

/// Longest part of a provider's own words that is passed on.
const LONGEST_WORDS: usize = 300;
/// Ten years; whoever promises more promises too much.
const LONGEST_LIFETIME: u64 = 10 * 366 * 24 * 60 * 60;

/// Tokens, as a provider has issued them.
pub struct TokenResponse {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token, when there is a new one.
    pub refresh_token: Option<Secret>,
    /// The access token's lifetime, when the answer names one.
    pub expires_in: Option<Duration>,
    /// What was granted; `None` when the answer does not say, which means all that was asked for
    /// (RFC 6749 §5.1).
    pub scopes: Option<Vec<String>>,
    /// The ID token of OpenID Connect.
    pub id_token: Option<Secret>,
    /// The whole answer.
    ///
    /// # Security
    /// It holds the tokens.
    pub document: Value,
}

impl TokenResponse {
    /// The refresh token to keep: the new one, or else the one that was used.
    #[must_use]
    pub fn refresh_token_or(&mut self, used: Option<Secret>) -> Option<Secret> {
        self.refresh_token.take().or(used)
    }

    /// The access token's lifetime: the one that the answer names, or else the connector's.
    #[must_use]
    pub fn lifetime(&self, oauth: &OAuth) -> Duration {
        self.expires_in
            .unwrap_or_else(|| oauth.lifetime.access_token())
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenResponse")
            .field("refresh_token", &self.refresh_token.is_some())
            .field("expires_in", &self.expires_in)
            .field("scopes", &self.scopes)
            .field("id_token", &self.id_token.is_some())
            .finish_non_exhaustive()
    }
}

/// Why there are no tokens. What a caller may do next depends on nothing but the variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The provider refuses this grant for good: the account must be connected again.
    #[error("the provider refused: {0}")]
    Refused(ProviderWords),
    /// The provider refuses the client: its settings must be corrected, and the grant may be good.
    #[error("the provider refused the client's settings: {0}")]
    ClientRefused(ProviderWords),
    /// The provider answered that it cannot answer now; the grant may be tried again.
    #[error("the provider is unavailable (status {status})")]
    Unavailable {
        /// The status of its answer.
        status: u16,
        /// In how many seconds it wants to be asked again.
        retry_after_seconds: Option<u64>,
    },
    /// Nothing was sent; the grant is as good as before.
    #[error("the provider was not asked: {0}")]
    NotSent(NotSent),
    /// The grant was sent, and nobody here can know whether it was used up.
    #[error("the provider was asked, but its answer cannot be used: {0}")]
    OutcomeUnknown(String),
}

/// What a provider says about its refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderWords {
    /// Its code, for example `invalid_grant`.
    pub code: String,
    /// Its words for people.
    pub description: Option<String>,
}

impl fmt::Display for ProviderWords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.code)?;
        match &self.description {
            Some(words) => write!(formatter, " ({words})"),
            None => Ok(()),
        }
    }
}

impl From<OutboundError> for TokenError {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::NotSent(reason) => Self::NotSent(reason),
            OutboundError::OutcomeUnknown(lost) => Self::OutcomeUnknown(lost.to_string()),
        }
    }
}

/// Reads the answer of a token endpoint.
///
/// # Errors
/// [`TokenError`], never `NotSent`.
pub fn parse_token_response(
    oauth: &OAuth,
    response: &Response,
) -> Result<TokenResponse, TokenError> {
    let unavailable = TokenError::Unavailable {
        status: response.status,
        retry_after_seconds: response.retry_after_seconds(),
    };
    // A gateway that got no answer from behind it knows as little as we do.
    if response.status == 504 {
        return Err(TokenError::OutcomeUnknown("a gateway timed out".to_owned()));
    }
    let Some(document) = response.json().filter(Value::is_object) else {
        return Err(if response.is_success() {
            TokenError::OutcomeUnknown("it is not a JSON object".to_owned())
        } else if (300..400).contains(&response.status) {
            TokenError::ClientRefused(ProviderWords {
                code: format!("http_{}", response.status),
                description: Some(
                    "the token endpoint redirects elsewhere, which is not followed".to_owned(),
                ),
            })
        } else {
            unavailable
        });
    };
    if let Some(words) = refusal(&document) {
        return Err(judged(words, response.status, unavailable));
    }
    if !response.is_success() {
        return Err(unavailable);
    }
    read_tokens(oauth, document)
}

fn read_tokens(oauth: &OAuth, document: Value) -> Result<TokenResponse, TokenError> {
    let unusable = |reason: &str| TokenError::OutcomeUnknown(reason.to_owned());
    let tokens = oauth
        .token_response
        .find(&document)
        .ok_or_else(|| unusable("there is nothing where the connector says that the tokens are"))?;
    let text = |name: &str| {
        let found = tokens.get(name).and_then(Value::as_str);
        found.filter(|text| !text.is_empty())
    };
    let access_token = text("access_token").ok_or_else(|| unusable("it has no access_token"))?;
    let id_token = text("id_token").or_else(|| document.get("id_token").and_then(Value::as_str));
    Ok(TokenResponse {
        access_token: access_token.into(),
        refresh_token: text("refresh_token").map(Secret::from),
        expires_in: tokens.get("expires_in").and_then(seconds),
        scopes: tokens
            .get("scope")
            .or_else(|| tokens.get("scopes"))
            .and_then(|value| scopes(value, &oauth.scope_separator)),
        id_token: id_token.map(Secret::from),
        document,
    })
}

/// Seconds as a number or as text; none that count nothing.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let whole = seconds.is_finite() && seconds >= 1.0;
    // The value is positive and bounded, so that nothing is lost.
    whole.then(|| Duration::from_secs_f64(seconds.floor().min(LONGEST_LIFETIME as f64)))
}

/// Scopes as a list, or as text with the provider's separator, spaces or commas between them.
fn scopes(value: &Value, separator: &str) -> Option<Vec<String>> {
    let texts: Vec<&str> = match value {
        Value::String(text) => text
            .split(separator)
            .flat_map(|part| part.split([' ', ',']))
            .collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let scopes = texts.into_iter().filter(|text| !text.is_empty());
    Some(scopes.map(ToOwned::to_owned).collect())
}

/// What a refusing answer says: `error` as text or as an object, with any status, or `ok: false`.
fn refusal(document: &Value) -> Option<ProviderWords> {
    let is_not_ok = document.get("ok") == Some(&Value::Bool(false));
    let error = document.get("error").filter(|error| !error.is_null());
    let code = match error {
        Some(Value::Object(object)) => ["type", "code", "status", "error"]
            .into_iter()
            .find_map(|name| words_of(object.get(name)?)),
        Some(other) => words_of(other),
        None => None,
    };
    let description = [
        "/error_description",
        "/error/message",
        "/reason",
        "/message",
    ]
    .into_iter()
    .filter_map(|pointer| Pointer::parse(pointer).ok())
    .find_map(|pointer| words_of(pointer.find(document)?));
    match code {
        Some(code) => Some(ProviderWords { code, description }),
        None if is_not_ok || error.is_some() => Some(ProviderWords {
            code: "unknown".to_owned(),
            description,
        }),
        None => None,
    }
}

/// A provider's words: short, on one line, without what a terminal could take for orders.
pub(crate) fn words_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let clean: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(LONGEST_WORDS)
        .collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// Codes that refuse the grant itself (RFC 6749 §5.2; GitHub's, Slack's and OpenID Connect's own).
const GRANT_REFUSED: &[&str] = &[
    "access_denied",
    "account_inactive",
    "bad_refresh_token",
    "bad_verification_code",
    "code_already_used",
    "consent_required",
    "expired_token",
    "interaction_required",
    "invalid_code",
    "invalid_grant",
    "invalid_refresh_token",
    "invalid_token",
    "login_required",
    "token_expired",
    "token_revoked",
];

/// Codes that refuse the client or what it asked for.
const CLIENT_REFUSED: &[&str] = &[
    "bad_client_secret",
    "bad_redirect_uri",
    "incorrect_client_credentials",
    "invalid_client",
    "invalid_client_id",
    "invalid_scope",
    "redirect_uri_mismatch",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// Codes of a provider that cannot answer now.
const NOT_NOW: &[&str] = &[
    "fatal_error",
    "internal_error",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "server_error",
    "service_unavailable",
    "slow_down",
    "temporarily_unavailable",
];

/// Whether a code refuses the grant alone, and so accepts the client.
pub(crate) fn is_refused_grant(code: &str) -> bool {
    GRANT_REFUSED.contains(&code.to_ascii_lowercase().as_str())
}

/// A known code counts more than the status, whatever that is.
fn judged(words: ProviderWords, status: u16, unavailable: TokenError) -> TokenError {
    let code = words.code.to_ascii_lowercase();
    let is_among = |codes: &[&str]| codes.contains(&code.as_str());
    if is_among(NOT_NOW) {
        unavailable
    } else if is_among(GRANT_REFUSED) {
        TokenError::Refused(words)
    } else if is_among(CLIENT_REFUSED) {
        TokenError::ClientRefused(words)
    } else if status == 429 || status >= 500 {
        unavailable
    } else if matches!(status, 401 | 403 | 404 | 405 | 415) {
        TokenError::ClientRefused(words)
    } else {
        // A request that is refused as it stands is refused the next time too.
        TokenError::Refused(words)
    }
}

#[cfg(test)]
mod tests;
