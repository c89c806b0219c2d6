//! Golden vectors: the same values as in `docs/formats.md`, computed there by other software.

use uuid::Uuid;

use super::*;
use crate::entropy::{Entropy, EntropyError};
use crate::id::{ApiKeyId, ClientId, UserId};

const CLIENT_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const API_KEY_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8058";
const USER_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8059";
const CLIENT_NAME: &str = "Müller & Co";
const IDENTIFIER: &str = "alice@example.com";

const CLIENT_KEY: &str = "sk-client-MDE4OTBhNWQtYWM5Ni03NzRiLWJjY2UtYjMwMjA5OWE4MDU4.TcO8bGxlciAmIENv.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh842dbWf";
const CLIENT_KEY_PREVIEW: &str = "sk-client-...h842dbWf";
const CLIENT_KEY_DIGEST: &str = "b142988d9f10745ce4542f7d987571bfb649d0d83d3e55e3885e10b71991dd5e";
const CLIENT_KEY_IMPORTED: &str = "sk-client-MDE4OTBhNWQtYWM5Ni03NzRiLWJjY2UtYjMwMjA5OWE4MDU4.TcO8bGxlciAmIENv.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const CLIENT_KEY_IMPORTED_DIGEST: &str =
    "30ab73fc18abd1e5097a077b28043f74c58043482933f40d0b5d8b9c4051daf2";

const USER_SECRET: &str = "sk-user-MDE4OTBhNWQtYWM5Ni03NzRiLWJjY2UtYjMwMjA5OWE4MDU5.YWxpY2VAZXhhbXBsZS5jb20.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh82ul0OO";
const USER_SECRET_PREVIEW: &str = "sk-user-...h82ul0OO";
const USER_SECRET_DIGEST: &str = "c2f6414e7d4dbcc4618f5783fda34599871a5293ebed161c734e56e35677667a";
const USER_SECRET_IMPORTED: &str = "sk-user-MDE4OTBhNWQtYWM5Ni03NzRiLWJjY2UtYjMwMjA5OWE4MDU5.YWxpY2VAZXhhbXBsZS5jb20.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const USER_SECRET_IMPORTED_DIGEST: &str =
    "53abed0a5dd2462b98ca5da279f9736637f4b25cdcc38a7883cc2bc1522c45f9";

const OTHER_DIGEST: &str = "4002150700be9c64c8876ccbaee094ed60e1fb4fc9b777b848597058ac2e9bdf";

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
fn a_client_key_has_the_documented_text_and_digest() {
    let id: ApiKeyId = API_KEY_ID.parse().unwrap();
    let issued = issue_client_key(id, CLIENT_NAME, &Counting).unwrap();
    assert_eq!(issued.text.expose(), CLIENT_KEY);
    assert_eq!(issued.preview, CLIENT_KEY_PREVIEW);
    let kind = CredentialKind::ClientKey;
    assert_eq!(
        hex(issued.digest(&key(), kind, client(), id.as_uuid())),
        CLIENT_KEY_DIGEST
    );
    let presented = PresentedClientKey::parse(CLIENT_KEY).unwrap();
    assert_eq!(hex(presented.digest(&key(), client())), CLIENT_KEY_DIGEST);
}

#[test]
fn a_user_secret_has_the_documented_text_and_digest() {
    let id: UserId = USER_ID.parse().unwrap();
    let issued = issue_user_secret(id, IDENTIFIER, &Counting).unwrap();
    assert_eq!(issued.text.expose(), USER_SECRET);
    assert_eq!(issued.preview, USER_SECRET_PREVIEW);
    let kind = CredentialKind::UserSecret;
    assert_eq!(
        hex(issued.digest(&key(), kind, client(), id.as_uuid())),
        USER_SECRET_DIGEST
    );
    let PresentedUserSecret::Current(presented) = PresentedUserSecret::classify(USER_SECRET) else {
        panic!("not the current form");
    };
    assert_eq!(hex(presented.digest(&key(), client())), USER_SECRET_DIGEST);
}

#[test]
fn imported_credentials_have_the_documented_digests() {
    let presented = PresentedClientKey::parse(CLIENT_KEY_IMPORTED).unwrap();
    assert_eq!(presented.form(), Form::Imported);
    assert_eq!(
        hex(presented.digest(&key(), client())),
        CLIENT_KEY_IMPORTED_DIGEST
    );

    let presented = PresentedUserSecret::classify(USER_SECRET_IMPORTED);
    let PresentedUserSecret::Imported(presented) = presented else {
        panic!("not the imported form");
    };
    assert_eq!(
        hex(presented.digest(&key(), client())),
        USER_SECRET_IMPORTED_DIGEST
    );
    let id: Uuid = USER_ID.parse().unwrap();
    let from_tail = imported_digest(&key(), CredentialKind::UserSecret, id, presented.tail());
    assert_eq!(hex(from_tail), USER_SECRET_IMPORTED_DIGEST);
}

#[test]
fn other_digests_are_the_documented_ones() {
    assert_eq!(
        hex(keyed_digest(&key(), "example", &[b"one", b"", b"two"])),
        OTHER_DIGEST
    );
}

#[test]
fn the_documentation_shows_these_vectors() {
    let document = include_str!("../../../../docs/formats.md");
    for value in [
        CLIENT_ID,
        API_KEY_ID,
        USER_ID,
        CLIENT_NAME,
        IDENTIFIER,
        CLIENT_KEY,
        CLIENT_KEY_PREVIEW,
        CLIENT_KEY_DIGEST,
        CLIENT_KEY_IMPORTED,
        CLIENT_KEY_IMPORTED_DIGEST,
        USER_SECRET,
        USER_SECRET_PREVIEW,
        USER_SECRET_DIGEST,
        USER_SECRET_IMPORTED,
        USER_SECRET_IMPORTED_DIGEST,
        OTHER_DIGEST,
    ] {
        assert!(document.contains(value), "docs/formats.md lacks {value}");
    }
}

/// The bytes 0x80, 0x81, … 0x9f.
fn key() -> DigestKey {
    let mut bytes = [0; 32];
    for (byte, value) in bytes.iter_mut().zip(0x80..) {
        *byte = value;
    }
    DigestKey::from_bytes(bytes)
}

fn client() -> ClientId {
    CLIENT_ID.parse().unwrap()
}

fn hex(digest: Digest) -> String {
    digest
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
