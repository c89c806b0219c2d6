//! Shows on standard error how far a long work has come, when a person watches.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// A counter that stands on the terminal while work goes on; invisible elsewhere, unless it tells in
/// lines.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    bar: ProgressBar,
    lines: Option<Arc<Lines>>,
}

/// What is written where nobody watches a terminal: a line at the start, and at each further part.
#[derive(Debug)]
struct Lines {
    what: &'static str,
    /// Parts that were told of.
    told: AtomicU64,
}

/// Of how many parts a line tells.
const PARTS: u64 = 20;

impl Counter {
    /// Starts to count `what`, for example "rows".
    pub(crate) fn start(output: Output, what: &str) -> Self {
        Self::quiet_or(output, || format!("{{spinner}} {{pos}} {what}"))
    }

    /// As [`start`](Self::start), for work whose whole is known once it goes on.
    pub(crate) fn start_up_to(output: Output, what: &str) -> Self {
        Self::quiet_or(output, || format!("{{spinner}} {{pos}} of {{len}} {what}"))
    }

    /// As [`start_up_to`](Self::start_up_to), for long work that a log should know of, too.
    pub(crate) fn start_in_lines(output: Output, what: &'static str) -> Self {
        let mut counter = Self::start_up_to(output, what);
        counter.lines = (counter.bar.is_hidden() && !output.quiet).then(|| {
            Arc::new(Lines {
                what,
                told: AtomicU64::new(0),
            })
        });
        counter
    }

    fn quiet_or(output: Output, template: impl Fn() -> String) -> Self {
        let bar = match output.quiet || !io::stderr().is_terminal() {
            true => ProgressBar::hidden(),
            false => visible(&template()),
        };
        Self { bar, lines: None }
    }

    /// Shows the number reached.
    pub(crate) fn set(&self, number: u64) {
        self.bar.set_position(number);
    }

    /// Shows the number reached, and the whole.
    pub(crate) fn set_of(&self, number: u64, whole: u64) {
        self.bar.set_length(whole.max(number));
        self.bar.set_position(number);
        if let Some(lines) = &self.lines {
            lines.tell(number, whole);
        }
    }

    /// Removes the counter from the terminal.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Lines {
    fn tell(&self, number: u64, whole: u64) {
        let part = 1 + (number * PARTS).checked_div(whole).unwrap_or(PARTS);
        if self.told.fetch_max(part, Ordering::Relaxed) < part {
            let what = self.what;
            // Standard error may be closed; a number is worth no failure.
            drop(writeln!(io::stderr().lock(), "{number} of {whole} {what}"));
        }
    }
}

fn visible(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
