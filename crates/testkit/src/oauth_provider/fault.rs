//! What goes wrong on demand.

use std::time::Duration;

/// One thing that goes wrong with a request.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Whether the provider does what it was asked to, for example uses up a refresh token.
    pub(super) has_effect: bool,
    pub(super) instead: Instead,
}

/// What happens instead of the answer.
#[derive(Debug, Clone)]
pub(super) enum Instead {
    /// Another answer.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The answer itself, once it is released.
    Hang,
    /// The connection ends.
    Drop,
    /// Half of the answer's body, and then the connection ends.
    Cut,
    /// The answer, a byte at a time.
    Slow(Duration),
}

impl Fault {
    fn new(instead: Instead) -> Self {
        Self {
            has_effect: false,
            instead,
        }
    }

    /// Answers with a status and a text.
    #[must_use]
    pub fn answer(status: u16, body: &str) -> Self {
        Self::new(Instead::Answer {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_owned(),
        })
    }

    /// A server that fails and says nothing that a program could read.
    #[must_use]
    pub fn server_error(status: u16) -> Self {
        Self::answer(status, "<h1>Something went wrong</h1>")
    }

    /// An error of RFC 6749 §5.2, with 401 for `invalid_client` and 400 for all others.
    #[must_use]
    pub fn error(code: &str) -> Self {
        let status = if code == "invalid_client" { 401 } else { 400 };
        let body = serde_json::json!({"error": code, "error_description": "as the test said"});
        Self::answer(status, &body.to_string())
    }

    /// Status 200 with `ok: false`, as Slack refuses.
    #[must_use]
    pub fn not_ok(code: &str) -> Self {
        let body = serde_json::json!({"ok": false, "error": code});
        Self::answer(200, &body.to_string())
    }

    /// Status 200 with something that is almost JSON.
    #[must_use]
    pub fn malformed() -> Self {
        Self::answer(200, r#"{"access_token": "a"#)
    }

    /// Status 429 with `Retry-After`.
    #[must_use]
    pub fn too_many_requests(retry_after_seconds: u64) -> Self {
        Self::new(Instead::Answer {
            status: 429,
            headers: vec![("retry-after", retry_after_seconds.to_string())],
            body: String::new(),
        })
    }

    /// Status 307 to another address.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::new(Instead::Answer {
            status: 307,
            headers: vec![("location", location.to_owned())],
            body: String::new(),
        })
    }

    /// Waits for [`OAuthProvider::release`](super::OAuthProvider::release) before it looks at the
    /// request; that the caller has gone by then changes nothing.
    #[must_use]
    pub fn hang() -> Self {
        Self::new(Instead::Hang)
    }

    /// Ends the connection as soon as the request is there.
    #[must_use]
    pub fn drop_connection() -> Self {
        Self::new(Instead::Drop)
    }

    /// Does what was asked, and ends the connection without an answer.
    #[must_use]
    pub fn lose_answer() -> Self {
        Self::drop_connection().after_effect()
    }

    /// Does what was asked, and ends the connection in the middle of the answer's body.
    #[must_use]
    pub fn cut_answer() -> Self {
        Self::new(Instead::Cut).after_effect()
    }

    /// Does what was asked, and answers a byte at a time with a pause before each.
    #[must_use]
    pub fn slow_answer(pause: Duration) -> Self {
        Self::new(Instead::Slow(pause)).after_effect()
    }

    /// The same, after the provider has done what it was asked to: the refresh token is used up, and
    /// only its answer goes wrong.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.has_effect = true;
        self
    }
}
