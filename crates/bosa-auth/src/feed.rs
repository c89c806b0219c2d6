//! Following the changes that other processes make.
//!
//! Numbers are given under the row lock of a part's head, in the order of the commits and without
//! gaps. So whoever has seen all changes of a part up to one number and reads on from it has seen all
//! of them, as long as the change at that number is still the one it was, which its mark tells, and all
//! parts are read at one moment. Anything else (another
//! mark, a hole, pruned changes, another server, a kind that this version does not know) means that
//! something may have been missed: then everything is forgotten and reading goes on at the head.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bosa_auth_core::{Clock, Timestamp, to_micros};
use bosa_auth_store::changes::{self, ChangeKind, ChangeRow, FeedHead, FeedPage};
use bosa_auth_store::{Db, StoreError};

use crate::cache::VerifyCache;
use crate::error::{Error, Result};

/// A process that has missed more changes than this starts again at the head.
const MOST_AT_ONCE: u32 = 1000;

/// How far the feed was followed, and when.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    position: Mutex<Option<Position>>,
    polled: Polled,
    key_changes: AtomicU64,
}

/// Everything up to these changes, one for each part of the feed, has been taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    server: i64,
    heads: Vec<FeedHead>,
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    monotonic_nanos: u64,
    wall_micros: i64,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self::with_wall(clock, clock.now())
    }

    /// Now, when the wall clock has just been read.
    pub(crate) fn with_wall(clock: &dyn Clock, wall: Timestamp) -> Self {
        Self {
            monotonic_nanos: u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX),
            wall_micros: to_micros(wall),
        }
    }

    /// Whether more time than the bound has passed until `now` on either clock. A wall clock that was
    /// set back says nothing; one that ran ahead may have counted what the other missed.
    pub(crate) fn is_older_than(self, bound: Duration, now: Self) -> bool {
        let passed = now.monotonic_nanos.saturating_sub(self.monotonic_nanos);
        let ahead = now.wall_micros.saturating_sub(self.wall_micros);
        u128::from(passed) > bound.as_nanos()
            || u128::try_from(ahead).is_ok_and(|ahead| ahead > bound.as_micros())
    }
}

/// When the last completed poll was sent; read by every verification, and so without a lock.
#[derive(Debug)]
struct Polled {
    monotonic_nanos: AtomicU64,
    wall_micros: AtomicI64,
    writing: Mutex<()>,
}

/// As the reading of the clock: nothing was polled yet, or not any more.
const NEVER: u64 = u64::MAX;

impl Default for Polled {
    fn default() -> Self {
        Self {
            monotonic_nanos: AtomicU64::new(NEVER),
            wall_micros: AtomicI64::new(0),
            writing: Mutex::default(),
        }
    }
}

impl Polled {
    /// A moment that was published while another follows has the older reading of the one clock and
    /// the newer of the other, never the reverse. Whoever finds it young enough would find the newer
    /// one young enough too.
    fn get(&self) -> Option<Moment> {
        let monotonic_nanos = self.monotonic_nanos.load(Ordering::Acquire);
        (monotonic_nanos != NEVER).then(|| Moment {
            monotonic_nanos,
            wall_micros: self.wall_micros.load(Ordering::Acquire),
        })
    }

    fn publish(&self, moment: Moment) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.monotonic_nanos.load(Ordering::Relaxed);
        if newest == NEVER || newest <= moment.monotonic_nanos {
            self.wall_micros
                .store(moment.wall_micros, Ordering::Release);
            self.monotonic_nanos
                .store(moment.monotonic_nanos, Ordering::Release);
        }
    }

    fn clear(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.monotonic_nanos.store(NEVER, Ordering::Release);
    }
}

impl Feed {
    /// When the last completed poll was sent.
    pub(crate) fn polled(&self) -> Option<Moment> {
        self.polled.get()
    }

