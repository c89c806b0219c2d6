//! Requests to providers, against real servers on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bosa_auth_connect::{
    Lost, NotSent, Origin, Outbound, OutboundError, OutboundOptions, Provider, Request, Response,
};
use bosa_auth_core::ConnectorName;
use http::{HeaderValue, Method};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::loopback::options;

/// A connector that declares the hosts of loopback.
fn provider() -> Provider {
    let text = r#"
        title = "Loopback"
        documentation = ["https://docs.example/"]
        [oauth]
        authorization_endpoint = "http://127.0.0.1/authorize"
        token_endpoint = "http://127.0.0.1/token"
        hosts = ["127.0.0.1", "localhost", "[::1]", "10.255.255.1"]
        client_authentication = "none"
        pkce = true
        default_scopes = []
        [oauth.lifetime]
        access_token_seconds = 60
        refresh_token = "rotates"
        [oauth.identity]
        source = "token_response"
        subject = "/id"
        label = ["/id"]
    "#;
    let name = ConnectorName::parse("loopback").unwrap();
    Provider::parse(&name, Origin::File("loopback.toml".into()), text).unwrap()
}

async fn send(options: OutboundOptions, request: Request) -> Result<Response, OutboundError> {
    let provider = provider();
    let hosts = &provider.oauth.as_ref().unwrap().hosts;
    Outbound::new(options).unwrap().send(hosts, request).await
}

async fn get(options: OutboundOptions, url: &str) -> Result<Response, OutboundError> {
    send(options, Request::new(Method::GET, Url::parse(url).unwrap())).await
}

