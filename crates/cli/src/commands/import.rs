//! `import`: takes over the database of another system.

use std::collections::HashMap;
use std::sync::Arc;

use bosa_auth::{Auth, ImportOptions, ImportReport, ImportSource};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::commands::context::Context;
use crate::config::{Override, holds_password};
use crate::exit::Failure;
use crate::output::Output;
use crate::progress::Counter;
use crate::signals::Stop;

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Take over clients, users, tokens and integrations of a BOSA Core Authentication database.
    ///
    /// It is only read, may be the database of this system too, and can be read again later: what is
    /// here already stays, what was revoked there since is revoked here. The original's
    /// BOSA_AUTH_ENCRYPTION_PASSWORD and BOSA_AUTH_ENCRYPTION_SALT must be set if it holds
    /// integrations; with its AUTH_SECRET_KEY its tokens go on.
    Bosa(BosaArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BosaArgs {
    /// The database of the original: postgresql://user@host/database, without a password. Absent:
    /// BOSA_AUTH_IMPORT_FROM, or the database of this system, if it is PostgreSQL.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The Redis of the original: redis://host, without a password. It adds tokens, and ends of tokens,
    /// that the database lacks. Absent: BOSA_AUTH_IMPORT_REDIS, or none is asked.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Print the report of what would be done, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl ImportCommand {
    /// The settings that the arguments give.
    ///
    /// # Errors
    /// `Usage`: the URL holds a password.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>, Failure> {
        let Self::Bosa(args) = self;
        if args.from.as_deref().is_some_and(holds_password) {
            return Err(Failure::usage(
                "--from holds a password, which other users of this machine can read",
                "Set BOSA_AUTH_IMPORT_FROM, or BOSA_AUTH_IMPORT_FROM_FILE to a file that holds the URL.",
            ));
        }
        if args.redis.as_deref().is_some_and(holds_password) {
            return Err(Failure::usage(
                "--redis holds a password, which other users of this machine can read",
                "Set BOSA_AUTH_IMPORT_REDIS, or BOSA_AUTH_IMPORT_REDIS_FILE to a file that holds the URL.",
            ));
        }
        Ok(vec![
            ("BOSA_AUTH_IMPORT_FROM", args.from.clone()),
            ("BOSA_AUTH_IMPORT_REDIS", args.redis.clone()),
        ])
    }
}

/// Takes it over.
pub(crate) async fn run(context: &Context, command: &ImportCommand) -> Result<(), Failure> {
    let ImportCommand::Bosa(args) = command;
    let output = context.output;
    let mut stop = Stop::listen()?;
    let options = ImportOptions::configured(&context.configuration, args.dry_run)?;
    let counter = Counter::start_in_lines(output, "rows");
    let imported = take_over(context, args, options, &counter, &mut stop).await;
    counter.finish();
    print(output, &ImportView::from(imported?))
}

async fn take_over(
    context: &Context,
    args: &BosaArgs,
    options: ImportOptions,
    counter: &Counter,
    stop: &mut Stop,
) -> Result<ImportReport, Failure> {
    // Before anything is made here.
    let opening = async {
        let source = ImportSource::open(options).await?;
        let auth = Auth::open_for_import(&context.configuration, &source).await?;
        Ok((source, auth))
    };
    let (source, auth) = unless_stopped(stop, "nothing was imported", opening).await?;
    let shown = counter.clone();
    let progress = Arc::new(move |number, whole| shown.set_of(number, whole));
    let operator = auth.operator();
    let importing = operator.import_bosa(source, progress);
    let state = match args.dry_run {
        true => "nothing was written",
        false => "what was imported so far stays",
    };
    let imported = unless_stopped(stop, state, importing).await;
    if let Err(error) = auth.close().await {
        tracing::warn!(%error, "the instance did not close cleanly");
    }
    if let Err(Failure::Library(_)) = &imported
        && !args.dry_run
    {
        let note = "What was imported so far stays; run the same command again to go on.";
        context.output.note(note);
    }
    imported
}

