//! A browser as far as connecting needs one: cookies, forms, and redirections that it tells of.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};

/// One browser: what it gets stays in it.
pub(crate) struct Browser {
    http: reqwest::Client,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What a browser shows, or where it is sent.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy();
        Self {
            http: http.redirect(Policy::none()).build().unwrap(),
            cookies: BTreeMap::new(),
        }
    }

    pub(crate) async fn open(&mut self, url: &str) -> Shown {
        let request = self.http.get(url);
        self.send(request).await
    }

    /// Presses the button of a page.
    pub(crate) async fn press(&mut self, url: &str, page: &Shown) -> Shown {
        self.submit(url, &page.token()).await
    }

    /// Sends a form.
    pub(crate) async fn submit(&mut self, url: &str, token: &str) -> Shown {
        let request = self.http.post(url).body(format!("token={token}"));
        let form = "application/x-www-form-urlencoded";
        self.send(request.header("content-type", form)).await
    }

    async fn send(&mut self, request: RequestBuilder) -> Shown {
        let cookies = self.cookies.iter();
        let cookies: Vec<String> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = match cookies.is_empty() {
            true => request,
            false => request.header(COOKIE, cookies.join("; ")),
        };
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            self.take(cookie.to_str().unwrap());
        }
        Shown {
            status: response.status(),
            headers: response.headers().clone(),
            html: response.text().await.unwrap(),
        }
    }

    fn take(&mut self, cookie: &str) {
        let mut parts = cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        match parts.any(|part| part == "Max-Age=0") {
            true => self.cookies.remove(name),
            false => self.cookies.insert(name.to_owned(), value.to_owned()),
        };
    }
}

impl Shown {
    /// Where the browser is sent.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.html);
        self.header(LOCATION.as_str())
    }

    /// The page's text, once its status is as expected.
    #[track_caller]
    pub(crate) fn page(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.html);
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        &self.html
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    /// What the page's form carries.
    #[track_caller]
    pub(crate) fn token(&self) -> String {
        let form = self.page(200).split_once("name=\"token\" value=\"");
        let (token, _) = form.unwrap().1.split_once('"').unwrap();
        token.to_owned()
    }
}
