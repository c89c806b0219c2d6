//! What is sealed opens in its place, and nowhere else.

use super::*;
use crate::clock::Timestamp;
use crate::entropy::SeededEntropy;
use crate::id::{ClientId, DataKeyId, IntegrationId, UserId};

fn keyring() -> RootKeyring {
    RootKeyring::generate("k1".parse().unwrap(), &SeededEntropy::new(1)).unwrap()
}

#[test]
fn a_sealed_key_opens_for_its_purpose_and_id_only() {
    let (keyring, entropy) = (keyring(), SeededEntropy::new(2));
    let (_, root) = keyring.first().unwrap();
    let sealed = seal_key(root, KeyPurpose::DataKey, "one", &[7; 32], &entropy).unwrap();
    assert_eq!(sealed.len(), 1 + 24 + 32 + 16);
    let open = |purpose, id| open_key(root, purpose, id, &sealed).map(|key| key.expose().to_vec());
    assert_eq!(open(KeyPurpose::DataKey, "one"), Ok(vec![7; 32]));
    assert_eq!(open(KeyPurpose::DataKey, "two"), Err(OpenError::Refused));
    assert_eq!(open(KeyPurpose::DigestKey, "one"), Err(OpenError::Refused));
}

#[test]
fn a_keyring_reads_back_from_its_text() {
    let keyring = keyring();
    let id: RootKeyId = "k1".parse().unwrap();
    let canary = seal_canary(keyring.get(&id).unwrap(), &id, &SeededEntropy::new(3)).unwrap();
    let again = RootKeyring::parse(&keyring.to_text()).unwrap();
    assert_eq!(open_canary(again.get(&id).unwrap(), &id, &canary), Ok(()));
}

#[test]
fn a_value_opens_in_its_place() {
    let entropy = SeededEntropy::new(4);
    let now = Timestamp::UNIX_EPOCH;
    let key = DataKey::generate(DataKeyId::generate(now, &entropy).unwrap(), &entropy).unwrap();
    let context = ValueContext {
        client_id: ClientId::generate(now, &entropy).unwrap(),
        user_id: UserId::generate(now, &entropy).unwrap(),
        row_id: IntegrationId::generate(now, &entropy).unwrap(),
        connector: "github",
        account: "alice",
    };
    let purpose = ValuePurpose::IntegrationAuth;
    let sealed = seal_value(&key, purpose, &context, b"token", &entropy).unwrap();
    assert_eq!(sealed_data_key_id(&sealed), Some(key.id()));
    let opened = open_value(&key, purpose, &context, &sealed).unwrap();
    assert_eq!(opened.expose(), b"token");
}
