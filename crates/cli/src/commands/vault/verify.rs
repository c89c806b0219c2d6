//! `vault verify`: whether everything sealed still opens.

use bosa_auth::Operator;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::progress::Counter;

#[derive(Debug, Serialize)]
struct ReportView {
    readable: u64,
    unreadable: Vec<String>,
}

/// Opens everything.
pub(super) async fn run(context: &Context, operator: &Operator) -> Result<(), Failure> {
    let output = context.output;
    let counter = Counter::start(output, "keys and values");
    let shown = counter.clone();
    let verified = operator.vault_verify(move |read| shown.set(read)).await;
    counter.finish();
    let report = verified?;
    let is_whole = report.unreadable.is_empty();
    let view = ReportView {
        readable: report.readable,
        unreadable: report.unreadable,
    };
    if output.is_json() || is_whole {
        output.record(&view, &["readable", "unreadable"])?;
    } else {
        let lines: String = view
            .unreadable
            .iter()
            .map(|name| format!("unreadable  {name}\n"))
            .collect();
        output.text(&format!("readable    {}\n{lines}", view.readable))?;
    }
    if is_whole {
        Ok(())
    } else {
        Err(Failure::Problems)
    }
}
