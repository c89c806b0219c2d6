//! Flags, environment, file and defaults.

use serde_json::Value;

use crate::support::{Outcome, World};

fn value_of<'a>(entries: &'a Value, variable: &str) -> &'a Value {
    entries
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["variable"] == variable)
        .unwrap()
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let mut world = World::new();
    world.file(
        "settings.toml",
        "data_dir = \"from-file\"\nissuer = \"from-file\"\nlisten = \"127.0.0.1:1\"\n",
    );
    world.set("BOSA_AUTH_CONFIG", "settings.toml");
    world.set("BOSA_AUTH_DATA_DIR", "from-environment");
    world.set("BOSA_AUTH_ISSUER", "from-environment");
    let entries = world.json(&["config", "show", "--data-dir", "from-flag"]);
    for (variable, value, source) in [
        ("BOSA_AUTH_DATA_DIR", "from-flag", "flag"),
        ("BOSA_AUTH_ISSUER", "from-environment", "environment"),
        (
            "BOSA_AUTH_LISTEN",
            "127.0.0.1:1",
            "configuration file settings.toml",
        ),
        ("AUTH_ALGORITHM", "HS256", "default"),
    ] {
        let entry = value_of(&entries, variable);
        assert_eq!(entry["value"], value);
        assert_eq!(entry["source"], source);
    }
}

#[test]
fn secrets_are_shown_redacted() {
    let mut world = World::new();
    world.file("root.txt", &format!("{}\n", crate::support::ROOT_KEYS));
    world.set("BOSA_AUTH_ROOT_KEYS_FILE", "root.txt");
    world.set("AUTH_SECRET_KEY", crate::support::SIGNING_KEY);
    world.set("BOSA_WHITELISTED_KEYS", crate::support::MASTER_KEY);
    world.set(
        "DATABASE_AUTHENTICATION_URL",
        "postgresql://user:hidden-password@127.0.0.1:1/db?connect_timeout=1",
    );
    for args in [
        &["config", "show"][..],
        &["config", "show", "--output", "json"],
        &["config", "check"],
        &["doctor"],
        &["client", "list"],
    ] {
        let Outcome { stdout, stderr, .. } = world.run(args);
        for hidden in [
            "hidden-password",
            "AAECAwQFBgcI",
            crate::support::SIGNING_KEY,
            crate::support::MASTER_KEY,
        ] {
            assert!(!stdout.contains(hidden), "{args:?}: {stdout}");
            assert!(!stderr.contains(hidden), "{args:?}: {stderr}");
        }
    }
}

#[test]
fn a_password_in_an_argument_is_refused_and_not_repeated() {
    let world = World::new();
    for url in [
        "postgresql://user:hidden@127.0.0.1/db",
        "postgresql://127.0.0.1/db?password=hidden",
    ] {
        let said = world
            .run(&["client", "list", "--database-url", url])
            .refused(2);
        assert!(said.contains("DATABASE_AUTHENTICATION_URL_FILE"), "{said}");
        assert!(!said.contains("hidden"), "{said}");
    }
}

#[test]
fn an_unknown_name_suggests_the_nearest() {
    let mut world = World::new();
    world.set("BOSA_AUTH_LISTN", "127.0.0.1:1");
    let said = world.run(&["config", "check"]).refused(2);
    assert!(said.contains("did you mean BOSA_AUTH_LISTEN?"), "{said}");

    let world = World::new();
    world.file("settings.toml", "dta_dir = \"x\"\n");
    let said = world
        .run(&["config", "check", "--config", "settings.toml"])
        .refused(2);
    assert!(said.contains("did you mean data_dir?"), "{said}");
}

#[test]
fn what_kubernetes_injects_is_ignored() {
    let mut world = World::new();
    world.set("BOSA_AUTH_SERVICE_HOST", "10.0.0.1");
    world.set("BOSA_AUTH_SERVICE_PORT", "80");
    world.set("BOSA_AUTH_PORT", "tcp://10.0.0.1:80");
    world.set("BOSA_AUTH_PORT_80_TCP", "tcp://10.0.0.1:80");
    world.run(&["config", "check"]).expect(0);
}

#[test]
fn every_problem_is_reported_at_once() {
    let mut world = World::new();
    world.set("AUTH_ALGORITHM", "none");
    world.set("BOSA_AUTH_LISTEN", "nowhere");
    world.set("BOSA_AUTH_LOG_FORMAT", "xml");
    world.set("BOSA_AUTH_LOG", "a=b=c");
    world.set("BOSA_AUTH_TRUSTED_PROXIES", "everyone");
    world.set("BOSA_WHITELISTED_KEYS", "short");
    let said = world.run(&["config", "check"]).refused(2);
    for variable in [
        "AUTH_ALGORITHM",
        "BOSA_AUTH_LISTEN",
        "BOSA_AUTH_LOG_FORMAT",
        "BOSA_AUTH_LOG:",
        "BOSA_AUTH_TRUSTED_PROXIES",
        "BOSA_WHITELISTED_KEYS",
    ] {
        assert!(said.contains(variable), "{variable}: {said}");
    }
    world.run(&["serve"]).refused(2);
    world.run(&["doctor"]).expect(1);
}

#[test]
fn a_configuration_file_that_cannot_be_used_is_named_without_its_content() {
    let world = World::new();
    let config = ["config", "check", "--config", "settings.toml"];
    let said = world.run(&config).refused(2);
    assert!(said.contains("settings.toml"), "{said}");
    world.file("settings.toml", "auth_secret_key = \"hidden\" hidden\n");
    let said = world.run(&config).refused(2);
    assert!(said.contains("settings.toml: line 1"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
    world.file("settings.toml", "[server]\nlisten = \"127.0.0.1:1\"\n");
    world.run(&config).refused(2);
}

#[test]
fn a_new_master_key_replaces_the_former_one() {
    let world = World::new();
    let first = world.json(&["init"]);
    let path = world
        .path()
        .join(first["master_key_path"].as_str().unwrap());
    let former = std::fs::read_to_string(&path).unwrap();
    let replaced = world.json(&["init", "--new-master-key", "--yes"]);
    // Standard output is no terminal: the path, never the key.
    assert!(replaced.get("master_key").is_none());
    assert_eq!(replaced["master_key_path"], first["master_key_path"]);
    assert_ne!(std::fs::read_to_string(&path).unwrap(), former);
}
