//! The router, made from the table of routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler as _;
use axum::response::Response;
use bosa_auth::Auth;
use http::Uri;
use http::uri::PathAndQuery;
use tower::Service as _;

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
        router = router.route(&route.matched(), (route.handler)().route_layer(observer));
    }
    let unmatched = || Observer::new(&state, None);
    let router = router.method_not_allowed_fallback(method_not_allowed.layer(unmatched()));
    let strict = router.clone().fallback(not_found.layer(unmatched()));
    let strict = strict.with_state(state.clone());
    router
        .fallback(move |request| with_one_slash(strict.clone(), request))
        .with_state(state)
}

/// Routes a request that no route has, with one slash at its front instead of several.
///
/// Public clients join their base address and a path as they are: `https://host/` and `/users` make
/// `//users`.
async fn with_one_slash(mut strict: Router, mut request: Request) -> Response {
    let doubled = request.uri().path_and_query();
    let rest = doubled.and_then(|text| text.as_str().strip_prefix("//"));
    let single = rest.map(|rest| format!("/{}", rest.trim_start_matches('/')));
    if let Some(Ok(single)) = single.map(PathAndQuery::try_from) {
        *request.uri_mut() = Uri::from(single);
    }
    match strict.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn not_found() -> Problem {
    Problem::not_found("route")
}

async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed()
}
