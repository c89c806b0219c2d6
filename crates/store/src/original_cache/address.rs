//! Where the original's Redis is.

use bosa_auth_core::Secret;
use percent_encoding::percent_decode_str;

use crate::error::StoreError;
use crate::url::{SslMode, TlsSettings, parse_sslmode};

/// A URL, taken apart.
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: u32,
    /// How the server is verified; absent: no TLS.
    pub(super) tls: Option<TlsSettings>,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let tls = match (scheme, query) {
            ("redis", None) => None,
            ("rediss", query) => Some(tls(query.unwrap_or_default())?),
            _ => return Err(malformed()),
        };
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
            tls,
        })
    }
}

fn tls(query: &str) -> Result<TlsSettings, StoreError> {
    let mut settings = TlsSettings {
        mode: SslMode::VerifyFull,
        root_cert: None,
    };
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", mode)) => {
                settings.mode = parse_sslmode(mode).map_err(|_| malformed())?;
            }
            Some(("sslrootcert", path)) => settings.root_cert = Some(decode(path)?),
            _ => return Err(malformed()),
        }
    }
    match settings.mode {
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Ok(settings),
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => Err(malformed()),
    }
}

fn decode(text: &str) -> Result<String, StoreError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| malformed())
}

pub(super) fn malformed() -> StoreError {
    StoreError::Configuration(
        "the Redis of the source: write redis://[user][:password@]host[:port][/database], with TLS rediss://…, \
         which takes ?sslmode=require, verify-ca or verify-full and sslrootcert=FILE"
            .to_owned(),
    )
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
            "redis://cache:x",
            "redis://cache/x",
            "http://cache",
            "redis://cache?sslmode=require",
            "rediss://cache?sslmode=prefer",
            "rediss://cache?ssl_cert_reqs=none",
        ] {
            assert!(Address::parse(malformed).is_err(), "{malformed}");
        }
    }
    #[test]
    fn tls_has_the_settings_of_postgresql() {
        let tls = |url: &str| Address::parse(url).ok().and_then(|address| address.tls);
        let settings = |mode, root_cert: Option<&str>| {
            let root_cert = root_cert.map(str::to_owned);
            Some(TlsSettings { mode, root_cert })
        };
        assert_eq!(tls("redis://cache"), None);
        assert_eq!(tls("rediss://cache"), settings(SslMode::VerifyFull, None));
        assert_eq!(
            tls("rediss://:a%40b@cache:1/2?sslmode=verify-ca&sslrootcert=%2Fca.pem"),
            settings(SslMode::VerifyCa, Some("/ca.pem"))
        );
        assert_eq!(
            tls("rediss://cache?sslmode=require"),
            settings(SslMode::Require, None)
        );
    }
}
