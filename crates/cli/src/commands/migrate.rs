//! `migrate`: the schema of the database.

use bosa_auth::{MigrationInfo, migrate_up, migration_status};
use clap::Subcommand;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::view;

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Bring the schema to this version.
    Up,
    /// List the migrations that are missing.
    Plan,
    /// List all migrations.
    Status,
}

#[derive(Debug, Serialize)]
struct MigrationView {
    version: u32,
    name: String,
    applied_at: Option<String>,
}

const COLUMNS: [&str; 3] = ["version", "name", "applied_at"];

impl From<MigrationInfo> for MigrationView {
    fn from(info: MigrationInfo) -> Self {
        Self {
            version: info.version,
            name: info.name,
            applied_at: info.applied_at.map(view::time),
        }
    }
}

/// Runs a verb on the schema.
pub(crate) async fn run(context: &Context, command: &MigrateCommand) -> Result<(), Failure> {
    let configuration = &context.configuration;
    let steps = match command {
        MigrateCommand::Up => migrate_up(configuration).await?,
        MigrateCommand::Plan | MigrateCommand::Status => migration_status(configuration).await?,
    };
    let only_missing = matches!(command, MigrateCommand::Plan);
    let views: Vec<MigrationView> = steps
        .into_iter()
        .filter(|step| !only_missing || step.applied_at.is_none())
        .map(Into::into)
        .collect();
    context.output.list(&views, &COLUMNS)
}
