//! `config`: settings and where they come from.

use clap::Subcommand;
use serde::Serialize;

use bosa_auth::{Configuration, Error};

use crate::commands::context::Context;
use crate::commands::serve;
use crate::exit::Failure;
use crate::logging;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting and where it comes from, secrets redacted.
    Show,
    /// Check every setting without opening anything.
    Check,
}

#[derive(Debug, Serialize)]
struct EntryView {
    variable: &'static str,
    file_key: &'static str,
    value: Option<String>,
    source: String,
    help: &'static str,
}

#[derive(Debug, Serialize)]
struct CheckView {
    valid: bool,
}

/// Runs a verb on the configuration.
pub(crate) fn run(context: &Context, command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show => {
            let views: Vec<EntryView> = context
                .configuration
                .entries()
                .into_iter()
                .map(|entry| EntryView {
                    variable: entry.spec.variable,
                    file_key: entry.spec.file_key,
                    value: entry.shown,
                    source: entry.source.to_string(),
                    help: entry.spec.help,
                })
                .collect();
            context
                .output
                .list(&views, &["variable", "value", "source"])
        }
        ConfigCommand::Check => {
            check(&context.configuration)?;
            context
                .output
                .record(&CheckView { valid: true }, &["valid"])
        }
    }
}

/// All problems at once.
fn check(configuration: &Configuration) -> Result<(), Error> {
    let problems: Vec<String> = [
        configuration.check(),
        logging::check(configuration),
        serve::check(configuration),
    ]
    .into_iter()
    .filter_map(|checked| checked.err().map(|error| error.to_string()))
    .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Configuration(problems.join("\n")))
    }
}
