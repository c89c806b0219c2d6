//! What is sent and what comes back.

use std::fmt;

use bosa_auth_core::{Secret, SecretBytes};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body_util::Full;
use serde_json::Value;
use url::{Position, Url};

use super::NotSent;

/// Several providers refuse requests that do not say what sends them.
const USER_AGENT: &str = concat!("bosa-auth/", env!("CARGO_PKG_VERSION"));

/// A request to a provider.
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: SecretBytes,
    /// Whether a text was given that no header can carry.
    unsendable: bool,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: SecretBytes::default(),
            unsendable: false,
        }
    }

    /// Sets a header.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    /// Sets a header that carries a credential. With a text that no header can carry, such as one
    /// of two lines, the request is never sent.
    pub fn set_secret(&mut self, name: HeaderName, text: &Secret) {
        match HeaderValue::from_str(text.expose()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            Err(_) => self.unsendable = true,
        }
    }

    /// Sets the body.
    pub fn set_body(&mut self, body: Vec<u8>) {
        self.body = SecretBytes::new(body);
    }

    /// Where it goes.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// A header's value, unless it is not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What is sent.
    ///
    /// # Security
    /// It holds codes, tokens and the client's secret.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.expose()
    }

    /// The message as it goes out, with the headers that every request has.
    pub(super) fn into_message(self) -> Result<http::Request<Full<Bytes>>, NotSent> {
        let target = &self.url[Position::BeforePath..Position::AfterQuery];
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        let host = HeaderValue::from_str(host).map_err(|_| NotSent::Unsendable)?;
        let mut message = http::Request::new(Full::new(Bytes::copy_from_slice(self.body.expose())));
        *message.uri_mut() = target.parse().map_err(|_| NotSent::Unsendable)?;
        *message.method_mut() = self.method;
        *message.headers_mut() = self.headers;
        let headers = message.headers_mut();
        headers.insert(header::HOST, host);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static(USER_AGENT));
        if self.unsendable {
            return Err(NotSent::Unsendable);
        }
        Ok(message)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({} {})", self.method, self.url.path())
    }
}

/// A provider's answer.
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: SecretBytes,
}

impl Response {
    /// An answer of these parts.
    #[must_use]
    pub fn new(status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self {
            status,
            headers,
            body: SecretBytes::new(body),
        }
    }

    /// What came back.
    ///
    /// # Security
    /// It may hold tokens.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.expose()
    }

    /// The body as JSON; `None` when it is not.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body.expose()).ok()
    }

    /// The seconds of `Retry-After`, when it names seconds.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let value = self.headers.get(header::RETRY_AFTER)?;
        value.to_str().ok()?.trim().parse().ok()
    }

    /// Whether the status says success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({})", self.status)
    }
}
