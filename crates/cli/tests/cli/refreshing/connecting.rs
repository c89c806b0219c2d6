//! Connecting an account as a user with a browser does.

use bosa_auth_testkit::oauth_provider::OAuthProvider;
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::{Value, json};

/// Connects the account that is logged in at the provider.
pub(super) async fn connect(url: &str, key: &str, token: &str, provider: &OAuthProvider) {
    let http = Client::builder().no_proxy().redirect(Policy::none());
    let http = http.build().unwrap();
    let begun = http
        .post(format!("{url}/connectors/loopback/integrations"))
        .header("x-api-key", key)
        .bearer_auth(token)
        .json(&json!({}));
    let begun: Value = begun.send().await.unwrap().json().await.unwrap();
    let page = begun["data"]["url"].as_str().unwrap();
    let shown = http.get(page).send().await.unwrap();
    let cookie = cookie(&shown);
    let html = shown.text().await.unwrap();
    let (_, form) = html.split_once("name=\"token\" value=\"").unwrap();
    let (form, _) = form.split_once('"').unwrap();
    let pressed = http
        .post(page)
        .header(COOKIE, &cookie)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("token={form}"));
    let pressed = pressed.send().await.unwrap();
    let cookie = self::cookie(&pressed);
    let to = pressed.headers()[LOCATION].to_str().unwrap();
    let back = provider.visit(to);
    let end = http.get(back).header(COOKIE, &cookie).send().await.unwrap();
    let status = end.status();
    assert_eq!(status, 200, "{}", end.text().await.unwrap());
}

/// The cookie that a browser gets last.
fn cookie(response: &Response) -> String {
    let cookies = response.headers().get_all(SET_COOKIE).iter();
    let pairs = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
    let kept = pairs.filter(|pair| !pair.ends_with('='));
    kept.collect::<Vec<_>>().join("; ")
}
