//! Notifications of PostgreSQL, on a connection of its own.

use std::time::Duration;

use deadpool_postgres::Connect as _;
use tokio::{sync::mpsc, time::timeout};
use tokio_postgres::Client;

use super::{
    connect::Connector,
    postgres::{CONNECT_TIMEOUT, GRACE, map_error},
};
use crate::{
    error::StoreError,
    url::{DatabaseUrl, Target},
};

/// Finds out after about a minute that the server is gone without a word.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Hears that somebody has announced changes.
///
/// It is only ever a hint to look: behind a transaction pooler it may hear nothing at all, or what
/// was meant for others.
pub struct Listener {
    heard: mpsc::Receiver<()>,
    /// Dropped, it would end the connection.
    _client: Client,
}

impl Listener {
    /// Listens; `None` for SQLite, which has no notifications.
    ///
    /// # Errors
    /// [`StoreError`] when the server cannot be reached or does not let this connection listen, as
    /// a standby.
    pub async fn open(url: &DatabaseUrl) -> Result<Option<Self>, StoreError> {
        let Target::Postgres(url) = &url.target else {
            return Ok(None);
        };
        // One waiting hint says as much as many.
        let (hears, heard) = mpsc::channel(1);
        let connector = Connector::new(&url.tls)?.notifying(hears);
        let mut config = connector.config(url);
        let patience = url.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        config.connect_timeout(patience).keepalives_idle(KEEPALIVE);
        let open = async {
            let (client, _) = connector.connect(&config).await?;
            client.batch_execute(LISTEN).await?;
            Ok(client)
        };
        let client = timeout(patience + GRACE, open)
            .await
            .map_err(|_| StoreError::unavailable("listening took too long"))?
            .map_err(|error| map_error(&error))?;
        Ok(Some(Self {
            heard,
            _client: client,
        }))
    }

    /// Waits for the next hint.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the connection has ended.
    pub async fn heard(&mut self) -> Result<(), StoreError> {
        let heard = self.heard.recv().await;
        heard.ok_or_else(|| StoreError::unavailable("the listening connection has ended"))
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

/// The channel's name is also in `changes::ANNOUNCE`.
const LISTEN: &str = "listen bosa_auth_changes";
