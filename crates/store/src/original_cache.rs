//! What the original's Redis says of its tokens, read and never written.
//!
//! Four commands of RESP2 are all that is needed (`AUTH`, `SELECT`, `SCAN` and `MGET`): a client library would
//! bring ten more packages beside the TLS that is here anyway.

mod address;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bosa_auth_core::Secret;
use rustls_pki_types::ServerName;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use self::address::{Address, malformed};
use crate::error::StoreError;
use crate::tls::client_config;

/// The Redis of an original, open for reading.
pub struct OriginalCache {
    stream: BufStream<Box<dyn Line>>,
}

/// A connection, with TLS or without.
trait Line: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Line for T {}

impl OriginalCache {
    /// Connects to `redis://[user][:password@]host[:port][/database]`, or with TLS to `rediss://…`, which
    /// takes `?sslmode=` and `sslrootcert=` as PostgreSQL's URLs do; the usual mode is `verify-full`.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when the URL is malformed, or the server refuses it or what will be
    /// asked; [`StoreError::Unavailable`] when it cannot be reached.
    pub async fn open(url: &Secret) -> Result<Self, StoreError> {
        let address = Address::parse(url.expose())?;
        let stream = timeout(PATIENCE, connect(&address)).await;
        let mut cache = Self {
            stream: BufStream::new(stream.map_err(|_| silent())??),
        };
        if let Some(password) = &address.password {
            let mut command = vec!["AUTH"];
            command.extend(address.user.as_deref());
            command.push(password.expose());
            cache.ask(&command).await?;
        }
        if address.database != 0 {
            cache
                .ask(&["SELECT", &address.database.to_string()])
                .await?;
        }
        // What is not permitted is known before anything is written here.
        cache.values(&["token::".to_owned()]).await?;
        cache.keys("0").await?;
        Ok(cache)
    }

    /// Reads the values of these keys, in their order.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn values(&mut self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = vec!["MGET"];
        command.extend(keys.iter().map(String::as_str));
        match self.ask(&command).await? {
            Reply::Values(values) if values.len() == keys.len() => Ok(values),
            _ => Err(odd()),
        }
    }

    /// Reads keys of tokens from `cursor` on, the first time from "0"; the same may come again. Returns
    /// them with the cursor to go on from, nothing at the end.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn keys(
        &mut self,
        cursor: &str,
    ) -> Result<(Vec<String>, Option<String>), StoreError> {
        let exchange = async {
            let command = ["SCAN", cursor, "MATCH", "token::*", "COUNT", "1000"];
            self.send(&command).await.map_err(unavailable)?;
            match self.line().await? {
                (b'*', count) if count == "2" => {}
                (b'-', refusal) => return Err(refused(&refusal)),
                _ => return Err(odd()),
            }
            let next = self.value().await?.ok_or_else(odd)?;
            match self.receive().await? {
                Reply::Values(keys) => Ok((
                    keys.into_iter().flatten().collect(),
                    Some(next).filter(|next| next != "0"),
                )),
                Reply::Done => Err(odd()),
            }
        };
        timeout(PATIENCE, exchange).await.map_err(|_| silent())?
    }

    async fn ask(&mut self, command: &[&str]) -> Result<Reply, StoreError> {
        let exchange = async {
            self.send(command).await.map_err(unavailable)?;
            self.receive().await
        };
        timeout(PATIENCE, exchange).await.map_err(|_| silent())?
    }

    async fn send(&mut self, command: &[&str]) -> std::io::Result<()> {
        let mut bytes = Zeroizing::new(format!("*{}\r\n", command.len()).into_bytes());
        for word in command {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    async fn receive(&mut self) -> Result<Reply, StoreError> {
        let (kind, rest) = self.line().await?;
        match kind {
            b'+' => Ok(Reply::Done),
            b'-' => Err(refused(&rest)),
            b'*' => {
                let count: usize = rest.parse().map_err(|_| odd())?;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value().await?);
                }
                Ok(Reply::Values(values))
            }
            _ => Err(odd()),
        }
    }

    /// One value of a list; one that is no text of a fitting length is none.
    async fn value(&mut self) -> Result<Option<String>, StoreError> {
        let (kind, length) = self.line().await?;
        if kind != b'$' {
            return Err(odd());
        }
        let Ok(length) = length.parse::<usize>() else {
            return Ok(None);
        };
        if length > LONGEST_VALUE {
            return Err(odd());
        }
        let mut bytes = vec![0; length + 2];
        let read = self.stream.read_exact(&mut bytes).await;
        read.map_err(unavailable)?;
        bytes.truncate(length);
        Ok(String::from_utf8(bytes).ok())
    }

    async fn line(&mut self) -> Result<(u8, String), StoreError> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut line).await;
        read.map_err(unavailable)?;
        let (kind, rest) = line
            .strip_suffix(b"\r\n")
            .and_then(<[u8]>::split_first)
            .ok_or_else(odd)?;
        Ok((*kind, String::from_utf8_lossy(rest).into_owned()))
    }
}

async fn connect(address: &Address) -> Result<Box<dyn Line>, StoreError> {
    let place = (address.host.as_str(), address.port);
    let stream = TcpStream::connect(place).await.map_err(unavailable)?;
    let Some(settings) = &address.tls else {
        return Ok(Box::new(stream));
    };
    let config = client_config(settings)?.ok_or_else(malformed)?;
    let name = ServerName::try_from(address.host.clone()).map_err(|_| malformed())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream);
    Ok(Box::new(stream.await.map_err(unavailable)?))
}

impl fmt::Debug for OriginalCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginalCache")
    }
}

enum Reply {
    Done,
    Values(Vec<Option<String>>),
}

/// How long Redis may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_LINE: u64 = 1024;
const LONGEST_VALUE: usize = 64 * 1024;

fn unavailable(error: std::io::Error) -> StoreError {
    StoreError::unavailable(format!("the Redis of the source: {error}"))
}

fn refused(reason: &str) -> StoreError {
    StoreError::Configuration(format!("the Redis of the source refuses: {reason}"))
}

fn silent() -> StoreError {
    StoreError::unavailable("the Redis of the source does not answer")
}

fn odd() -> StoreError {
    StoreError::unavailable("the Redis of the source answers with something else")
}
