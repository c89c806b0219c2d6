//! Known attacks on tokens (RFC 8725 section 2), each with a correct signature where it matters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::tests::{ISSUER, NOW, claims, key, time, verify};
use super::*;
use crate::secret::Secret;

fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token of any content, correctly signed.
fn forge(key: &SigningKey, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = key.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", encode(signature))
}

fn header_of(key: &SigningKey) -> String {
    header_with(key, "")
}

/// A correct header with more members.
fn header_with(key: &SigningKey, more: &str) -> String {
    let (algorithm, kid) = (key.algorithm(), key.kid());
    format!(r#"{{"typ":"JWT","alg":"{algorithm}","kid":"{kid}"{more}}}"#)
}

fn claims_json() -> serde_json::Value {
    serde_json::to_value(claims()).unwrap()
}

/// The correct claims, one of them replaced, or removed for null.
fn claims_with(name: &str, value: serde_json::Value) -> String {
    let mut json = claims_json();
    let members = json.as_object_mut().unwrap();
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value);
    }
    json.to_string()
}

#[test]
fn a_forged_token_with_correct_content_is_accepted() {
    let key = key(Algorithm::HS256);
    let token = forge(&key, header_of(&key), claims_json().to_string());
    assert!(verify(&token, &key).is_ok());
}

#[test]
fn no_algorithm_and_unknown_algorithms_are_refused() {
    let key = key(Algorithm::HS256);
    for algorithm in [
        "none", "None", "NONE", "", "hs256", "HS256 ", "RS512", "ES512",
    ] {
        let header = format!(
            r#"{{"typ":"JWT","alg":"{algorithm}","kid":"{}"}}"#,
            key.kid()
        );
        let unsigned = format!("{}.{}.", encode(&header), encode(claims_json().to_string()));
        let signed = forge(&key, header, claims_json().to_string());
        for token in [unsigned, signed] {
            assert_eq!(verify(&token, &key), Err(TokenError::UnsupportedHeader));
        }
    }
    for header in [
        r#"{"typ":"JWT"}"#,
        r#"{"typ":"JWT","alg":["HS256"]}"#,
        r#"{"alg":null}"#,
    ] {
        let token = forge(&key, header, claims_json().to_string());
        assert_eq!(verify(&token, &key), Err(TokenError::UnsupportedHeader));
    }
}

#[test]
fn a_token_without_a_signature_is_refused() {
    for algorithm in [Algorithm::HS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = key(algorithm);
        let signed = format!(
            "{}.{}",
            encode(header_of(&key)),
            encode(claims_json().to_string())
        );
        assert_eq!(
            verify(&format!("{signed}."), &key),
            Err(TokenError::BadSignature)
        );
        let zeros = format!("{signed}.{}", encode([0; 64]));
        assert_eq!(verify(&zeros, &key), Err(TokenError::BadSignature));
    }
}

#[test]
fn a_public_half_is_no_secret() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let asymmetric = key(algorithm);
        let public = crate::SecretBytes::new(asymmetric.public_der().unwrap());
        let secret = SigningKey::from_material(Algorithm::HS256, &public).unwrap();
        for name in ["HS256", algorithm.as_str()] {
            let header = format!(
                r#"{{"typ":"JWT","alg":"{name}","kid":"{}"}}"#,
                asymmetric.kid()
            );
            let token = forge(&secret, header, claims_json().to_string());
            let expected = match name {
                "HS256" => TokenError::AlgorithmMismatch,
                _ => TokenError::BadSignature,
            };
            assert_eq!(verify(&token, &asymmetric), Err(expected));
        }
    }
}

