//! Bad input for every operation: a typed refusal, nothing written, and the next good call works.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bosa_auth::{Algorithm, IdempotencyKey, SystemEntropy};
use bosa_auth_core::token::SigningKey;
use bosa_auth_testkit::on_every_database;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::dump::{changed, dump};
use crate::isolation::target;
use crate::operations::{Target, of_client, of_user, on_target};
use crate::support::{Client, SIGNING_KEY, World, code, payload};

/// Refusals that blame the caller. Anything else would be a defect.
const REFUSALS: &[&str] = &[
    "invalid_input",
    "invalid_client",
    "unauthorized",
    "invalid_token",
    "not_found",
    "false",
];

/// Texts that no name, identifier, credential or token may be, or that are nobody's.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\u{0}",
        "a\u{0}b",
        "\n",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{85}",
        "\u{202e}evil",
        "\u{feff}",
        "' or '1'='1",
        "'; drop table bosa_users; --",
        "$1",
        "%",
        "_",
        "../../etc/passwd",
        "{{7*7}}",
        "аna",
        "jose\u{301}",
        "ﬁ",
        "null",
        "sk-client-",
        "sk-user-",
        "sk-user-..",
        "sk-client-AAAA.BBBB.CCCC",
        "eyJhbGciOiJub25lIn0.e30.",
        "🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    texts.push("x".repeat(321));
    texts.push("é".repeat(5000));
    texts.push("x".repeat(300_000));
    texts.push("\u{301}".repeat(20_000));
    texts
}

pub(crate) fn signed(header: &Value, claims: &Value) -> String {
    signed_text(
        &header.to_string(),
        &claims.to_string(),
        SIGNING_KEY.as_bytes(),
    )
}

fn signed_text(header: &str, claims: &str, key: &[u8]) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut changed = value.clone();
    changed
        .as_object_mut()
        .unwrap()
        .insert(name.to_owned(), member);
    changed
}

fn without(value: &Value, name: &str) -> Value {
    let mut changed = value.clone();
    changed.as_object_mut().unwrap().remove(name);
    changed
}

/// Tokens made from a good one of ours, and what was done to each.
fn tampered(good: &str, other_user: &Target) -> Vec<(String, String)> {
    let (header, claims) = (payload(good, 0), payload(good, 1));
    let parts: Vec<&str> = good.split('.').collect();
    let mut tokens: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, token: String| tokens.push((what.to_owned(), token));
    for alg in [
        "none", "None", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "hs256",
    ] {
        let header = with(&header, "alg", alg.into());
        add(&format!("alg {alg}, signed"), signed(&header, &claims));
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        add(
            &format!("alg {alg}, without signature"),
            format!("{header}.{}.", parts[1]),
        );
        add(
            &format!("alg {alg}, with the old signature"),
            format!("{header}.{}.{}", parts[1], parts[2]),
        );
    }
    for kid in [
        "",
        "../../dev/null",
        "' union select 1 --",
        "\u{0}",
        "k1",
        &"x".repeat(4000),
    ] {
        add(
            &format!("kid {kid:.20?}"),
            signed(&with(&header, "kid", kid.into()), &claims),
        );
    }
    for kid in [Value::Null, 1.into(), json!([]), json!({})] {
        add(
            &format!("kid {kid}"),
            signed(&with(&header, "kid", kid.clone()), &claims),
        );
    }
    add("without kid", signed(&without(&header, "kid"), &claims));
    add("without alg", signed(&without(&header, "alg"), &claims));
    add("without typ", signed(&without(&header, "typ"), &claims));
    for typ in [json!("at+jwt"), json!("jwt"), json!("JWE"), Value::Null] {
        add(
            &format!("typ {typ}"),
            signed(&with(&header, "typ", typ.clone()), &claims),
        );
    }
    add(
        "crit",
        signed(&with(&header, "crit", json!(["b64"])), &claims),
    );
    add(
        "empty crit",
        signed(&with(&header, "crit", json!([])), &claims),
    );
    let duplicated = header.to_string().replacen('{', "{\"alg\":\"none\",", 1);
    add(
        "alg twice",
        signed_text(&duplicated, &claims.to_string(), SIGNING_KEY.as_bytes()),
    );
    let duplicated = claims.to_string().replacen('{', "{\"sub\":\"x\",", 1);
    add(
        "sub twice",
        signed_text(&header.to_string(), &duplicated, SIGNING_KEY.as_bytes()),
    );
    add(
        "another key",
        signed_text(
            &header.to_string(),
            &claims.to_string(),
            b"another signing key for tests, 32 bytes",
        ),
    );
    add(
        "the empty key",
        signed_text(&header.to_string(), &claims.to_string(), b""),
    );
    for name in [
        "sub",
        "client_id",
        "aud",
        "identifier",
        "jti",
        "iss",
        "iat",
        "exp",
    ] {
        add(
            &format!("without {name}"),
            signed(&header, &without(&claims, name)),
        );
        for value in [
            Value::Null,
            json!({}),
            json!([claims[name]]),
            json!(true),
            json!(1.5),
        ] {
            add(
                &format!("{name} {value}"),
                signed(&header, &with(&claims, name, value.clone())),
            );
        }
    }
    for (name, value) in [
        ("sub", json!(other_user.user_id.to_string())),
        ("sub", json!(claims["sub"].as_str().unwrap().to_uppercase())),
        ("jti", json!(uuid::Uuid::from_u128(7).to_string())),
        ("jti", json!("' or 1=1 --")),
        ("iss", json!("somebody else")),
        ("aud", json!(uuid::Uuid::from_u128(7).to_string())),
        ("client_id", json!(uuid::Uuid::from_u128(7).to_string())),
        ("exp", json!(claims["exp"].to_string())),
        ("exp", json!(claims["exp"].as_f64().unwrap() + 0.5)),
        ("nbf", json!(claims["exp"])),
        ("nbf", json!("now")),
    ] {
        add(
            &format!("{name} {value}"),
            signed(&header, &with(&claims, name, value.clone())),
        );
    }
    let other = with(
        &with(
            &claims,
            "client_id",
            json!(uuid::Uuid::from_u128(7).to_string()),
        ),
        "aud",
        json!(uuid::Uuid::from_u128(7).to_string()),
    );
    add("another client", signed(&header, &other));
    add(
        "claims changed after signing",
        format!(
            "{}.{}.{}",
            parts[0],
            URL_SAFE_NO_PAD.encode(with(&claims, "exp", json!(4_102_444_800_i64)).to_string()),
            parts[2]
        ),
    );
    add("a fourth segment", format!("{good}."));
    add("a fourth segment", format!("{good}.{}", parts[2]));
    add("two segments", format!("{}.{}", parts[0], parts[1]));
    add("padding", format!("{good}="));
    add("white space", format!(" {good}"));
    add("a newline", format!("{good}\n"));
    add(
        "the other alphabet",
        format!(
            "{}.{}.{}",
            parts[0],
            STANDARD.encode(claims.to_string()),
            parts[2]
        ),
    );
    add("an array", signed_text("[]", "[]", SIGNING_KEY.as_bytes()));
    add("no JSON", signed_text("x", "y", SIGNING_KEY.as_bytes()));
    add(
        "deep nesting",
        signed_text(
            &header.to_string(),
            &format!("{{\"a\":{}{}}}", "[".repeat(2000), "]".repeat(2000)),
            SIGNING_KEY.as_bytes(),
        ),
    );
    add(
        "oversized",
        signed(&header, &with(&claims, "x", "y".repeat(8000).into())),
    );
    for length in [0, 1, good.len() / 2, good.len() - 1] {
        add(&format!("cut to {length}"), good[..length].to_owned());
    }
    tokens
}

