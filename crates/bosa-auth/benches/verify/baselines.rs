//! What a verification cannot cost less than: the check of the same bytes with a prepared key, and
//! reading the same text. Nothing here allocates.

use std::hint::black_box;

use aws_lc_rs::{hmac as aws_hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth_core::token::Algorithm;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use uuid::Uuid;

use crate::Outcome;
use crate::rounds::{Candidate, Repeat};
use crate::world::World;

/// The first baseline is what the subjects are divided by; the rest is shown beside it.
pub(crate) fn of_token(world: &World) -> Outcome<Vec<Candidate<'_>>> {
    let token = world.token.expose();
    if world.algorithm == Algorithm::HS256 {
        return Ok(vec![
            Candidate::new("HMAC, base64 and JSON", move || {
                let key = prepared(world.signing_key.material().expose())?;
                Ok(repeat(move || read_token(&key, black_box(token))))
            }),
            Candidate::new("HMAC", move || {
                let key = prepared(world.signing_key.material().expose())?;
                let (message, _) = halves(token)?;
                Ok(repeat(move || Ok(mac(&key, black_box(message.as_bytes())))))
            }),
            Candidate::new("HMAC of aws-lc", move || {
                let key = world.signing_key.material();
                let key = aws_hmac::Key::new(aws_hmac::HMAC_SHA256, key.expose());
                let (message, _) = halves(token)?;
                Ok(repeat(move || {
                    Ok(aws_hmac::sign(&key, black_box(message.as_bytes())))
                }))
            }),
        ]);
    }
    Ok(vec![Candidate::new("signature check", move || {
        let key = public_key(world)?;
        let (message, tag) = halves(token)?;
        let tag = URL_SAFE_NO_PAD.decode(tag)?;
        Ok(repeat(move || {
            let (message, tag) = (black_box(message.as_bytes()), black_box(&tag));
            key.verify_sig(message, tag)
                .map_err(|_| "the signature is wrong".into())
        }))
    })])
}

pub(crate) fn of_key(world: &World) -> Outcome<Vec<Candidate<'_>>> {
    let key = world.key();
    Ok(vec![
        Candidate::new("HMAC and base64", move || {
            let (digest_key, input) = (prepared(&[7; 32])?, digest_input(key)?);
            Ok(repeat(move || {
                read_key(&digest_key, black_box(key), &input)
            }))
        }),
        Candidate::new("HMAC", move || {
            let (digest_key, input) = (prepared(&[7; 32])?, digest_input(key)?);
            Ok(repeat(move || Ok(mac(&digest_key, black_box(&input)))))
        }),
    ])
}

pub(crate) fn of_both(world: &World) -> Outcome<Vec<Candidate<'_>>> {
    let (key, token) = (world.key(), world.token.expose());
    Ok(vec![
        Candidate::new("two HMAC, base64 and JSON", move || {
            let (digest_key, input) = (prepared(&[7; 32])?, digest_input(key)?);
            let signing_key = prepared(world.signing_key.material().expose())?;
            Ok(repeat(move || {
                read_key(&digest_key, black_box(key), &input)?;
                read_token(&signing_key, black_box(token))
            }))
        }),
        Candidate::new("two HMAC", move || {
            let (digest_key, input) = (prepared(&[7; 32])?, digest_input(key)?);
            let signing_key = prepared(world.signing_key.material().expose())?;
            let (message, _) = halves(token)?;
            Ok(repeat(move || {
                black_box(mac(&digest_key, black_box(&input)));
                Ok(mac(&signing_key, black_box(message.as_bytes())))
            }))
        }),
    ])
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is what is measured")]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing them is what is measured")]
struct Claims<'a> {
    sub: Uuid,
    client_id: Uuid,
    aud: &'a str,
    identifier: &'a str,
    jti: Uuid,
    iss: &'a str,
    iat: i64,
    exp: i64,
}

fn read_token(key: &Hmac<Sha256>, token: &str) -> Outcome<()> {
    let (message, tag) = halves(token)?;
    let (header, claims) = message.split_once('.').ok_or("not a token")?;
    let mut bytes = [0; 1024];
    let tag = decoded(tag, &mut bytes)?;
    let mut keyed = key.clone();
    keyed.update(message.as_bytes());
    keyed.verify_slice(tag)?;
    black_box(serde_json::from_slice::<Header<'_>>(decoded(
        header, &mut bytes,
    )?)?);
    black_box(serde_json::from_slice::<Claims<'_>>(decoded(
        claims, &mut bytes,
    )?)?);
    Ok(())
}

fn read_key(digest_key: &Hmac<Sha256>, key: &str, input: &[u8]) -> Outcome<()> {
    let mut bytes = [0; 1024];
    let (id, middle, random) = parts(key)?;
    for segment in [id, middle, random] {
        black_box(decoded(segment, &mut bytes)?);
    }
    black_box(mac(digest_key, black_box(input)));
    Ok(())
}

/// What the digest of a client key covers, by `docs/formats.md`.
fn digest_input(key: &str) -> Outcome<Vec<u8>> {
    let (_, middle, _) = parts(key)?;
    let (_, tail) = halves(key)?;
    let (client, id) = ([1; 16], [2; 16]);
    let mut input = Vec::new();
    for part in [
        b"bosa-auth credential v1".as_slice(),
        b"client_key",
        &client,
        &id,
        middle.as_bytes(),
        tail.as_bytes(),
    ] {
        input.extend_from_slice(&(part.len() as u64).to_be_bytes());
        input.extend_from_slice(part);
    }
    Ok(input)
}

/// The segments of a client key that are base64url: id, label, and the secret without its checksum.
fn parts(key: &str) -> Outcome<(&str, &str, &str)> {
    let body = key.strip_prefix("sk-client-").ok_or("not a client key")?;
    let (id, rest) = body.split_once('.').ok_or("not a client key")?;
    let (middle, tail) = rest.split_once('.').ok_or("not a client key")?;
    Ok((id, middle, tail.get(..43).ok_or("not a client key")?))
}

fn halves(text: &str) -> Outcome<(&str, &str)> {
    Ok(text.rsplit_once('.').ok_or("no segments")?)
}

fn decoded<'a>(segment: &str, into: &'a mut [u8]) -> Outcome<&'a [u8]> {
    let length = URL_SAFE_NO_PAD.decode_slice(segment, into)?;
    Ok(into.get(..length).unwrap_or_default())
}

fn prepared(key: &[u8]) -> Outcome<Hmac<Sha256>> {
    Ok(Hmac::new_from_slice(key)?)
}

fn mac(key: &Hmac<Sha256>, bytes: &[u8]) -> [u8; 32] {
    let mut mac = key.clone();
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

fn public_key(world: &World) -> Outcome<signature::ParsedPublicKey> {
    let der = world.signing_key.public_der().ok_or("no public half")?;
    let algorithm: &'static dyn signature::VerificationAlgorithm = match world.algorithm {
        Algorithm::EdDSA => &signature::ED25519,
        Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
        other => return Err(format!("no baseline for {other}").into()),
    };
    Ok(signature::ParsedPublicKey::new(algorithm, der)?)
}

fn repeat<'a, T>(call: impl Fn() -> Outcome<T> + Send + 'a) -> Repeat<'a> {
    Box::new(move |times| {
        for _ in 0..times {
            black_box(call()?);
        }
        Ok(())
    })
}
