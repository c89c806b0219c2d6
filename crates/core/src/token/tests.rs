//! What is issued is accepted, and nothing else.

use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::entropy::SeededEntropy;
use crate::id::{ClientId, TokenId, UserId};
use crate::secret::Secret;

const ISSUER: &str = "bosa-auth";
const NOW: i64 = 1_700_000_000;

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm, &SeededEntropy::new(1)).unwrap()
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn claims() -> Claims {
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

fn verify(token: &str, key: &SigningKey, second: i64) -> Result<VerifiedClaims, TokenError> {
    ParsedToken::parse(token)?.verify(key, ISSUER, time(second))
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
        assert_eq!(
            verify(token.expose(), &key, NOW),
            Ok(expected),
            "{algorithm}"
        );
        let configured =
            SigningKey::from_configured(algorithm, &key.to_configured().unwrap()).unwrap();
        let opened = SigningKey::from_material(algorithm, &key.material()).unwrap();
        for same in [configured, opened] {
            assert_eq!(same.kid(), key.kid());
            assert_eq!(same.public_der(), key.public_der());
            assert_eq!(
                verify(token.expose(), &same, NOW),
                Ok(expected),
                "{algorithm}"
            );
        }
        assert_eq!(key.kid().len(), 22);
        assert_eq!(key.public_der().is_none(), algorithm.is_symmetric());
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
fn keys_that_are_too_short_or_of_another_kind_are_refused() {
    let short = Secret::from("x".repeat(31));
    assert_eq!(
        SigningKey::from_configured(Algorithm::HS256, &short).map(drop),
        Err(KeyError::TooShort {
            algorithm: Algorithm::HS256,
            least: 32
        })
    );
}
