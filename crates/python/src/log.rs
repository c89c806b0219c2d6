//! What the library reports goes to Python's `logging`, to the logger `bosa_auth`.
//!
//! A thread of ours brings it there. The one that reports may hold a lock that a thread inside the
//! interpreter waits for, so it must never wait for the interpreter itself.

use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{LazyLock, Once};
use std::thread;

use arc_swap::ArcSwapOption;
use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::exit;

/// How many reports may wait; more are dropped, and those that log too much see that by their number.
const WAITING: usize = 1024;
const LOGGER: &str = "bosa_auth";

static OUTBOX: LazyLock<ArcSwapOption<SyncSender<Report>>> = LazyLock::new(ArcSwapOption::empty);

struct Report {
    level: Level,
    text: String,
}

/// Begins to report, in this process.
pub(crate) fn start() {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Reports);
        // Nobody else can have set one: this module has its own copy of `tracing`.
        let _set = tracing::subscriber::set_global_default(subscriber);
    });
    let (outbox, inbox) = sync_channel(WAITING);
    let carrier = thread::Builder::new().name("bosa-auth-log".to_owned());
    if carrier.spawn(move || carry(&inbox)).is_ok() {
        OUTBOX.store(Some(outbox.into()));
    }
}

fn carry(inbox: &Receiver<Report>) {
    while let Ok(report) = inbox.recv() {
        exit::attach(|py| {
            // A handler that fails has reported that itself.
            let _logged = log(py, &report);
        });
    }
}

fn log(py: Python<'_>, report: &Report) -> PyResult<()> {
    let level = match report.level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG | Level::TRACE => 10,
    };
    let logger = py.import("logging")?.call_method1("getLogger", (LOGGER,))?;
    logger
        .call_method1("log", (level, "%s", &report.text))
        .map(drop)
}

/// Takes what is at least informative.
struct Reports;

impl<S: Subscriber> Layer<S> for Reports {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with(LOGGER)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        if let Some(outbox) = &*OUTBOX.load() {
            let report = Report {
                level: *event.metadata().level(),
                text: text.message + &text.fields,
            };
            let _dropped_when_full = outbox.try_send(report);
        }
    }
}

/// The message of an event, and its fields behind it.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        self.record_debug(field, &format_args!("{text}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _always_written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
