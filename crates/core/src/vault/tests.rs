//! What is sealed opens in its place, and nowhere else.

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::entropy::{Entropy, EntropyError, SeededEntropy};
use crate::id::{ClientId, DataKeyId, IntegrationId, UserId};
use crate::secret::{Secret, SecretBytes};

const KEY: &str = "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";
const VALUE_PURPOSES: [ValuePurpose; 4] = [
    ValuePurpose::IntegrationAuth,
    ValuePurpose::RefreshToken,
    ValuePurpose::ConnectorSecret,
    ValuePurpose::CodeVerifier,
];
const PURPOSES: [KeyPurpose; 4] = [
    KeyPurpose::DigestKey,
    KeyPurpose::DataKey,
    KeyPurpose::SigningKey,
    KeyPurpose::ConnectorSecretKey,
];

fn keyring(id: &str, seed: u64) -> RootKeyring {
    RootKeyring::generate(id.parse().unwrap(), &SeededEntropy::new(seed)).unwrap()
}

fn root(keyring: &RootKeyring) -> &RootKey {
    keyring.first().unwrap().1
}

fn parse(text: &str) -> Result<Vec<String>, KeyringError> {
    let keyring = RootKeyring::parse(&Secret::from(text))?;
    Ok(keyring.ids().map(RootKeyId::to_string).collect())
}

#[test]
fn a_keyring_is_read_from_lines_or_commas_in_the_order_given() {
    let expected = Ok(vec!["b".to_owned(), "a-1_x".to_owned()]);
    assert_eq!(parse(&format!("b:{KEY},a-1_x:{KEY}")), expected);
    assert_eq!(parse(&format!("b:{KEY}\na-1_x:{KEY}\n")), expected);
    assert_eq!(parse(&format!("b:{KEY}\r\na-1_x:{KEY}\r\n")), expected);
    assert_eq!(parse(&format!(" b:{KEY} , a-1_x:{KEY} ")), expected);
}

#[test]
fn a_keyring_with_any_fault_is_refused() {
    for text in ["", "\n", ","] {
        assert_eq!(parse(text), Err(KeyringError::EmptyElement));
    }
    for text in [format!("a:{KEY},"), format!("a:{KEY}\n\nb:{KEY}")] {
        assert_eq!(parse(&text), Err(KeyringError::EmptyElement));
    }
    for id in ["", "A", "-a", "_a", "a b", "ä", &"a".repeat(33)] {
        let text = format!("k1:{KEY},{id}:{KEY}");
        assert_eq!(parse(&text), Err(KeyringError::InvalidId { position: 2 }));
    }
    assert_eq!(parse(KEY), Err(KeyringError::InvalidId { position: 1 }));
    let id: RootKeyId = "a".parse().unwrap();
    for key in [
        "",
        "AAAA",
        &KEY[..43],
        &KEY.replace('Q', "-"),
        &format!("{KEY}{KEY}"),
    ] {
        let refused = Err(KeyringError::InvalidKey { id: id.clone() });
        assert_eq!(parse(&format!("a:{key}")), refused);
    }
    let twice = format!("a:{KEY},a:{KEY}");
    assert_eq!(parse(&twice), Err(KeyringError::DuplicateId { id }));
}

#[test]
fn a_keyring_reads_back_from_its_text_and_shows_ids_only() {
    let keyring = keyring("k1", 1);
    let id = root(&keyring).id();
    let canary = seal_canary(root(&keyring), id, &SeededEntropy::new(3)).unwrap();
    let again = RootKeyring::parse(&keyring.to_text()).unwrap();
    assert_eq!(open_canary(again.get(id).unwrap(), id, &canary), Ok(()));
    assert_eq!(format!("{again:?}"), "RootKeyring([RootKey(k1, redacted)])");
    assert!(again.get(&"k2".parse().unwrap()).is_none());
}

