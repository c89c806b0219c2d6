//! The router, made from the table of routes.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler as _;
use bosa_auth::Auth;

use crate::config::HttpConfig;
use crate::observe::Observer;
use crate::problem::Problem;
use crate::request_id::RequestIds;
use crate::routes::routes;

/// What every handler can reach.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) auth: Auth,
    pub(crate) config: Arc<HttpConfig>,
    pub(crate) request_ids: Arc<RequestIds>,
}

impl AppState {
    pub(crate) fn new(auth: Auth, config: HttpConfig) -> Self {
        Self {
            auth,
            config: Arc::new(config),
            request_ids: Arc::default(),
        }
    }
}

/// The whole API of one instance, to be served by [`serve`](crate::serve) or mounted in a router.
///
/// Mounted elsewhere, the limits per caller's address need connection information
/// (`into_make_service_with_connect_info::<SocketAddr>()`).
pub fn router(auth: Auth, config: HttpConfig) -> Router {
    let state = AppState::new(auth, config);
    let mut router = Router::new();
    for route in routes() {
        let observer = Observer::new(&state, Some(route));
        router = router.route(route.path, (route.handler)().route_layer(observer));
    }
    let unmatched = || Observer::new(&state, None);
    router
        .fallback(not_found.layer(unmatched()))
        .method_not_allowed_fallback(method_not_allowed.layer(unmatched()))
        .with_state(state)
}

async fn not_found() -> Problem {
    Problem::not_found("route")
}

async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed()
}
