//! The router, made from the table of routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use bosa_auth::Auth;

use crate::config::HttpConfig;
use crate::observe::{Observer, observe};
use crate::problem::Problem;
use crate::routes::routes;

/// What every handler can reach.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) auth: Auth,
    pub(crate) config: Arc<HttpConfig>,
}

/// The whole API of one instance, to be served by [`serve`](crate::serve) or mounted in a router.
///
/// Mounted elsewhere, the limits per caller's address need connection information
/// (`into_make_service_with_connect_info::<SocketAddr>()`).
pub fn router(auth: Auth, config: HttpConfig) -> Router {
    let limit = config.body_limit;
    let state = AppState {
        auth,
        config: Arc::new(config),
    };
    let mut router = Router::new();
    for route in routes() {
        let layer = from_fn_with_state(Observer::new(&state, Some(route)), observe);
        router = router.route(route.path, (route.handler)().route_layer(layer));
    }
    let unmatched = || from_fn_with_state(Observer::new(&state, None), observe);
    router
        .fallback(not_found.layer(unmatched()))
        .method_not_allowed_fallback(method_not_allowed.layer(unmatched()))
        .layer(DefaultBodyLimit::max(limit))
        .with_state(state)
}

async fn not_found() -> Problem {
    Problem::not_found("route")
}

async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed()
}
