//! `digest-key`: the keys under which client keys and user secrets are digested.

use bosa_auth::{DigestKeyInfo, Operator};
use clap::Subcommand;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::view;

#[derive(Debug, Subcommand)]
pub(crate) enum DigestKeyCommand {
    /// List the digest keys and how many credentials depend on each.
    List,
}

/// A digest key, by its id; never its bytes.
#[derive(Debug, Serialize)]
pub(crate) struct DigestKeyView {
    id: String,
    is_active: bool,
    used_by: u64,
    created_at: String,
}

impl DigestKeyView {
    pub(crate) const COLUMNS: [&'static str; 4] = ["id", "is_active", "used_by", "created_at"];
}

impl From<DigestKeyInfo> for DigestKeyView {
    fn from(info: DigestKeyInfo) -> Self {
        Self {
            id: info.id,
            is_active: info.is_active,
            used_by: info.used_by,
            created_at: view::time(info.created_at),
        }
    }
}

/// Runs a verb on digest keys.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: &DigestKeyCommand,
) -> Result<(), Failure> {
    let DigestKeyCommand::List = command;
    let keys = operator.digest_keys().await?;
    let views: Vec<DigestKeyView> = keys.into_iter().map(Into::into).collect();
    context.output.list(&views, &DigestKeyView::COLUMNS)
}
