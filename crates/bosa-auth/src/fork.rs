//! What a program calls around a `fork`, so that its children can open instances of their own.
//!
//! ```text
//! bosa_auth::fork::before();
//! match fork() {
//!     child => bosa_auth::fork::in_child(),
//!     parent => bosa_auth::fork::in_parent(),
//! }
//! ```
//!
//! An [`Auth`](crate::Auth) belongs to the process that has opened it. In a child it refuses with
//! `Configuration`, and is to be leaked: the threads of its runtime, which dropping waits for, do
//! not exist there. The child opens another one, on a runtime of its own, which shares nothing with
//! the parent's. In the parent everything goes on, over connections that are opened again when they
//! are next used. A database in memory stays with the parent.
//!
//! A process that runs another program (`exec`) right after the fork needs none of this.

use std::cell::RefCell;
use std::ops::DerefMut;
use std::thread::LocalKey;

use bosa_auth_store::fork as store;

use crate::{global, memory};

/// Makes the process ready to fork: no statement of a SQLite database runs and no file of one is
/// open until [`in_parent`] or [`in_child`].
///
/// It waits for transactions that are open, never for the network, a provider or a password hash,
/// and at most 20 seconds. After that the child can use no SQLite database and says so.
///
/// All three functions are to be called by the thread that forks. A lock that this thread holds must
/// not be one that others take while they work with an instance.
pub fn before() {
    memory::hold_registry();
    global::hold();
    store::before();
}

/// Lets every instance go on, in the process that has forked.
pub fn in_parent() {
    store::in_parent();
    global::release();
    memory::release_registry();
}

/// Begins anew in the child: instances from before the fork refuse, and new ones can be opened.
///
/// # Security
/// Without it the child answers from what the parent remembered, and hears of no revocation.
pub fn in_child() {
    store::in_child();
    global::forget();
    memory::forget_registry();
}

/// A lock that the thread that forks holds, so that no other one has it locked then.
pub(crate) type Held<G> = LocalKey<RefCell<Option<G>>>;

/// Takes the lock and keeps it; does nothing when this thread has it already.
pub(crate) fn hold<G>(held: &'static Held<G>, lock: impl FnOnce() -> G) {
    if held.with_borrow(Option::is_none) {
        let guard = lock();
        held.with_borrow_mut(|held| *held = Some(guard));
    }
}

/// In a child: lets go of the lock and empties what it guards, which is the parent's and not to be
/// dropped here.
pub(crate) fn forget<G: DerefMut<Target = Option<T>>, T>(held: &'static Held<G>) {
    if let Some(mut guard) = held.take() {
        std::mem::forget(guard.take());
    }
}
