use super::*;
use crate::entropy::SeededEntropy;

/// The least memory that Argon2 takes: tests of behaviour need no strength.
const CHEAP: Argon2Cost = Argon2Cost {
    memory_kib: 8,
    iterations: 1,
    parallelism: 1,
};

#[test]
fn a_secret_verifies_against_its_own_hash_only() {
    let mut memory = HashMemory::new();
    let entropy = SeededEntropy::new(1);
    let secrets = [
        "correct horse battery",
        "",
        "with \0 NUL",
        "Zo\u{e9}",
        "Zoe\u{301}", // looks the same, is another text: bytes count
        "correct horse batterY",
    ];
    for secret in secrets {
        let stored = hash(secret, CHEAP, &mut memory, &entropy).unwrap();
        for other in secrets {
            assert_eq!(verify(other, &stored, &mut memory), Ok(other == secret));
        }
    }
}

#[test]
fn nothing_of_a_long_secret_is_cut_off() {
    let mut memory = HashMemory::new();
    let long = "a".repeat(1 << 20);
    let stored = hash(&long, CHEAP, &mut memory, &SeededEntropy::new(1)).unwrap();
    assert_eq!(verify(&long, &stored, &mut memory), Ok(true));
    assert_eq!(verify(&long[1..], &stored, &mut memory), Ok(false));
}

#[test]
fn every_hash_has_its_own_salt() {
    let mut memory = HashMemory::new();
    let entropy = SeededEntropy::new(1);
    let one = hash("secret", CHEAP, &mut memory, &entropy).unwrap();
    let two = hash("secret", CHEAP, &mut memory, &entropy).unwrap();
    assert_ne!(one, two);
    assert!(one.starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
}

#[test]
fn the_reference_implementations_hash_verifies() {
    // From the test program of the reference implementation (phc-winner-argon2).
    let stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                  $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let mut memory = HashMemory::new();
    assert_eq!(verify("password", stored, &mut memory), Ok(true));
    assert_eq!(verify("Password", stored, &mut memory), Ok(false));
}

#[test]
fn a_hash_of_the_original_service_verifies_at_its_cost() {
    let stored = "$argon2id$v=19$m=65536,t=3,p=4$H4lBhTU8Dg7C4xa8Ju6Rxw\
                  $EwSMzPODQvaDCMJ0nqWNQYkrlSSQ7Qfp0eH3awdR790";
    let tail = "9sFobV8tWkdfZTzBYLeejBPFdgXrSuql0BYy3CvS9XA";
    assert_eq!(cost_of(stored), Some(ORIGINAL_COST));
    let mut memory = HashMemory::new();
    assert_eq!(verify(tail, stored, &mut memory), Ok(true));
    assert_eq!(memory.held_kib(), 65_536);
    memory.shrink_to(19_456);
    assert_eq!(memory.held_kib(), 19_456);
}

#[test]
fn memory_is_wiped_after_every_hash_and_may_be_larger_than_needed() {
    let mut memory = HashMemory::new();
    let larger = Argon2Cost {
        memory_kib: 64,
        ..CHEAP
    };
    let entropy = SeededEntropy::new(1);
    let first = hash("secret", larger, &mut memory, &entropy).unwrap();
    let second = hash("secret", CHEAP, &mut memory, &entropy).unwrap();
    assert_eq!(memory.held_kib(), 64);
    let words = memory.0.iter().flat_map(|block| block.as_ref());
    assert!(words.copied().all(|word: u64| word == 0));
    let mut fresh = HashMemory::new();
    for stored in [first, second] {
        assert_eq!(verify("secret", &stored, &mut memory), Ok(true));
        assert_eq!(verify("secret", &stored, &mut fresh), Ok(true));
    }
}

#[test]
fn the_dummy_has_the_cost_asked_for_and_matches_nothing() {
    let mut memory = HashMemory::new();
    let dummy = dummy_phc(CHEAP);
    assert_eq!(cost_of(&dummy), Some(CHEAP));
    for secret in ["", "secret"] {
        assert_eq!(verify(secret, &dummy, &mut memory), Ok(false));
    }
    assert_eq!(cost_of(&dummy_phc(ORIGINAL_COST)), Some(ORIGINAL_COST));
}

#[test]
fn only_a_hash_of_another_cost_needs_to_be_made_again() {
    let default = Argon2Cost::default();
    assert!(!needs_rehash(&dummy_phc(default), default));
    assert!(needs_rehash(&dummy_phc(ORIGINAL_COST), default));
    assert!(needs_rehash("not a hash", default));
}

#[test]
fn stored_texts_that_are_not_plain_argon2id_are_refused() {
    let good = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA\
                $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(cost_of(good), Some(CHEAP));
    let mut memory = HashMemory::new();
    let bad = [
        String::new(),
        "secret".to_owned(),
        good.replace("argon2id", "argon2i"),
        good.replace("argon2id", "argon2d"),
        good.replace("argon2id", "scrypt"),
        good.replace("v=19", "v=16"),
        good.replace("$v=19", ""),
        good.replace("m=8", "m=7"),
        good.replace("m=8", "m=4294967295"),
        good.replace("m=8", "m=1048577"),
        good.replace("t=1", "t=65"),
        good.replace("t=1", "t=0"),
        good.replace("p=1", "p=0"),
        good.replace("p=1", "p=65"),
        good.replace("m=8,t=1,p=1", "m=8,t=1"),
        good.replace("p=1", "p=1,x=1"),
        good.replace("p=1", "p=1,keyid=AAAA"),
        good.replace("p=1", "p=1,data=AAAA"),
        good.replace("$AAAAAAAAAAAAAAAAAAAAAA$", "$"),
        good[..good.len() - 44].to_owned(),
        format!("{good} "),
        format!("{good}$"),
    ];
    for text in bad {
        assert_eq!(
            verify("secret", &text, &mut memory),
            Err(PasswordError::UnsupportedHash),
            "{text}"
        );
    }
    assert_eq!(memory.held_kib(), 0);
}

#[test]
fn costs_at_or_above_the_minimum_are_accepted() {
    for good in [
        "19456,2,1",
        "47104,1,1",
        "12288,3,1",
        "9216,4,1",
        "7168,5,1",
        "65536,3,4",
    ] {
        assert_eq!(Argon2Cost::parse(good).unwrap().to_string(), good);
    }
    assert_eq!(Argon2Cost::parse("19456,2,1"), Ok(Argon2Cost::default()));
    assert_eq!("65536,3,4".parse(), Ok(ORIGINAL_COST));
}

#[test]
fn weaker_costs_are_refused() {
    for weak in [
        "19455,2,1",
        "47103,1,1",
        "12287,3,1",
        "9215,4,1",
        "7167,5,1",
        "64,64,1",
    ] {
        assert_eq!(
            Argon2Cost::parse(weak),
            Err(PasswordError::WeakCost),
            "{weak}"
        );
    }
}

#[test]
fn other_texts_are_not_costs() {
    let others = [
        "",
        "19456",
        "19456,2",
        "19456,2,1,1",
        "19456,2,",
        ",2,1",
        "19456, 2,1",
        "+19456,2,1",
        "019456,2,1",
        "19456;2;1",
        "0,0,0",
        "19456,2,0",
        "19456,0,1",
        "4294967296,2,1",
        "1048577,2,1",
        "19456,65,1",
        "19456,2,65",
        "m=19456,t=2,p=1",
    ];
    for text in others {
        assert_eq!(
            Argon2Cost::parse(text),
            Err(PasswordError::InvalidCost),
            "{text}"
        );
    }
}
