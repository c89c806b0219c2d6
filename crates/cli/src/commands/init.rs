//! `init`: creates data directory, keys and database, or replaces the master key.

use bosa_auth::{Auth, Description, OpenMode, Secret};
use clap::Args;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::view::Shown;

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Replace the generated master key; running servers take the new one at their next start.
    #[arg(long)]
    new_master_key: bool,
}

/// Where an instance keeps its things.
#[derive(Debug, Serialize)]
struct InstanceView {
    database: String,
    key_directory: Option<String>,
    master_key_path: Option<String>,
    /// Only where a person at a terminal reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    master_key: Option<Shown>,
}

const FIELDS: [&str; 4] = ["database", "key_directory", "master_key_path", "master_key"];

/// Creates what is not there yet; run again, it changes nothing.
pub(crate) async fn run(context: &Context, args: &InitArgs) -> Result<(), Failure> {
    let configuration = &context.configuration;
    let mut new_key = None;
    let mode = if args.new_master_key {
        context.prompt.confirm(
            "Replace the master key? The former one ends when the running servers are started again.",
        )?;
        new_key = Some(Auth::replace_master_key(configuration)?);
        OpenMode::Existing
    } else {
        OpenMode::Create
    };
    let mut auth = Auth::open_configured(configuration, mode).await?;
    let view = view_of(context, &mut auth, new_key);
    auth.close().await?;
    context.output.record(&view, &FIELDS)
}

fn view_of(context: &Context, auth: &mut Auth, new_key: Option<Secret>) -> InstanceView {
    let description: &Description = auth.description();
    let generated = description
        .generated_master_key
        .as_ref()
        .map(|key| Secret::new(key.expose().to_owned()));
    InstanceView {
        database: description.database.clone(),
        key_directory: shown(description.key_directory.as_deref()),
        master_key_path: shown(description.master_key_path.as_deref()),
        master_key: new_key
            .or(generated)
            .filter(|_| context.output.is_terminal())
            .map(Shown::from),
    }
}

fn shown(path: Option<&std::path::Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}
