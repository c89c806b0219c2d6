//! Times of calls, and the rows of the report.

use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Order, Outcome};

/// What was measured of one size on one database.
#[derive(Debug)]
pub(crate) struct Report {
    database: String,
    users: u64,
    operations: Vec<Samples>,
    figures: Vec<(&'static str, &'static str, f64)>,
}

/// Nanoseconds of every call of one operation, in rounds.
#[derive(Debug)]
struct Samples {
    name: &'static str,
    rounds: Vec<Vec<u64>>,
}

impl Report {
    pub(crate) fn new(order: &Order) -> Self {
        Self {
            database: order.database.clone(),
            users: order.users,
            operations: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// Calls `count` times, one after the other, and adds a round to the operation's. What `prepare`
    /// does is not measured; it gets the number of the call in all rounds.
    pub(crate) async fn time<I, C>(
        &mut self,
        name: &'static str,
        count: u64,
        prepare: impl Fn(u64) -> Outcome<I>,
        call: impl Fn(I) -> C,
    ) -> Outcome<()>
    where
        C: Future<Output = Outcome<()>>,
    {
        let before = self.operations.iter().find(|samples| samples.name == name);
        let first = before.map_or(0, |samples| samples.rounds.iter().map(Vec::len).sum());
        let first = u64::try_from(first)?;
        let mut round = Vec::new();
        for number in first..first + count {
            let input = prepare(number)?;
            let start = now();
            call(input)
                .await
                .map_err(|error| format!("{name}: {error}"))?;
            round.push(nanoseconds(start.elapsed()));
        }
        self.add(name, round);
        Ok(())
    }

    /// Adds a round of times that were taken elsewhere.
    pub(crate) fn add_times(&mut self, name: &'static str, times: &[Duration]) {
        self.add(name, times.iter().copied().map(nanoseconds).collect());
    }

    fn add(&mut self, name: &'static str, round: Vec<u64>) {
        match self
            .operations
            .iter_mut()
            .find(|samples| samples.name == name)
        {
            Some(samples) => samples.rounds.push(round),
            None => self.operations.push(Samples {
                name,
                rounds: vec![round],
            }),
        }
    }

    /// Adds a single figure.
    pub(crate) fn figure(&mut self, name: &'static str, unit: &'static str, value: f64) {
        eprintln!(
            "{} {} users: {name}: {value:.1} {unit}",
            self.database, self.users
        );
        self.figures.push((name, unit, value));
    }

    /// Writes the rows to standard output, one a line.
    pub(crate) fn print(&self) -> Outcome<()> {
        for samples in &self.operations {
            let mut all: Vec<u64> = samples.rounds.iter().flatten().copied().collect();
            all.sort_unstable();
            for (metric, part) in [("p50", 0.5), ("p99", 0.99)] {
                let rounds: Vec<f64> = samples
                    .rounds
                    .iter()
                    .map(|round| {
                        let mut round = round.clone();
                        round.sort_unstable();
                        quantile(&round, part)
                    })
                    .collect();
                let row = json!({
                    "group": self.database,
                    "users": self.users,
                    "subject": samples.name,
                    "metric": metric,
                    "unit": "µs",
                    "value": rounded(quantile(&all, part)),
                    "low": rounded(rounds.iter().copied().fold(f64::INFINITY, f64::min)),
                    "high": rounded(rounds.iter().copied().fold(0.0, f64::max)),
                    "samples": all.len(),
                });
                self.line(&row);
            }
        }
        for (name, unit, value) in &self.figures {
            let row = json!({
                "group": self.database,
                "users": self.users,
                "subject": name,
                "metric": "once",
                "unit": unit,
                "value": rounded(*value),
            });
            self.line(&row);
        }
        Ok(())
    }

    fn line(&self, row: &Value) {
        println!("{row}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the time that really passes"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// In microseconds, by the nearest rank.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is small, and times need three digits"
)]
fn quantile(sorted: &[u64], part: f64) -> f64 {
    let rank = ((sorted.len() as f64) * part).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .map_or(0.0, |time| *time as f64 / 1000.0)
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
