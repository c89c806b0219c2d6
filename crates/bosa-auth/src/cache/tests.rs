//! The bounded map: what is given up, and what is turned away.

use super::shards::{Shards, Spread};

impl Spread for u32 {
    fn spread(&self) -> u64 {
        u64::from(*self)
    }
}

fn get(shards: &Shards<u32, &'static str>, key: u32) -> Option<&'static str> {
    shards.get(&key).and_then(|hit| hit.value().copied())
}

fn put(shards: &Shards<u32, &'static str>, key: u32, value: &'static str) {
    assert!(shards.insert(&shards.ticket(), vec![(key, value)]));
}

#[test]
fn a_full_shard_gives_up_what_was_not_used() {
    let shards = Shards::new(1, 3);
    for key in 0..3 {
        put(&shards, key, "old");
    }
    for key in [0, 2] {
        assert_eq!(get(&shards, key), Some("old"));
    }
    put(&shards, 3, "new");
    assert_eq!(shards.len(), 3);
    assert_eq!(get(&shards, 1), None);
    for key in [0, 2, 3] {
        assert!(get(&shards, key).is_some(), "{key}");
    }
    for key in 4..100 {
        put(&shards, key, "newer");
        assert_eq!(shards.len(), 3);
        assert_eq!(get(&shards, key), Some("newer"));
    }
}

#[test]
fn a_removed_entry_leaves_the_others_in_place() {
    let shards = Shards::new(1, 8);
    for key in 0..8 {
        put(&shards, key, "value");
    }
    for gone in [0, 7, 3] {
        shards.invalidate(&gone);
        assert_eq!(get(&shards, gone), None);
    }
    for kept in [1, 2, 4, 5, 6] {
        assert_eq!(get(&shards, kept), Some("value"));
    }
    assert_eq!(shards.len(), 5);
    put(&shards, 1, "again");
    assert_eq!((get(&shards, 1), shards.len()), (Some("again"), 5));
    shards.clear();
    assert_eq!((get(&shards, 1), shards.len()), (None, 0));
}

#[test]
fn an_invalidation_turns_a_fill_away_even_without_an_entry() {
    let shards = Shards::new(2, 8);
    for invalidate in [
        |shards: &Shards<u32, &str>| shards.invalidate(&0),
        |shards: &Shards<u32, &str>| shards.clear(),
    ] {
        let ticket = shards.ticket();
        invalidate(&shards);
        assert!(!shards.insert(&ticket, vec![(0, "late")]));
        assert_eq!(get(&shards, 0), None);
    }
    let ticket = shards.ticket();
    shards.invalidate(&0);
    assert!(shards.insert(&ticket, vec![(1, "elsewhere")]));
}
