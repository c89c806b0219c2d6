//! The routes, one file per resource: its types, its handlers and its part of the table.

mod api_keys;
mod clients;
mod connect;
mod connector_settings;
mod connectors;
mod health;
mod integrations;
mod me;
mod my_integrations;
mod tokens;
mod users;

use serde::Serialize;
use utoipa::ToSchema;

use crate::route::Route;

/// Every route of the API.
///
/// The router, the OpenAPI document and the table of scopes are made from it.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    let groups: [&'static [Route]; 11] = [
        clients::ROUTES,
        api_keys::ROUTES,
        users::ROUTES,
        tokens::ROUTES,
        integrations::ROUTES,
        me::ROUTES,
        connect::ROUTES,
        connectors::ROUTES,
        connector_settings::ROUTES,
        my_integrations::ROUTES,
        health::ROUTES,
    ];
    groups.into_iter().flatten()
}

/// The outcome of a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// Always true: what is not there is a 404.
    deleted: bool,
}

impl Deleted {
    pub(crate) const YES: Self = Self { deleted: true };
}

/// The outcome of a revocation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revoked {
    /// Whether this call revoked something that was valid until then.
    pub(crate) revoked: bool,
}
