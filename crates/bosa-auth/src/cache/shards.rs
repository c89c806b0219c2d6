//! The protocol by which a fill never overtakes an invalidation, and the bounded map under it.
//!
//! Every shard has a generation. A fill notes the generations before its read is sent and inserts
//! only into a shard whose generation is still the same, under that shard's lock. An invalidation
//! raises the generation under the same lock, whether or not there is an entry. So after an
//! invalidation that follows a commit, no value read before that commit enters the map: either the
//! fill noted its generation before, and is turned away, or it noted it after, and its read was sent
//! after the commit. A read is never shared between callers.

//!
//! Looking up takes no lock and changes nothing that other threads look at: what every verification
//! touches, such as a busy client, would else be passed from core to core.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use super::sync::{AtomicU64, Loaded, Mutex, MutexGuard, Ordering, PoisonError, Swap};

/// How often a read that was overtaken is repeated before its answer is given without being kept.
const ATTEMPTS: u32 = 4;

/// Entries that compete for the same places.
const WAYS: usize = 8;

/// A key that says where it belongs.
pub(super) trait Spread: Eq {
    /// A number whose bits spread keys evenly, the low ones and those from the 16th on.
    fn spread(&self) -> u64;
}

/// A bounded map in independent parts.
pub(super) struct Shards<K, V> {
    /// A power of two.
    shards: Box<[Shard<K, V>]>,
    /// Sets of places in each shard, a power of two.
    sets: usize,
    /// Places in each set.
    ways: usize,
}

/// The generations at the moment before a read was sent.
pub(super) struct Ticket(Box<[u64]>);

struct Shard<K, V> {
    /// Changed only under the lock of `writer`; read without it.
    generation: AtomicU64,
    /// Held by whoever changes a place.
    writer: Mutex<Writer>,
    /// Made with the first entry; read without a lock.
    places: OnceLock<Box<[Place<K, V>]>>,
}

#[derive(Default)]
struct Writer {
    /// Where the search for an entry to give up goes on.
    hand: usize,
    entries: usize,
}

/// Room for one entry. The tag only spares looking at the entries of other keys.
struct Place<K, V> {
    tag: AtomicU64,
    slot: Swap<Slot<K, V>>,
}

struct Slot<K, V> {
    key: K,
    value: V,
    used: AtomicBool,
}

/// An entry that was found; it stays as it is, whatever becomes of the map.
pub(super) struct Hit<K, V>(Loaded<Slot<K, V>>);

impl<K, V> Hit<K, V> {
    /// The value; always there.
    pub(super) fn value(&self) -> Option<&V> {
        self.0.as_ref().map(|slot| &slot.value)
    }
}

impl<K: Spread, V> Shards<K, V> {
    /// An empty map of so many shards, each with room for so many entries; both are cut so that the
    /// parts are powers of two.
    pub(super) fn new(shards: usize, capacity: usize) -> Self {
        let shard = |_| Shard {
            generation: AtomicU64::new(0),
            writer: Mutex::new(Writer::default()),
            places: OnceLock::new(),
        };
        let ways = capacity.clamp(1, WAYS);
        Self {
            shards: (0..power_of_two(shards)).map(shard).collect(),
            sets: power_of_two(capacity / ways),
            ways,
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<Hit<K, V>> {
        let spread = key.spread();
        let places = self.shards.get(self.place(spread))?.places.get()?;
        for place in self.set(places, spread) {
            if place.tag.load(Ordering::Acquire) != tag(spread) {
                continue;
            }
            let loaded = place.slot.load();
            let found = loaded.as_ref().filter(|slot| slot.key == *key);
            if let Some(slot) = found {
                // Written once, not at every look: others read it.
                if !slot.used.load(Ordering::Relaxed) {
                    slot.used.store(true, Ordering::Relaxed);
                }
                return Some(Hit(loaded));
            }
        }
        None
    }

    /// Reads, and keeps what `entries` names of the answer, unless an invalidation came in between:
    /// then it reads again.
    ///
    /// # Errors
    /// What `read` returns.
    pub(super) async fn fill<T, E, F>(
        &self,
        read: impl Fn() -> F,
        entries: impl Fn(&T) -> Vec<(K, V)>,
    ) -> Result<Option<T>, E>
    where
        F: Future<Output = Result<Option<T>, E>>,
    {
        for _ in 1..ATTEMPTS {
            let ticket = self.ticket();
            let Some(found) = read().await? else {
                return Ok(None);
            };
            if self.insert(&ticket, entries(&found)) {
                return Ok(Some(found));
            }
        }
        read().await
    }

    /// To be taken before the read is sent.
    pub(super) fn ticket(&self) -> Ticket {
        // Acquire: whoever sees a raised generation also sends its read after what raised it.
        let noted = |shard: &Shard<K, V>| shard.generation.load(Ordering::Acquire);
        Ticket(self.shards.iter().map(noted).collect())
    }

    /// False when an entry was turned away because its shard was invalidated since the ticket.
    pub(super) fn insert(&self, ticket: &Ticket, entries: Vec<(K, V)>) -> bool {
        entries.into_iter().all(|(key, value)| {
            let place = self.place(key.spread());
            let (Some(shard), Some(noted)) = (self.shards.get(place), ticket.0.get(place)) else {
                return false;
            };
            let mut writer = shard.lock();
            let unchanged = shard.generation.load(Ordering::Acquire) == *noted;
            if unchanged {
                let places = shard.places.get_or_init(|| self.empty_places());
                let spread = key.spread();
                writer.put(self.set(places, spread), spread, key, value);
            }
            unchanged
        })
    }

    /// Forgets a key, and turns away every fill whose read may be older than this call.
    pub(super) fn invalidate(&self, key: &K) {
        let spread = key.spread();
        if let Some(shard) = self.shards.get(self.place(spread)) {
            let mut writer = shard.lock();
            shard.raise();
            let places = shard.places.get().map(|places| self.set(places, spread));
            for place in places.unwrap_or_default() {
                if place.holds(key) {
                    writer.empty(place);
                }
            }
        }
    }

    /// Forgets everything, and turns away every fill whose read may be older than this call.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let mut writer = shard.lock();
            shard.raise();
            for place in shard.places.get().into_iter().flatten() {
                if place.is_taken() {
                    writer.empty(place);
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().entries).sum()
    }

    fn place(&self, spread: u64) -> usize {
        low_bits(spread, self.shards.len())
    }

    fn set<'p>(&self, places: &'p [Place<K, V>], spread: u64) -> &'p [Place<K, V>] {
        let first = low_bits(spread >> 16, self.sets) * self.ways;
        places.get(first..first + self.ways).unwrap_or_default()
    }

