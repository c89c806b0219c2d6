//! `root-key`: the keys outside the database that seal all others.

use bosa_auth::{Operator, RootKeyInfo};
use clap::Subcommand;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::view;

#[derive(Debug, Subcommand)]
pub(crate) enum RootKeyCommand {
    /// List the root keys that the database was sealed with.
    List,
}

/// A root key, by its id; never its bytes.
#[derive(Debug, Serialize)]
pub(crate) struct RootKeyView {
    id: String,
    is_active: bool,
    is_present: bool,
    seals: u64,
    created_at: String,
}

impl RootKeyView {
    pub(crate) const COLUMNS: [&'static str; 5] =
        ["id", "is_active", "is_present", "seals", "created_at"];
}

impl From<RootKeyInfo> for RootKeyView {
    fn from(info: RootKeyInfo) -> Self {
        Self {
            id: info.id,
            is_active: info.is_active,
            is_present: info.is_present,
            seals: info.seals,
            created_at: view::time(info.created_at),
        }
    }
}

/// Runs a verb on root keys.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: &RootKeyCommand,
) -> Result<(), Failure> {
    let RootKeyCommand::List = command;
    let keys = operator.root_keys().await?;
    let views: Vec<RootKeyView> = keys.into_iter().map(Into::into).collect();
    context.output.list(&views, &RootKeyView::COLUMNS)
}
