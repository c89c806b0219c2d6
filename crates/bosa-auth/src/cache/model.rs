//! The invalidation protocol under seeded schedules: every lock and every atomic access is a point
//! where another thread may go on.
//!
//! A failure prints its seed; `MODEL_SEED=<seed>` runs the same schedules again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use shuttle::future::{block_on, yield_now};
use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use self::shards::{Shards, Spread};

/// The protocol again, on the scheduler's locks.
#[path = "shards.rs"]
#[expect(
    clippy::duplicate_mod,
    reason = "compiled once more, against other locks"
)]
#[expect(dead_code, reason = "the model needs a part of it")]
mod shards;

/// What the protocol finds as `super::sync`.
mod sync {
    pub(super) use shuttle::sync::atomic::{AtomicU64, Ordering};
    pub(super) use shuttle::sync::{Mutex, MutexGuard};
    pub(super) use std::sync::PoisonError;

    use std::ops::Deref;

    /// The library's promise: a value is replaced as a whole, and read after that in any thread.
    pub(super) struct Swap<T>(Mutex<Option<std::sync::Arc<T>>>);

    impl<T> Swap<T> {
        pub(super) fn empty() -> Self {
            Self(Mutex::new(None))
        }

        pub(super) fn load(&self) -> Loaded<T> {
            Loaded(self.0.lock().unwrap().clone())
        }

        pub(super) fn store(&self, value: Option<std::sync::Arc<T>>) {
            *self.0.lock().unwrap() = value;
        }
    }

    pub(super) struct Loaded<T>(Option<std::sync::Arc<T>>);

    impl<T> Deref for Loaded<T> {
        type Target = Option<std::sync::Arc<T>>;

        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }
}

const SCHEDULES: usize = 3000;
const TOKEN: u8 = 0;
const USER: u8 = 1;

impl Spread for u8 {
    fn spread(&self) -> u64 {
        u64::from(*self)
    }
}

/// A database of one token and its user, and a memory of both.
struct World {
    /// Today's generation of the user: the token was issued at generation 0.
    generation: Mutex<u64>,
    memory: Shards<u8, u64>,
    /// Whether the narrowing call has returned.
    returned: AtomicBool,
    fills: AtomicU64,
}

/// How the narrowing forgets.
#[derive(Clone, Copy)]
enum Forget {
    User,
    Everything,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            generation: Mutex::new(0),
            memory: Shards::new(2, 2),
            returned: AtomicBool::new(false),
            fills: AtomicU64::new(0),
        })
    }

    /// One verification: from memory, or from the database and into memory.
    fn accepts(&self) -> bool {
        if let (Some(issued), Some(today)) = (self.memory.get(&TOKEN), self.memory.get(&USER))
            && issued.value() == today.value()
        {
            return true;
        }
        let filled = self.memory.fill(
            || self.read(),
            |today| match today {
                0 => vec![(TOKEN, 0), (USER, *today)],
                _ => Vec::new(),
            },
        );
        block_on(filled).unwrap() == Some(0)
    }

    async fn read(&self) -> Result<Option<u64>, ()> {
        self.fills.fetch_add(1, Ordering::Relaxed);
        let today = *self.generation.lock().unwrap();
        // The answer is on its way.
        yield_now().await;
        Ok(Some(today))
    }

    fn sign_out(&self, forget: Forget) {
        *self.generation.lock().unwrap() += 1;
        match forget {
            Forget::User => self.memory.invalidate(&USER),
            Forget::Everything => self.memory.clear(),
        }
        self.returned.store(true, Ordering::Release);
    }

    /// What must hold for every verification, whenever it begins.
    fn verify(&self) {
        let begins_after = self.returned.load(Ordering::Acquire);
        let accepted = self.accepts();
        assert!(
            !(begins_after && accepted),
            "accepted after the call had returned"
        );
    }
}