#[test]
fn a_keyring_learns_keys_of_new_names_and_keeps_those_it_has() {
    let ring = keyring("k1", 1);
    let first = root(&ring);
    let canary = seal_canary(first, first.id(), &SeededEntropy::new(3)).unwrap();
    ring.learn(keyring("k1", 2));
    ring.learn(keyring("k2", 3));
    ring.learn(keyring("k3", 4));
    ring.learn(keyring("k2", 5));
    let names = |ring: &RootKeyring| ring.ids().map(RootKeyId::to_string).collect::<Vec<_>>();
    assert_eq!(names(&ring), ["k1", "k2", "k3"]);
    // Whoever holds a key of it may go on, and it is still the first one of its name.
    assert_eq!(open_canary(first, first.id(), &canary), Ok(()));
    let again = RootKeyring::parse(&ring.to_text()).unwrap();
    assert_eq!(names(&again), ["k1", "k2", "k3"]);
    let left = ring.without(&"k2".parse().unwrap()).unwrap();
    assert_eq!(names(&left), ["k1", "k3"]);
    assert!(keyring("k1", 1).without(&"k1".parse().unwrap()).is_none());
}

#[test]
fn a_canary_opens_with_its_own_root_key_only() {
    let (right, wrong, renamed) = (keyring("k1", 1), keyring("k1", 2), keyring("k2", 1));
    let (k1, k2) = (root(&right).id(), root(&renamed).id());
    let canary = seal_canary(root(&right), k1, &SeededEntropy::new(3)).unwrap();
    let refused = Err(OpenError::Refused);
    assert_eq!(open_canary(root(&right), k1, &canary), Ok(()));
    assert_eq!(open_canary(root(&wrong), k1, &canary), refused);
    assert_eq!(open_canary(root(&renamed), k2, &canary), refused);
    assert_eq!(
        open_canary(root(&right), k2, &canary),
        Err(OpenError::OtherKey)
    );
    let sealed = seal_canary(root(&right), k2, &SeededEntropy::new(3));
    assert_eq!(sealed, Err(SealError::OtherKey));
}

#[test]
fn a_canary_is_no_sealed_key() {
    let keyring = keyring("k1", 1);
    let root = root(&keyring);
    let canary = seal_canary(root, root.id(), &SeededEntropy::new(3)).unwrap();
    for purpose in PURPOSES {
        let opened = open_key(root, purpose, "", &canary).map(drop);
        assert_eq!(opened, Err(OpenError::Refused));
        let text = b"bosa-auth canary";
        let sealed = seal_key(root, purpose, "", text, &SeededEntropy::new(3)).unwrap();
        assert_eq!(
            open_canary(root, root.id(), &sealed),
            Err(OpenError::Refused)
        );
    }
}

#[test]
fn a_sealed_key_opens_for_its_root_key_purpose_and_id_only() {
    let (keyring, entropy) = (keyring("k1", 1), SeededEntropy::new(2));
    for purpose in PURPOSES {
        let sealed = seal_key(root(&keyring), purpose, "one", &[7; 32], &entropy).unwrap();
        assert_eq!(sealed.len(), 1 + 24 + 32 + 16);
        let open = |root: &RootKey, purpose, id| {
            open_key(root, purpose, id, &sealed).map(|key| key.expose().to_vec())
        };
        assert_eq!(open(root(&keyring), purpose, "one"), Ok(vec![7; 32]));
        for other in PURPOSES.into_iter().filter(|other| *other != purpose) {
            assert_eq!(open(root(&keyring), other, "one"), Err(OpenError::Refused));
        }
        for other in ["", "on", "one ", "two", "ONE"] {
            let opened = open(root(&keyring), purpose, other);
            assert_eq!(opened, Err(OpenError::Refused));
        }
        for other in [self::keyring("k1", 9), self::keyring("k2", 1)] {
            let opened = open(root(&other), purpose, "one");
            assert_eq!(opened, Err(OpenError::Refused));
        }
    }
}

#[test]
fn nothing_is_sealed_without_randomness() {
    #[derive(Debug)]
    struct Dry;
    impl Entropy for Dry {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError)
        }
    }
    let keyring = keyring("k1", 1);
    let sealed = seal_key(root(&keyring), KeyPurpose::DataKey, "one", b"x", &Dry);
    assert_eq!(sealed, Err(SealError::Entropy(EntropyError)));
    let id: RootKeyId = "k1".parse().unwrap();
    assert!(RootKeyring::generate(id, &Dry).is_err());
    assert!(DataKey::generate(id_of(1), &Dry).is_err());
}

