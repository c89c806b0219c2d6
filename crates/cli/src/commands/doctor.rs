//! `doctor`: looks for everything that would keep the system from working.

use bosa_auth::{Finding, Severity, doctor};
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::logging;

#[derive(Debug, Serialize)]
struct FindingView {
    severity: &'static str,
    title: String,
    remedy: String,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            severity: name_of(finding.severity),
            title: finding.title,
            remedy: finding.remedy,
        }
    }
}

/// Prints what was found; fails when there is a problem.
pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let mut findings = doctor(&context.configuration).await;
    for error in server_settings(context) {
        let (title, remedy) = error.explain();
        findings.push(Finding {
            severity: Severity::Problem,
            title,
            remedy,
        });
    }
    print(context, findings)
}

/// Prints findings; fails when one is a problem.
pub(crate) fn print(context: &Context, findings: Vec<Finding>) -> Result<(), Failure> {
    let is_healthy = findings
        .iter()
        .all(|finding| finding.severity != Severity::Problem);
    let views: Vec<FindingView> = findings.into_iter().map(Into::into).collect();
    if context.output.is_json() {
        context.output.list(&views, &[])?;
    } else {
        context
            .output
            .text(&views.iter().map(line).collect::<String>())?;
    }
    if is_healthy {
        Ok(())
    } else {
        Err(Failure::Problems)
    }
}

/// What is wrong with the settings that only the server and its log use.
fn server_settings(context: &Context) -> Vec<bosa_auth::Error> {
    let configuration = &context.configuration;
    [
        logging::check(configuration),
        crate::commands::serve::check(configuration),
    ]
    .into_iter()
    .filter_map(Result::err)
    .collect()
}

fn line(finding: &FindingView) -> String {
    let mut line = format!("{:7}  {}\n", finding.severity, finding.title);
    if !finding.remedy.is_empty() {
        line.push_str(&format!("         remedy: {}\n", finding.remedy));
    }
    line
}

fn name_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Fine => "ok",
        Severity::Warning => "warning",
        Severity::Problem => "problem",
    }
}