/// Gives `work` up at a signal. What is being written then is written wholly or not at all.
async fn unless_stopped<T>(
    stop: &mut Stop,
    state: &str,
    work: impl Future<Output = bosa_auth::Result<T>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done?),
        code = stop.asked() => Err(Failure::Interrupted {
            code,
            message: format!("interrupted: {state}"),
            help: "Run the same command again to go on.".to_owned(),
        }),
    }
}

#[derive(Debug, Serialize)]
struct ImportView {
    dry_run: bool,
    source_version: i64,
    kinds: Vec<KindView>,
    rows: Vec<RowView>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct KindView {
    kind: &'static str,
    read: u64,
    imported: u64,
    already_there: u64,
    repaired: u64,
    skipped: u64,
    updated: u64,
    ended: u64,
    reasons: Vec<ReasonView>,
}

#[derive(Debug, Clone, Serialize)]
struct ReasonView {
    kind: &'static str,
    outcome: &'static str,
    count: u64,
    reason: String,
}

#[derive(Debug, Clone, Serialize)]
struct RowView {
    kind: &'static str,
    outcome: &'static str,
    id: String,
    reason: String,
}

const KINDS: [&str; 8] = [
    "kind",
    "read",
    "imported",
    "already_there",
    "repaired",
    "skipped",
    "updated",
    "ended",
];
const REASONS: [&str; 4] = ["kind", "outcome", "count", "reason"];
const ROWS: [&str; 4] = ["kind", "outcome", "id", "reason"];
const SHOWN_OF_A_REASON: usize = 20;

impl From<ImportReport> for ImportView {
    fn from(report: ImportReport) -> Self {
        let kinds = report.kinds.into_iter().map(|of| KindView {
            kind: of.kind,
            read: of.read,
            imported: of.imported,
            already_there: of.already_there,
            repaired: of.repaired,
            skipped: of.skipped,
            updated: of.updated,
            ended: of.ended,
            reasons: of
                .reasons
                .into_iter()
                .map(|reason| ReasonView {
                    kind: of.kind,
                    outcome: reason.outcome.as_str(),
                    count: reason.count,
                    reason: reason.reason,
                })
                .collect(),
        });
        let rows = report.lines.into_iter().map(|line| RowView {
            kind: line.kind,
            outcome: line.outcome.as_str(),
            id: line.id.to_string(),
            reason: line.reason,
        });
        Self {
            dry_run: report.dry_run,
            source_version: report.source_version,
            kinds: kinds.collect(),
            rows: rows.collect(),
            notes: report.notes,
        }
    }
}

/// What a person reads of thousands of rows that have the same to say.
fn first_of_each_reason(rows: &[RowView]) -> Vec<RowView> {
    let mut seen: HashMap<_, usize> = HashMap::new();
    let mut shown = Vec::new();
    for row in rows {
        let of_this = seen
            .entry((row.kind, row.outcome, row.reason.as_str()))
            .or_default();
        *of_this += 1;
        if *of_this <= SHOWN_OF_A_REASON {
            shown.push(row.clone());
        }
    }
    shown
}

fn print(output: Output, view: &ImportView) -> Result<(), Failure> {
    if output.is_json() {
        return output.record(view, &[]);
    }
    output.list(&view.kinds, &KINDS)?;
    let reasons: Vec<ReasonView> = view
        .kinds
        .iter()
        .flat_map(|kind| kind.reasons.iter().cloned())
        .collect();
    if !reasons.is_empty() {
        output.text("\n")?;
        output.list(&reasons, &REASONS)?;
    }
    let rows = first_of_each_reason(&view.rows);
    if !rows.is_empty() {
        output.text("\n")?;
        output.list(&rows, &ROWS)?;
    }
    match view.rows.len() - rows.len() {
        0 => {}
        more => output.note(&format!(
            "{more} more rows have one of these reasons; --output json names them all."
        )),
    }
    for note in &view.notes {
        output.note(note);
    }
    if view.dry_run {
        output.note("Nothing was written: this was a dry run.");
    }
    Ok(())
}