#[test]
fn a_data_key_has_32_bytes_and_shows_its_id_only() {
    for length in [0, 31, 33] {
        let bytes = SecretBytes::new(vec![1; length]);
        let key = DataKey::from_bytes(id_of(1), &bytes).map(drop);
        assert_eq!(key, Err(OpenError::Malformed));
    }
    let key = data_key(1);
    assert_eq!(
        format!("{key:?}"),
        format!("DataKey({}, redacted)", key.id())
    );
    let same = DataKey::from_bytes(key.id(), &SecretBytes::new(key.expose().to_vec())).unwrap();
    assert_eq!(same.expose(), key.expose());
}

#[test]
fn the_same_value_is_never_sealed_alike() {
    let (key, entropy) = (data_key(1), SeededEntropy::new(5));
    let seal = || {
        seal_value(
            &key,
            ValuePurpose::IntegrationAuth,
            &place(),
            b"x",
            &entropy,
        )
    };
    assert_ne!(seal(), seal());
}

#[test]
fn connector_and_account_do_not_run_into_each_other() {
    let (key, entropy) = (data_key(1), SeededEntropy::new(5));
    let purpose = ValuePurpose::IntegrationAuth;
    let sealed_for = |connector, account| ValueContext {
        connector,
        account,
        ..place()
    };
    let sealed = seal_value(&key, purpose, &sealed_for("ab", "c"), b"x", &entropy).unwrap();
    for (connector, account) in [("a", "bc"), ("abc", ""), ("", "abc"), ("c", "ab")] {
        let opened = open_value(&key, purpose, &sealed_for(connector, account), &sealed).map(drop);
        assert_eq!(opened, Err(OpenError::Refused));
    }
}

#[test]
fn a_value_opens_with_its_own_key_only() {
    let (key, entropy) = (data_key(1), SeededEntropy::new(5));
    let purpose = ValuePurpose::IntegrationAuth;
    let sealed = seal_value(&key, purpose, &place(), b"x", &entropy).unwrap();
    let open = |key: &DataKey, sealed: &[u8]| open_value(key, purpose, &place(), sealed).map(drop);
    assert_eq!(open(&data_key(2), &sealed), Err(OpenError::OtherKey));
    let swapped = DataKey::from_bytes(key.id(), &SecretBytes::new(vec![9; 32])).unwrap();
    assert_eq!(open(&swapped, &sealed), Err(OpenError::Refused));
    // The same bytes under another id, with the id in the layout written over.
    let renamed = DataKey::from_bytes(id_of(2), &SecretBytes::new(key.expose().to_vec())).unwrap();
    let mut moved = sealed;
    moved[1..17].copy_from_slice(id_of(2).as_uuid().as_bytes());
    assert_eq!(open(&renamed, &moved), Err(OpenError::Refused));
}

#[test]
fn a_value_of_one_purpose_opens_for_no_other() {
    let (key, entropy) = (data_key(1), SeededEntropy::new(5));
    for purpose in VALUE_PURPOSES {
        let sealed = seal_value(&key, purpose, &place(), b"x", &entropy).unwrap();
        for other in VALUE_PURPOSES {
            let opened = open_value(&key, other, &place(), &sealed).map(drop);
            let expected = match other == purpose {
                true => Ok(()),
                false => Err(OpenError::Refused),
            };
            assert_eq!(opened, expected, "{purpose:?} as {other:?}");
        }
    }
}

