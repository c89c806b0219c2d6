//! Counters and histograms, and `/metrics` on an address of its own.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Method, StatusCode, header};
use metrics::{Counter, Histogram, Label};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "bosa_auth_http_requests_total";
const REFRESHES: &str = "bosa_auth_refreshes_total";
const DURATION: &str = "bosa_auth_http_request_duration_seconds";
/// Upper bounds in seconds: a token check takes fractions of a millisecond, a password hash many.
const BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// The metrics could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up metrics: {0}")]
pub struct MetricsError(#[from] metrics_exporter_prometheus::BuildError);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Starts to collect the metrics of this process. They are process-wide, so a program calls it
    /// once, before it serves.
    ///
    /// # Errors
    /// [`MetricsError`]: the process collects metrics already.
    pub fn install() -> Result<Self, MetricsError> {
        let duration = Matcher::Full(DURATION.to_owned());
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(duration, BUCKETS)?
            .install_recorder()?;
        metrics::describe_counter!(REQUESTS, "Requests by route, method and status.");
        metrics::describe_counter!(
            REFRESHES,
            "Refreshes of accounts by outcome, and by whether a reader wished it or it was ahead of need."
        );
        metrics::describe_histogram!(DURATION, "Time from a request's head to its answer.");
        Ok(Self(handle))
    }

    /// The metrics in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what was recorded into its buckets, so that memory stays bounded.
    pub(crate) fn upkeep(&self) {
        self.0.run_upkeep();
    }

    pub(crate) fn router(&self) -> Router {
        let metrics = self.clone();
        let kind = [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )];
        let show = move || async move { (kind, metrics.render()) };
        Router::new().route("/metrics", get(show))
    }
}

/// The series of one route, each registered at its first answer: to look a series up by its labels
/// costs as much as a whole small request.
///
/// They are those of the recorder that is there by then.
#[derive(Debug, Default)]
pub(crate) struct Series(RwLock<Vec<OneSeries>>);

struct OneSeries {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    duration: Histogram,
}

impl Series {
    /// Counts one answered request.
    pub(crate) fn record(
        &self,
        path: &'static str,
        method: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = find(&known, method, status) {
            return one.record(took);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = find(&known, method, status) {
            return one.record(took);
        }
        let one = OneSeries::register(path, method, status);
        one.record(took);
        // As many as there are methods and statuses that this server has names for.
        known.push(one);
    }
}

fn find<'a>(known: &'a [OneSeries], method: &str, status: StatusCode) -> Option<&'a OneSeries> {
    let mut known = known.iter();
    known.find(|one| one.status == status && one.method == method)
}

impl OneSeries {
    fn register(path: &'static str, method: &'static str, status: StatusCode) -> Self {
        let labels = [
            Label::from_static_parts("path", path),
            Label::from_static_parts("method", method),
            Label::new("status", status.as_str().to_owned()),
        ];
        Self {
            method,
            status,
            requests: metrics::counter!(REQUESTS, labels.iter()),
            duration: metrics::histogram!(DURATION, labels.iter()),
        }
    }

    fn record(&self, took: Duration) {
        self.requests.increment(1);
        self.duration.record(took.as_secs_f64());
    }
}

impl std::fmt::Debug for OneSeries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.status)
    }
}

/// A method's name, or one name for all that a caller may invent.
pub(crate) fn known(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = NAMES.into_iter().find(|name| *name == method.as_str());
    known.unwrap_or("OTHER")
}
