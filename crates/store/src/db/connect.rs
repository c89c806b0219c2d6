//! Opening connections to PostgreSQL as libpq's `sslmode` says.

use deadpool_postgres::Connect;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, Config, Error, NoTls,
    config::{SslMode as Wire, TargetSessionAttrs},
    error::SqlState,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    error::StoreError,
    tls::connector,
    url::{PostgresUrl, SslMode, TlsSettings},
};

/// Opens connections; each mode is a first attempt and, for two of them, another way.
pub(super) struct Connector {
    tls: Option<MakeRustlsConnect>,
    first: Wire,
    second: Option<Wire>,
}

impl Connector {
    pub(super) fn new(settings: &TlsSettings) -> Result<Self, StoreError> {
        let (first, second) = match settings.mode {
            SslMode::Disable => (Wire::Disable, None),
            SslMode::Allow => (Wire::Disable, Some(Wire::Require)),
            SslMode::Prefer => (Wire::Prefer, Some(Wire::Disable)),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Wire::Require, None),
        };
        Ok(Self {
            tls: connector(settings)?,
            first,
            second,
        })
    }

    /// The driver's settings for a URL.
    pub(super) fn config(&self, url: &PostgresUrl) -> Config {
        let mut config = Config::new();
        for (host, port) in &url.hosts {
            config.host(host).port(*port);
        }
        config.application_name(url.application_name.as_deref().unwrap_or("bosa-auth"));
        if let Some(user) = &url.user {
            config.user(user);
        }
        if let Some(password) = &url.password {
            config.password(password.expose());
        }
        if let Some(dbname) = &url.dbname {
            config.dbname(dbname);
        }
        if let Some(options) = &url.options {
            config.options(options);
        }
        if url.read_write {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config
    }

    async fn open(&self, config: &Config, mode: Wire) -> Result<Opened, Error> {
        let mut config = config.clone();
        config.ssl_mode(mode);
        match &self.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok((client, serve(connection)))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                Ok((client, serve(connection)))
            }
        }
    }
}

type Opened = (Client, JoinHandle<()>);

impl Connect for Connector {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<Opened, Error>> {
        let config = config.clone();
        Box::pin(async move {
            let error = match self.open(&config, self.first).await {
                Ok(opened) => return Ok(opened),
                Err(error) => error,
            };
            match self.second {
                Some(second) if depends_on_tls(&error) => {
                    self.open(&config, second).await.map_err(|_| error)
                }
                _ => Err(error),
            }
        })
    }
}

fn serve(connection: impl Future<Output = Result<(), Error>> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    })
}

/// Whether the server might take the same connection with TLS turned the other way: the handshake
/// failed, or no rule of `pg_hba.conf` fits.
fn depends_on_tls(error: &Error) -> bool {
    match error.code() {
        Some(code) => *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        None => error.to_string().contains("TLS handshake"),
    }
}