#[test]
fn the_header_does_not_choose_the_algorithm() {
    let secret = Secret::from("0123456789abcdef".repeat(4));
    let key = SigningKey::from_configured(Algorithm::HS256, &secret).unwrap();
    let other = SigningKey::from_configured(Algorithm::HS512, &secret).unwrap();
    let header = format!(r#"{{"typ":"JWT","alg":"HS512","kid":"{}"}}"#, key.kid());
    let token = forge(&other, header, claims_json().to_string());
    assert_eq!(verify(&token, &key), Err(TokenError::AlgorithmMismatch));
}

#[test]
fn a_key_id_is_only_a_name() {
    let key = key(Algorithm::HS256);
    for kid in [
        "",
        "../../../../dev/null",
        "/etc/passwd",
        "' or 1=1 --",
        "x' union select 'secret' --",
        "|id",
        "https://attacker.example/key",
    ] {
        let header = format!(r#"{{"typ":"JWT","alg":"HS256","kid":"{kid}"}}"#);
        let token = forge(&key, header, claims_json().to_string());
        assert_eq!(ParsedToken::parse(&token).unwrap().kid(), Some(kid));
        assert_eq!(verify(&token, &key), Err(TokenError::OtherKey));
    }
    for kid in ["null", "1", "[]", "{}", "true"] {
        let header = format!(r#"{{"typ":"JWT","alg":"HS256","kid":{kid}}}"#);
        let token = forge(&key, header, claims_json().to_string());
        assert_eq!(verify(&token, &key), Err(TokenError::UnsupportedHeader));
    }
}

#[test]
fn keys_inside_the_header_are_ignored() {
    let key = key(Algorithm::HS256);
    let more = r#","jku":"https://attacker.example/","x5u":"https://attacker.example/","jwk":{"kty":"oct","k":"AAAA"},"x5c":["AAAA"]"#;
    let header = header_with(&key, more);
    let honest = forge(&key, &header, claims_json().to_string());
    assert!(verify(&honest, &key).is_ok());
    let attacker = SigningKey::from_configured(Algorithm::HS256, &"a".repeat(32).into()).unwrap();
    let forged = forge(&attacker, &header, claims_json().to_string());
    assert_eq!(verify(&forged, &key), Err(TokenError::BadSignature));
}

#[test]
fn critical_extensions_are_refused() {
    let key = key(Algorithm::HS256);
    for crit in [r#"["exp"]"#, r#"["b64"]"#, "[]", "null", r#""x""#] {
        let header = header_with(&key, &format!(r#","crit":{crit},"b64":true"#));
        let token = forge(&key, header, claims_json().to_string());
        assert_eq!(verify(&token, &key), Err(TokenError::UnsupportedHeader));
    }
}

#[test]
fn other_types_are_refused_after_the_signature() {
    let key = key(Algorithm::HS256);
    for typ in [
        r#""jwt""#,
        r#""at+jwt""#,
        r#""JWT ""#,
        r#""application/jwt""#,
        "null",
        r#"["JWT"]"#,
    ] {
        let header = format!(r#"{{"typ":{typ},"alg":"HS256","kid":"{}"}}"#, key.kid());
        let token = forge(&key, header, claims_json().to_string());
        assert_eq!(verify(&token, &key), Err(TokenError::UnsupportedHeader));
        let broken = token.rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
        assert_eq!(verify(&broken, &key), Err(TokenError::BadSignature));
    }
    let header = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, key.kid());
    let token = forge(&key, header, claims_json().to_string());
    assert_eq!(verify(&token, &key), Err(TokenError::UnsupportedHeader));
}

#[test]
fn members_that_occur_twice_are_refused() {
    let key = key(Algorithm::HS256);
    let good = claims_json().to_string();
    let twice = |json: &str, more: &str| format!("{{{more},{}", json.strip_prefix('{').unwrap());
    for more in [
        r#""alg":"HS256""#,
        r#""\u0061lg":"none""#,
        r#""typ":"JWT""#,
        r#""unknown":1,"unknown":2"#,
        r#""nested":{"a":1,"a":2}"#,
        r#""nested":[{"a":{"b":1,"b":1}}]"#,
    ] {
        let token = forge(&key, twice(&header_of(&key), more), &good);
        assert_eq!(verify(&token, &key), Err(TokenError::Malformed), "{more}");
    }
    for more in [
        r#""sub":"x""#,
        r#""s\u0075b":"x""#,
        r#""exp":99999999999"#,
        r#""unknown":1,"unknown":1"#,
        r#""nested":{"a":1,"a":2}"#,
    ] {
        let token = forge(&key, header_of(&key), twice(&good, more));
        assert_eq!(verify(&token, &key), Err(TokenError::Malformed), "{more}");
    }
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    let key = key(Algorithm::HS256);
    let good = claims_json().to_string();
    let bad = [
        Vec::new(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"x\"".to_vec(),
        format!("{good}{good}").into_bytes(),
        format!("{good},").into_bytes(),
        good.replace('"', "'").into_bytes(),
        [good.trim_end_matches('}').as_bytes(), b",\"x\":\"\xff\"}"].concat(),
        [b"\xef\xbb\xbf", good.as_bytes()].concat(),
        good.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        format!("{{\"x\":{}{}}}", "[".repeat(2000), "]".repeat(2000)).into_bytes(),
    ];
    for json in bad {
        let token = forge(&key, header_of(&key), &json);
        assert_eq!(verify(&token, &key), Err(TokenError::Malformed));
        let token = forge(&key, &json, &good);
        assert_eq!(verify(&token, &key), Err(TokenError::Malformed));
    }
}

#[test]
fn a_token_has_exactly_three_canonical_segments() {
    let key = key(Algorithm::HS256);
    let token = issue(&key, &claims()).unwrap();
    let token = token.expose();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let last = signature.chars().last().unwrap();
    // The two unused bits of the last of 43 characters.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet
        .chars()
        .nth(alphabet.find(last).unwrap() + 1)
        .unwrap();
    let loose = format!("{}{next}", &signature[..signature.len() - 1]);
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.to_owned(),
        signed.to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.AAAA.AAAA"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{token}="),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}==.{signature}"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header} .{claims}.{signature}"),
        format!("{header}.\t{claims}.{signature}"),
        format!("Bearer {token}"),
        format!("{token}\0"),
        format!("{header}.{claims}.{loose}"),
        format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+")) + "+",
        format!("{header}.{claims}é.{signature}"),
    ] {
        assert_eq!(verify(&text, &key), Err(TokenError::Malformed), "{text}");
    }
}

#[test]
fn a_text_over_the_limit_is_not_looked_at() {
    let key = key(Algorithm::HS256);
    let token = issue(&key, &claims()).unwrap();
    let long = format!("{}{}", token.expose(), "A".repeat(MAX_TOKEN_BYTES));
    assert_eq!(verify(&long, &key), Err(TokenError::Oversized));
    let limit = "A".repeat(MAX_IMPORTED_TOKEN_BYTES);
    assert_eq!(verify(&limit, &key), Err(TokenError::Malformed));
    assert_eq!(verify(&(limit + "A"), &key), Err(TokenError::Oversized));
}

#[test]
fn a_token_of_another_issuer_or_audience_is_refused() {
    let key = key(Algorithm::HS256);
    for (name, value, expected) in [
        ("iss", "someone".into(), TokenError::WrongIssuer),
        ("iss", "".into(), TokenError::WrongIssuer),
        ("iss", serde_json::Value::Null, TokenError::WrongIssuer),
        ("iss", [ISSUER].as_slice().into(), TokenError::InvalidClaims),
        (
            "aud",
            claims().sub.to_string().into(),
            TokenError::InvalidClaims,
        ),
        (
            "aud",
            [claims().aud].as_slice().into(),
            TokenError::InvalidClaims,
        ),
        (
            "client_id",
            claims().sub.to_string().into(),
            TokenError::InvalidClaims,
        ),
    ] {
        let token = forge(&key, header_of(&key), claims_with(name, value));
        assert_eq!(verify(&token, &key), Err(expected), "{name}");
    }
}

#[test]
fn every_claim_is_required_and_has_its_type() {
    let key = key(Algorithm::HS256);
    for name in ["sub", "client_id", "aud", "identifier", "jti", "iat", "exp"] {
        let wrong = match name {
            "iat" | "exp" => serde_json::json!("1700003600"),
            _ => serde_json::json!(1),
        };
        for value in [serde_json::Value::Null, wrong, serde_json::json!({})] {
            let token = forge(&key, header_of(&key), claims_with(name, value));
            assert_eq!(
                verify(&token, &key),
                Err(TokenError::InvalidClaims),
                "{name}"
            );
        }
    }
    for number in [
        serde_json::json!(1_700_003_600.5),
        serde_json::json!(1e300),
        serde_json::json!(u64::MAX),
    ] {
        let token = forge(&key, header_of(&key), claims_with("exp", number));
        assert_eq!(verify(&token, &key), Err(TokenError::InvalidClaims));
    }
}

#[test]
fn an_id_has_one_text_only() {
    let key = key(Algorithm::HS256);
    let id = claims().sub.to_string();
    for text in [
        id.to_uppercase(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        format!(" {id}"),
        "1".to_owned(),
    ] {
        let token = forge(&key, header_of(&key), claims_with("sub", text.into()));
        assert_eq!(verify(&token, &key), Err(TokenError::InvalidClaims));
    }
}

#[test]
fn time_is_compared_without_overflow_and_after_the_signature() {
    let key = key(Algorithm::HS256);
    for (name, value, expected) in [
        ("exp", i64::MAX, Ok(())),
        ("exp", NOW, Ok(())),
        ("exp", NOW - LEEWAY_SECONDS, Err(TokenError::Expired)),
        ("exp", 0, Err(TokenError::Expired)),
        ("exp", i64::MIN, Err(TokenError::Expired)),
        ("nbf", NOW + LEEWAY_SECONDS, Ok(())),
        (
            "nbf",
            NOW + LEEWAY_SECONDS + 1,
            Err(TokenError::InvalidClaims),
        ),
        ("nbf", i64::MIN, Ok(())),
    ] {
        let token = forge(&key, header_of(&key), claims_with(name, value.into()));
        assert_eq!(verify(&token, &key).map(drop), expected, "{name} {value}");
        let broken = token.rsplit_once('.').unwrap().0.to_owned() + ".AAAA";
        assert_eq!(verify(&broken, &key), Err(TokenError::BadSignature));
    }
}

#[test]
fn a_token_of_another_key_is_refused() {
    let (key, other) = (key(Algorithm::HS256), key_of("another"));
    let token = issue(&other, &claims()).unwrap();
    assert_eq!(verify(token.expose(), &key), Err(TokenError::OtherKey));
    let named = forge(&other, header_of(&key), claims_json().to_string());
    assert_eq!(verify(&named, &key), Err(TokenError::BadSignature));
}

#[test]
fn an_imported_token_needs_its_ids_only() {
    let key = key_of("imported");
    let header = r#"{"typ":"JWT","alg":"HS256"}"#;
    let (sub, jti) = (claims().sub, claims().jti);
    let check = |more: &str| {
        let claims = format!(r#"{{"sub":"{sub}","jti":"{jti}"{more}}}"#);
        verify(&forge(&key, header, claims), &key).map(|claims| (claims.client_id, claims.exp))
    };
    assert_eq!(check(""), Ok((None, None)));
    assert_eq!(
        check(r#","client_id":"x","identifier":7"#),
        Ok((None, None))
    );
    assert_eq!(check(r#","exp":1700000001"#), Ok((None, Some(NOW + 1))));
    assert_eq!(check(r#","exp":1"#), Err(TokenError::Expired));
    assert_eq!(check(r#","exp":null"#), Err(TokenError::InvalidClaims));
    assert_eq!(check(r#","iss":"bosa-auth""#), Ok((None, None)));
    assert_eq!(check(r#","iss":"someone""#), Err(TokenError::WrongIssuer));
    assert_eq!(check(r#","aud":"x""#), Err(TokenError::InvalidClaims));
    for claims in [
        format!(r#"{{"sub":"{sub}"}}"#),
        format!(r#"{{"jti":"{jti}"}}"#),
        format!(r#"{{"sub":"alice","jti":"{jti}"}}"#),
        format!(r#"{{"sub":null,"jti":"{jti}"}}"#),
    ] {
        let token = forge(&key, header, claims);
        assert_eq!(verify(&token, &key), Err(TokenError::InvalidClaims));
    }
}

#[test]
fn tokens_with_and_without_a_key_id_do_not_mix() {
    let text = Secret::from("0123456789abcdef".repeat(2));
    let full = SigningKey::from_configured(Algorithm::HS256, &text).unwrap();
    let imported = SigningKey::from_configured_imported_only(Algorithm::HS256, &text).unwrap();
    let named = forge(&full, header_of(&full), claims_json().to_string());
    let empty = r#"{"typ":"JWT","alg":"HS256","kid":""}"#;
    let unnamed = forge(&full, empty, claims_json().to_string());
    for token in [named, unnamed] {
        assert_eq!(verify(&token, &imported), Err(TokenError::OtherKey));
    }
    for algorithm in [Algorithm::HS384, Algorithm::EdDSA] {
        let other = key(algorithm);
        let header = format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#);
        let token = forge(&other, header, claims_json().to_string());
        assert_eq!(verify(&token, &other), Err(TokenError::AlgorithmMismatch));
    }
    let unnamed = forge(
        &full,
        r#"{"typ":"JWT","alg":"HS256"}"#,
        claims_json().to_string(),
    );
    let parsed = ParsedToken::parse(&unnamed).unwrap();
    for key in [&full, &imported] {
        assert!(parsed.verify(key, ISSUER, time(NOW)).is_ok());
    }
}

fn key_of(text: &str) -> SigningKey {
    SigningKey::from_configured(Algorithm::HS256, &Secret::from(text.repeat(8))).unwrap()
}
