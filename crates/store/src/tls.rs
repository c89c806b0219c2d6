//! TLS to PostgreSQL with the meaning libpq gives to `sslmode` and `sslrootcert`.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    error::StoreError,
    url::{SslMode, TlsSettings},
};

/// Builds the connector for the settings; `None` when TLS is never used.
///
/// libpq checks the certificate's chain whenever a root certificate is given, `require` included
/// (<https://www.postgresql.org/docs/current/libpq-ssl.html>).
pub(crate) fn connector(settings: &TlsSettings) -> Result<Option<MakeRustlsConnect>, StoreError> {
    Ok(client_config(settings)?.map(MakeRustlsConnect::new))
}

/// As [`connector`], for any other protocol.
pub(crate) fn client_config(settings: &TlsSettings) -> Result<Option<ClientConfig>, StoreError> {
    let check = match (settings.mode, &settings.root_cert) {
        (SslMode::Disable, _) => return Ok(None),
        (SslMode::Allow | SslMode::Prefer, _) | (SslMode::Require, None) => Check::Nothing,
        (SslMode::VerifyFull, None) => Check::ChainAndName(public_roots()),
        (SslMode::VerifyFull, Some(path)) => Check::ChainAndName(roots(path)?),
        (SslMode::Require | SslMode::VerifyCa, Some(path)) if path != SYSTEM => {
            Check::Chain(roots(path)?)
        }
        // Anyone can get a certificate of a public authority, so that without the name it proves
        // nothing; libpq refuses this too.
        (SslMode::Require | SslMode::VerifyCa, _) => {
            return Err(StoreError::Configuration(
                "sslmode=verify-ca needs sslrootcert=<file with your own authority>; \
                 with a public certificate use sslmode=verify-full"
                    .to_owned(),
            ));
        }
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new(check, Arc::clone(&provider))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Configuration(format!("TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Some(config))
}

/// `sslrootcert=system`: the public certificate authorities.
const SYSTEM: &str = "system";

enum Check {
    Nothing,
    Chain(Roots),
    ChainAndName(Roots),
}

struct Roots {
    store: RootCertStore,
    /// The certificates of the file, because a server may present one of them itself.
    certificates: Vec<CertificateDer<'static>>,
}

fn public_roots() -> Roots {
    Roots {
        store: RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
        certificates: Vec::new(),
    }
}

fn roots(path: &str) -> Result<Roots, StoreError> {
    if path == SYSTEM {
        return Ok(public_roots());
    }
    let unreadable = |error: &dyn std::fmt::Display| {
        StoreError::Configuration(format!("sslrootcert {path:?} cannot be read: {error}"))
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(&error))?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store
            .add(certificate.clone())
            .map_err(|error| unreadable(&error))?;
    }
    if certificates.is_empty() {
        return Err(unreadable(&"it contains no certificate"));
    }
    Ok(Roots {
        store,
        certificates,
    })
}

/// Checks as much of the server's certificate as the mode asks for, and always the handshake's
/// signature.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    pinned: Vec<CertificateDer<'static>>,
    check_name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(check: Check, provider: Arc<CryptoProvider>) -> Result<Self, StoreError> {
        let (roots, check_name) = match check {
            Check::Nothing => (None, false),
            Check::Chain(roots) => (Some(roots), false),
            Check::ChainAndName(roots) => (Some(roots), true),
        };
        let (chain, pinned) = match roots {
            None => (None, Vec::new()),
            Some(roots) => {
                let verifier = WebPkiServerVerifier::builder_with_provider(
                    Arc::new(roots.store),
                    Arc::clone(&provider),
                )
                .build()
                .map_err(|error| StoreError::Configuration(format!("sslrootcert: {error}")))?;
                (Some(verifier), roots.certificates)
            }
        };
        Ok(Self {
            chain,
            pinned,
            check_name,
            provider,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        // The self-signed certificate that PostgreSQL's manual tells people to make is marked as
        // an authority, which path building refuses for a server. Being the very certificate the
        // operator trusts is the stronger statement.
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            if self.check_name {
                let parsed = rustls::server::ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&parsed, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        // The name is the last thing this checks: an error about it means that the chain holds.
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
