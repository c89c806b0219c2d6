//! What the transport itself can be told.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bosa_auth::{Configuration, Error};

/// Settings of the HTTP transport.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: TrustedProxies,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// Longest time for one request, its body included.
    pub time_limit: Duration,
    /// Longest time for what is still in flight when the server is told to stop.
    pub shutdown_limit: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            trusted_proxies: TrustedProxies::default(),
            body_limit: 1024 * 1024,
            time_limit: Duration::from_secs(30),
            shutdown_limit: Duration::from_secs(30),
        }
    }
}

impl HttpConfig {
    /// Reads what the configuration says about the transport.
    ///
    /// # Errors
    /// `Configuration`: an element of `BOSA_AUTH_TRUSTED_PROXIES` is no address or network.
    pub fn from_configuration(configuration: &Configuration) -> Result<Self, Error> {
        const PROXIES: &str = "BOSA_AUTH_TRUSTED_PROXIES";
        let trusted_proxies = match configuration.get(PROXIES).filter(|text| !text.is_empty()) {
            None => TrustedProxies::default(),
            Some(text) => text
                .parse()
                .map_err(|error| Error::Configuration(format!("{PROXIES}: {error}")))?,
        };
        Ok(Self {
            trusted_proxies,
            ..Self::default()
        })
    }
}

/// The addresses of proxies that are believed when they say where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// An element of the list is neither an address nor a network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is neither an address nor a network such as 10.0.0.0/8")]
pub struct InvalidProxy(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl TrustedProxies {
    /// Whether this peer's forwarded headers count. An IPv4 address mapped into IPv6 is the IPv4
    /// address.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(peer))
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let networks = text.split(',').map(|element| {
            let element = element.trim();
            Network::parse(element).ok_or_else(|| InvalidProxy(element.to_owned()))
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok())?;
        (prefix <= bits).then_some(Self { address, prefix })
    }

    fn contains(&self, peer: IpAddr) -> bool {
        match (self.address, peer) {
            (IpAddr::V4(network), IpAddr::V4(peer)) => {
                let differing = u32::from(network) ^ u32::from(peer);
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(peer)) => {
                let differing = u128::from(network) ^ u128::from(peer);
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_covers_its_addresses_and_no_others() {
        let proxies: TrustedProxies = "10.1.0.0/16, ::1,192.0.2.7".parse().unwrap();
        for inside in ["10.1.255.3", "::1", "192.0.2.7", "::ffff:10.1.2.3"] {
            assert!(proxies.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["10.2.0.0", "::2", "192.0.2.8", "2001:db8::1"] {
            assert!(!proxies.contains(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn a_malformed_network_is_named() {
        for text in [
            "10.0.0.0/33",
            "proxy",
            "",
            "10.0.0.1,",
            "::1/129",
            "1.2.3.4/x",
        ] {
            assert!(text.parse::<TrustedProxies>().is_err(), "{text}");
        }
    }
}
