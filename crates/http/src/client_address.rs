//! Where a request came from.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;

use crate::config::TrustedProxies;
use crate::router::AppState;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The caller's address; absent when the router is mounted without connection information.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let proxies = &state.config.trusted_proxies;
        Ok(Self(peer.map(|peer| behind(peer, &parts.headers, proxies))))
    }
}

/// Reads the forwarded addresses from the right: each is believed only when everything to the right
/// of it is trusted.
fn behind(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> IpAddr {
    let mut address = peer;
    let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let hops = values
        .iter()
        .rev()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    for hop in hops {
        if !proxies.contains(address) {
            break;
        }
        let hop = hop.trim();
        let parsed = hop.parse::<IpAddr>().ok();
        let parsed = parsed.or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
        let Some(next) = parsed else { break };
        address = next.to_canonical();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind_headers(peer: &str, forwarded: &[&str]) -> String {
        let proxies: TrustedProxies = "10.0.0.0/8,127.0.0.1".parse().unwrap();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        behind(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn forwarded_addresses_of_an_untrusted_peer_are_ignored() {
        assert_eq!(behind_headers("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_caller() {
        let forged = ["1.1.1.1, 203.0.113.9", "10.0.0.2"];
        assert_eq!(behind_headers("127.0.0.1", &forged), "203.0.113.9");
        assert_eq!(
            behind_headers("127.0.0.1", &["203.0.113.9:4711"]),
            "203.0.113.9"
        );
        assert_eq!(behind_headers("127.0.0.1", &["nonsense"]), "127.0.0.1");
        assert_eq!(behind_headers("127.0.0.1", &[]), "127.0.0.1");
    }
}
