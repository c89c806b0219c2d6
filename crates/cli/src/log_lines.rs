//! Lines of the log on their way to standard error, many at a time.
//!
//! A server writes a line for each request, and a system call for each line takes as long as much of
//! the rest of the request. So lines wait a moment, and a thread writes them together. Warnings,
//! errors and panics do not wait, and take with them what was there before: what a process says before
//! it is killed is what one looks for afterwards. One that is killed outright may lose the last moment
//! of the other lines.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long lines wait for others.
const PAUSE: Duration = Duration::from_millis(20);
/// How many bytes may wait; whoever adds more writes them itself, so that none are lost.
const MOST: usize = 1024 * 1024;
/// How large a buffer may stay.
const KEPT: usize = 128 * 1024;

static LINES: Lines = Lines::new();

/// Where the log goes in a server.
#[derive(Debug)]
pub(crate) struct LogLines(());

/// One line that is being written.
#[derive(Debug)]
pub(crate) struct Line {
    is_urgent: bool,
}

#[derive(Debug)]
struct Lines {
    waiting: Mutex<Vec<u8>>,
    added: Condvar,
    /// The buffer of who writes, held from before the lines are taken: they come out in their order.
    writing: Mutex<Vec<u8>>,
}

impl LogLines {
    /// Starts the thread that writes, and has a panic write what was said before it.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub(crate) fn start() -> io::Result<Self> {
        let write = || {
            loop {
                LINES.wait();
                LINES.write(&mut io::stderr());
                thread::sleep(PAUSE);
            }
        };
        thread::Builder::new()
            .name("bosa-auth-log".to_owned())
            .spawn(write)?;
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            finish();
            report(panic);
        }));
        Ok(Self(()))
    }
}

/// Writes the lines that still wait.
pub(crate) fn finish() {
    LINES.write(&mut io::stderr());
}

impl MakeWriter<'_> for LogLines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { is_urgent: true }
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> Line {
        Line {
            is_urgent: *metadata.level() <= Level::WARN,
        }
    }
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if LINES.add(line) || self.is_urgent {
            LINES.write(&mut io::stderr());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    const fn new() -> Self {
        Self {
            waiting: Mutex::new(Vec::new()),
            added: Condvar::new(),
            writing: Mutex::new(Vec::new()),
        }
    }

    /// Adds a line; tells whether there are too many.
    fn add(&self, line: &[u8]) -> bool {
        let mut waiting = self.waiting();
        let was_empty = waiting.is_empty();
        waiting.extend_from_slice(line);
        let is_full = waiting.len() >= MOST;
        drop(waiting);
        if was_empty {
            self.added.notify_one();
        }
        is_full
    }

    /// Waits until there is a line.
    fn wait(&self) {
        let waiting = self.waiting();
        drop(self.added.wait_while(waiting, |lines| lines.is_empty()));
    }

    fn write(&self, out: &mut impl Write) {
        let mut lines = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *lines, &mut *self.waiting());
        // Where standard error is closed there is nobody to tell.
        drop(out.write_all(&lines));
        lines.clear();
        lines.shrink_to(KEPT);
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<u8>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_together_and_in_their_order() {
        let (lines, mut out) = (Lines::new(), Vec::new());
        assert!(!lines.add(b"one\n"));
        assert!(!lines.add(b"two\n"));
        lines.wait();
        lines.write(&mut out);
        lines.write(&mut out);
        assert!(!lines.add(b"three\n"));
        lines.write(&mut out);
        assert_eq!(out, b"one\ntwo\nthree\n");
    }

    #[test]
    fn too_many_lines_are_said_to_be() {
        let lines = Lines::new();
        let line = vec![b'x'; MOST / 2];
        assert!(!lines.add(&line));
        assert!(lines.add(&line));
        lines.write(&mut io::sink());
        assert!(!lines.add(&line));
    }

    #[test]
    fn warnings_do_not_wait() {
        let lines = LogLines(());
        let subscriber = tracing_subscriber::registry();
        tracing::subscriber::with_default(subscriber, || {
            let urgent = |span: &tracing::Span| {
                let metadata = span.metadata();
                metadata.is_some_and(|metadata| lines.make_writer_for(metadata).is_urgent)
            };
            assert!(urgent(&tracing::error_span!("test")));
            assert!(urgent(&tracing::warn_span!("test")));
            assert!(!urgent(&tracing::info_span!("test")));
        });
    }
}
