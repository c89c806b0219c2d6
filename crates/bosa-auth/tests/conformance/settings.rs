//! Settings: which are refused, where secrets come from, and the process-wide instance.

use std::ffi::OsString;
use std::fs;

use bosa_auth::{
    Auth, AuthenticationDbSettings, Configuration, Error, initialize_authentication_db, service,
    shutdown,
};
use bosa_auth_testkit::TestDatabase;
use tempfile::TempDir;

use crate::start::{configured, refusal, start};
use crate::support::{ROOT_KEYS, SIGNING_KEY, code};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_without_keys_says_what_to_set() {
    let db = TestDatabase::postgres().await;
    let address = db.address();
    let text = refusal(start(&[("DATABASE_AUTHENTICATION_URL", &address)]).await);
    assert!(
        text.contains("BOSA_AUTH_ROOT_KEYS") && text.contains("openssl rand"),
        "{text}"
    );
    let text = refusal(
        start(&[
            ("DATABASE_AUTHENTICATION_URL", &address),
            ("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS),
        ])
        .await,
    );
    assert!(
        text.contains("AUTH_SECRET_KEY") && text.contains("openssl rand"),
        "{text}"
    );
    let keys = [
        ("DATABASE_AUTHENTICATION_URL", address.as_str()),
        ("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS),
        ("AUTH_SECRET_KEY", SIGNING_KEY),
    ];
    let auth = start(&keys).await.unwrap();
    assert!(!auth.has_master_key());
    assert_eq!(code(auth.verify_master_key("")), "invalid_client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_cannot_be_used_are_named() {
    let long = "x".repeat(300);
    let cases: &[(&'static str, &str, &str)] = &[
        ("AUTH_SECRET_KEY", "short", "openssl rand"),
        ("AUTH_SECRET_KEY", &"x".repeat(31), "AUTH_SECRET_KEY"),
        ("AUTH_ALGORITHM", "none", "HS256"),
        ("AUTH_ALGORITHM", "None", "AUTH_ALGORITHM"),
        ("AUTH_ALGORITHM", "HS1", "AUTH_ALGORITHM"),
        ("AUTH_ALGORITHM", "hs256", "AUTH_ALGORITHM"),
        (
            "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES",
            "0",
            "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES",
        ),
        ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "-5", "10 years"),
        ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "5270401", "10 years"),
        (
            "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES",
            "1.5",
            "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES",
        ),
        (
            "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES",
            "99999999999999999999",
            "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES",
        ),
        ("BOSA_AUTH_TOKEN_SLIDING", "0", "BOSA_AUTH_TOKEN_SLIDING"),
        ("BOSA_AUTH_TOKEN_SLIDING", "soon", "BOSA_AUTH_TOKEN_SLIDING"),
        ("BOSA_AUTH_ROOT_KEYS", "k1:x", "BOSA_AUTH_ROOT_KEYS"),
        ("BOSA_AUTH_ROOT_KEYS", "", "BOSA_AUTH_ROOT_KEYS"),
        ("BOSA_WHITELISTED_KEYS", "short", "BOSA_WHITELISTED_KEYS"),
        ("BOSA_WHITELISTED_KEYS", ",", "BOSA_WHITELISTED_KEYS"),
        ("BOSA_AUTH_ARGON2_COST", "1024,1,1", "BOSA_AUTH_ARGON2_COST"),
        ("BOSA_AUTH_ARGON2_COST", "a lot", "BOSA_AUTH_ARGON2_COST"),
        (
            "BOSA_AUTH_ARGON2_MEMORY_MIB",
            "1",
            "BOSA_AUTH_ARGON2_MEMORY_MIB",
        ),
        ("BOSA_AUTH_ISSUER", "", "BOSA_AUTH_ISSUER"),
        ("BOSA_AUTH_ISSUER", &long, "BOSA_AUTH_ISSUER"),
        (
            "BOSA_AUTH_REQUIRE_CLIENT_KEY",
            "yes",
            "BOSA_AUTH_REQUIRE_CLIENT_KEY",
        ),
        (
            "BOSA_AUTH_DATABASE_POOL_SIZE",
            "0",
            "BOSA_AUTH_DATABASE_POOL_SIZE",
        ),
        ("BOSA_AUTH_CONNECTORS_DIR", "", "BOSA_AUTH_CONNECTORS_DIR"),
        (
            "BOSA_AUTH_CONNECTORS_DIR",
            "no/such/directory",
            "BOSA_AUTH_CONNECTORS_DIR: no/such/directory: cannot be read",
        ),
        (
            "AUTH_SECRET_KEY_PREVIOUS",
            "a,,b",
            "AUTH_SECRET_KEY_PREVIOUS",
        ),
        (
            "DATABASE_AUTHENTICATION_URL",
            "mysql://x",
            "DATABASE_AUTHENTICATION_URL",
        ),
        (
            "DATABASE_AUTHENTICATION_URL",
            "postgresql://h/d?wrong=1",
            "wrong",
        ),
        (
            "DATABASE_AUTHENTICATION_URL",
            "postgresql://h/d?sslmode=perhaps",
            "sslmode",
        ),
    ];
    for (name, value, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let settings = [
            ("BOSA_AUTH_DATA_DIR", directory.path().to_str().unwrap()),
            (*name, *value),
        ];
        let text = refusal(start(&settings).await);
        assert!(text.contains(expected), "{name}={value}: {text}");
        if name.contains("SECRET") || name.contains("ROOT_KEYS") || name.contains("WHITELISTED") {
            assert!(value.len() < 3 || !text.contains(value), "{name}: {text}");
        }
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            0,
            "{name}={value} left something behind"
        );
    }
    assert_eq!(
        code(configured(&[("BOSA_AUTH_LISSTEN", "x")])),
        "configuration"
    );
    for minutes in ["1", "5256000"] {
        let settings = [
            ("DATABASE_AUTHENTICATION_URL", "sqlite://"),
            ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", minutes),
        ];
        assert_eq!(code(start(&settings).await), "accepted");
    }
}

#[test]
fn each_secret_has_a_file_form_that_loses_one_newline_and_excludes_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    fs::write(&file, format!("{SIGNING_KEY}\n\n")).unwrap();
    let gather = |environment: &[(&str, &str)]| {
        let environment = environment
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        AuthenticationDbSettings::default().gather_from(environment)
    };
    let path = file.to_str().unwrap();
    let configuration = gather(&[("AUTH_SECRET_KEY_FILE", path)]).unwrap();
    assert_eq!(
        configuration.get("AUTH_SECRET_KEY"),
        Some(format!("{SIGNING_KEY}\n").as_str())
    );
    let both = gather(&[
        ("AUTH_SECRET_KEY_FILE", path),
        ("AUTH_SECRET_KEY", SIGNING_KEY),
    ]);
    assert!(
        matches!(both, Err(Error::Configuration(text)) if text.contains("AUTH_SECRET_KEY_FILE") && !text.contains(SIGNING_KEY))
    );
    assert_eq!(
        code(gather(&[("AUTH_SECRET_KEY_FILE", "/nowhere/at/all")])),
        "configuration"
    );
    // Unknown names are odd for a library; those that Kubernetes injects are not.
    let odd = gather(&[
        ("BOSA_AUTH_LISSTEN", "x"),
        ("BOSA_AUTH_PORT", "tcp://x"),
        ("BOSA_AUTH_SERVICE_HOST", "x"),
        ("BOSA_AUTH_PORT_80_TCP", "x"),
    ])
    .unwrap();
    assert_eq!(odd.warnings().len(), 1);
    assert!(odd.warnings()[0].contains("BOSA_AUTH_LISTEN"));
    let strict = Configuration::gather(
        Vec::new(),
        [(OsString::from("BOSA_AUTH_LISSTEN"), OsString::from("x"))],
        None,
        true,
    );
    assert!(
        matches!(strict, Err(Error::Configuration(text)) if text.contains("did you mean BOSA_AUTH_LISTEN"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_wide_instance_is_installed_once_and_can_be_replaced_after_shutdown() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let settings = |directory: &TempDir| AuthenticationDbSettings {
        database_authentication_url: Some(
            format!("sqlite:///{}/auth.db", directory.path().display())
                .as_str()
                .into(),
        ),
        auth_secret_key: Some(SIGNING_KEY.into()),
        ..Default::default()
    };
    let clients = service::create_client_service();
    let early = [
        code(clients.create_client("acme").await),
        code(
            service::verify_client_service()
                .verify_client_api_key("x")
                .await,
        ),
        code(
            service::client_aware_service()
                .get_client_by_api_key("x")
                .await,
        ),
        code(service::create_user_service().create_user("x", "y").await),
        code(
            service::get_user_service()
                .get_user("x", uuid::Uuid::nil())
                .await,
        ),
        code(
            service::authenticate_user_service()
                .authenticate_user("x", "y", "z")
                .await,
        ),
        code(
            service::create_token_service()
                .create_token(uuid::Uuid::nil(), uuid::Uuid::nil())
                .await,
        ),
        code(
            service::verify_token_service()
                .verify_token_and_get_user_id("x", "y")
                .await,
        ),
        code(service::revoke_token_service().revoke_token("x", "y").await),
        code(
            service::third_party_integration_service()
                .get_integration(uuid::Uuid::nil(), uuid::Uuid::nil(), "z")
                .await,
        ),
    ];
    assert!(
        early.iter().all(|code| *code == "uninitialized"),
        "{early:?}"
    );

    let (one, two) = tokio::join!(
        initialize_authentication_db(settings(&first)),
        initialize_authentication_db(settings(&first))
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    // A service made before the initialisation works after it.
    let client = clients.create_client("acme").await.unwrap();
    for auth in [&one, &two] {
        assert_eq!(
            code(auth.authenticate_client(client.api_key.expose()).await),
            "accepted"
        );
    }
    let other = initialize_authentication_db(settings(&second)).await;
    assert!(refusal(other).contains("shutdown"));
    assert!(!second.path().join("auth.db").exists());
    // An independent instance touches nothing global.
    Auth::open(settings(&second))
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    assert_eq!(code(clients.create_client("umbrella").await), "accepted");

    shutdown().await.unwrap();
    shutdown().await.unwrap();
    assert_eq!(code(clients.create_client("late").await), "uninitialized");
    initialize_authentication_db(settings(&second))
        .await
        .unwrap();
    assert_eq!(
        code(
            service::verify_client_service()
                .verify_client_api_key(client.api_key.expose())
                .await
        ),
        "invalid_client"
    );
    shutdown().await.unwrap();
    initialize_authentication_db(settings(&first))
        .await
        .unwrap();
    assert_eq!(
        code(
            service::verify_client_service()
                .verify_client_api_key(client.api_key.expose())
                .await
        ),
        "accepted"
    );
    shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_connectors_are_read_again_and_a_bad_file_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acme.toml");
    let text = |kind: &str| {
        format!(
            "title = \"Acme\"\ndocumentation = [\"https://acme.example/\"]\n[[credentials]]\n\
             kind = \"{kind}\"\ntitle = \"Key\"\ndescription = \"On the page of the account.\"\n"
        )
    };
    fs::write(&file, text("api_key")).unwrap();
    let path = directory.path().to_str().unwrap();
    let auth = start(&[
        ("DATABASE_AUTHENTICATION_URL", "sqlite://"),
        ("BOSA_AUTH_CONNECTORS_DIR", path),
    ])
    .await
    .unwrap();
    assert!(auth.connector_names().contains(&"acme".to_owned()));
    assert_eq!(auth.connector("acme").unwrap().takes(), ["api_key"]);
    assert_eq!(code(auth.connector("unknown")), "not_found");
    assert_eq!(code(auth.connector("No Name")), "invalid_input");

    fs::write(&file, text("key")).unwrap();
    let refused = auth.reload_connectors().unwrap_err();
    assert_eq!(refused.code(), "configuration");
    assert!(refused.to_string().contains("acme.toml:4:8: "), "{refused}");
    assert_eq!(auth.connector("acme").unwrap().takes(), ["api_key"]);

    fs::write(&file, text("bearer")).unwrap();
    assert_eq!(auth.reload_connectors().unwrap(), 1);
    assert_eq!(auth.connector("acme").unwrap().takes(), ["bearer"]);
    fs::remove_file(&file).unwrap();
    assert_eq!(auth.reload_connectors().unwrap(), 0);
    assert_eq!(code(auth.connector("acme")), "not_found");
    auth.close().await.unwrap();
}
