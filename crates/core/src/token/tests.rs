//! What is issued is accepted, and nothing else.

use std::time::Duration;

use proptest::prelude::*;

use super::vectors::{ED25519_PEM, P256_PEM, P384_PEM, RSA_1024_PEM};
use super::*;
use crate::clock::Timestamp;
use crate::entropy::SeededEntropy;
use crate::id::{ClientId, TokenId, UserId};
use crate::secret::Secret;

pub(super) const ISSUER: &str = "bosa-auth";
pub(super) const NOW: i64 = 1_700_000_000;

pub(super) fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm, &SeededEntropy::new(1)).unwrap()
}

pub(super) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn claims() -> Claims {
    let entropy = SeededEntropy::new(2);
    let client_id = ClientId::generate(time(NOW), &entropy).unwrap();
    Claims {
        sub: UserId::generate(time(NOW), &entropy).unwrap(),
        client_id,
        aud: client_id.to_string(),
        identifier: "alice@example.com".to_owned(),
        jti: TokenId::generate(time(NOW), &entropy).unwrap(),
        iss: ISSUER.to_owned(),
        iat: NOW,
        exp: NOW + 3600,
    }
}

pub(super) fn verify(token: &str, key: &SigningKey) -> Result<VerifiedClaims, TokenError> {
    ParsedToken::parse(token)?.verify(key, ISSUER, time(NOW))
}

#[test]
fn every_algorithm_signs_and_verifies_and_its_key_survives_every_form() {
    for &algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let token = issue(&key, &claims()).unwrap();
        let expected = VerifiedClaims {
            sub: claims().sub,
            client_id: Some(claims().client_id),
            jti: claims().jti,
            exp: Some(NOW + 3600),
        };
        let text = key.to_configured().unwrap();
        let configured = SigningKey::from_configured(algorithm, &text).unwrap();
        let opened = SigningKey::from_material(algorithm, &key.material()).unwrap();
        for same in [&key, &configured, &opened] {
            assert_eq!(same.kid(), key.kid());
            assert_eq!(same.public_der(), key.public_der());
            assert_eq!(verify(token.expose(), same), Ok(expected), "{algorithm}");
        }
        assert_eq!(key.kid().len(), 22);
        assert_eq!(key.public_der().is_none(), algorithm.is_symmetric());
    }
}

#[test]
fn a_generated_secret_is_the_text_of_as_many_bytes_as_the_hash_has() {
    for (algorithm, characters) in [
        (Algorithm::HS256, 43),
        (Algorithm::HS384, 64),
        (Algorithm::HS512, 86),
    ] {
        let text = key(algorithm).to_configured().unwrap();
        assert_eq!(text.expose().len(), characters);
    }
}

#[test]
fn the_same_key_has_another_name_under_another_algorithm() {
    let secret = Secret::from("0123456789abcdef".repeat(4));
    let kid = |algorithm| {
        let key = SigningKey::from_configured(algorithm, &secret).unwrap();
        key.kid().to_owned()
    };
    assert_ne!(kid(Algorithm::HS256), kid(Algorithm::HS512));
    let rsa = key(Algorithm::RS256);
    let pss = SigningKey::from_material(Algorithm::PS256, &rsa.material()).unwrap();
    assert_ne!(rsa.kid(), pss.kid());
    assert_eq!(rsa.public_der(), pss.public_der());
}

#[test]
fn keys_show_nothing_of_themselves() {
    let key = key(Algorithm::HS256);
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("SigningKey(HS256 {}, redacted)", key.kid()));
    fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<SigningKey>();
}

#[test]
fn secrets_shorter_than_the_hash_are_refused() {
    for (algorithm, least) in [
        (Algorithm::HS256, 32),
        (Algorithm::HS384, 48),
        (Algorithm::HS512, 64),
    ] {
        let take = |length| {
            SigningKey::from_configured(algorithm, &Secret::from("x".repeat(length))).map(drop)
        };
        assert_eq!(take(least), Ok(()));
        assert_eq!(
            take(least - 1),
            Err(KeyError::TooShort { algorithm, least })
        );
        assert_eq!(take(0), Err(KeyError::TooShort { algorithm, least }));
    }
}

#[test]
fn a_private_key_of_another_kind_is_refused() {
    let rsa = key(Algorithm::RS256).to_configured().unwrap();
    let keys = [
        (ED25519_PEM, &[Algorithm::EdDSA][..]),
        (P256_PEM, &[Algorithm::ES256]),
        (P384_PEM, &[Algorithm::ES384]),
        (rsa.expose(), &[Algorithm::RS256, Algorithm::PS256]),
        (RSA_1024_PEM, &[]),
    ];
    for (pem, accepted) in keys {
        for &algorithm in Algorithm::ALL.iter().filter(|one| !one.is_symmetric()) {
            let read = SigningKey::from_configured(algorithm, &Secret::from(pem)).map(drop);
            let expected = match accepted.contains(&algorithm) {
                true => Ok(()),
                false => Err(KeyError::WrongKind { algorithm }),
            };
            assert_eq!(read, expected, "{algorithm}");
        }
    }
}

