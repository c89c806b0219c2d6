//! Golden vectors: the same values as in `docs/formats.md`, computed there by other software.

use std::fmt::Write as _;

use super::*;
use crate::entropy::{Entropy, EntropyError};
use crate::secret::{Secret, SecretBytes};

const DATA_KEY_ID: &str = "01890a5d-ac96-774b-bcce-b302099a805a";
const ROOT_KEYS: &str = "k1:QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";

const CANARY: &str = "01000102030405060708090a0b0c0d0e0f1011121314151617e0f72f7ffa160691706053b7d8f12a90d5fb8a74433ffe81666ffcc3b0e4c138";
const SEALED_KEYS: [(KeyPurpose, &str); 4] = [
    (
        KeyPurpose::DigestKey,
        "01000102030405060708090a0b0c0d0e0f10111213141516176c646c43dbea02613c96cf8d3920a7b97363b8e1cff56260ca93a20332462b6eeb2c6402a89bcace920c615ecd375bed",
    ),
    (
        KeyPurpose::DataKey,
        "01000102030405060708090a0b0c0d0e0f1011121314151617e1a2d169e72c898c68651d3d156d761a4ab5dbd2b6e4ad76db26f61f46522aeee44f178fd2189c1a8d08a2207bd67c2e",
    ),
    (
        KeyPurpose::SigningKey,
        "01000102030405060708090a0b0c0d0e0f1011121314151617850968aaebff7c57179a3fa8d30a2b94823004d560ffbba07ba0c31e10840b026013a9a4b80e80f000afb3cd83639ab7",
    ),
    (
        KeyPurpose::ConnectorSecretKey,
        "01000102030405060708090a0b0c0d0e0f10111213141516170c867b1297351ceec930bee284fb921fd397ebac502a67e7631eb4660a46b95e1fca38fb75d839229089d930b3a2b1cf",
    ),
];
const VALUES: [(ValuePurpose, Place, &str, &str); 6] = [
    (
        ValuePurpose::IntegrationAuth,
        Place::Account,
        "a stored text",
        "0101890a5dac96774bbcceb302099a805a000102030405060708090a0b0c0d0e0f101112131415161758fe15b60ea5eea1e294a42aec4faa2d9479217c8686d0fdda43647e43",
    ),
    (
        ValuePurpose::IntegrationAuth,
        Place::Account,
        "",
        "0101890a5dac96774bbcceb302099a805a000102030405060708090a0b0c0d0e0f10111213141516176696df09fe669cfbd6bef5d83e3e2483",
    ),
    (
        ValuePurpose::RefreshToken,
        Place::Account,
        "a stored text",
        "0101890a5dac96774bbcceb302099a805a000102030405060708090a0b0c0d0e0f1011121314151617b2c1242424f57539916015ca76718a387a8cd10e3e1fa6b3b8674ceaf7",
    ),
    (
        ValuePurpose::ConnectorSecret,
        Place::Client,
        "a stored text",
        "0101890a5dac96774bbcceb302099a805a000102030405060708090a0b0c0d0e0f10111213141516172a6cf925bb5142a56ad2310d53b97e1f15ff3a10db5ae6b81ba6197845",
    ),
    (
        ValuePurpose::ConnectorSecret,
        Place::Deployment,
        "a stored text",
        "0101890a5dac96774bbcceb302099a805a000102030405060708090a0b0c0d0e0f10111213141516172a6cf925bb5142a56ad2310d53b77d1340d1c5b87e9855f79c288f11a2",
    ),
    (
        ValuePurpose::CodeVerifier,
        Place::Connection,
        "a stored text",
        "0101890a5dac96774bbcceb302099a805a000102030405060708090a0b0c0d0e0f1011121314151617e6bb9a46e0bbdd335603cd4f3dd2e38f93bf21531f0833937dc24072d6",
    ),
];

/// Where the value of a vector belongs.
#[derive(Debug, Clone, Copy)]
enum Place {
    Account,
    Connection,
    Client,
    Deployment,
}

impl Place {
    fn context(self) -> ValueContext<'static> {
        let client_id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let account = ValueContext {
            client_id,
            user_id: "01890a5d-ac96-774b-bcce-b302099a8059".parse().unwrap(),
            row_id: "01890a5d-ac96-774b-bcce-b302099a805b".parse().unwrap(),
            connector: "github",
            account: "zoë@example.com",
        };
        match self {
            Self::Account => account,
            Self::Connection => ValueContext {
                account: "",
                ..account
            },
            Self::Client => ValueContext::connector_secret(Some(client_id), "github"),
            Self::Deployment => ValueContext::connector_secret(None, "github"),
        }
    }
}

/// The bytes 0, 1, 2, … at every draw.
#[derive(Debug)]
struct Counting;

impl Entropy for Counting {
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyError> {
        for (byte, value) in buf.iter_mut().zip(0..) {
            *byte = value;
        }
        Ok(())
    }
}

#[test]
fn a_canary_has_the_documented_bytes() {
    let keyring = RootKeyring::parse(&Secret::from(ROOT_KEYS)).unwrap();
    let (id, root) = keyring.first().unwrap();
    let sealed = seal_canary(root, id, &Counting).unwrap();
    assert_eq!(hex(&sealed), CANARY);
    assert_eq!(open_canary(root, id, &sealed), Ok(()));
}

#[test]
fn a_sealed_key_has_the_documented_bytes() {
    let keyring = RootKeyring::parse(&Secret::from(ROOT_KEYS)).unwrap();
    let (_, root) = keyring.first().unwrap();
    for (purpose, expected) in SEALED_KEYS {
        let sealed = seal_key(root, purpose, DATA_KEY_ID, &key_bytes(), &Counting).unwrap();
        assert_eq!(hex(&sealed), expected, "{purpose:?}");
        let opened = open_key(root, purpose, DATA_KEY_ID, &sealed).unwrap();
        assert_eq!(opened.expose(), key_bytes());
    }
}

#[test]
fn a_sealed_value_has_the_documented_bytes() {
    let id = DATA_KEY_ID.parse().unwrap();
    let key = DataKey::from_bytes(id, &SecretBytes::new(key_bytes())).unwrap();
    for (purpose, place, plain, expected) in VALUES {
        let context = place.context();
        let sealed = seal_value(&key, purpose, &context, plain.as_bytes(), &Counting).unwrap();
        assert_eq!(hex(&sealed), expected, "{purpose:?} of {place:?}");
        assert_eq!(sealed_data_key_id(&sealed), Some(id));
        let opened = open_value(&key, purpose, &context, &sealed).unwrap();
        assert_eq!(opened.expose(), plain.as_bytes());
    }
}

#[test]
fn the_documentation_shows_these_vectors() {
    let text = include_str!("../../../../docs/formats.md");
    let keys = SEALED_KEYS.iter().map(|(_, sealed)| sealed);
    let values = VALUES.iter().map(|(_, _, _, sealed)| sealed);
    for vector in keys.chain(values).chain([&CANARY]) {
        assert!(text.contains(&format!("| `{vector}` |")), "{vector}");
    }
}

fn key_bytes() -> Vec<u8> {
    (0x80..0xa0).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
