//! Requests to providers: to declared hosts only, over TLS, without following redirections, within a
//! time and a size.
//!
//! Each request has a connection of its own. Tokens are exchanged rarely, and so it is always known
//! whether a request that failed had been sent.

mod address;
mod connection;
mod message;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

pub use message::{Request, Response};

use crate::host::Hosts;

/// How long a request may take when nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How providers are asked.
#[derive(Debug, Clone)]
pub struct OutboundOptions {
    /// From the look-up of the name to the last byte of the answer.
    pub timeout: Duration,
    /// Whether addresses that are not on the public internet may be asked.
    pub private_addresses: bool,
    /// Certificates that are trusted beside those of the public authorities.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for OutboundOptions {
    fn default() -> Self {
        Self {
            timeout: DEFAULT_TIMEOUT,
            private_addresses: false,
            extra_roots: Vec::new(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Nothing was sent: whatever the request would have used up is still good.
    #[error("the provider was not asked: {0}")]
    NotSent(NotSent),
    /// The request was sent, at least in part, and no whole answer came: nobody here can know what
    /// the provider did.
    #[error("the provider was asked, and its answer did not arrive: {0}")]
    OutcomeUnknown(Lost),
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The address is not one that the connector's file allows.
    #[error("the address is not among the connector's hosts")]
    ForeignHost,
    /// It holds a text that HTTP cannot carry, for example a token of two lines.
    #[error("the request holds a text that HTTP cannot carry")]
    Unsendable,
    /// The name leads to an address that is not on the public internet.
    #[error("the host has no public address, and private ones are not allowed")]
    PrivateAddress,
    /// The name has no address.
    #[error("the host's name was not found")]
    UnknownHost,
    /// Nobody took the connection.
    #[error("the host cannot be reached")]
    Unreachable,
    /// There is no TLS with this host: its certificate, for example, is not valid for it.
    #[error("no TLS connection can be made with the host")]
    Tls,
    /// All that took longer than it may.
    #[error("the connection was not made in time")]
    TimedOut,
}

/// How an answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It did not come in time.
    #[error("it took too long")]
    TimedOut,
    /// The connection ended.
    #[error("the connection ended")]
    ConnectionEnded,
    /// It is larger than any honest one.
    #[error("it was too large")]
    TooLarge,
}

/// TLS for requests to providers cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up for requests to providers")]
pub struct TlsSetupError(#[source] rustls::Error);

/// The certificates of a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("holds no certificates in PEM form that can be read: {0}")]
pub struct CertificatesError(String);

/// Reads the certificates of a PEM file, of which there must be one at least.
///
/// # Errors
/// [`CertificatesError`] when it cannot be read or holds something else.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| CertificatesError(error.to_string()))?;
    if certificates.is_empty() {
        return Err(CertificatesError("there is none".to_owned()));
    }
    Ok(certificates)
}

/// Asks providers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    tls: Arc<ClientConfig>,
    timeout: Duration,
    private_addresses: bool,
}

impl Outbound {
    /// Prepares TLS; nothing is connected.
    ///
    /// # Errors
    /// [`TlsSetupError`] when an additional certificate cannot be used.
    pub fn new(options: OutboundOptions) -> Result<Self, TlsSetupError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for certificate in options.extra_roots {
            roots.add(certificate).map_err(TlsSetupError)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsSetupError)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: Arc::new(tls),
            timeout: options.timeout,
            private_addresses: options.private_addresses,
        })
    }

    /// The time that a request may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a request and returns the whole answer, whatever its status; a redirection is an answer
    /// like any other.
    ///
    /// A caller that goes away ends the request, and then nobody knows its outcome.
    ///
    /// # Errors
    /// [`OutboundError`], which tells whether anything was sent.
    pub async fn send(&self, hosts: &Hosts, request: Request) -> Result<Response, OutboundError> {
        if !hosts.allow(request.url()) {
            return Err(OutboundError::NotSent(NotSent::ForeignHost));
        }
        let url = request.url().clone();
        let message = request.into_message().map_err(OutboundError::NotSent)?;
        let deadline = tokio::time::Instant::now() + self.timeout;
        let connecting = connection::open(self, &url);
        let connection = tokio::time::timeout_at(deadline, connecting)
            .await
            .unwrap_or(Err(NotSent::TimedOut))
            .map_err(OutboundError::NotSent)?;
        let exchange = connection::exchange(connection, message);
        tokio::time::timeout_at(deadline, exchange)
            .await
            .unwrap_or(Err(Lost::TimedOut))
            .map_err(OutboundError::OutcomeUnknown)
    }
}
