//! The id under which a request is logged and answered.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bosa_auth::{Auth, Clock, Entropy};
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;
use uuid::fmt::Hyphenated;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 128;

/// The id of one request: the caller's, when it is a plain name, else one of ours.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

/// Makes ids, from randomness that was asked for in advance: a request need not wait for a system
/// call.
#[derive(Default)]
pub(crate) struct RequestIds(Mutex<Vec<[u8; RANDOM]>>);

/// How many bytes of an id do not come from the clock.
const RANDOM: usize = 10;
/// For how many ids randomness is asked for at once.
const AHEAD: usize = 256;

impl RequestIds {
    /// The id of a request with these headers.
    pub(crate) fn of(&self, headers: &HeaderMap, auth: &Auth) -> RequestId {
        match headers.get(HEADER) {
            Some(given) if given.to_str().is_ok_and(is_plain) => RequestId(given.clone()),
            _ => self.next(auth.clock().as_ref(), auth.entropy().as_ref()),
        }
    }

    fn next(&self, clock: &dyn Clock, entropy: &dyn Entropy) -> RequestId {
        let millis = u64::try_from(clock.now().as_millisecond()).unwrap_or_default();
        let id = Builder::from_unix_timestamp_millis(millis, &self.random(entropy)).into_uuid();
        let mut text = [0; Hyphenated::LENGTH];
        let text = id.hyphenated().encode_lower(&mut text);
        // Hexadecimal digits and hyphens are always a header's value.
        RequestId(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-")))
    }

    fn random(&self, entropy: &dyn Entropy) -> [u8; RANDOM] {
        let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead.is_empty() {
            let mut bytes = [0; RANDOM * AHEAD];
            match entropy.fill(&mut bytes) {
                Ok(()) => ahead.extend_from_slice(bytes.as_chunks().0),
                Err(error) => {
                    // Without randomness the id is still good enough to find a line in a log.
                    tracing::warn!(error = &error as &dyn std::error::Error, "no randomness");
                }
            }
        }
        ahead.pop().unwrap_or_default()
    }
}

impl fmt::Debug for RequestIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestIds")
    }
}

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bosa_auth::{ManualClock, SeededEntropy};

    use super::*;

    #[test]
    fn no_two_requests_have_one_id() {
        let (ids, entropy) = (RequestIds::default(), SeededEntropy::new(1));
        let clock = ManualClock::new("2026-01-02T03:04:05Z".parse().unwrap());
        let mut seen = HashSet::new();
        for _ in 0..3 * AHEAD {
            let id = ids.next(&clock, &entropy);
            let parsed: uuid::Uuid = id.as_str().parse().unwrap();
            assert_eq!(parsed.get_version_num(), 7);
            assert!(seen.insert(parsed), "{parsed}");
        }
    }

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
