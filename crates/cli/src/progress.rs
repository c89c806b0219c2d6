//! Shows on standard error how far a long work has come, when a person watches.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// A counter that stands on the terminal while work goes on; invisible elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Counter(ProgressBar);

impl Counter {
    /// Starts to count `what`, for example "rows".
    pub(crate) fn start(output: Output, what: &str) -> Self {
        if output.quiet || !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template(&format!("{{spinner}} {{pos}} {what}"));
        let bar = ProgressBar::new_spinner()
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Shows the number reached.
    pub(crate) fn set(&self, number: u64) {
        self.0.set_position(number);
    }

    /// Removes the counter from the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