async fn good_calls_work(world: &World, client: &Client, target: &Target) {
    assert_eq!(code(world.verify(client, &target.token).await), "accepted");
    assert_eq!(
        code(
            world
                .tenant(client)
                .await
                .authenticate_user(&target.identifier, &target.secret)
                .await
        ),
        "accepted"
    );
}

on_every_database! {
    async fn hostile_texts_are_refused_by_every_operation_and_leave_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let good = target(&world, &client, "ana").await;
        let tenant = world.tenant(&client).await;
        let before = dump(&db).await;
        for text in hostile() {
            let aimed = Target {
                user_id: uuid::Uuid::from_u128(7).into(),
                identifier: text.clone(),
                secret: text.clone(),
                token: text.clone(),
                token_id: uuid::Uuid::from_u128(7).into(),
                connector: text.clone(),
                account: text.clone(),
            };
            for (name, _, outcome) in on_target(&tenant, &aimed).await {
                assert!(REFUSALS.contains(&outcome), "{name} with {text:.20?}: {outcome}");
            }
            let known = Target { connector: "github".to_owned(), ..aimed.clone() };
            for (name, _, outcome) in on_target(&tenant, &known).await {
                assert!(REFUSALS.contains(&outcome), "{name} with {text:.20?}: {outcome}");
            }
            let login = world.auth.authenticate_user_without_client(&text, &text, None).await;
            assert!(["unauthorized", "rate_limited"].contains(&code(login)));
            assert_eq!(code(world.auth.authenticate_client(&text).await), "invalid_client");
            assert_eq!(code(world.auth.verify_master_key(&text)), "invalid_client");
            assert_eq!(code(world.auth.current_user(Some(&text), &text).await), "invalid_client");
            assert_eq!(code(world.auth.current_user(None, &text).await), "invalid_token");
            assert_eq!(code(world.auth.operator().find_client_by_name(&text).await), "not_found");
            assert_eq!(code(world.auth.operator().retire_signing_key(&text).await), "not_found");
        }
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
        good_calls_work(&world, &client, &good).await;
    }

    async fn hostile_connectors_are_refused_for_a_real_user(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let good = target(&world, &client, "ana").await;
        let current = world.auth.current_user(None, &good.token).await.unwrap();
        let before = dump(&db).await;
        for text in hostile() {
            if bosa_auth_core::ConnectorName::parse(&text).is_ok() {
                continue;
            }
            let aimed = Target { connector: text.clone(), secret: text.clone(), ..good.clone() };
            for (name, _, outcome) in of_user(&current, &aimed).await {
                let limited = name == "change_secret" && outcome == "rate_limited";
                assert!(limited || REFUSALS.contains(&outcome) || name == "profile", "{name} with {text:.20?}: {outcome}");
            }
        }
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
    }

    async fn hostile_names_are_either_refused_or_kept_exactly(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        for text in hostile() {
            match world.auth.operator().create_client(&text).await {
                Ok(made) => assert_eq!(world.auth.operator().find_client(made.resource.id).await.unwrap().name, text.trim()),
                Err(error) => assert_eq!(error.code(), "invalid_input", "{text:.20?}"),
            }
            for (name, _, outcome) in of_client(&tenant, &text).await {
                assert!(["accepted", "invalid_input"].contains(&outcome), "{name} with {text:.20?}: {outcome}");
            }
            for user in tenant.list_users(Default::default()).await.unwrap().items {
                assert_eq!(tenant.find_user_by_identifier(&user.identifier).await.unwrap().id, user.id);
            }
        }
    }

    async fn tampered_tokens_are_refused_everywhere(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let (good, other) = (target(&world, &client, "ana").await, target(&world, &client, "bob").await);
        let (header, claims) = (payload(&good.token, 0), payload(&good.token, 1));
        assert_eq!(code(world.verify(&client, &signed(&header, &claims)).await), "accepted", "the tests sign correctly");
        let tenant = world.tenant(&client).await;
        let before = dump(&db).await;
        for (what, token) in tampered(&good.token, &other) {
            assert_eq!(code(tenant.verify_token(&token).await), "invalid_token", "{what}");
            assert_eq!(code(world.auth.current_user(None, &token).await), "invalid_token", "{what}");
            assert!(!tenant.revoke_token(&token).await.unwrap(), "{what}");
        }
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
        good_calls_work(&world, &client, &good).await;
    }

    async fn a_public_key_is_never_taken_for_a_shared_secret(db: TestDatabase) {
        let key = SigningKey::generate(Algorithm::RS256, &SystemEntropy).unwrap();
        let configured = key.to_configured().unwrap();
        let world = World::with(&db, &[("AUTH_ALGORITHM", "RS256"), ("AUTH_SECRET_KEY", configured.expose())]).await;
        let client = world.client("acme").await;
        let good = target(&world, &client, "ana").await;
        let (header, claims) = (payload(&good.token, 0), payload(&good.token, 1));
        let der = key.public_der().unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
        for secret in [der.as_slice(), pem.as_bytes(), pem.trim_end().as_bytes(), configured.expose().as_bytes()] {
            for header in [with(&header, "alg", "HS256".into()), without(&with(&header, "alg", "HS256".into()), "kid"), header.clone()] {
                let forged = signed_text(&header.to_string(), &claims.to_string(), secret);
                assert_eq!(code(world.verify(&client, &forged).await), "invalid_token");
            }
        }
        good_calls_work(&world, &client, &good).await;
    }

    async fn an_expired_token_with_a_bad_signature_is_only_invalid(db: TestDatabase) {
        let world = World::with(&db, &[("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "1")]).await;
        let client = world.client("acme").await;
        let token = target(&world, &client, "ana").await.token;
        world.clock.advance(std::time::Duration::from_secs(3600));
        assert_eq!(code(world.verify(&client, &token).await), "expired_token");
        let forged = signed_text(&payload(&token, 0).to_string(), &payload(&token, 1).to_string(), &[7; 32]);
        assert_eq!(code(world.verify(&client, &forged).await), "invalid_token");
    }

    async fn an_idempotency_key_is_visible_text_and_fixed_to_its_request(db: TestDatabase) {
        let world = World::new(&db).await;
        for wrong in ["", " ", "a b", "\u{0}", "é", &"x".repeat(256)] {
            assert_eq!(code(IdempotencyKey::new(wrong, "clients", "{}")), "invalid_input", "{wrong:.20?}");
        }
        let create = async |request: &str, name: &str| {
            let key = IdempotencyKey::new("once", "clients", request).unwrap();
            world.auth.operator().with_idempotency(key).create_client(name).await
        };
        assert!(!create("a", "acme").await.unwrap().replayed);
        let again = create("a", "acme").await.unwrap();
        assert!(again.replayed && again.resource.api_key.is_empty() && again.resource.name == "acme");
        assert_eq!(code(create("b", "other").await), "idempotency_mismatch");
        assert_eq!(crate::support::counts(&db).await.clients, 1);
        // A failure keeps no record: the corrected request may use the key again.
        let failing = async |key: &str, name: &str| {
            let key = IdempotencyKey::new(key, "clients", name).unwrap();
            world.auth.operator().with_idempotency(key).create_client(name).await
        };
        assert_eq!(code(failing("second", "acme").await), "client_already_exists");
        assert!(!failing("second", "umbrella").await.unwrap().replayed);
        world.clock.advance(std::time::Duration::from_secs(86_401));
        world.auth.run_maintenance().await.unwrap();
        assert!(!create("b", "other").await.unwrap().replayed, "after a day the key is forgotten");
    }
}
