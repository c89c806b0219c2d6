//! Which hosts may ever be asked for a connector.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Serialize, Serializer};
use url::{Host, Url};

/// The longest label of a host name (RFC 1035 §2.3.4).
const LONGEST_LABEL: usize = 63;
/// The longest host name as text.
const LONGEST_NAME: usize = 253;

/// Hosts that a connector's file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This host and no other: a name in lower-case ASCII, or an IP address.
    Exact(String),
    /// Every host at any depth below this name, but not the name itself.
    Below(String),
}

impl HostPattern {
    /// Reads `host.example.com`, `*.example.com` or an IP address (IPv6 in brackets).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, below) = match text.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (text, false),
        };
        if name.contains('*') {
            return Err(
                "a * stands only at the beginning, for everything below a name: *.example.com",
            );
        }
        let refused = "use a host name in lower case (example.com), *.example.com or an IP address";
        let host = Host::parse(name).map_err(|_| refused)?;
        // Other spellings of the same host are refused, so that what is read is what is compared.
        if host.to_string() != name {
            return Err(refused);
        }
        match host {
            Host::Domain(name) if !is_name(&name) => Err(refused),
            Host::Domain(name) if below && !name.contains('.') => {
                Err("a name after *. has at least two labels")
            }
            Host::Domain(name) if below => Ok(Self::Below(name)),
            _ if below => Err("an IP address has nothing below it"),
            host => Ok(Self::Exact(host.to_string())),
        }
    }

    /// Whether a host, in the spelling of [`Url::host_str`], is one of these.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below(suffix) => host
                .strip_suffix(suffix.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|rest| !rest.is_empty()),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => formatter.write_str(name),
            Self::Below(suffix) => write!(formatter, "*.{suffix}"),
        }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Every host that may be asked for a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Hosts(Vec<HostPattern>);

impl Hosts {
    pub(crate) fn new(patterns: Vec<HostPattern>) -> Self {
        Self(patterns)
    }

    /// The patterns, in the order of the file.
    #[must_use]
    pub fn patterns(&self) -> &[HostPattern] {
        &self.0
    }

    /// Whether an address may be asked: `https` (or `http` on loopback), no user or password in it,
    /// and a host of the list.
    ///
    /// # Security
    /// This is about names. That a name does not lead to a private address is seen only when it is
    /// resolved.
    #[must_use]
    pub fn allow(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let encrypted = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&host));
        let anonymous = url.username().is_empty() && url.password().is_none();
        let host = host.to_string();
        encrypted && anonymous && self.0.iter().any(|pattern| pattern.matches(&host))
    }
}

/// Whether a host is this machine by its name or address alone.
pub(crate) fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => Ipv4Addr::is_loopback(address),
        Host::Ipv6(address) => Ipv6Addr::is_loopback(address),
    }
}

/// Whether a text is one label of a host name: letters, digits and hyphens, none at an end.
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LONGEST_LABEL).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(patterns: &[&str]) -> Hosts {
        let parsed = patterns
            .iter()
            .map(|text| HostPattern::parse(text).unwrap());
        Hosts::new(parsed.collect())
    }

    #[test]
    fn a_pattern_is_one_host_or_everything_below_a_name() {
        for text in [
            "example.com",
            "a-b.example.com",
            "localhost",
            "*.example.com",
            "*.a.example.com",
            "127.0.0.1",
            "[::1]",
            "xn--bcher-kva.example",
        ] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "*.*.example.com",
            "a.*.example.com",
            "*example.com",
            "Example.com",
            "example.com.",
            ".example.com",
            "example..com",
            "example.com:443",
            "https://example.com",
            "example.com/path",
            "user@example.com",
            "bücher.example",
            "a_b.example.com",
            "-a.example.com",
            "127.1",
            "*.127.0.0.1",
            "*.0.0.1",
            "::1",
            "a b",
            "{name}.example.com",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_declared_hosts_over_https_are_allowed() {
        let hosts = hosts(&["api.example.com", "*.example.org", "localhost", "127.0.0.1"]);
        for text in [
            "https://api.example.com/a",
            "https://API.EXAMPLE.COM/",
            "https://a.example.org/",
            "https://a.b.example.org:8443/",
            "http://localhost:9000/",
            "http://127.0.0.1/",
            "https://127.0.0.1/",
        ] {
            assert!(hosts.allow(&Url::parse(text).unwrap()), "{text}");
        }
        for text in [
            "http://api.example.com/",
            "https://example.com/",
            "https://b.example.com/",
            "https://example.org/",
            "https://aexample.org/",
            "https://a.example.org.evil.test/",
            "https://api.example.com.evil.test/",
            "https://api.example.com@evil.test/",
            "https://user@api.example.com/",
            "https://:word@api.example.com/",
            "https://api.example.com./",
            "https://127.0.0.2/",
            "https://[::1]/",
            "ftp://localhost/",
            "data:text/plain,api.example.com",
        ] {
            assert!(!hosts.allow(&Url::parse(text).unwrap()), "{text}");
        }
    }
}
