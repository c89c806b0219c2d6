//! Settings of everything that has to do with third parties.

use std::path::Path;
use std::time::Duration;

use bosa_auth_connect::{Catalogue, Outbound, OutboundOptions, read_certificates};

use super::Configuration;
use super::parse::{flag, number};
use super::table;
use crate::public_url::PublicUrl;

const LONGEST_TIMEOUT: u32 = 120;

/// The built-in connectors and those of the user's own directory.
pub(super) fn connectors(configuration: &Configuration) -> Result<Catalogue, String> {
    let directory = configuration.get(table::CONNECTORS_DIR);
    if directory == Some("") {
        return Err(format!("{} is empty", table::CONNECTORS_DIR));
    }
    Catalogue::load(directory.map(Path::new)).map_err(|problems| {
        let lines = problems.as_slice().iter();
        let lines: Vec<String> = lines
            .map(|problem| format!("{}: {problem}", table::CONNECTORS_DIR))
            .collect();
        lines.join("\n")
    })
}

/// How providers are asked.
pub(super) fn outbound(configuration: &Configuration) -> Result<Outbound, String> {
    let timeout = number(configuration, table::OUTBOUND_TIMEOUT, 1, LONGEST_TIMEOUT)?;
    let extra_roots = match configuration.get(table::OUTBOUND_CA_FILE) {
        None => Vec::new(),
        Some(path) => read_certificates(Path::new(path))
            .map_err(|error| format!("{}: {path}: {error}", table::OUTBOUND_CA_FILE))?,
    };
    let options = OutboundOptions {
        timeout: Duration::from_secs(timeout.into()),
        private_addresses: flag(configuration, table::OUTBOUND_PRIVATE_ADDRESSES)?,
        extra_roots,
    };
    Outbound::new(options).map_err(|error| error.to_string())
}

/// Where browsers reach this server, if the configuration says so.
pub(super) fn public_url(configuration: &Configuration) -> Result<Option<PublicUrl>, String> {
    let url = configuration.get(table::PUBLIC_URL).map(PublicUrl::parse);
    url.transpose()
        .map_err(|reason| format!("{}: {reason}", table::PUBLIC_URL))
}

/// Where a server of this configuration listens, if that is loopback.
pub(super) fn loopback_url(configuration: &Configuration) -> Option<PublicUrl> {
    let listen = configuration.get(table::LISTEN)?;
    let listen = listen.replace("localhost:", "127.0.0.1:");
    listen.parse().ok().and_then(PublicUrl::of_loopback)
}
