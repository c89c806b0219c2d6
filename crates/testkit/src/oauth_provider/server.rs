//! HTTP on loopback, from a thread of its own, with everything that can go wrong on the way.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bosa_auth_core::Clock as _;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Sleep;
use url::{Url, form_urlencoded};

use super::endpoints::{Reply, serve};
use super::fault::{Fault, Instead};
use super::{Endpoint, RecordedRequest, Shared};
use crate::give_up;

/// Ends the provider's thread, and with it every connection.
#[derive(Debug)]
pub(super) struct Stop {
    signal: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.signal = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Takes a port; connections wait in its queue from here on.
pub(super) fn listen() -> (StdListener, String) {
    let listener = StdListener::bind("127.0.0.1:0");
    let ready = listener.and_then(|listener| {
        listener.set_nonblocking(true)?;
        let base = format!("http://{}", listener.local_addr()?);
        Ok((listener, base))
    });
    match ready {
        Ok(ready) => ready,
        Err(error) => give_up("no port", &error),
    }
}

/// Serves until the returned value is dropped.
pub(super) fn run(listener: StdListener, shared: Arc<Shared>) -> Stop {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => give_up("no runtime", &error),
    };
    let (signal, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                () = accept(listener, shared) => {}
            }
        });
    });
    Stop {
        signal: Some(signal),
        thread: Some(thread),
    }
}

async fn accept(listener: StdListener, shared: Arc<Shared>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => give_up("no listener", &error),
    };
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| handle(Arc::clone(&shared), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A connection that ends early does so on purpose, here or at the other side.
        tokio::spawn(async move { drop(connection.await) });
    }
}

/// The provider ends the connection.
#[derive(Debug, thiserror::Error)]
#[error("the provider ends the connection")]
struct Ended;

/// A real provider goes on when its caller is gone, and so each request is a task of its own.
async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Paced>, Ended> {
    let task = tokio::spawn(answer(shared, request));
    task.await.map_err(|_| Ended)?
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Paced>, Ended> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Ended)?.to_bytes();
    let request = recorded(&head, &body);
    let fault = {
        let mut state = shared.state();
        state.requests.push(request.clone());
        let faults = request.endpoint.and_then(|it| state.faults.get_mut(&it));
        faults.and_then(std::collections::VecDeque::pop_front)
    };
    let Some(Fault {
        has_effect,
        instead,
    }) = fault
    else {
        return Ok(whole(effect(&shared, &request)));
    };
    match instead {
        Instead::Hang if has_effect => {
            let reply = effect(&shared, &request);
            released(&shared).await;
            Ok(whole(reply))
        }
        Instead::Hang => {
            released(&shared).await;
            Ok(whole(effect(&shared, &request)))
        }
        instead => {
            let reply = has_effect.then(|| effect(&shared, &request));
            spoilt(reply, instead)
        }
    }
}

fn effect(shared: &Shared, request: &RecordedRequest) -> Reply {
    let now = shared.clock.monotonic();
    serve(&mut shared.state(), now, request)
}

/// Waits for the next release.
async fn released(shared: &Shared) {
    let mut released = shared.released.subscribe();
    shared.state().hanging += 1;
    // The sender lives as long as what is borrowed here.
    drop(released.changed().await);
    shared.state().hanging -= 1;
}

fn spoilt(reply: Option<Reply>, instead: Instead) -> Result<Response<Paced>, Ended> {
    match (instead, reply) {
        (
            Instead::Answer {
                status,
                headers,
                body,
            },
            _,
        ) => Ok(whole(Reply {
            status,
            headers,
            body,
        })),
        (Instead::Cut, Some(reply)) => {
            let half = reply.body.len() / 2;
            // The first half leaves while the second is waited for.
            let pause = Duration::from_millis(1);
            Ok(response(reply, pause, |body| body.ends_at = half))
        }
        (Instead::Slow(pause), Some(reply)) => Ok(response(reply, pause, |body| body.step = 1)),
        _ => Err(Ended),
    }
}

fn whole(reply: Reply) -> Response<Paced> {
    response(reply, Duration::ZERO, |_| ())
}

fn response(reply: Reply, pause: Duration, change: impl FnOnce(&mut Paced)) -> Response<Paced> {
    let bytes = Bytes::from(reply.body);
    let mut body = Paced {
        ends_at: bytes.len(),
        step: bytes.len(),
        at: 0,
        bytes,
        pause,
        waiting: None,
    };
    change(&mut body);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    match response.body(body) {
        Ok(response) => response,
        Err(error) => give_up("the answer", &error),
    }
}

/// A body that promises its length, and may take its time or break off.
#[derive(Debug)]
struct Paced {
    bytes: Bytes,
    at: usize,
    /// Where it breaks off, if before its end.
    ends_at: usize,
    step: usize,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        if !self.pause.is_zero() {
            let pause = self.pause;
            let waiting = self
                .waiting
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            if waiting.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.waiting = None;
        }
        if self.at >= self.ends_at {
            return Poll::Ready(Some(Err(Ended)));
        }
        let next = self.at.saturating_add(self.step).min(self.ends_at);
        let part = self.bytes.slice(self.at..next);
        self.at = next;
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.bytes.len().saturating_sub(self.at);
        SizeHint::with_exact(u64::try_from(rest).unwrap_or(u64::MAX))
    }
}

fn recorded(head: &hyper::http::request::Parts, body: &[u8]) -> RecordedRequest {
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    let path = head.uri.path();
    RecordedRequest {
        endpoint: endpoint(path),
        method: head.method.to_string(),
        path: path.to_owned(),
        query: pairs(head.uri.query().unwrap_or_default().as_bytes()),
        form: pairs(body),
        headers: headers.collect(),
    }
}

/// The request that a browser makes of an address.
pub(super) fn visit(url: &Url) -> RecordedRequest {
    RecordedRequest {
        endpoint: endpoint(url.path()),
        method: "GET".to_owned(),
        path: url.path().to_owned(),
        query: pairs(url.query().unwrap_or_default().as_bytes()),
        form: BTreeMap::new(),
        headers: BTreeMap::new(),
    }
}

fn endpoint(path: &str) -> Option<Endpoint> {
    let found = Endpoint::ALL.into_iter();
    found.into_iter().find(|endpoint| endpoint.path() == path)
}

fn pairs(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}
