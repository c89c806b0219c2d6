//! `serve`: the HTTP server.

use bosa_auth::{Auth, Configuration, Error, OpenMode};
use bosa_auth_http::{HttpConfig, Listeners, Metrics};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::context::Context;
use crate::config::Override;
use crate::exit::Failure;
use crate::signals::{Stop, no_signals};
use crate::welcome::Welcome;

const LISTEN: &str = "BOSA_AUTH_LISTEN";
const METRICS_LISTEN: &str = "BOSA_AUTH_METRICS_LISTEN";
const PUBLIC_URL: &str = "BOSA_AUTH_PUBLIC_URL";

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address of the HTTP server; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Address of /metrics; not served when absent.
    #[arg(long, value_name = "HOST:PORT")]
    metrics_listen: Option<String>,
    /// The URL under which browsers reach this server.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

impl ServeArgs {
    /// The settings that these flags give.
    pub(crate) fn overrides(&self) -> Vec<Override> {
        vec![
            (LISTEN, self.listen.clone()),
            (METRICS_LISTEN, self.metrics_listen.clone()),
            (PUBLIC_URL, self.public_url.clone()),
        ]
    }
}

/// Serves until the process is told to stop (SIGINT or SIGTERM), then finishes what is in flight.
/// SIGHUP reads the user's own connector files again.
pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let configuration = &context.configuration;
    check(configuration)?;
    let config = HttpConfig::from_configuration(configuration)?;
    let mut stop = Stop::listen()?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(no_signals)?;
    // Listening first: a start that finds its address taken leaves nothing behind.
    let listeners = listen(configuration).await?;
    let auth = Auth::open_configured(configuration, OpenMode::Create).await?;
    let keys = auth.operator().signing_keys().await?;
    if !keys.iter().any(|key| key.signs) {
        tracing::warn!(
            "there is no signing key: nobody can log in until AUTH_SECRET_KEY is set, \
             auth_secret.key is restored or bosa-auth signing-key rotate has been run"
        );
    }
    if let Ok(address) = listeners.api.local_addr() {
        auth.listens_on(address);
    }
    auth.start_maintenance();
    Welcome::new(configuration, auth.description(), &listeners)?.print(context.output);
    let reloading = auth.clone();
    let reloads = tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            reload_connectors(reloading.clone()).await;
        }
    });
    let served = bosa_auth_http::serve(auth.clone(), config, listeners, async move {
        stop.asked().await;
    })
    .await;
    reloads.abort();
    if let Err(error) = auth.close().await {
        tracing::warn!(%error, "the instance did not close cleanly");
    }
    served.map_err(|error| Failure::io("cannot serve", &error))
}

/// Reads the user's own connector files again; a bad one leaves everything as it was.
async fn reload_connectors(auth: Auth) {
    let reload = tokio::task::spawn_blocking(move || auth.reload_connectors());
    match reload.await {
        Ok(Ok(count)) => tracing::info!(count, "read the connector files again"),
        Ok(Err(error)) => {
            for problem in error.to_string().lines() {
                tracing::error!("the former connectors stay: {problem}");
            }
        }
        Err(error) => tracing::error!(%error, "the connector files were not read"),
    }
}

/// Checks the settings of the server.
///
/// # Errors
/// `Configuration` with one line for each value that cannot be used.
pub(crate) fn check(configuration: &Configuration) -> Result<(), Error> {
    let mut problems = Vec::new();
    for variable in [LISTEN, METRICS_LISTEN] {
        let address = configuration.get(variable);
        if address.is_some_and(|address| !is_address(address)) {
            problems.push(format!(
                "{variable}: use host:port, for example 127.0.0.1:8000"
            ));
        }
    }
    if let Err(error) = HttpConfig::from_configuration(configuration) {
        problems.push(error.to_string());
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Configuration(problems.join("\n")))
    }
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

async fn listen(configuration: &Configuration) -> Result<Listeners, Failure> {
    let address = configuration.get(LISTEN).unwrap_or_default();
    let api = bind(address, "--listen").await?;
    let metrics = match configuration.get(METRICS_LISTEN) {
        None => None,
        Some(address) => {
            let listener = bind(address, "--metrics-listen").await?;
            let metrics = Metrics::install()
                .map_err(|error| Failure::Io(format!("cannot collect metrics: {error}")))?;
            Some((listener, metrics))
        }
    };
    Ok(Listeners { api, metrics })
}

async fn bind(address: &str, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::usage(
            format!("cannot listen on {address}: {error}"),
            format!("Stop what listens there, or choose another address with {flag}."),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in ["127.0.0.1:8000", "[::1]:0", "localhost:80"] {
            assert!(is_address(text), "{text}");
        }
        for text in [
            "",
            "8000",
            ":8000",
            "localhost",
            "localhost:",
            "localhost:99999",
        ] {
            assert!(!is_address(text), "{text}");
        }
    }
}
