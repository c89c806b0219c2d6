//! The HTTP API of BOSA Auth as a mountable axum router.
//!
//! [`router`] gives the whole API for an [`Auth`](bosa_auth::Auth) handle, [`serve`] runs it on a
//! listener until it is told to stop. A handler parses, calls one use case of the library and
//! renders; [`routes()`] is the table from which the router and the OpenAPI document are made.
#![warn(missing_docs)]

mod client_address;
mod config;
mod envelope;
mod extract;
mod idempotency;
mod metrics;
mod observe;
mod openapi;
mod principals;
mod problem;
mod request_id;
mod route;
mod router;
mod routes;
mod serve;
mod wire;

pub use config::{HttpConfig, InvalidProxy, TrustedProxies};
pub use metrics::{Metrics, MetricsError};
pub use openapi::{OpenApiError, openapi_json};
pub use problem::status;
pub use route::{Caller, Route};
pub use router::router;
pub use routes::routes;
pub use serve::{Listeners, serve};
