//! The outermost layer: request id, limits, the body of refusals, headers, log and metrics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::metrics::{self, Series};
use crate::problem::{PROBLEM_JSON, Problem, Rendering};
use crate::request_id::{self, RequestId};
use crate::route::Route;
use crate::router::AppState;

/// With this header set to 2, a client asks for statuses instead of `success: false` in a 200; that
/// is how this server always answers.
const ERROR_CONTRACT: HeaderName = HeaderName::from_static("x-gl-error-contract");
/// Label of requests that match no route.
const UNMATCHED: &str = "unmatched";

/// The layer, and what it knows about where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Observer(Arc<Place>);

#[derive(Debug)]
struct Place {
    state: AppState,
    route: Option<&'static Route>,
    path: &'static str,
    series: Series,
}

/// A service with the layer around it.
#[derive(Debug, Clone)]
pub(crate) struct Observed<S> {
    inner: S,
    place: Arc<Place>,
}

impl Observer {
    pub(crate) fn new(state: &AppState, route: Option<&'static Route>) -> Self {
        Self(Arc::new(Place {
            state: state.clone(),
            route,
            path: route.map_or(UNMATCHED, |route| route.path),
            series: Series::default(),
        }))
    }
}

impl<S> Layer<S> for Observer {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        let place = self.0.clone();
        Observed { inner, place }
    }
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Error = Infallible>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let place = self.place.clone();
        let asked = Asked::of(&request, &place.state);
        let span = tracing::info_span!("request", request_id = asked.id.as_str());
        // A body that says it is too long is refused before it is read.
        let limit = place.state.config.body_limit;
        let is_too_long =
            request.body().size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX);
        let handled = (!is_too_long).then(|| self.inner.call(request));
        Box::pin(async move { Ok(place.observe(asked, handled).await) }.instrument(span))
    }
}

/// What is asked for, as far as the layer has to know.
struct Asked {
    id: RequestId,
    began: Duration,
    method: &'static str,
    as_problem_json: bool,
    contract: bool,
}

impl Asked {
    fn of(request: &Request, state: &AppState) -> Self {
        let headers = request.headers();
        Self {
            began: state.auth.clock().monotonic(),
            id: state.request_ids.of(headers, &state.auth),
            method: metrics::known(request.method()),
            as_problem_json: accepts_problem_json(headers),
            contract: asks_for_contract_2(headers),
        }
    }
}

impl Place {
    /// Answers a request and says so in the log: method, route, status and time, and never a query,
    /// a header or a body.
    async fn observe<R: IntoResponse>(
        &self,
        asked: Asked,
        handled: Option<impl Future<Output = Result<R, Infallible>>>,
    ) -> Response {
        let mut response = match handled {
            None => Problem::body_too_large(self.state.config.body_limit).into_response(),
            Some(handled) => self.within_limits(handled).await,
        };
        if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
            problem.log();
            let rendering = Rendering {
                request_id: asked.id.as_str(),
                as_problem_json: asked.as_problem_json,
                with_outcome: self.route.is_some_and(|route| route.reports_outcome),
            };
            problem.write(&mut response, rendering);
        }
        add_headers(response.headers_mut(), asked.id, asked.contract);
        let took = self.state.auth.clock().monotonic();
        let took = took.saturating_sub(asked.began);
        let status = response.status();
        self.series.record(self.path, asked.method, status, took);
        tracing::info!(
            method = asked.method,
            route = self.path,
            status = status.as_u16(),
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
        response
    }

    async fn within_limits<R: IntoResponse>(
        &self,
        handled: impl Future<Output = Result<R, Infallible>>,
    ) -> Response {
        let handled = AssertUnwindSafe(handled).catch_unwind();
        match tokio::time::timeout(self.state.config.time_limit, handled).await {
            Ok(Ok(Ok(response))) => response.into_response(),
            Ok(Err(_panic)) => Problem::defect().into_response(),
            Err(_elapsed) => Problem::took_too_long().into_response(),
        }
    }
}

fn add_headers(headers: &mut HeaderMap, id: RequestId, contract: bool) {
    headers.insert(request_id::HEADER, id.into_header());
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
    use axum::Router;
    use axum::body::Body;
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
        let auth = Auth::open_configured(&configuration, mode).await.unwrap();
        let state = AppState::new(auth, HttpConfig::default());
        let layer = Observer::new(&state, None);
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