    fn empty_places(&self) -> Box<[Place<K, V>]> {
        let place = |_| Place {
            tag: AtomicU64::new(0),
            slot: Swap::empty(),
        };
        (0..self.sets * self.ways).map(place).collect()
    }
}

impl<K, V> Shard<K, V> {
    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller holds the lock.
    fn raise(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}

impl Writer {
    /// Puts an entry into its set: over its former value, else into an empty place, else over the
    /// first one that was not used since the hand passed it last.
    fn put<K: Spread, V>(&mut self, set: &[Place<K, V>], spread: u64, key: K, value: V) {
        let own = set.iter().find(|place| place.holds(&key));
        let own = own.or_else(|| set.iter().find(|place| !place.is_taken()));
        let Some(place) = own.or_else(|| self.given_up(set)) else {
            return;
        };
        if !place.is_taken() {
            self.entries += 1;
        }
        place.slot.store(Some(Arc::new(Slot {
            key,
            value,
            used: AtomicBool::new(false),
        })));
        place.tag.store(tag(spread), Ordering::Release);
    }

    fn given_up<'p, K, V>(&mut self, set: &'p [Place<K, V>]) -> Option<&'p Place<K, V>> {
        // In the second turn none is used, unless it is in use right now.
        for _ in 0..2 * set.len() {
            self.hand = (self.hand + 1) % set.len();
            let place = set.get(self.hand)?;
            let loaded = place.slot.load();
            let is_used = |slot: &Arc<Slot<K, V>>| slot.used.swap(false, Ordering::Relaxed);
            if !loaded.as_ref().is_some_and(is_used) {
                return Some(place);
            }
        }
        set.get(self.hand)
    }

    fn empty<K, V>(&mut self, place: &Place<K, V>) {
        place.slot.store(None);
        place.tag.store(0, Ordering::Release);
        self.entries = self.entries.saturating_sub(1);
    }
}

impl<K: Eq, V> Place<K, V> {
    fn holds(&self, key: &K) -> bool {
        let loaded = self.slot.load();
        loaded.as_ref().is_some_and(|slot| slot.key == *key)
    }
}

impl<K, V> Place<K, V> {
    /// For whoever holds the lock.
    fn is_taken(&self) -> bool {
        self.tag.load(Ordering::Relaxed) != 0
    }
}

impl<K, V> fmt::Debug for Shards<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Shards({})", self.shards.len())
    }
}

impl<K, V> fmt::Debug for Hit<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hit")
    }
}

/// Never 0, which is the tag of an empty place.
const fn tag(spread: u64) -> u64 {
    spread | 1 << 63
}

/// The largest one that is not larger, and at least 1.
fn power_of_two(number: usize) -> usize {
    1 << number.max(1).ilog2()
}

/// The remainder by a power of two.
fn low_bits(number: u64, power: usize) -> usize {
    usize::try_from(number & (power as u64 - 1)).unwrap_or(0)
}
