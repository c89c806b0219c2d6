//! Opening connections to PostgreSQL as libpq's `sslmode` says.

use std::future::poll_fn;

use deadpool_postgres::Connect;
use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, NoTls,
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
    notifications: Option<mpsc::Sender<()>>,
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
            notifications: None,
        })
    }

    /// Passes on that there was a notification, unless one is waiting already; the channel closes
    /// with the connections and this connector.
    pub(super) fn notifying(mut self, notifications: mpsc::Sender<()>) -> Self {
        self.notifications = Some(notifications);
        self
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
        // A standby lags behind: what it says about a credential may be over.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config
    }

    async fn open(&self, config: &Config, mode: Wire) -> Result<Opened, Error> {
        let mut config = config.clone();
        config.ssl_mode(mode);
        match &self.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok((client, serve(connection, self.notifications.clone())))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                Ok((client, serve(connection, self.notifications.clone())))
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

fn serve<S, T>(
    mut connection: Connection<S, T>,
    notifications: Option<mpsc::Sender<()>>,
) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            match (message, &notifications) {
                (Ok(AsyncMessage::Notification(_)), Some(notifications)) => {
                    // Full: somebody is about to look. Closed: nobody looks any more.
                    _ = notifications.try_send(());
                }
                (Ok(AsyncMessage::Notice(notice)), _) => {
                    tracing::debug!(%notice, "a notice of PostgreSQL");
                }
                (Ok(_), _) => {}
                (Err(error), _) => {
                    tracing::debug!(%error, "a connection to PostgreSQL ended");
                    return;
                }
            }
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
