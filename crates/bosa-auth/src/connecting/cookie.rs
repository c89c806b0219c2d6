//! Cookies that tie a connection to the browser in which it goes on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bosa_auth_core::Secret;
use sha2::{Digest as _, Sha256};

use super::LASTS;
use crate::public_url::PublicUrl;

/// A prefix with which browsers take a cookie only over TLS, from the host itself and for all of it
/// (RFC 6265bis §4.1.3.2): no neighbouring host can plant one.
const HOST_ONLY: &str = "__Host-";
const PAGE: &str = "bosa-auth-page";
const CONNECTION: &str = "bosa-auth-connect-";
/// Bytes of a state's hash in the name of its cookie.
const NAME_BYTES: usize = 8;

/// A cookie for a browser: `HttpOnly`, with the path `/` and `SameSite=Lax`. It comes along when a
/// browser is led here from elsewhere, as a provider leads it back and as an application leads it to
/// our page while another page of ours is open; it does not when another site sends a form.
#[derive(Debug)]
pub struct BrowserCookie {
    /// The name.
    pub name: String,
    /// The value, letters that need no quoting.
    pub value: Secret,
    /// Seconds until it ends; zero removes it.
    pub lasts_seconds: i64,
    /// Whether it is sent over TLS only; not on loopback without TLS.
    pub is_secure: bool,
}

/// The cookies that a browser has sent, by name.
#[derive(Debug, Default)]
pub struct BrowserCookies(BTreeMap<String, Secret>);

impl FromIterator<(String, Secret)> for BrowserCookies {
    fn from_iter<I: IntoIterator<Item = (String, Secret)>>(cookies: I) -> Self {
        Self(cookies.into_iter().collect())
    }
}

impl BrowserCookies {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }
}

/// The name of the cookie that a page and its form share.
pub(super) fn page_name(public_url: &PublicUrl) -> String {
    format!("{}{PAGE}", prefix(public_url))
}

/// The name of the cookie that belongs to a state; each has its own, so that several connections can
/// be under way in one browser.
pub(super) fn connection_name(public_url: &PublicUrl, state: &str) -> String {
    let hash = Sha256::digest(state);
    let mut name = format!("{}{CONNECTION}", prefix(public_url));
    for byte in hash.iter().take(NAME_BYTES) {
        // Writing to a text does not fail.
        let _written = write!(name, "{byte:02x}");
    }
    name
}

pub(super) fn page_cookie(public_url: &PublicUrl, value: Secret) -> BrowserCookie {
    BrowserCookie {
        name: page_name(public_url),
        value,
        lasts_seconds: LASTS.as_secs(),
        is_secure: public_url.is_secure(),
    }
}

pub(super) fn connection_cookie(
    public_url: &PublicUrl,
    state: &str,
    value: Secret,
) -> BrowserCookie {
    BrowserCookie {
        name: connection_name(public_url, state),
        value,
        lasts_seconds: LASTS.as_secs(),
        is_secure: public_url.is_secure(),
    }
}

pub(super) fn without_connection_cookie(public_url: &PublicUrl, state: &str) -> BrowserCookie {
    BrowserCookie {
        lasts_seconds: 0,
        ..connection_cookie(public_url, state, Secret::default())
    }
}

fn prefix(public_url: &PublicUrl) -> &'static str {
    if public_url.is_secure() {
        HOST_ONLY
    } else {
        ""
    }
}
