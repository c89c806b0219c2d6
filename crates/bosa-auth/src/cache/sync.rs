//! What the invalidation protocol takes from the standard library. A model test compiles the
//! protocol against a scheduler's versions of the same things instead.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
pub(super) use std::sync::{Mutex, MutexGuard, PoisonError};