    /// Polls once: reads what has changed and forgets it, and only then moves on.
    ///
    /// Two polls at once do no harm: each takes in everything between the position it read and its
    /// own answer, so the position of either is right.
    ///
    /// `renew` has every connection opened anew: it is called when another server answers than the
    /// last time, so that what is read from the former one is not remembered, and when a standby
    /// answers, since a connection to it would do so for ever.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: nothing was learned.
    pub(crate) async fn poll(
        &self,
        db: &Db,
        cache: &VerifyCache,
        clock: &dyn Clock,
        renew: impl Fn(),
    ) -> Result<()> {
        let polled = Moment::now(clock);
        let position = self.position().clone();
        // Without a position only the heads are wanted.
        let mut from = [i64::MAX; changes::PARTS];
        for (from, head) in from
            .iter_mut()
            .zip(position.iter().flat_map(|at| &at.heads))
        {
            *from = head.seq;
        }
        let page = changes::poll(db, from, MOST_AT_ONCE)
            .await?
            .ok_or_else(|| Error::internal("the instance has disappeared"))?;
        if page.heads.len() != changes::PARTS {
            return Err(Error::internal("the change feed lacks a part"));
        }
        let is_another = |position: &Position| position.server != page.server;
        if !page.is_primary || position.as_ref().is_some_and(is_another) {
            // Before anything is forgotten: what is being read now is then turned away.
            renew();
        }
        if !page.is_primary {
            return Err(StoreError::Unavailable {
                reason: "the change feed was read from a standby".to_owned(),
            }
            .into());
        }
        match new_changes(position.as_ref(), &page) {
            Some(changes) => {
                for (kind, change) in changes {
                    cache.forget(kind, change.subject);
                    if matches!(kind, ChangeKind::RootKey | ChangeKind::DigestKey) {
                        self.key_changes.fetch_add(1, Ordering::AcqRel);
                    }
                }
            }
            None => {
                cache.forget_all();
                self.key_changes.fetch_add(1, Ordering::AcqRel);
                if position.is_some() {
                    tracing::info!("the change feed was interrupted; starting again at its head");
                    metrics::counter!("bosa_auth_feed_restarts_total").increment(1);
                }
            }
        }
        *self.position() = Some(Position {
            server: page.server,
            heads: page.heads,
        });
        self.polled.publish(polled);
        Ok(())
    }

    /// How often the active root key or the digest keys may have changed.
    pub(crate) fn key_changes(&self) -> u64 {
        self.key_changes.load(Ordering::Acquire)
    }

    /// Says that a look sent at this moment found nothing that was not taken in before.
    pub(crate) fn unchanged_since(&self, looked: Moment) {
        self.polled.publish(looked);
    }

    /// Trusts nothing until the next complete poll: the database is not the one it was.
    pub(crate) fn give_up(&self, cache: &VerifyCache) {
        self.polled.clear();
        *self.position() = None;
        cache.forget_all();
    }

    fn position(&self) -> std::sync::MutexGuard<'_, Option<Position>> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The changes after a position; `None` when some may be missing or are not understood.
fn new_changes<'p>(
    position: Option<&Position>,
    page: &'p FeedPage,
) -> Option<Vec<(ChangeKind, &'p ChangeRow)>> {
    let position = position?;
    if position.server != page.server || position.heads.len() != page.heads.len() {
        return None;
    }
    let mut changes = Vec::new();
    let parts = position.heads.iter().zip(&page.heads);
    for (part, (seen, head)) in (0..).zip(parts) {
        if seen != head {
            let rows = page.changes.iter().filter(|row| row.part == part);
            changes.append(&mut changes_of_part(*seen, *head, rows)?);
        }
    }
    Some(changes)
}

/// The changes of one part after the one that was seen last, up to its head.
fn changes_of_part<'p>(
    seen: FeedHead,
    head: FeedHead,
    mut rows: impl Iterator<Item = &'p ChangeRow>,
) -> Option<Vec<(ChangeKind, &'p ChangeRow)>> {
    let mut last = rows.next().map(place)?;
    if last != seen {
        return None;
    }
    let mut changes = Vec::new();
    for row in rows {
        if last.seq.checked_add(1) != Some(row.seq) {
            return None;
        }
        last = place(row);
        changes.push((row.kind?, row));
    }
    (last == head).then_some(changes)
}