#[test]
fn texts_that_are_not_one_pkcs8_key_are_refused() {
    let body = ED25519_PEM.lines().nth(1).unwrap();
    let sec1 = ED25519_PEM.replace("PRIVATE KEY", "EC PRIVATE KEY");
    let public = ED25519_PEM.replace("PRIVATE KEY", "PUBLIC KEY");
    let encrypted = ED25519_PEM.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let two = format!("{ED25519_PEM}{ED25519_PEM}");
    for text in ["", "a secret text", body, &sec1, &public, &encrypted, &two] {
        let read = SigningKey::from_configured(Algorithm::EdDSA, &Secret::from(text)).map(drop);
        assert_eq!(read, Err(KeyError::NotPkcs8), "{text}");
    }
    let windows = format!("  {}", ED25519_PEM.replace('\n', "\r\n"));
    let read = SigningKey::from_configured(Algorithm::EdDSA, &Secret::from(windows)).map(drop);
    assert_eq!(read, Ok(()));
}

#[test]
fn a_short_key_verifies_imported_tokens_only() {
    let take = SigningKey::from_configured_imported_only;
    let short = take(Algorithm::HS256, &Secret::from("x")).unwrap();
    assert_eq!(
        issue(&short, &claims()).map(drop),
        Err(TokenError::CannotSign)
    );
    assert_eq!(short.kid(), "");
    assert_eq!(format!("{short:?}"), "SigningKey(HS256 , redacted)");
    let no_text = take(Algorithm::HS256, &Secret::default()).map(drop);
    assert!(matches!(no_text, Err(KeyError::TooShort { least: 1, .. })));
    for &algorithm in Algorithm::ALL
        .iter()
        .filter(|one| **one != Algorithm::HS256)
    {
        let read = take(algorithm, &Secret::from(ED25519_PEM)).map(drop);
        assert_eq!(read, Err(KeyError::NotForImported));
    }
}

#[test]
fn a_token_ends_after_its_end_and_the_leeway() {
    let key = key(Algorithm::HS256);
    let token = issue(&key, &claims()).unwrap();
    let end = time(NOW + 3600 + LEEWAY_SECONDS);
    let parsed = ParsedToken::parse(token.expose()).unwrap();
    let before = end - Duration::from_micros(1);
    assert!(parsed.verify(&key, ISSUER, before).is_ok());
    assert_eq!(parsed.verify(&key, ISSUER, end), Err(TokenError::Expired));
}

#[test]
fn claims_that_contradict_themselves_are_not_signed() {
    let key = key(Algorithm::HS256);
    let mut other_audience = claims();
    other_audience.aud = other_audience.sub.to_string();
    let mut ends_at_once = claims();
    ends_at_once.exp = ends_at_once.iat;
    for claims in [other_audience, ends_at_once] {
        assert_eq!(
            issue(&key, &claims).map(drop),
            Err(TokenError::InvalidClaims)
        );
    }
    let mut long = claims();
    long.identifier = "x".repeat(MAX_TOKEN_BYTES);
    assert_eq!(issue(&key, &long).map(drop), Err(TokenError::Oversized));
}

#[test]
fn every_character_of_a_token_counts() {
    let key = key(Algorithm::HS256);
    let token = issue(&key, &claims()).unwrap();
    let refused = |place: usize, other: u8| {
        let mut bytes = token.expose().as_bytes().to_vec();
        if std::mem::replace(&mut bytes[place], other) == other {
            return true;
        }
        verify(std::str::from_utf8(&bytes).unwrap(), &key).is_err()
    };
    for place in 0..token.expose().len() {
        for other in b"ABCDwxyz-_.=" {
            assert!(refused(place, *other), "{place} {}", char::from(*other));
        }
    }
    // The unused bits of a segment's last character must be zero.
    let ends = token.expose().match_indices('.').map(|(dot, _)| dot - 1);
    for place in ends.chain([token.expose().len() - 1]) {
        for other in 0..128 {
            assert!(refused(place, other), "{place} {other}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_token_with_one_other_character_is_refused(
        place in any::<prop::sample::Index>(),
        other in prop::sample::select(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n".to_vec(),
        ),
        algorithm in prop::sample::select(vec![
            Algorithm::HS256, Algorithm::HS512, Algorithm::ES256, Algorithm::EdDSA,
        ]),
    ) {
        let key = key(algorithm);
        let token = issue(&key, &claims()).unwrap();
        let mut bytes = token.expose().as_bytes().to_vec();
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != other);
        bytes[place] = other;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(verify(&changed, &key).is_err());
    }

    #[test]
    fn a_token_cut_or_prolonged_is_refused(keep in any::<prop::sample::Index>(), more in "[A-Za-z0-9_.=-]{1,4}") {
        let key = key(Algorithm::HS256);
        let token = issue(&key, &claims()).unwrap();
        let token = token.expose();
        prop_assert!(verify(&token[..keep.index(token.len())], &key).is_err());
        let (after, before) = (token.to_owned() + &more, more + token);
        prop_assert!(verify(&after, &key).is_err());
        prop_assert!(verify(&before, &key).is_err());
    }

    #[test]
    fn no_text_stops_the_parser(text in ".{0,200}", segments in "[A-Za-z0-9_-]{0,20}(\\.[A-Za-z0-9_-]{0,20}){0,4}") {
        prop_assert!(ParsedToken::parse(&text).is_err());
        prop_assert!(ParsedToken::parse(&segments).is_err());
    }
}
