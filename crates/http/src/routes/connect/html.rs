//! Pages for people.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use bosa_auth::{Error, ErrorKind, Secret};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::problem::{Problem, status};

const STYLE: &str = "html{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;overflow-wrap:anywhere;margin:10vh auto;padding:0 1rem;color:#1b1b1f;background:#fff}h1{font-size:1.4rem}button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.4rem;background:#1c4fd6;color:#fff;cursor:pointer}@media(prefers-color-scheme:dark){body{color:#e6e6ea;background:#17171a}}";
/// Nothing is loaded, run or framed; the style is known by its hash.
///
/// It does not say where forms may lead: browsers apply that to every redirection which follows, and
/// the provider may send the user on to anywhere.
const POLICY: &str = "default-src 'none'; style-src 'sha256-nE7ILa1auualoxWkEmAbtKO0FoQNeVJ4KiXxrtkuzY4='; base-uri 'none'; frame-ancestors 'none'";

/// A page that is being written.
#[derive(Debug)]
pub(super) struct Page {
    status: StatusCode,
    title: String,
    body: String,
}

/// A part of a paragraph.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// Text of ours.
    Plain(&'a str),
    /// A name that somebody gave, set apart whatever it holds.
    Name(&'a str),
}

impl Page {
    pub(super) fn new(status: StatusCode, title: &str) -> Self {
        let mut body = String::new();
        body.push_str("<h1>");
        escape(&mut body, title);
        body.push_str("</h1>");
        Self {
            status,
            title: title.to_owned(),
            body,
        }
    }

    /// Adds a paragraph.
    pub(super) fn text(self, text: &str) -> Self {
        self.parts(&[Part::Plain(text)])
    }

    /// Adds a paragraph of several parts.
    pub(super) fn parts(mut self, parts: &[Part<'_>]) -> Self {
        self.body.push_str("<p>");
        for part in parts {
            match part {
                Part::Plain(text) => escape(&mut self.body, text),
                Part::Name(name) => {
                    self.body.push_str("<strong><bdi>");
                    escape(&mut self.body, name);
                    self.body.push_str("</bdi></strong>");
                }
            }
        }
        self.body.push_str("</p>");
        self
    }

    /// Adds a button that sends a token to the page's own address.
    pub(super) fn button(mut self, label: &str, token: &Secret) -> Self {
        self.body
            .push_str("<form method=\"post\"><input type=\"hidden\" name=\"token\" value=\"");
        escape(&mut self.body, token.expose());
        self.body.push_str("\"><button type=\"submit\">");
        escape(&mut self.body, label);
        self.body.push_str("</button></form>");
        self
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut text = String::from(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"robots\" content=\"noindex\"><title>",
        );
        escape(&mut text, &self.title);
        // Writing to a text does not fail.
        let _written = writeln!(
            text,
            "</title><style>{STYLE}</style></head><body><main>{}</main></body></html>",
            self.body
        );
        let mut response = (self.status, text).into_response();
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        protect(response.headers_mut());
        response
    }
}

/// A redirection to an address that may hold secrets; never one that repeats a form (RFC 9700 §4.12).
pub(super) fn redirect(location: &Secret) -> Response {
    let Ok(mut value) = HeaderValue::from_str(location.expose()) else {
        return refusal(Error::Internal("an address cannot be sent".into()));
    };
    value.set_sensitive(true);
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, value);
    protect(headers);
    response
}

/// What went wrong here, without what the log is for.
pub(super) fn refusal(error: Error) -> Response {
    let kind = error.kind();
    let problem = Problem::from(error);
    problem.log();
    let (title, text) = match kind {
        ErrorKind::NotFound => (
            "This link cannot be used",
            "It was used already, is older than ten minutes, or is not complete. Begin again in the \
             application.",
        ),
        ErrorKind::InvalidInput => (
            "Please open the link again",
            "The browser did not send back what the page gave it. Allow cookies, open the link \
             again, and press the button there.",
        ),
        ErrorKind::DatabaseUnavailable | ErrorKind::Overloaded | ErrorKind::RateLimited => (
            "Not at the moment",
            "The server cannot answer now. Reload the page in a moment.",
        ),
        _ => (
            "Something went wrong",
            "The server could not do this. Tell its operator when it happened.",
        ),
    };
    Page::new(status(kind), title).text(text).into_response()
}

fn protect(headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, text) in fixed {
        headers.insert(name, HeaderValue::from_static(text));
    }
}

fn escape(into: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            letter => into.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_policy_names_the_style() {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
    }

    #[test]
    fn what_is_shown_is_text_whatever_it_holds() {
        let name = "<script>alert('1')</script>&\"";
        let page = Page::new(StatusCode::OK, name)
            .text(name)
            .parts(&[Part::Name(name)])
            .button(name, &Secret::from(name));
        let escaped = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;";
        assert_eq!(page.body.matches(escaped).count(), 5, "{}", page.body);
        assert!(!page.body.contains("<script"), "{}", page.body);
    }
}
