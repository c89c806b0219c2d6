//! Database URLs as SQLAlchemy and libpq write them.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bosa_auth_core::Secret;
use percent_encoding::percent_decode_str;

/// Where the database is: a SQLite file, SQLite in memory, or a PostgreSQL server.
///
/// `Display` and `Debug` replace the password by `***`.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) target: Target,
}

/// The parts of a parsed URL.
#[derive(Clone)]
pub(crate) enum Target {
    SqliteMemory,
    SqliteFile(PathBuf),
    Postgres(Arc<PostgresUrl>),
}

/// A PostgreSQL URL, decoded.
#[derive(Default)]
pub(crate) struct PostgresUrl {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    /// Host (name, address or socket directory) and port of each server, in the order to try.
    pub(crate) hosts: Vec<(String, u16)>,
    pub(crate) dbname: Option<String>,
    pub(crate) tls: TlsSettings,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) application_name: Option<String>,
    pub(crate) options: Option<String>,
}

/// What libpq calls `sslmode` and `sslrootcert`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    pub(crate) mode: SslMode,
    pub(crate) root_cert: Option<String>,
}

/// libpq's six values of `sslmode`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Why a text is not a database URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is neither SQLite's nor PostgreSQL's.
    #[error(
        "unsupported database scheme; use sqlite:///path or postgresql://user:password@host/database"
    )]
    Scheme,
    /// The parameter is not one this program honours.
    #[error("unknown database URL parameter {0:?}")]
    UnknownParameter(String),
    /// The parameter's value is not one of those it takes.
    #[error("the database URL parameter {name} takes {expected}")]
    ParameterValue {
        /// The parameter's name.
        name: &'static str,
        /// The values it takes.
        expected: &'static str,
    },
    /// A part of the URL is malformed.
    #[error("malformed database URL: {0}")]
    Malformed(&'static str),
}

impl DatabaseUrl {
    /// Parses `postgresql://`, `postgres://` or `sqlite://`, each with or without a `+driver`
    /// suffix, which is dropped.
    ///
    /// `sqlite:///relative`, `sqlite:////absolute`, and `sqlite://` (or `sqlite:///:memory:`) in
    /// memory.
    ///
    /// # Errors
    /// [`UrlError`] names the part that is not understood; it never contains the password.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let (name, driver) = match scheme.split_once('+') {
            Some((name, driver)) => (name, Some(driver)),
            None => (scheme.as_str(), None),
        };
        if driver.is_some_and(str::is_empty) {
            return Err(UrlError::Scheme);
        }
        let target = match name {
            "sqlite" => parse_sqlite(rest)?,
            "postgresql" | "postgres" => Target::Postgres(Arc::new(parse_postgres(rest)?)),
            _ => return Err(UrlError::Scheme),
        };
        Ok(Self { target })
    }

    /// The URL of a SQLite file.
    #[must_use]
    pub fn sqlite_file(path: PathBuf) -> Self {
        Self {
            target: Target::SqliteFile(path),
        }
    }

    /// The URL of a SQLite database that lives and dies with its [`crate::Db`].
    #[must_use]
    pub fn sqlite_memory() -> Self {
        Self {
            target: Target::SqliteMemory,
        }
    }

    /// What a session of PostgreSQL begins with, for example the schemas that it looks into.
    #[must_use]
    pub fn session_options(&self) -> Option<&str> {
        match &self.target {
            Target::Postgres(url) => url.options.as_deref(),
            Target::SqliteFile(_) | Target::SqliteMemory => None,
        }
    }

    /// Whether the database is SQLite, in a file or in memory.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        !matches!(self.target, Target::Postgres(_))
    }

    /// The path of the SQLite file, if it is one.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.target {
            Target::SqliteFile(path) => Some(path),
            _ => None,
        }
    }

    /// Whether the URL carries a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        matches!(&self.target, Target::Postgres(url) if url.password.is_some())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::SqliteMemory => f.write_str("sqlite://"),
            Target::SqliteFile(path) => write!(f, "sqlite:///{}", path.display()),
            Target::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
        }
        if self.password.is_some() {
            f.write_str(":***")?;
        }
        if self.user.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        for (index, (host, port)) in self.hosts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match host.contains(':') {
                true => write!(f, "{comma}[{host}]:{port}")?,
                false => write!(f, "{comma}{host}:{port}")?,
            }
        }
        write!(f, "/{}", self.dbname.as_deref().unwrap_or_default())
    }
}

const DEFAULT_PORT: u16 = 5432;

fn parse_sqlite(rest: &str) -> Result<Target, UrlError> {
    let (rest, query) = split_query(rest);
    if let Some((name, _)) = parameters(query).next() {
        return Err(UrlError::UnknownParameter(name.to_owned()));
    }
    match rest.strip_prefix('/') {
        None if rest.is_empty() => Ok(Target::SqliteMemory),
        None => Err(UrlError::Malformed(
            "a SQLite URL has no host; write sqlite:///relative or sqlite:////absolute",
        )),
        Some("" | ":memory:") => Ok(Target::SqliteMemory),
        Some(path) if path.contains('\0') => Err(UrlError::Malformed("the path contains NUL")),
        Some(path) => Ok(Target::SqliteFile(PathBuf::from(path))),
    }
}

