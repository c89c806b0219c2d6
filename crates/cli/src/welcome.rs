//! What a person who has just started the server needs to know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bosa_auth::{Configuration, Description, Source};
use bosa_auth_http::Listeners;
use serde::Serialize;

use crate::exit::Failure;
use crate::output::Output;

const MASTER_KEYS: &str = "BOSA_WHITELISTED_KEYS";

/// Where the server is and how to make the first calls.
#[derive(Debug, Serialize)]
pub(crate) struct Welcome {
    url: String,
    metrics_url: Option<String>,
    database: String,
    data_directory: Option<PathBuf>,
    master_key_path: Option<PathBuf>,
    /// The key that this very start has generated, for a terminal only.
    #[serde(skip)]
    generated_master_key: Option<String>,
    /// A shell expression that gives a master key; `None` when there is none to be had.
    #[serde(skip)]
    master_key: Option<String>,
}

impl Welcome {
    /// Gathers what there is to tell.
    ///
    /// # Errors
    /// When a listener has no address.
    pub(crate) fn new(
        configuration: &Configuration,
        description: &Description,
        listeners: &Listeners,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::io("cannot serve", &error);
        let address = listeners.api.local_addr().map_err(failed)?;
        let metrics = listeners
            .metrics
            .as_ref()
            .map(|(listener, _)| listener.local_addr())
            .transpose()
            .map_err(failed)?;
        let is_configured = configuration.get(MASTER_KEYS).is_some();
        let master_key_path = description
            .master_key_path
            .as_deref()
            .filter(|_| !is_configured)
            .map(absolute);
        let master_key = if is_configured {
            expression(&configuration.source(MASTER_KEYS))
        } else {
            master_key_path
                .as_deref()
                .map(|path| format!("$(cat {})", quoted(path)))
        };
        Ok(Self {
            url: url_of(address),
            metrics_url: metrics.map(|address| format!("{}/metrics", url_of(address))),
            database: description.database.clone(),
            data_directory: description.key_directory.as_deref().map(absolute),
            master_key_path,
            generated_master_key: description
                .generated_master_key
                .as_ref()
                .map(|key| key.expose().to_owned()),
            master_key,
        })
    }

    /// Prints it; a server whose output nobody reads serves all the same.
    pub(crate) fn print(&self, output: Output) {
        if output.is_json() {
            drop(output.record(self, &[]));
        } else if !output.quiet {
            drop(output.text(&self.text(output.is_terminal())));
        }
    }

    fn text(&self, to_terminal: bool) -> String {
        let mut text = format!("BOSA Auth listens on {}\n\n", self.url);
        if let Some(url) = &self.metrics_url {
            text.push_str(&format!("metrics         {url}\n"));
        }
        if let Some(directory) = &self.data_directory {
            text.push_str(&format!("data directory  {}\n", directory.display()));
        }
        text.push_str(&format!("database        {}\n", self.database));
        text.push_str(&format!(
            "master key      {}\n",
            self.about_key(to_terminal)
        ));
        match &self.master_key {
            Some(key) => text.push_str(&self.first_calls(key)),
            None => text.push_str("\nCreate a client with: bosa-auth client create NAME\n"),
        }
        text
    }

    fn about_key(&self, to_terminal: bool) -> String {
        match (&self.generated_master_key, &self.master_key_path) {
            (Some(key), Some(path)) if to_terminal => format!(
                "{key}\n                shown this once, and kept in {}",
                path.display()
            ),
            (Some(key), None) if to_terminal => format!("{key}\n                shown this once"),
            (_, Some(path)) => format!("in {}", path.display()),
            (_, None) if self.master_key.is_some() => format!("as {MASTER_KEYS} says"),
            (_, None) => format!("none; set {MASTER_KEYS} to manage clients by HTTP"),
        }
    }

    /// Three lines for a shell: a client, a user of it, and that user's login.
    fn first_calls(&self, master_key: &str) -> String {
        let url = &self.url;
        let json = "-H 'content-type: application/json'";
        format!(
            r#"
Paste into another terminal, line by line:

KEY=$(curl -sS {url}/clients -H "x-api-key: {master_key}" {json} -d '{{"name":"demo-'$(date +%s)'"}}' | sed -n 's/.*"api_key":"\([^"]*\)".*/\1/p'); echo "$KEY"
SECRET=$(curl -sS {url}/users -H "x-api-key: $KEY" {json} -d '{{"identifier":"ana@example.com"}}' | sed -n 's/.*"secret":"\([^"]*\)".*/\1/p'); echo "$SECRET"
curl -sS {url}/auth/tokens -H "x-api-key: $KEY" {json} -d '{{"identifier":"ana@example.com","secret":"'$SECRET'"}}'; echo

"#
        )
    }
}

/// How a shell gets at a configured master key; `None` when it would have to be copied by hand.
fn expression(source: &Source) -> Option<String> {
    match source {
        Source::Environment => Some(format!("${{{MASTER_KEYS}%%,*}}")),
        Source::EnvironmentFile(path) => {
            Some(format!("$(cut -d, -f1 {})", quoted(&absolute(path))))
        }
        Source::Flag | Source::Code | Source::File(_) | Source::Default => None,
    }
}

/// The URL by which this machine reaches an address.
fn url_of(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// The path as it is reached from any directory.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || "/._-+@%".contains(character));
    if is_plain {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(quoted(Path::new("/srv/a-b_c.d/key")), "/srv/a-b_c.d/key");
        assert_eq!(
            quoted(Path::new("/it's $HOME/key")),
            r"'/it'\''s $HOME/key'"
        );
    }

    #[test]
    fn the_url_of_every_interface_is_the_local_one() {
        assert_eq!(url_of("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(url_of("[::]:80".parse().unwrap()), "http://[::1]:80");
        assert_eq!(
            url_of("192.0.2.1:80".parse().unwrap()),
            "http://192.0.2.1:80"
        );
    }
}
