//! What the invalidation protocol takes from libraries. A model test compiles the protocol against a
//! scheduler's versions of the same things instead.

use std::sync::Arc;
pub(super) use std::sync::atomic::{AtomicU64, Ordering};
pub(super) use std::sync::{Mutex, MutexGuard, PoisonError};

/// A shared value that is replaced as a whole, and read without a lock.
pub(super) type Swap<T> = arc_swap::ArcSwapOption<T>;

/// A value that was in a [`Swap`].
pub(super) type Loaded<T> = arc_swap::Guard<Option<Arc<T>>>;
