//! Rounds that alternate between everything that is compared.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;

/// Makes a call so many times.
pub(crate) type Repeat<'a> = Box<dyn FnMut(u32) -> Outcome<()> + 'a>;

/// One call that is measured, made ready on the thread that will make it.
pub(crate) struct Candidate<'a> {
    name: &'static str,
    ready: Box<dyn Fn() -> Outcome<Repeat<'a>> + Sync + 'a>,
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(
        name: &'static str,
        ready: impl Fn() -> Outcome<Repeat<'a>> + Sync + 'a,
    ) -> Self {
        Self {
            name,
            ready: Box::new(ready),
        }
    }
}

/// What is compared. Subjects are divided by the first baseline.
pub(crate) struct Group<'a> {
    pub(crate) name: String,
    pub(crate) baselines: Vec<Candidate<'a>>,
    pub(crate) subjects: Vec<Candidate<'a>>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Rounds of one thread, and how long a candidate is called in each.
    rounds: usize,
    round: Duration,
    /// The same for the rounds that compare one thread with two.
    pairs: usize,
    pair: Duration,
}

impl Plan {
    pub(crate) const WHOLE: Self = Self {
        rounds: 500,
        round: Duration::from_millis(1),
        pairs: 150,
        pair: Duration::from_millis(5),
    };
    pub(crate) const QUICK: Self = Self {
        rounds: 50,
        round: Duration::from_millis(1),
        pairs: 10,
        pair: Duration::from_millis(5),
    };
}

/// Measures a group and returns the rows of the result.
pub(crate) fn measure(group: &Group<'_>, plan: Plan) -> Outcome<Vec<Value>> {
    let mut rows = one_thread(group, plan)?;
    rows.extend(two_threads(group, plan)?);
    Ok(rows)
}

/// Nanoseconds of a call.
fn one_thread(group: &Group<'_>, plan: Plan) -> Outcome<Vec<Value>> {
    let mut ready = Vec::new();
    for candidate in group.baselines.iter().chain(&group.subjects) {
        let mut repeat = (candidate.ready)()?;
        let times = calls_in(plan.round, &mut repeat)?;
        ready.push((candidate.name, repeat, times, Vec::new()));
    }
    for round in 0..plan.rounds {
        // Everyone follows everyone else, over the rounds.
        let count = ready.len();
        ready.rotate_left(round % count);
        for (_, repeat, times, samples) in &mut ready {
            let start = now();
            repeat(*times)?;
            samples.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(*times));
        }
        ready.rotate_right(round % count);
    }
    let samples: Vec<(&str, Vec<f64>)> = ready
        .into_iter()
        .map(|(name, _, _, samples)| (name, samples))
        .collect();
    let Some((baseline, base)) = samples.first() else {
        return Ok(Vec::new());
    };
    let rows = samples.iter().map(|(name, samples)| {
        let mut row = row(&group.name, name, "time of a call", "ns", samples);
        if group.subjects.iter().any(|subject| subject.name == *name) {
            let ratios = samples.iter().zip(base).map(|(sample, base)| sample / base);
            compare(&mut row, baseline, ratios.collect());
        }
        report(row)
    });
    Ok(rows.collect())
}

/// Calls in a second of two threads together, divided by those of one.
fn two_threads(group: &Group<'_>, plan: Plan) -> Outcome<Vec<Value>> {
    let mut rows = Vec::new();
    for candidate in group.baselines.iter().chain(&group.subjects) {
        let (mut samples, mut ratios) = (Vec::new(), Vec::new());
        let mut repeat = (candidate.ready)()?;
        let times = calls_in(Duration::from_micros(50), &mut repeat)?;
        drop(repeat);
        for _ in 0..plan.pairs {
            let one = rate(candidate, 1, times, plan.pair)?;
            let two = rate(candidate, 2, times, plan.pair)?;
            samples.push(two);
            ratios.push(two / one);
        }
        let mut row = row(
            &group.name,
            candidate.name,
            "calls of two threads",
            "1/s",
            &samples,
        );
        compare(&mut row, "one thread", ratios);
        rows.push(report(row));
    }
    Ok(rows)
}

/// Calls in a second of so many threads that begin together and each go on for so long.
fn rate(candidate: &Candidate<'_>, threads: usize, times: u32, time: Duration) -> Outcome<f64> {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let run = || {
            let ready = (candidate.ready)();
            barrier.wait();
            let mut repeat = ready?;
            let (start, mut calls) = (now(), 0_u32);
            loop {
                repeat(times)?;
                calls += times;
                let passed = start.elapsed();
                if passed >= time {
                    return Ok(f64::from(calls) / passed.as_secs_f64());
                }
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked")?)
            .sum()
    })
}

/// How many calls take about so long.
fn calls_in(time: Duration, repeat: &mut Repeat<'_>) -> Outcome<u32> {
    let mut times = 1;
    loop {
        let start = now();
        repeat(times)?;
        if start.elapsed() >= time || times > 1 << 20 {
            return Ok(times);
        }
        times += times.div_ceil(2);
    }
}

fn row(group: &str, subject: &str, metric: &str, unit: &str, samples: &[f64]) -> Value {
    let [low, middle, high] = quantiles(samples.to_vec());
    json!({
        "group": group,
        "subject": subject,
        "metric": metric,
        "unit": unit,
        "value": middle.round(),
        "low": low.round(),
        "high": high.round(),
    })
}

/// Adds the median of the ratios of each round.
fn compare(row: &mut Value, baseline: &str, ratios: Vec<f64>) {
    let [_, ratio, _] = quantiles(ratios);
    if let Some(row) = row.as_object_mut() {
        row.insert("baseline".to_owned(), baseline.into());
        row.insert(
            "ratio".to_owned(),
            ((ratio * 1000.0).round() / 1000.0).into(),
        );
    }
}

/// Tells people too.
fn report(row: Value) -> Value {
    let text = |name: &str| match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    eprintln!(
        "{:30} {:42} {:>12} {:4} ({} to {}) {:>8} {}",
        text("group"),
        text("subject"),
        text("value"),
        text("unit"),
        text("low"),
        text("high"),
        text("ratio"),
        text("baseline"),
    );
    row
}

/// The ends of the middle 95 % with the median between them, by the nearest rank.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is small"
)]
fn quantiles(mut samples: Vec<f64>) -> [f64; 3] {
    samples.sort_unstable_by(f64::total_cmp);
    [0.025, 0.5, 0.975].map(|part| {
        let rank = (samples.len() as f64 * part).ceil() as usize;
        samples.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the time that really passes"
)]
fn now() -> Instant {
    Instant::now()
}
