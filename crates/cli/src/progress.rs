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
        Self::visible(&format!("{{spinner}} {{pos}} {what}"))
    }

    /// As [`start`](Self::start), for work whose whole is known once it goes on.
    pub(crate) fn start_up_to(output: Output, what: &str) -> Self {
        if output.quiet || !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        Self::visible(&format!("{{spinner}} {{pos}} of {{len}} {what}"))
    }

    fn visible(template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        let bar = ProgressBar::new_spinner()
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Shows the number reached.
    pub(crate) fn set(&self, number: u64) {
        self.0.set_position(number);
    }

    /// Shows the number reached, and the whole.
    pub(crate) fn set_of(&self, number: u64, whole: u64) {
        self.0.set_length(whole.max(number));
        self.0.set_position(number);
    }

    /// Removes the counter from the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
