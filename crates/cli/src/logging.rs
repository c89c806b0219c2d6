//! Logs on standard error.

use std::io::{self, IsTerminal as _};

use bosa_auth::{Configuration, Error, Source};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::exit::Failure;
use crate::log_lines::LogLines;

const FILTER: &str = "BOSA_AUTH_LOG";
const FORMAT: &str = "BOSA_AUTH_LOG_FORMAT";

/// How much is logged when the configuration says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// The server: what happens.
    Server,
    /// Other verbs: what is odd.
    Verb,
}

/// Checks the log settings and starts logging.
///
/// # Errors
/// `Configuration` when a log setting cannot be used.
pub(crate) fn start(configuration: &Configuration, verbosity: Verbosity) -> Result<(), Failure> {
    let filter = match (verbosity, configuration.source(FILTER)) {
        (Verbosity::Verb, Source::Default) => EnvFilter::new("warn"),
        _ => filter(configuration)?,
    };
    let json = is_json(configuration)?;
    match verbosity {
        Verbosity::Verb => subscribe(filter, json, io::stderr),
        Verbosity::Server => {
            let lines =
                LogLines::start().map_err(|error| Failure::io("cannot write a log", &error))?;
            subscribe(filter, json, lines);
        }
    }
    Ok(())
}

fn subscribe<W>(filter: EnvFilter, json: bool, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(wants_color());
    // Fails only when logging was started before, and then it goes on as it was.
    drop(if json {
        builder.json().finish().try_init()
    } else {
        builder.finish().try_init()
    });
}

/// Checks the log settings.
///
/// # Errors
/// `Configuration` with one line for each value that cannot be used.
pub(crate) fn check(configuration: &Configuration) -> Result<(), Error> {
    let problems: Vec<String> = [filter(configuration).err(), is_json(configuration).err()]
        .into_iter()
        .flatten()
        .map(|error| error.to_string())
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Configuration(problems.join("\n")))
    }
}

fn filter(configuration: &Configuration) -> Result<EnvFilter, Error> {
    let text = configuration.get(FILTER).unwrap_or_default();
    EnvFilter::builder().parse(text).map_err(|error| {
        Error::Configuration(format!(
            "{FILTER}: {error}; use a level, or for example warn,bosa_auth=debug"
        ))
    })
}

fn is_json(configuration: &Configuration) -> Result<bool, Error> {
    match configuration.get(FORMAT).unwrap_or_default() {
        "text" => Ok(false),
        "json" => Ok(true),
        _ => Err(Error::Configuration(format!("{FORMAT}: use text or json"))),
    }
}

/// `NO_COLOR` (no-color.org) and files get no escape sequences.
fn wants_color() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && io::stderr().is_terminal()
}