fn not_sent(result: Result<Response, OutboundError>) -> NotSent {
    match result {
        Err(OutboundError::NotSent(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn lost(result: Result<Response, OutboundError>) -> Lost {
    match result {
        Err(OutboundError::OutcomeUnknown(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// A server that reads the head of each request, writes an answer, and ends the connection if it is
/// told to.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn answering(answer: &'static [u8], closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                read_head(&mut stream).await;
                drop(stream.write_all(answer).await);
                if closes {
                    drop(stream.shutdown().await);
                } else {
                    open.push(stream);
                }
            }
        });
        Self { port, connections }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let mut body = [0; 9];
        stream.read_exact(&mut body).await.unwrap();
        let answer = b"HTTP/1.1 201 Created\r\nx-answer: yes\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).await.unwrap();
        (head, String::from_utf8(body.to_vec()).unwrap())
    });
    let url = format!("http://localhost:{port}/token?a=b%20c");
    let mut request = Request::new(Method::POST, Url::parse(&url).unwrap());
    request.set(
        http::header::ACCEPT,
        HeaderValue::from_static("application/json"),
    );
    request.set_secret(http::header::AUTHORIZATION, &"Bearer secret".into());
    request.set_body(b"code=7&x=".to_vec());
    let response = send(options(), request).await.unwrap();
    assert_eq!((response.status, response.body()), (201, &b"ok"[..]));
    assert_eq!(response.headers.get("x-answer").unwrap(), "yes");
    let (head, body) = served.await.unwrap();
    assert!(
        head.starts_with("POST /token?a=b%20c HTTP/1.1\r\n"),
        "{head}"
    );
    for line in [
        format!("host: localhost:{port}"),
        "accept: application/json".to_owned(),
        "authorization: Bearer secret".to_owned(),
        "content-length: 9".to_owned(),
        concat!("user-agent: bosa-auth/", env!("CARGO_PKG_VERSION")).to_owned(),
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    assert_eq!(body, "code=7&x=");
}

#[tokio::test]
async fn a_redirection_is_an_answer_and_is_not_followed() {
    let target = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true).await;
    let location = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        target.url("/")
    );
    let server = Server::answering(location.leak().as_bytes(), true).await;
    assert_eq!(get(options(), &server.url("/")).await.unwrap().status, 307);
    assert_eq!((server.connections(), target.connections()), (1, 0));
}

#[tokio::test]
async fn a_host_that_is_not_declared_is_not_asked() {
    let server = Server::answering(b"", true).await;
    for url in [
        format!("http://127.0.0.2:{}/", server.port),
        format!("http://0.0.0.0:{}/", server.port),
        format!("http://user@127.0.0.1:{}/", server.port),
        format!("http://[::ffff:127.0.0.1]:{}/", server.port),
        format!("http://10.255.255.1:{}/", server.port),
        "https://example.com/".to_owned(),
    ] {
        assert_eq!(
            not_sent(get(options(), &url).await),
            NotSent::ForeignHost,
            "{url}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_credential_that_no_header_can_carry_is_not_sent() {
    let server = Server::answering(b"", true).await;
    let mut request = Request::new(Method::GET, Url::parse(&server.url("/")).unwrap());
    request.set_secret(http::header::AUTHORIZATION, &"Bearer a\r\nx: b".into());
    let result = send(options(), request).await;
    assert_eq!(not_sent(result), NotSent::Unsendable);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn private_addresses_are_refused_unless_they_are_allowed() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true).await;
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let url = format!("http://{host}:{}/", server.port);
        let refused = get(OutboundOptions::default(), &url).await;
        assert_eq!(not_sent(refused), NotSent::PrivateAddress, "{url}");
    }
    let inside = get(OutboundOptions::default(), "https://10.255.255.1/").await;
    assert_eq!(not_sent(inside), NotSent::PrivateAddress);
    assert_eq!(server.connections(), 0);
    assert_eq!(get(options(), &server.url("/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_host_that_takes_no_connection_was_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    drop(listener);
    assert_eq!(not_sent(get(options(), &url).await), NotSent::Unreachable);
}

#[tokio::test]
async fn a_host_without_tls_was_not_asked() {
    let server = Server::answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", true).await;
    let url = format!("https://127.0.0.1:{}/", server.port);
    // The server waits for the end of a head that never comes: it ends the connection when we do.
    let short = OutboundOptions {
        timeout: Duration::from_millis(300),
        ..options()
    };
    assert_eq!(not_sent(get(short, &url).await), NotSent::TimedOut);
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_breaks_off_leaves_the_outcome_unknown() {
    let short = OutboundOptions {
        timeout: Duration::from_millis(300),
        ..options()
    };
    let silent = Server::answering(b"", false).await;
    let result = get(short.clone(), &silent.url("/")).await;
    assert_eq!(lost(result), Lost::TimedOut);
    let slow = Server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false).await;
    assert_eq!(lost(get(short, &slow.url("/")).await), Lost::TimedOut);
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"no HTTP at all\r\n\r\n",
    ] {
        let server = Server::answering(answer, true).await;
        let result = get(options(), &server.url("/")).await;
        assert_eq!(lost(result), Lost::ConnectionEnded, "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await);
        // Until the other side has had enough.
        while stream.write_all(&[b' '; 65_536]).await.is_ok() {}
    });
    assert_eq!(lost(get(options(), &url).await), Lost::TooLarge);
    endless.await.unwrap();
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    let asking = tokio::spawn(async move { get(options(), &url).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    read_head(&mut stream).await;
    asking.abort();
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.unwrap_or(0), 0);
}

/// A certificate for `localhost` and its authority, made by openssl, and a server that uses it.
async fn tls_server() -> (u16, CertificateDer<'static>) {
    let directory = tempfile::tempdir().unwrap();
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -keyout ca.key -out ca.crt -days 2 -subj '/CN=Test authority'
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -keyout server.key -out server.csr -subj '/CN=localhost'
        printf 'subjectAltName=DNS:localhost' > names
        openssl x509 -req -in server.csr -days 2 -CA ca.crt -CAkey ca.key \
            -CAcreateserial -extfile names -out server.crt";
    let made = std::process::Command::new("bash")
        .args(["-euc", script])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let certificate =
        |name: &str| CertificateDer::from_pem_file(directory.path().join(name)).unwrap();
    let key = PrivateKeyDer::from_pem_file(directory.path().join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate("server.crt")], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = [0; 4096];
            drop(stream.read(&mut head).await);
            drop(
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .await,
            );
            drop(stream.shutdown().await);
        }
    });
    (port, certificate("ca.crt"))
}

#[tokio::test]
async fn a_certificate_must_be_valid_for_the_host() {
    let (port, authority) = tls_server().await;
    let trusting = || OutboundOptions {
        extra_roots: vec![authority.clone()],
        ..options()
    };
    let url = format!("https://localhost:{port}/");
    let answer = get(trusting(), &url).await.unwrap();
    assert_eq!(answer.body(), b"ok");
    assert_eq!(not_sent(get(options(), &url).await), NotSent::Tls);
    let other_name = format!("https://127.0.0.1:{port}/");
    assert_eq!(not_sent(get(trusting(), &other_name).await), NotSent::Tls);
}
