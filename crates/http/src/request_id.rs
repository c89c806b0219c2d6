//! The id under which a request is logged and answered.

use bosa_auth::Auth;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 128;

/// The id of one request: the caller's, when it is a plain name, else one of ours.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(String);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap, auth: &Auth) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
        match given.filter(|text| is_plain(text)) {
            Some(text) => Self(text.to_owned()),
            None => Self::generate(auth),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }

    fn generate(auth: &Auth) -> Self {
        let mut random = [0; 10];
        // Without randomness the id is still good enough to find a line in a log.
        if let Err(error) = auth.entropy().fill(&mut random) {
            tracing::warn!(error = &error as &dyn std::error::Error, "no randomness");
        }
        let millis = u64::try_from(auth.clock().now().as_millisecond()).unwrap_or_default();
        let id = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Self(id.to_string())
    }
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_name_is_taken_over() {
        for good in ["a", "0191-abc_DEF.9", &"x".repeat(128)] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", "a b", "a\"b", "é", &"x".repeat(129)] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
