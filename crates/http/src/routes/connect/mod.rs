//! `/connect/{secret}` and the callback of providers: what a browser sees while an account is being
//! connected.
//!
//! The answers are pages without scripts and without anything from elsewhere, and redirections.

mod callback;
mod cookies;
mod html;
mod page;

use axum::routing::{get, post};
use http::Method;

use crate::route::{Caller, Route};

const PAGE: &str = "/connect/{secret}";

pub(crate) const ROUTES: &[Route] = &[
    Route::new(Method::GET, PAGE, Caller::Browser, || get(page::show))
        .summary("The page from which a user goes on to the provider. It can be opened again.")
        .page("The page."),
    Route::new(Method::POST, PAGE, Caller::Browser, || post(page::leave))
        .summary("The click on the page, which uses it up.")
        .redirection("To the provider."),
    Route::new(
        Method::GET,
        "/connectors/{connector}/success-authorize-callback",
        Caller::Browser,
        || get(callback::arrive),
    )
    .summary("Where providers send browsers back to.")
    .query(&[
        ("code", "The provider's code."),
        ("state", "The state that the browser took along."),
        ("error", "The provider's reason for sending no code."),
        ("error_description", "The same for people."),
        ("iss", "The provider's name for itself (RFC 9207)."),
    ])
    .page(
        "A page that says whether the account is connected; status 303 to the address that the \
         connection was begun with, if it has one, with `status` (`success` or `error`), \
         `connector`, `user_identifier` or `error`.",
    ),
];
