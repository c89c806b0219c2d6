//! The protocol by which a fill never overtakes an invalidation, and the bounded map under it.
//!
//! Every shard has a generation. A fill notes the generations before its read is sent and inserts
//! only into a shard whose generation is still the same, under that shard's lock. An invalidation
//! raises the generation under the same lock, whether or not there is an entry. So after an
//! invalidation that follows a commit, no value read before that commit enters the map: either the
//! fill noted its generation before, and is turned away, or it noted it after, and its read was sent
//! after the commit. A read is never shared between callers.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

/// How often a read that was overtaken is repeated before its answer is given without being kept.
const ATTEMPTS: u32 = 4;

/// A key that says where it belongs.
pub(super) trait Spread: Eq + Hash + Clone {
    /// A number whose low bits spread keys evenly.
    fn spread(&self) -> usize;
}

/// A bounded map in independent parts.
pub(super) struct Shards<K, V> {
    shards: Box<[Shard<K, V>]>,
}

/// The generations at the moment before a read was sent.
pub(super) struct Ticket(Box<[u64]>);

struct Shard<K, V> {
    /// Changed only under the lock of `slots`; read without it.
    generation: AtomicU64,
    slots: Mutex<Slots<K, V>>,
}

impl<K: Spread, V: Clone> Shards<K, V> {
    /// An empty map of so many shards, each with room for so many entries.
    pub(super) fn new(shards: usize, capacity: usize) -> Self {
        let shard = |_| Shard {
            generation: AtomicU64::new(0),
            slots: Mutex::new(Slots::new(capacity)),
        };
        Self {
            shards: (0..shards.max(1)).map(shard).collect(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.shard(key)?.lock().get(key)
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
            let place = self.place(&key);
            let (Some(shard), Some(noted)) = (self.shards.get(place), ticket.0.get(place)) else {
                return false;
            };
            let mut slots = shard.lock();
            let unchanged = shard.generation.load(Ordering::Acquire) == *noted;
            if unchanged {
                slots.insert(key, value);
            }
            unchanged
        })
    }

    /// Forgets a key, and turns away every fill whose read may be older than this call.
    pub(super) fn invalidate(&self, key: &K) {
        if let Some(shard) = self.shard(key) {
            let mut slots = shard.lock();
            shard.raise();
            slots.remove(key);
        }
    }

    /// Forgets everything, and turns away every fill whose read may be older than this call.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let mut slots = shard.lock();
            shard.raise();
            slots.clear();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().ring.len())
            .sum()
    }

    fn shard(&self, key: &K) -> Option<&Shard<K, V>> {
        self.shards.get(self.place(key))
    }

    fn place(&self, key: &K) -> usize {
        key.spread() % self.shards.len()
    }
}

impl<K, V> Shard<K, V> {
    fn lock(&self) -> MutexGuard<'_, Slots<K, V>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller holds the lock.
    fn raise(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}

impl<K, V> fmt::Debug for Shards<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Shards({})", self.shards.len())
    }
}

/// The entries of one shard. When it is full, the first one is replaced that was not used since the
/// hand passed it last.
struct Slots<K, V> {
    index: HashMap<K, usize>,
    ring: Vec<Slot<K, V>>,
    hand: usize,
    capacity: usize,
}

struct Slot<K, V> {
    key: K,
    value: V,
    used: bool,
}

impl<K: Spread, V: Clone> Slots<K, V> {
    fn new(capacity: usize) -> Self {
        Self {
            index: HashMap::new(),
            ring: Vec::new(),
            hand: 0,
            capacity: capacity.max(1),
        }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        let slot = self.ring.get_mut(*self.index.get(key)?)?;
        slot.used = true;
        Some(slot.value.clone())
    }

    fn insert(&mut self, key: K, value: V) {
        let used = false;
        let present = self.index.get(&key).copied();
        let place = present.unwrap_or_else(|| self.free_place());
        let slot = Slot {
            key: key.clone(),
            value,
            used,
        };
        match self.ring.get_mut(place) {
            Some(former) => {
                let former = std::mem::replace(former, slot);
                self.index.remove(&former.key);
            }
            None => self.ring.push(slot),
        }
        self.index.insert(key, place);
    }

    /// The end while there is room, else the place of the entry to give up.
    fn free_place(&mut self) -> usize {
        if self.ring.len() < self.capacity {
            return self.ring.len();
        }
        loop {
            self.hand = (self.hand + 1) % self.ring.len();
            match self.ring.get_mut(self.hand) {
                Some(slot) if slot.used => slot.used = false,
                _ => return self.hand,
            }
        }
    }

    fn remove(&mut self, key: &K) {
        let Some(place) = self.index.remove(key) else {
            return;
        };
        self.ring.swap_remove(place);
        if let Some(moved) = self.ring.get(place) {
            self.index.insert(moved.key.clone(), place);
        }
    }

    fn clear(&mut self) {
        self.index.clear();
        self.ring.clear();
        self.hand = 0;
    }
}
