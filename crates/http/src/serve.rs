//! Accepts connections until it is told to stop, then finishes what is in flight.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::response::Response;
use axum::{BoxError, Router};
use bosa_auth::Auth;
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::Service;

use crate::config::HttpConfig;
use crate::metrics::Metrics;
use crate::router::router;

/// Longest time for the head of a request, and for a connection that says nothing.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// Pause after an accept that failed, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
const UPKEEP: Duration = Duration::from_secs(5);

/// Where the server listens.
#[derive(Debug)]
pub struct Listeners {
    /// For the API.
    pub api: TcpListener,
    /// For `/metrics`.
    pub metrics: Option<(TcpListener, Metrics)>,
}

/// Serves the API, and `/metrics` where asked for, until `shutdown` is done.
///
/// Then it accepts nothing more, finishes what is in flight, and after
/// [`HttpConfig::shutdown_limit`] cuts off what is left. The [`Auth`] stays open.
///
/// # Errors
/// When a listener has no address of its own, which means that it is not listening.
pub async fn serve(
    auth: Auth,
    config: HttpConfig,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let address = listeners.api.local_addr()?;
    tracing::info!(%address, "listening");
    let limit = config.shutdown_limit;
    let (stop, stopping) = watch::channel(false);
    let api = accept(listeners.api, router(auth, config), stopping.clone(), limit);
    let metrics = async {
        let Some((listener, metrics)) = listeners.metrics else {
            return;
        };
        let mut stopping_upkeep = stopping.clone();
        let accepting = accept(listener, metrics.router(), stopping.clone(), limit);
        let upkeep = async {
            while tokio::time::timeout(UPKEEP, stopping_upkeep.changed())
                .await
                .is_err()
            {
                metrics.upkeep();
            }
        };
        tokio::join!(accepting, upkeep);
    };
    let signal = async {
        shutdown.await;
        tracing::info!("stopping");
        stop.send_replace(true);
    };
    tokio::join!(api, metrics, signal);
    Ok(())
}

async fn accept(
    listener: TcpListener,
    app: Router,
    mut stopping: watch::Receiver<bool>,
    limit: Duration,
) {
    let mut connections = JoinSet::new();
    let (end, ending) = watch::channel(false);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_ended) = connections.join_next() => continue,
            _ = stopping.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(converse(stream, peer, app.clone(), ending.clone()));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    end.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limit, finished).await.is_err() {
        tracing::warn!(left = connections.len(), "connections cut off");
    }
    connections.shutdown().await;
}

/// Serves one connection.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    mut ending: watch::Receiver<bool>,
) {
    // Answers are small: waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn std::error::Error, "no TCP_NODELAY");
    }
    let service = TowerToHyperService::new(Conversation { app, peer });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(LARGEST_HEAD);
    builder.http2().timer(TokioTimer::new());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        biased;
        result = connection.as_mut() => result,
        _ = ending.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, "connection ended");
    }
}

/// The router as one connection sees it: every request carries the peer's address.
#[derive(Clone)]
struct Conversation {
    app: Router,
    peer: SocketAddr,
}

impl<B> Service<Request<B>> for Conversation
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.app, context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.app.call(request)
    }
}
