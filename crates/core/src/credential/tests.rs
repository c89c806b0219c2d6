use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::entropy::SeededEntropy;
use crate::id::{ApiKeyId, ClientId, UserId};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8058";

#[test]
fn every_single_character_change_of_a_key_is_refused() {
    let id = ApiKeyId::from(ID.parse::<Uuid>().unwrap());
    let key = issue_client_key(id, "Acme", &SeededEntropy::new(1)).unwrap();
    let text: Vec<char> = key.text.expose().chars().collect();
    let others = "ABCXYZabcxyz0189-_.=+/ ~\0\u{e9}";
    for position in 0..text.len() {
        for other in others.chars().filter(|c| *c != text[position]) {
            let mut changed = text.clone();
            changed[position] = other;
            let changed: String = changed.into_iter().collect();
            assert!(PresentedClientKey::parse(&changed).is_err(), "{changed}");
        }
        let mut shorter = text.clone();
        shorter.remove(position);
        let shorter: String = shorter.into_iter().collect();
        assert!(PresentedClientKey::parse(&shorter).is_err(), "{shorter}");
    }
}

#[test]
fn only_the_exact_spelling_of_a_key_is_accepted() {
    let id = b64(ID);
    let secret = b64_bytes(&[0xff; 32]);
    let good = format!("sk-client-{id}.{}.{secret}", b64("Acme"));
    assert_eq!(
        PresentedClientKey::parse(&good).unwrap().form(),
        Form::Imported
    );
    // The original made labels of empty names, and did not read them.
    assert!(PresentedClientKey::parse(&format!("sk-client-{id}..{secret}")).is_ok());

    let upper_id = b64(&ID.to_uppercase());
    let plain_id = b64(&ID.replace('-', ""));
    let braced_id = b64(&format!("{{{ID}}}"));
    let bad_utf8 = b64_bytes(&[0xff, 0xfe]);
    let bad = [
        String::new(),
        "sk-client-".to_owned(),
        "sk-client-..".to_owned(),
        good.replace("sk-client-", "SK-CLIENT-"),
        good.replace("sk-client-", "0123456789"),
        good.replace("sk-client-", "sk-user-"),
        good.replace("sk-client-", ""),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}\0"),
        format!("{good}."),
        format!("{good}.extra"),
        format!("{good}="),
        good.replacen('.', "", 1),
        format!("sk-client-{upper_id}.QQ.{secret}"),
        format!("sk-client-{plain_id}.QQ.{secret}"),
        format!("sk-client-{braced_id}.QQ.{secret}"),
        format!("sk-client-.QQ.{secret}"),
        format!("sk-client-{id}=.QQ.{secret}"),
        format!("sk-client-{id}.QR.{secret}"), // trailing bits that are not zero
        format!("sk-client-{id}.QQ==.{secret}"),
        format!("sk-client-{id}.Q.{secret}"),
        format!("sk-client-{id}.!!!.{secret}"),
        format!("sk-client-{id}.{bad_utf8}.{secret}"),
        format!("sk-client-{id}.QQ.{}", "_".repeat(43)), // trailing bits that are not zero
        format!("sk-client-{id}.QQ.{}", &secret[1..]),
        format!("sk-client-{id}.QQ.{secret}A"),
        format!("sk-client-{id}.QQ.{secret}000000"),
        format!("sk-client-{id}.QQ.{}", "/".repeat(43)),
        format!("sk-client-{id}.QQ.{}éAA", &secret[..39]),
        format!("sk-client-{id}.QQ.{}é00000", &secret[..42]),
    ];
    for text in bad {
        assert!(PresentedClientKey::parse(&text).is_err(), "{text:?}");
    }
}

