//! Where providers send browsers back to.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bosa_auth::{ConnectEnd, ConnectLanding, ProviderAnswer, Secret};
use http::{HeaderMap, StatusCode};

use super::cookies;
use super::html::{Page, Part, redirect, refusal};
use crate::extract::{Params, Query};
use crate::router::AppState;

pub(super) async fn arrive(
    State(state): State<AppState>,
    Params(connector): Params<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    // A parameter that is given twice is none (RFC 6749 §3.1).
    let Ok(query) = Query::parse(query.as_deref().unwrap_or_default()) else {
        return unusable().into_response();
    };
    let cookies = cookies::read(&headers);
    let answer = answer(query);
    match state
        .auth
        .finish_connection(&connector, answer, &cookies)
        .await
    {
        Ok(ConnectLanding::Nothing) => nothing().into_response(),
        Ok(ConnectLanding::Unusable) => unusable().into_response(),
        Ok(ConnectLanding::Ended(end)) => {
            let mut response = match &end.return_to {
                Some(address) => redirect(address),
                None => rendered(&end).into_response(),
            };
            cookies::set(response.headers_mut(), &end.cookie);
            response
        }
        Err(error) => refusal(error),
    }
}

/// What is not known is left alone: providers add what they like.
fn answer(mut query: Query) -> ProviderAnswer {
    ProviderAnswer {
        state: query.text("state").map(Secret::new),
        code: query.text("code").map(Secret::new),
        error: query.text("error"),
        error_description: query.text("error_description"),
        issuer: query.text("iss"),
    }
}

fn nothing() -> Page {
    Page::new(StatusCode::OK, "You can close this window")
        .text("Providers send browsers here once an account is connected. There is nothing to do.")
}

fn unusable() -> Page {
    Page::new(StatusCode::BAD_REQUEST, "This answer cannot be used").text(
        "It was used already, took longer than ten minutes, or belongs to a connection that was \
         begun in another browser. If you have only loaded the page again, what it said before still \
         holds. Otherwise begin again in the application.",
    )
}

fn rendered(end: &ConnectEnd) -> Page {
    let provider = &end.connector_title;
    match &end.outcome {
        Ok(account) => Page::new(StatusCode::OK, "The account is connected").parts(&[
            Part::Name(&account.user_identifier),
            Part::Plain(" of "),
            Part::Name(provider),
            Part::Plain(" is connected. You can close this window."),
        ]),
        Err(failure) => Page::new(StatusCode::BAD_REQUEST, "The account is not connected")
            .text(&failure.explain(provider)),
    }
}
