//! Where browsers reach the server: redirect URIs and links are made of this alone, never of what a
//! request says about its host.

use std::net::SocketAddr;

use bosa_auth_core::{ConnectorName, Secret};
use url::{Host, Url};

/// The address that providers send browsers back to, below the connector.
const CALLBACK: &str = "success-authorize-callback";

/// The URL under which browsers reach this server, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    text: String,
    is_loopback: bool,
}

impl PublicUrl {
    /// Reads a URL: `https`, or `http` on loopback, perhaps with a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let url =
            Url::parse(text.trim()).map_err(|_| "use a URL such as https://auth.example.com")?;
        let is_loopback = url.host().is_some_and(|host| is_loopback(&host));
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            _ => return Err("use a URL that begins with https://; http:// is for loopback only"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("use a URL without a user");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("use a URL without a query and a fragment");
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            is_loopback,
        })
    }

    /// Where a server that listens on loopback is reached from this machine; `None` when it listens
    /// elsewhere or on a port that is not known yet.
    pub(crate) fn of_loopback(address: SocketAddr) -> Option<Self> {
        (address.ip().is_loopback() && address.port() != 0).then(|| Self {
            text: format!("http://{address}"),
            is_loopback: true,
        })
    }

    /// Whether it leads to this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether browsers come over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// The redirect URI of a connector.
    pub(crate) fn redirect_uri(&self, connector: &ConnectorName) -> String {
        format!("{}/connectors/{connector}/{CALLBACK}", self.text)
    }

    /// The page that begins a connection.
    pub(crate) fn connect_page(&self, secret: &Secret) -> Secret {
        Secret::new(format!("{}/connect/{}", self.text, secret.expose()))
    }
}

/// Whether a host is this machine's own.
pub(crate) fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref().trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether a path is that of a redirect URI of ours, below whatever public path.
pub(crate) fn is_callback_path(path: &str, connector: &ConnectorName) -> bool {
    path.ends_with(&format!("/connectors/{connector}/{CALLBACK}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector() -> ConnectorName {
        ConnectorName::parse("github").unwrap()
    }

    #[test]
    fn redirect_uris_are_below_the_public_url() {
        for (text, expected) in [
            (
                "https://auth.example.com",
                "https://auth.example.com/connectors/github/success-authorize-callback",
            ),
            (
                "https://example.com/auth/",
                "https://example.com/auth/connectors/github/success-authorize-callback",
            ),
            (
                "http://localhost:8000",
                "http://localhost:8000/connectors/github/success-authorize-callback",
            ),
        ] {
            let url = PublicUrl::parse(text).unwrap();
            assert_eq!(url.redirect_uri(&connector()), expected);
        }
        let address = "127.0.0.1:8000".parse().unwrap();
        let url = PublicUrl::of_loopback(address).unwrap();
        assert_eq!(
            url.redirect_uri(&connector()),
            "http://127.0.0.1:8000/connectors/github/success-authorize-callback"
        );
    }

    #[test]
    fn a_public_url_is_https_unless_it_is_loopback() {
        for text in [
            "http://auth.example.com",
            "ftp://localhost",
            "https://user@auth.example.com",
            "https://auth.example.com/?a=b",
            "https://auth.example.com/#a",
            "auth.example.com",
            "",
        ] {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
        assert!(PublicUrl::of_loopback("0.0.0.0:8000".parse().unwrap()).is_none());
        assert!(PublicUrl::of_loopback("127.0.0.1:0".parse().unwrap()).is_none());
    }
}
