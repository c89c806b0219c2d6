//! One connection: from the look-up of a name to the last byte of the answer.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::address::is_public;
use super::{Lost, NotSent, Outbound, Response};

/// No token, description or account is anywhere near as long.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// How long one of a host's addresses is tried before the next one.
const ADDRESS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

/// A connection that has sent nothing but what TLS needs.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _driver: Driver,
}

/// The task that moves the bytes; it ends with the connection.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Connects to the host of an address.
pub(super) async fn open(outbound: &Outbound, url: &Url) -> Result<Connection, NotSent> {
    let stream = connect(outbound, url).await?;
    // Small requests are worth no wait for more; if the option fails, they only wait.
    drop(stream.set_nodelay(true));
    if url.scheme() == "http" {
        return drive(stream).await;
    }
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| NotSent::Tls)?;
    let tls = TlsConnector::from(outbound.tls.clone());
    drive(tls.connect(name, stream).await.map_err(|_| NotSent::Tls)?).await
}

async fn connect(outbound: &Outbound, url: &Url) -> Result<TcpStream, NotSent> {
    let port = url.port_or_known_default().unwrap_or(443);
    let found: Vec<SocketAddr> = match url.host() {
        None => return Err(NotSent::UnknownHost),
        Some(Host::Ipv4(address)) => vec![(IpAddr::V4(address), port).into()],
        Some(Host::Ipv6(address)) => vec![(IpAddr::V6(address), port).into()],
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, port))
            .await
            .map_err(|_| NotSent::UnknownHost)?
            .collect(),
    };
    if found.is_empty() {
        return Err(NotSent::UnknownHost);
    }
    // The addresses that were looked at are those that are connected to: a name that changes its
    // mind in between gains nothing.
    let allowed = |address: &SocketAddr| outbound.private_addresses || is_public(address.ip());
    let addresses: Vec<SocketAddr> = found.into_iter().filter(allowed).collect();
    if addresses.is_empty() {
        return Err(NotSent::PrivateAddress);
    }
    for address in addresses {
        let connecting = TcpStream::connect(address);
        if let Ok(Ok(stream)) = tokio::time::timeout(ADDRESS_TIMEOUT, connecting).await {
            return Ok(stream);
        }
    }
    Err(NotSent::Unreachable)
}

async fn drive<S>(stream: S) -> Result<Connection, NotSent>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|_| NotSent::Unreachable)?;
    // Its failures also reach the sender.
    let task = tokio::spawn(async move { drop(connection.await) });
    Ok(Connection {
        sender,
        _driver: Driver(task.abort_handle()),
    })
}

/// Sends the message and reads the whole answer.
pub(super) async fn exchange(
    mut connection: Connection,
    message: http::Request<Full<Bytes>>,
) -> Result<Response, Lost> {
    let answer = connection
        .sender
        .send_request(message)
        .await
        .map_err(|_| Lost::ConnectionEnded)?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Lost::TooLarge,
        None => Lost::ConnectionEnded,
    })?;
    Ok(Response::new(
        parts.status.as_u16(),
        parts.headers,
        body.to_bytes().into(),
    ))
}