fn place(row: &ChangeRow) -> FeedHead {
    FeedHead {
        seq: row.seq,
        mark: row.mark,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn head(seq: i64, mark: u128) -> FeedHead {
        FeedHead {
            seq,
            mark: Uuid::from_u128(mark),
        }
    }

    fn row(seq: i64, mark: u128) -> ChangeRow {
        ChangeRow {
            part: 1,
            seq,
            mark: Uuid::from_u128(mark),
            kind: Some(ChangeKind::Token),
            client_id: None,
            subject: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Two parts, of which the second is at (5, mark 50), on server 7.
    fn position() -> Position {
        Position {
            server: 7,
            heads: vec![head(3, 30), head(5, 50)],
        }
    }

    fn page(server: i64, heads: Vec<FeedHead>, changes: Vec<ChangeRow>) -> FeedPage {
        FeedPage {
            is_primary: true,
            server,
            heads,
            changes,
        }
    }

    /// How many changes follow after the position; `None` starts again.
    fn after_five(server: i64, head: FeedHead, changes: Vec<ChangeRow>) -> Option<usize> {
        let page = page(server, vec![self::head(3, 30), head], changes);
        new_changes(Some(&position()), &page).map(|changes| changes.len())
    }

    #[test]
    fn what_follows_without_a_gap_is_taken_in() {
        assert_eq!(after_five(7, head(5, 50), vec![row(5, 50)]), Some(0));
        assert_eq!(after_five(7, head(5, 50), vec![]), Some(0));
        let run = vec![row(5, 50), row(6, 60), row(7, 70)];
        assert_eq!(after_five(7, head(7, 70), run), Some(2));
    }

    #[test]
    fn whatever_may_hide_a_change_starts_again() {
        let unknown = ChangeRow {
            kind: None,
            ..row(6, 60)
        };
        let cases = [
            ("pruned", 7, head(9, 90), vec![row(8, 80), row(9, 90)]),
            ("gone", 7, head(9, 90), vec![]),
            ("shorter", 7, head(3, 30), vec![]),
            ("another mark", 7, head(6, 60), vec![row(5, 51), row(6, 60)]),
            (
                "same number, another mark",
                7,
                head(5, 51),
                vec![row(5, 51)],
            ),
            ("hole", 7, head(7, 70), vec![row(5, 50), row(7, 70)]),
            ("cut off", 7, head(7, 70), vec![row(5, 50), row(6, 60)]),
            ("another end", 7, head(6, 61), vec![row(5, 50), row(6, 60)]),
            ("unknown kind", 7, head(6, 60), vec![row(5, 50), unknown]),
            ("another server", 8, head(5, 50), vec![row(5, 50)]),
        ];
        for (name, server, head, changes) in cases {
            assert_eq!(after_five(server, head, changes), None, "{name}");
        }
        let page = page(7, vec![head(3, 30), head(5, 50)], vec![]);
        assert!(new_changes(None, &page).is_none());
    }

    #[test]
    fn every_part_is_followed_by_itself() {
        let first = |seq, mark| ChangeRow {
            part: 0,
            ..row(seq, mark)
        };
        let both = vec![first(3, 30), first(4, 40), row(5, 50), row(6, 60)];
        let heads = vec![head(4, 40), head(6, 60)];
        let found = page(7, heads.clone(), both.clone());
        let changes = new_changes(Some(&position()), &found).unwrap();
        assert_eq!(changes.len(), 2);
        // The run of one part does not make up for a gap in another.
        for missing in 0..both.len() {
            let mut rows = both.clone();
            rows.remove(missing);
            let found = page(7, heads.clone(), rows);
            assert!(
                new_changes(Some(&position()), &found).is_none(),
                "{missing}"
            );
        }
        let fewer = page(7, vec![head(3, 30)], vec![]);
        assert!(new_changes(Some(&position()), &fewer).is_none());
    }

    #[test]
    fn either_clock_ends_the_freshness() {
        let second = Duration::from_secs(1);
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let clock = bosa_auth_core::ManualClock::new(start);
        let polled = Moment::now(&clock);
        clock.advance(second);
        assert!(!polled.is_older_than(second, Moment::now(&clock)));
        clock.advance(Duration::from_micros(1));
        assert!(polled.is_older_than(second, Moment::now(&clock)));

        let polled = Moment::now(&clock);
        clock.set(start + Duration::from_secs(60));
        assert!(
            polled.is_older_than(second, Moment::now(&clock)),
            "ran ahead"
        );
        clock.set(start - Duration::from_secs(3600));
        assert!(
            !polled.is_older_than(second, Moment::now(&clock)),
            "was set back"
        );
        clock.advance(Duration::from_secs(2));
        assert!(
            polled.is_older_than(second, Moment::now(&clock)),
            "set back and late"
        );
    }

    #[test]
    fn what_is_published_is_the_newest_moment() {
        let clock = bosa_auth_core::ManualClock::new(Timestamp::UNIX_EPOCH);
        let feed = Feed::default();
        assert!(feed.polled().is_none());
        let first = Moment::now(&clock);
        clock.advance(Duration::from_secs(1));
        // A later moment on the one clock is an earlier one on the other.
        clock.set(Timestamp::UNIX_EPOCH - Duration::from_secs(60));
        let second = Moment::now(&clock);
        feed.unchanged_since(second);
        feed.unchanged_since(first);
        let polled = feed.polled().unwrap();
        assert_eq!(polled.monotonic_nanos, second.monotonic_nanos);
        assert_eq!(polled.wall_micros, second.wall_micros);
        feed.give_up(&VerifyCache::default());
        assert!(feed.polled().is_none());
        feed.unchanged_since(first);
        assert!(feed.polled().is_some());
    }
}