#[test]
fn a_connector_secret_opens_for_its_owner_and_connector_only() {
    let (key, entropy) = (data_key(1), SeededEntropy::new(5));
    let purpose = ValuePurpose::ConnectorSecret;
    let places = [
        ValueContext::connector_secret(Some(any_id(1)), "github"),
        ValueContext::connector_secret(Some(any_id(2)), "github"),
        ValueContext::connector_secret(Some(any_id(1)), "gitlab"),
        ValueContext::connector_secret(None, "github"),
    ];
    for (sealed_for, place) in places.iter().enumerate() {
        let sealed = seal_value(&key, purpose, place, b"x", &entropy).unwrap();
        for (opened_for, place) in places.iter().enumerate() {
            let opens = open_value(&key, purpose, place, &sealed).is_ok();
            assert_eq!(opens, sealed_for == opened_for);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_value_opens_where_it_was_sealed_and_nowhere_else(
        plain in prop::collection::vec(any::<u8>(), 0..200),
        connector in "[a-z0-9_-]{1,20}",
        account in ".{0,40}",
        other in 0usize..6,
    ) {
        let (key, entropy) = (data_key(1), SeededEntropy::new(6));
        let purpose = ValuePurpose::IntegrationAuth;
        let right = ValueContext { connector: &connector, account: &account, ..place() };
        let sealed = seal_value(&key, purpose, &right, &plain, &entropy).unwrap();
        let opened = open_value(&key, purpose, &right, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), plain);
        prop_assert_eq!(sealed_data_key_id(&sealed), Some(key.id()));

        let longer = format!("{account}x");
        let mut wrong = right;
        let mut wrong_purpose = purpose;
        match other {
            0 => wrong.client_id = any_id(9),
            1 => wrong.user_id = any_id(9),
            2 => wrong.row_id = any_id(9),
            3 => wrong.connector = "another",
            4 => wrong.account = &longer,
            _ => wrong_purpose = ValuePurpose::RefreshToken,
        }
        prop_assume!(wrong != right || wrong_purpose != purpose);
        let opened = open_value(&key, wrong_purpose, &wrong, &sealed).map(drop);
        prop_assert_eq!(opened, Err(OpenError::Refused));
    }

    #[test]
    fn an_edited_or_cut_value_never_opens(
        plain in prop::collection::vec(any::<u8>(), 0..60),
        place_of_edit in any::<prop::sample::Index>(),
        flip in 1u8..,
        more in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let (key, entropy) = (data_key(1), SeededEntropy::new(7));
        let purpose = ValuePurpose::IntegrationAuth;
        let sealed = seal_value(&key, purpose, &place(), &plain, &entropy).unwrap();
        let opens = |bytes: &[u8]| open_value(&key, purpose, &place(), bytes).is_ok();
        let index = place_of_edit.index(sealed.len());
        let mut edited = sealed.clone();
        edited[index] ^= flip;
        prop_assert!(!opens(&edited));
        prop_assert!(!opens(&sealed[..index]));
        prop_assert!(!opens(&sealed[index + 1..]));
        prop_assert!(!opens(&[sealed.as_slice(), &more].concat()));
        prop_assert!(!opens(&more));
    }

    #[test]
    fn an_edited_or_cut_key_never_opens(place_of_edit in any::<prop::sample::Index>(), flip in 1u8..) {
        let (keyring, entropy) = (keyring("k1", 1), SeededEntropy::new(8));
        let root = root(&keyring);
        let sealed = seal_key(root, KeyPurpose::DataKey, "one", &[7; 32], &entropy).unwrap();
        let opens = |bytes: &[u8]| open_key(root, KeyPurpose::DataKey, "one", bytes).is_ok();
        let index = place_of_edit.index(sealed.len());
        let mut edited = sealed.clone();
        edited[index] ^= flip;
        prop_assert!(!opens(&edited));
        prop_assert!(!opens(&sealed[..index]));
        prop_assert!(!opens(&sealed[index + 1..]));
    }
}

fn any_id<T: From<uuid::Uuid>>(number: u128) -> T {
    T::from(uuid::Uuid::from_u128(number))
}

fn id_of(number: u128) -> DataKeyId {
    any_id(number)
}

fn data_key(number: u64) -> DataKey {
    DataKey::generate(id_of(number.into()), &SeededEntropy::new(number)).unwrap()
}

fn place() -> ValueContext<'static> {
    let entropy = SeededEntropy::new(4);
    let now = Timestamp::UNIX_EPOCH;
    ValueContext {
        client_id: ClientId::generate(now, &entropy).unwrap(),
        user_id: UserId::generate(now, &entropy).unwrap(),
        row_id: IntegrationId::generate(now, &entropy).unwrap(),
        connector: "github",
        account: "alice",
    }
}
