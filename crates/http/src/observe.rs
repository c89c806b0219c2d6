//! The outermost layer: request id, limits, the body of refusals, headers, log and metrics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tracing::Instrument as _;

use crate::metrics;
use crate::problem::{PROBLEM_JSON, Problem, Rendering};
use crate::request_id::{self, RequestId};
use crate::route::Route;
use crate::router::AppState;

/// With this header set to 2, a client asks for statuses instead of `success: false` in a 200; that
/// is how this server always answers.
const ERROR_CONTRACT: HeaderName = HeaderName::from_static("x-gl-error-contract");
/// Label of requests that match no route.
const UNMATCHED: &str = "unmatched";

/// What the layer knows about where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    state: AppState,
    route: Option<&'static Route>,
}

impl Observer {
    pub(crate) fn new(state: &AppState, route: Option<&'static Route>) -> Self {
        Self {
            state: state.clone(),
            route,
        }
    }
}

/// Answers a request and says so in the log: method, route, status and time, and never a query, a
/// header or a body.
pub(crate) async fn observe(
    State(observer): State<Observer>,
    request: Request,
    next: Next,
) -> Response {
    let Observer { state, route } = observer;
    let id = RequestId::of(request.headers(), &state.auth);
    let span = tracing::info_span!("request", request_id = id.as_str());
    async {
        let clock = state.auth.clock();
        let began = clock.monotonic();
        let method = request.method().clone();
        let as_problem_json = accepts_problem_json(request.headers());
        let contract = asks_for_contract_2(request.headers());
        let mut response = answer(&state, request, next).await;
        if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
            problem.log();
            let rendering = Rendering {
                request_id: id.as_str(),
                as_problem_json,
                with_outcome: route.is_some_and(|route| route.reports_outcome),
            };
            problem.write(&mut response, rendering);
        }
        add_headers(response.headers_mut(), &id, contract);
        let took = clock.monotonic().saturating_sub(began);
        let path = route.map_or(UNMATCHED, |route| route.path);
        metrics::record(path, &method, response.status(), took);
        tracing::info!(
            method = metrics::known(&method),
            route = path,
            status = response.status().as_u16(),
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
        response
    }
    .instrument(span)
    .await
}

async fn answer(state: &AppState, request: Request, next: Next) -> Response {
    let limit = state.config.body_limit;
    // A body that says it is too long is refused before it is read.
    if request.body().size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Problem::body_too_large(limit).into_response();
    }
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(state.config.time_limit, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => Problem::defect().into_response(),
        Err(_elapsed) => Problem::took_too_long().into_response(),
    }
}

fn add_headers(headers: &mut HeaderMap, id: &RequestId, contract: bool) {
    if let Some(id) = id.header() {
        headers.insert(request_id::HEADER, id);
    }
    let no_store = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, no_store);
    let no_sniffing = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, no_sniffing);
    if contract {
        headers.insert(ERROR_CONTRACT, HeaderValue::from_static("2"));
    }
}

fn accepts_problem_json(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case(PROBLEM_JSON))
}

fn asks_for_contract_2(headers: &HeaderMap) -> bool {
    headers
        .get(ERROR_CONTRACT)
        .is_some_and(|value| value == "2")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use bosa_auth::{Auth, AuthenticationDbSettings};
    use tower::ServiceExt as _;

    use super::*;
    use crate::config::HttpConfig;

    async fn fail() -> &'static str {
        panic!("a defect")
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_a_refusal_like_any_other() {
        let settings = AuthenticationDbSettings {
            database_authentication_url: Some("sqlite://".into()),
            ..Default::default()
        };
        let configuration = settings.gather_from(Vec::new()).unwrap();
        let mode = bosa_auth::OpenMode::Create;
        let state = AppState {
            auth: Auth::open_configured(&configuration, mode).await.unwrap(),
            config: Arc::new(HttpConfig::default()),
        };
        let layer = from_fn_with_state(Observer::new(&state, None), observe);
        let app = Router::new().route("/", get(fail)).layer(layer);
        let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert!(response.headers().contains_key("x-request-id"));
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], "internal");
        assert_eq!(body["message"], "internal error");
    }
}
