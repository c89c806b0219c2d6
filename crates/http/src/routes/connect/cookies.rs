//! Cookies as HTTP carries them (RFC 6265).

use bosa_auth::{BrowserCookie, BrowserCookies, Secret};
use http::{HeaderMap, HeaderValue, header};

/// The cookies of a request.
pub(super) fn read(headers: &HeaderMap) -> BrowserCookies {
    let values = headers.get_all(header::COOKIE).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), Secret::from(value)))
        .collect()
}

/// Adds a cookie to an answer.
pub(super) fn set(headers: &mut HeaderMap, cookie: &BrowserCookie) {
    let secure = if cookie.is_secure { "; Secure" } else { "" };
    let text = Secret::new(format!(
        "{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
        cookie.name,
        cookie.value.expose(),
        cookie.lasts_seconds,
    ));
    // Names and values are ours.
    if let Ok(mut value) = HeaderValue::from_str(text.expose()) {
        value.set_sensitive(true);
        headers.append(header::SET_COOKIE, value);
    }
}