#[test]
fn an_over_long_text_is_refused_whatever_it_holds() {
    let secret = b64_bytes(&[0; 32]);
    let key = |label: usize| format!("sk-client-{}.{}.{secret}", b64(ID), "QUFB".repeat(label));
    // Of the imported form; ours is never as long as that.
    assert!(PresentedClientKey::parse(&key(16_340)).is_ok());
    assert!(key(16_370).len() > 64 * 1024);
    assert!(PresentedClientKey::parse(&key(16_370)).is_err());
    let ours = |label: usize| {
        let covered = key(label);
        let check = super::checksum::checksum(&covered);
        format!("{covered}{}", String::from_utf8_lossy(&check))
    };
    assert!(PresentedClientKey::parse(&ours(480)).is_ok());
    assert!(ours(490).len() > 2048);
    assert!(PresentedClientKey::parse(&ours(490)).is_err());
    assert!(PresentedClientKey::parse(&key(1 << 19)).is_err());
}

#[test]
fn a_key_with_the_longest_label_is_within_the_size_that_is_looked_at() {
    let entropy = SeededEntropy::new(1);
    let id = UserId::from(ID.parse::<Uuid>().unwrap());
    for label in ["🦀".repeat(320), "é".repeat(100_000), String::new()] {
        let secret = issue_user_secret(id, &label, &entropy).unwrap();
        let presented = PresentedUserSecret::classify(secret.text.expose());
        assert!(matches!(presented, PresentedUserSecret::Current(_)));
    }
}

#[test]
fn user_secrets_are_told_apart_by_the_length_of_their_end() {
    let id = UserId::from(ID.parse::<Uuid>().unwrap());
    let issued = issue_user_secret(id, "alice", &SeededEntropy::new(1)).unwrap();
    let current = issued.text.expose();
    let imported = &current[..current.len() - 6];

    let presented = PresentedUserSecret::classify(current);
    assert!(matches!(presented, PresentedUserSecret::Current(_)));
    assert_eq!(presented.user_id(), Some(id));
    let presented = PresentedUserSecret::classify(imported);
    assert!(matches!(presented, PresentedUserSecret::Imported(_)));
    assert_eq!(presented.user_id(), Some(id));

    for text in [
        "",
        "correct horse battery staple",
        "sk-user-",
        &current[..current.len() - 1],
        &current.replace("sk-user-", "sk-client-"),
        &format!("{imported}000000"),
        &"x".repeat(1 << 16),
    ] {
        let presented = PresentedUserSecret::classify(text);
        assert_eq!(presented.user_id(), None);
        let PresentedUserSecret::Chosen(kept) = presented else {
            panic!("taken for a generated secret: {text}");
        };
        assert_eq!(kept.expose(), text);
    }
}

#[test]
fn a_digest_verifies_nothing_in_another_place() {
    let entropy = SeededEntropy::new(1);
    let id = ApiKeyId::from(ID.parse::<Uuid>().unwrap());
    let issued = issue_client_key(id, "Acme", &entropy).unwrap();
    let key = DigestKey::generate(&entropy).unwrap();
    let client = ClientId::from(Uuid::from_u128(1));
    let kind = CredentialKind::ClientKey;
    let stored = *issued.digest(&key, kind, client, id.as_uuid()).as_bytes();

    let presented = PresentedClientKey::parse(issued.text.expose()).unwrap();
    assert_eq!(presented.id(), id.as_uuid());
    assert!(presented.digest(&key, client).matches(&stored));

    let other_client = ClientId::from(Uuid::from_u128(2));
    let other_key = DigestKey::generate(&entropy).unwrap();
    let others = [
        presented.digest(&key, other_client),
        presented.digest(&other_key, client),
        issued.digest(&key, CredentialKind::UserSecret, client, id.as_uuid()),
        issued.digest(&key, kind, client, Uuid::from_u128(3)),
        imported_digest(&key, kind, id.as_uuid(), issued.tail.expose()),
        issue_client_key(id, "Acme", &entropy)
            .unwrap()
            .digest(&key, kind, client, id.as_uuid()),
    ];
    for other in others {
        assert!(!other.matches(&stored));
    }
    assert!(!presented.digest(&key, client).matches(&stored[..31]));
    assert!(!presented.digest(&key, client).matches(&[]));
}

