//! What the original's Redis says of its tokens, read and never written.
//!
//! Four commands of RESP2 are all that is needed: `AUTH`, `SELECT`, `SCAN` and `MGET`.

use std::fmt;
use std::time::Duration;

use bosa_auth_core::Secret;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::error::StoreError;

/// The Redis of an original, open for reading.
pub struct OriginalCache {
    stream: BufStream<TcpStream>,
}

/// Where it is.
struct Address {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<Secret>,
    database: u32,
}

impl OriginalCache {
    /// Connects to `redis://[user][:password@]host[:port][/database]`.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when the URL is malformed or the server refuses it;
    /// [`StoreError::Unavailable`] when it cannot be reached.
    pub async fn open(url: &Secret) -> Result<Self, StoreError> {
        let address = Address::parse(url.expose())?;
        let place = (address.host.as_str(), address.port);
        let stream = timeout(PATIENCE, TcpStream::connect(place)).await;
        let stream = stream.map_err(|_| silent())?.map_err(unavailable)?;
        let mut cache = Self {
            stream: BufStream::new(stream),
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

impl fmt::Debug for OriginalCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginalCache")
    }
}

enum Reply {
    Done,
    Values(Vec<Option<String>>),
}

impl Address {
    fn parse(url: &str) -> Result<Self, StoreError> {
        let malformed = || {
            StoreError::Configuration(
                "the Redis of the source: write redis://[user][:password@]host[:port][/database]; TLS needs a tunnel"
                    .to_owned(),
            )
        };
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| malformed())
        };
        let rest = url.strip_prefix("redis://").ok_or_else(malformed)?;
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (credentials, rest),
            None => ("", rest),
        };
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| malformed())?)
            }
            _ => (place, 6379),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(Self {
            host: given(decode(host)?).unwrap_or_else(|| "localhost".to_owned()),
            port,
            user: given(decode(user)?),
            password: given(decode(password)?).map(Secret::new),
            database: match database {
                "" => 0,
                number => number.parse().map_err(|_| malformed())?,
            },
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_place_user_and_database() {
        let read = |url: &str| {
            let address = Address::parse(url).ok()?;
            let password = address
                .password
                .map(|password| password.expose().to_owned());
            Some((
                address.host,
                address.port,
                address.user,
                password,
                address.database,
            ))
        };
        let plain = |host: &str, port| Some((host.to_owned(), port, None, None, 0));
        assert_eq!(read("redis://cache"), plain("cache", 6379));
        assert_eq!(read("redis://cache:7000/"), plain("cache", 7000));
        assert_eq!(read("redis://[::1]:7000"), plain("::1", 7000));
        assert_eq!(read("redis://[::1]"), plain("::1", 6379));
        let (user, password) = (Some("me".to_owned()), Some("a@b".to_owned()));
        assert_eq!(
            read("redis://me:a%40b@cache/9"),
            Some(("cache".to_owned(), 6379, user, password.clone(), 9))
        );
        assert_eq!(
            read("redis://:a%40b@cache"),
            Some(("cache".to_owned(), 6379, None, password, 0))
        );
        for malformed in [
            "",
            "cache",
            "rediss://cache",
            "redis://cache:x",
            "redis://cache/x",
            "http://cache",
        ] {
            assert!(Address::parse(malformed).is_err(), "{malformed}");
        }
    }
}