fn under_many_schedules(model: impl Fn() + Send + Sync + Clone + 'static) {
    let seed = match std::env::var("MODEL_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    eprintln!("MODEL_SEED={seed}");
    shuttle::check_random_with_seed(model.clone(), seed, SCHEDULES);
    let deep = shuttle::scheduler::PctScheduler::new_from_seed(seed, 3, SCHEDULES);
    shuttle::Runner::new(deep, shuttle::Config::default()).run(model);
}

fn run(verifiers: usize, forget: Forget) {
    under_many_schedules(move || {
        let world = World::new();
        let mut threads: Vec<_> = (0..verifiers)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || (0..2).for_each(|_| world.verify()))
            })
            .collect();
        let narrowing = world.clone();
        threads.push(thread::spawn(move || narrowing.sign_out(forget)));
        for thread in threads {
            thread.join().unwrap();
        }
        world.verify();
    });
}

#[test]
fn a_fill_never_overtakes_an_invalidation() {
    run(1, Forget::User);
}

#[test]
fn a_verification_that_begins_after_takes_no_load_that_began_before() {
    run(3, Forget::User);
}

/// As through two handles, which share one memory.
#[test]
fn two_narrowings_at_once_leave_nothing_behind() {
    under_many_schedules(|| {
        let world = World::new();
        let mut threads: Vec<_> = [Forget::User, Forget::Everything]
            .map(|forget| {
                let world = world.clone();
                thread::spawn(move || world.sign_out(forget))
            })
            .into();
        threads.extend((0..2).map(|_| {
            let world = world.clone();
            thread::spawn(move || (0..2).for_each(|_| world.verify()))
        }));
        for thread in threads {
            thread.join().unwrap();
        }
        world.verify();
    });
}

#[test]
fn a_fill_never_overtakes_a_restart_of_the_feed() {
    run(2, Forget::Everything);
}

/// The caller is gone: the write goes on in a task of its own and forgets when it ends, also when it
/// ends by being dropped.
#[test]
fn a_caller_that_leaves_between_commit_and_invalidation_changes_nothing() {
    struct ForgetOnDrop(Arc<World>);
    impl Drop for ForgetOnDrop {
        fn drop(&mut self) {
            self.0.memory.invalidate(&USER);
        }
    }
    under_many_schedules(|| {
        let world = World::new();
        let task = {
            let forget = ForgetOnDrop(world.clone());
            shuttle::future::spawn(async move {
                *forget.0.generation.lock().unwrap() += 1;
                yield_now().await;
            })
        };
        let verifier = {
            let world = world.clone();
            thread::spawn(move || world.verify())
        };
        task.abort();
        verifier.join().unwrap();
        // Whether the abort came before the commit or after it.
        drop(block_on(task));
        let committed = *world.generation.lock().unwrap() > 0;
        assert!(!(committed && world.accepts()), "accepted after the commit");
    });
}

#[test]
fn a_second_verification_reads_nothing() {
    under_many_schedules(|| {
        let world = World::new();
        assert!(world.accepts());
        let before = world.fills.load(Ordering::Relaxed);
        let other = world.clone();
        let thread = thread::spawn(move || other.accepts());
        assert!(world.accepts());
        assert!(thread.join().unwrap());
        assert_eq!(world.fills.load(Ordering::Relaxed), before);
    });
}

/// That the model would notice: here the generations are noted after the read.
#[test]
#[should_panic(expected = "accepted after the call had returned")]
fn a_ticket_taken_too_late_is_found_out() {
    under_many_schedules(|| {
        let world = World::new();
        let late = world.clone();
        let filler = thread::spawn(move || {
            let today = block_on(late.read()).unwrap().unwrap();
            let ticket = late.memory.ticket();
            if today == 0 {
                late.memory.insert(&ticket, vec![(TOKEN, 0), (USER, today)]);
            }
        });
        let narrowing = world.clone();
        let narrowing = thread::spawn(move || narrowing.sign_out(Forget::User));
        filler.join().unwrap();
        narrowing.join().unwrap();
        world.verify();
    });
}