#[test]
fn the_label_of_a_key_of_ours_is_covered_and_that_of_an_imported_one_is_not() {
    let id = ApiKeyId::from(ID.parse::<Uuid>().unwrap());
    let digest_key = DigestKey::generate(&SeededEntropy::new(9)).unwrap();
    let client = ClientId::from(Uuid::from_u128(1));
    let issue = |name: &str| {
        let issued = issue_client_key(id, name, &SeededEntropy::new(1)).unwrap();
        issued.text.expose().to_owned()
    };
    let digest = |text: &str| {
        let presented = PresentedClientKey::parse(text).unwrap();
        *presented.digest(&digest_key, client).as_bytes()
    };
    let (one, two) = (issue("one"), issue("two"));
    assert_ne!(digest(&one), digest(&two));
    assert_eq!(digest(&one[..one.len() - 6]), digest(&two[..two.len() - 6]));
}

#[test]
fn lists_of_parts_never_collide() {
    let key = DigestKey::from_bytes([7; 32]);
    let digest = |label, parts: &[&[u8]]| *keyed_digest(&key, label, parts).as_bytes();
    assert_ne!(digest("a", &[b"ab", b"c"]), digest("a", &[b"a", b"bc"]));
    assert_ne!(digest("a", &[b"ab"]), digest("a", &[b"ab", b""]));
    assert_ne!(digest("a", &[b"b"]), digest("ab", &[]));
    assert_ne!(digest("a", &[]), digest("b", &[]));
}

#[test]
fn debug_output_shows_nothing_of_a_credential() {
    let entropy = SeededEntropy::new(1);
    let id = UserId::from(ID.parse::<Uuid>().unwrap());
    let issued = issue_user_secret(id, "alice", &entropy).unwrap();
    let presented = PresentedUserSecret::classify(issued.text.expose());
    let key = DigestKey::generate(&entropy).unwrap();
    let shown = format!("{issued:?} {presented:?} {key:?}");
    assert!(!shown.contains(&issued.tail.expose()[..20]), "{shown}");
    assert!(shown.contains("redacted"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_issued_credential_is_read_back(
        seed: u64, id: u128, name in "\\PC{1,200}", identifier in "\\PC{1,320}"
    ) {
        let entropy = SeededEntropy::new(seed);
        let id = Uuid::from_u128(id);
        let issued = issue_client_key(ApiKeyId::from(id), &name, &entropy).unwrap();
        let text = issued.text.expose();
        let presented = PresentedClientKey::parse(text).unwrap();
        prop_assert_eq!((presented.id(), presented.form()), (id, Form::Current));
        prop_assert_eq!(issued.preview, format!("sk-client-...{}", &text[text.len() - 8..]));
        prop_assert_eq!(issued.middle, b64(&name));
        prop_assert_eq!(issued.tail.expose().len(), 49);

        let issued = issue_user_secret(UserId::from(id), &identifier, &entropy).unwrap();
        let presented = PresentedUserSecret::classify(issued.text.expose());
        prop_assert!(matches!(&presented, PresentedUserSecret::Current(_)));
        prop_assert_eq!(presented.user_id(), Some(UserId::from(id)));
    }

    #[test]
    fn no_single_changed_character_keeps_a_secret_a_generated_one(
        seed: u64, position: prop::sample::Index, other: char
    ) {
        let issued =
            issue_user_secret(UserId::from(Uuid::from_u128(seed.into())), "bob", &SeededEntropy::new(seed))
                .unwrap();
        let mut text: Vec<char> = issued.text.expose().chars().collect();
        let position = position.index(text.len());
        prop_assume!(text[position] != other);
        text[position] = other;
        let text: String = text.into_iter().collect();
        prop_assert!(matches!(PresentedUserSecret::classify(&text), PresentedUserSecret::Chosen(_)));
    }

    #[test]
    fn no_text_makes_parsing_fail_otherwise_than_by_an_error(
        prefix in "(sk-client-|sk-user-|)", text in any::<String>()
    ) {
        let text = format!("{prefix}{text}");
        prop_assert!(PresentedClientKey::parse(&text).is_err());
        prop_assert!(PresentedUserSecret::classify(&text).machine().is_none());
    }
}

fn b64(text: &str) -> String {
    b64_bytes(text.as_bytes())
}

fn b64_bytes(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