fn parse_postgres(rest: &str) -> Result<PostgresUrl, UrlError> {
    let mut url = PostgresUrl::default();
    let (rest, query) = split_query(rest);
    let (authority, dbname) = match rest.split_once('/') {
        Some((authority, dbname)) => (authority, dbname),
        None => (rest, ""),
    };
    // The last `@` ends the credentials, so that an unescaped one in a password still works.
    let hosts = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => {
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            url.user = not_empty(decode(user)?);
            url.password = password
                .map(decode)
                .transpose()?
                .and_then(not_empty)
                .map(Secret::new);
            hosts
        }
        None => authority,
    };
    url.hosts = parse_hosts(hosts)?;
    url.dbname = not_empty(decode(dbname)?);
    parse_parameters(&mut url, query)?;
    if url.hosts.is_empty() {
        url.hosts.push(("localhost".to_owned(), DEFAULT_PORT));
    }
    Ok(url)
}

fn parse_parameters(url: &mut PostgresUrl, query: &str) -> Result<(), UrlError> {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for (name, value) in parameters(query) {
        let value = decode(value)?;
        match name {
            "sslmode" => url.tls.mode = parse_sslmode(&value)?,
            "sslrootcert" => url.tls.root_cert = not_empty(value),
            "connect_timeout" => url.connect_timeout = parse_seconds(&value)?,
            "application_name" => url.application_name = not_empty(value),
            "options" => url.options = not_empty(value),
            "user" => url.user = not_empty(value),
            "password" => url.password = not_empty(value).map(Secret::new),
            "dbname" => url.dbname = not_empty(value),
            "host" => hosts = value.split(',').map(str::to_owned).collect(),
            "port" => ports = parse_ports(&value)?,
            "target_session_attrs" => {
                // Nothing else is ever used: a standby lags behind.
                if !matches!(value.as_str(), "read-write" | "primary") {
                    return Err(UrlError::ParameterValue {
                        name: "target_session_attrs",
                        expected: "read-write, which is always asked for",
                    });
                }
            }
            _ => return Err(UrlError::UnknownParameter(name.to_owned())),
        }
    }
    if !hosts.is_empty() {
        url.hosts = hosts.into_iter().map(|host| (host, DEFAULT_PORT)).collect();
    }
    if let [port] = ports.as_slice() {
        url.hosts.iter_mut().for_each(|host| host.1 = *port);
    } else if ports.len() == url.hosts.len() {
        url.hosts
            .iter_mut()
            .zip(ports)
            .for_each(|(host, port)| host.1 = port);
    } else if !ports.is_empty() {
        return Err(UrlError::ParameterValue {
            name: "port",
            expected: "one port, or one for each host",
        });
    }
    Ok(())
}

fn parse_hosts(text: &str) -> Result<Vec<(String, u16)>, UrlError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(parse_host).collect()
}

fn parse_host(text: &str) -> Result<(String, u16), UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or(UrlError::Malformed("a bracket around an address is open"))?;
            (host, rest.strip_prefix(':').unwrap_or(rest))
        }
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" => DEFAULT_PORT,
        port => parse_port(port)?,
    };
    match decode(host)? {
        host if host.is_empty() => Ok(("localhost".to_owned(), port)),
        host => Ok((host, port)),
    }
}

fn parse_ports(text: &str) -> Result<Vec<u16>, UrlError> {
    text.split(',').map(parse_port).collect()
}

fn parse_port(text: &str) -> Result<u16, UrlError> {
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(UrlError::Malformed(
            "the port is not a number from 1 to 65535",
        )),
    }
}

fn parse_seconds(text: &str) -> Result<Option<Duration>, UrlError> {
    match text.parse::<u32>() {
        // libpq: zero waits for ever.
        Ok(0) => Ok(None),
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds.into()))),
        Err(_) => Err(UrlError::ParameterValue {
            name: "connect_timeout",
            expected: "whole seconds",
        }),
    }
}

pub(crate) fn parse_sslmode(text: &str) -> Result<SslMode, UrlError> {
    Ok(match text {
        "disable" => SslMode::Disable,
        "allow" => SslMode::Allow,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => {
            return Err(UrlError::ParameterValue {
                name: "sslmode",
                expected: "disable, allow, prefer, require, verify-ca or verify-full",
            });
        }
    })
}

fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn decode(text: &str) -> Result<String, UrlError> {
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| UrlError::Malformed("an escape is not UTF-8"))?;
    if text.contains('\0') {
        return Err(UrlError::Malformed("it contains NUL"));
    }
    Ok(text.into_owned())
}

fn not_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
