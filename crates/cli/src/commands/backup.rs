//! `backup`: writes an archive that either database can be restored from.

use std::path::PathBuf;
use std::sync::Arc;

use bosa_auth::{BackupMode, Operator};
use clap::Args;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::progress::Counter;

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The archive to write; it must not exist yet.
    file: PathBuf,
    /// Close this database for good: restoring the archive keeps every session. This is how one moves
    /// to another database.
    #[arg(long = "move")]
    moves: bool,
}

/// What was written.
#[derive(Debug, Serialize)]
struct BackupView {
    path: String,
    rows: u64,
    root_keys: Vec<String>,
    moved: bool,
}

/// Writes the archive.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    args: &BackupArgs,
) -> Result<(), Failure> {
    let output = context.output;
    let mode = if args.moves {
        context.prompt.confirm(
            "Close this database for good? It works again only where the archive is restored.",
        )?;
        BackupMode::Move
    } else {
        BackupMode::Copy
    };
    let counter = Counter::start(output, "rows");
    let shown = counter.clone();
    let progress = Arc::new(move |rows| shown.set(rows));
    let written = operator.backup(&args.file, mode, progress).await;
    counter.finish();
    let report = written?;
    let view = BackupView {
        path: report.path.display().to_string(),
        rows: report.rows,
        root_keys: report.root_keys,
        moved: args.moves,
    };
    output.record(&view, &["path", "rows", "root_keys", "moved"])?;
    output.note(
        "The archive holds no keys: keep the listed root keys elsewhere, it cannot be restored without them.",
    );
    Ok(())
}
