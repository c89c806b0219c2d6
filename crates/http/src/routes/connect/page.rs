//! Our page: what a click gives to whom, and the click.

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bosa_auth::ConnectPage;
use http::{HeaderMap, StatusCode};

use super::cookies;
use super::html::{Page, Part, redirect, refusal};
use crate::extract::{Params, Query};
use crate::router::AppState;

/// More than any form of ours.
const LONGEST_FORM: usize = 4096;

pub(super) async fn show(
    State(state): State<AppState>,
    Params(secret): Params<String>,
    headers: HeaderMap,
) -> Response {
    let page = state
        .auth
        .connect_page(&secret, &cookies::read(&headers))
        .await;
    match page {
        Ok(page) => {
            let mut response = rendered(&page).into_response();
            cookies::set(response.headers_mut(), &page.cookie);
            response
        }
        Err(error) => refusal(error),
    }
}

pub(super) async fn leave(
    State(state): State<AppState>,
    Params(secret): Params<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = token(body).await.unwrap_or_default();
    let cookies = cookies::read(&headers);
    let departure = state
        .auth
        .leave_connect_page(&secret, &token, &cookies)
        .await;
    match departure {
        Ok(departure) => {
            let mut response = redirect(&departure.location);
            cookies::set(response.headers_mut(), &departure.cookie);
            response
        }
        Err(error) => refusal(error),
    }
}

/// The token of the form; a form without one, or none at all, was not sent by the page.
async fn token(body: Body) -> Option<String> {
    let bytes = to_bytes(body, LONGEST_FORM).await.ok()?;
    let form = Query::parse(str::from_utf8(&bytes).ok()?);
    form.ok()?.text("token")
}

fn rendered(page: &ConnectPage) -> Page {
    let (client, user) = (
        Part::Name(&page.client_name),
        Part::Name(&page.user_identifier),
    );
    let provider = &page.connector_title;
    let mut rendered = Page::new(StatusCode::OK, &format!("Connect an account of {provider}"))
        .parts(&[
            client,
            Part::Plain(" asks for an account of "),
            Part::Name(provider),
            Part::Plain(". If you go on, its user "),
            user,
            Part::Plain(" will be able to use the account."),
        ]);
    if !page.scopes.is_empty() {
        let scopes = page.scopes.join(", ");
        rendered = rendered.parts(&[
            Part::Name(provider),
            Part::Plain(" will ask you to permit: "),
            Part::Name(&scopes),
        ]);
    }
    rendered
        .text(
            "Go on only if you are this user and have asked for it. If somebody sent you this link, \
             close the page.",
        )
        .button(&format!("Continue to {provider}"), &page.form_token)
}
