//! `vault rekey`: new keys for everything sealed, while servers go on.

use std::num::NonZeroU32;

use bosa_auth::{Operator, RekeyEnd, RekeyOptions, RekeyReport, WrapReport};
use clap::Args;
use serde::Serialize;

use super::status::RemainingView;
use crate::commands::context::Context;
use crate::exit::Failure;
use crate::progress::Counter;
use crate::view;

#[derive(Debug, Args)]
pub(crate) struct RekeyArgs {
    /// Seal at most N values a second.
    #[arg(long, value_name = "N", conflicts_with = "wrap_only")]
    rate: Option<NonZeroU32>,
    /// Begin anew instead of going on with an unfinished replacement, which leaves the keys alone that
    /// were made since it began.
    #[arg(long, conflicts_with = "wrap_only")]
    anew: bool,
    /// Seal the keys under the active root key and leave the values as they are. This does not help
    /// after a compromise.
    #[arg(long)]
    wrap_only: bool,
}

/// What a run has done.
#[derive(Debug, Serialize)]
struct ReportView {
    finished: bool,
    taken_over: bool,
    resumed: bool,
    started_at: String,
    resealed: u64,
    keys_made: u64,
    keys_removed: u64,
    left: Vec<String>,
    remaining: RemainingView,
}

#[derive(Debug, Serialize)]
struct WrapView {
    root_key: String,
    wrapped: u64,
    unreadable: Vec<String>,
}

/// Replaces the keys.
pub(super) async fn run(
    context: &Context,
    operator: &Operator,
    args: &RekeyArgs,
) -> Result<(), Failure> {
    let output = context.output;
    if args.wrap_only {
        return show_wrapped(context, operator.vault_wrap().await?);
    }
    let options = RekeyOptions {
        rate: args.rate,
        anew: args.anew,
    };
    let counter = Counter::start_up_to(output, "values under new keys");
    let shown = counter.clone();
    let progress = move |step: bosa_auth::RekeyProgress| shown.set_of(step.resealed, step.total);
    let replaced = operator.vault_rekey(options, progress).await;
    counter.finish();
    match replaced {
        Ok(report) => show(context, report),
        Err(error) => {
            output.note("What is done stays done; run the command again to go on.");
            Err(error.into())
        }
    }
}

fn show(context: &Context, report: RekeyReport) -> Result<(), Failure> {
    let output = context.output;
    let (end, is_resumed) = (report.end, report.is_resumed);
    let view = ReportView {
        finished: end == RekeyEnd::Finished,
        taken_over: end == RekeyEnd::TakenOver,
        resumed: is_resumed,
        started_at: view::time(report.started_at),
        resealed: report.resealed,
        keys_made: report.keys_made,
        keys_removed: report.keys_removed,
        left: report.left,
        remaining: report.remaining.into(),
    };
    if output.is_json() {
        output.record(&view, &[])?;
    } else {
        let fields = [
            "finished",
            "resumed",
            "started_at",
            "resealed",
            "keys_made",
            "keys_removed",
        ];
        output.record(&view, &fields)?;
        let lines: String = view
            .left
            .iter()
            .map(|name| format!("left  {name}\n"))
            .collect();
        output.text(&lines)?;
    }
    if is_resumed {
        output.note(&format!(
            "This went on with the replacement that began at {}; keys made since then are not replaced. \
             Run it once more to replace those, too.",
            view.started_at
        ));
    }
    match end {
        RekeyEnd::Finished if view.left.is_empty() => Ok(()),
        RekeyEnd::TakenOver => {
            output.note("Another run began anew and goes on with what is left.");
            Err(Failure::Problems)
        }
        RekeyEnd::Finished | RekeyEnd::KeysLeft => {
            output.note(
                "What is listed stays under its old key. Store it again, delete it, or bring it back from \
                 a backup; then run the command again.",
            );
            Err(Failure::Problems)
        }
    }
}

fn show_wrapped(context: &Context, report: WrapReport) -> Result<(), Failure> {
    let output = context.output;
    let view = WrapView {
        root_key: report.root_key,
        wrapped: report.wrapped,
        unreadable: report.unreadable,
    };
    output.record(&view, &["root_key", "wrapped", "unreadable"])?;
    output.note(
        "The keys are the same as before, under another root key: after a compromise this does not help. \
         Run bosa-auth vault rekey then.",
    );
    match view.unreadable.is_empty() {
        true => Ok(()),
        false => Err(Failure::Problems),
    }
}
