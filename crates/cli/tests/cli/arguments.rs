//! The arguments themselves: help, completions, manual pages.

use crate::support::World;

const VERBS: [&str; 19] = [
    "serve",
    "init",
    "migrate",
    "client",
    "key",
    "user",
    "token",
    "integration",
    "connector",
    "signing-key",
    "vault",
    "root-key",
    "digest-key",
    "doctor",
    "config",
    "completions",
    "man",
    "backup",
    "restore",
];

#[test]
fn the_help_lists_every_verb() {
    let world = World::new();
    let help = world.run(&["--help"]).expect(0).stdout;
    for verb in VERBS {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}: {help}");
        world.run(&[verb, "--help"]).expect(0);
    }
    world.run(&[]).expect(2);
    world.run(&["client", "frobnicate"]).expect(2);
    let version = world.run(&["--version"]).expect(0).stdout;
    assert!(version.starts_with("bosa-auth "), "{version}");
}

#[test]
fn no_verb_takes_a_secret_as_an_argument() {
    let world = World::new();
    world
        .run(&["token", "verify", "a-token", "--client", "c"])
        .expect(2);
    world
        .run(&["token", "revoke", "a-token", "--client", "c"])
        .expect(2);
    let secret = ["user", "create", "ana", "a-secret", "--client", "c"];
    world.run(&secret).expect(2);
}

#[test]
fn completions_exist_for_every_shell() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("reset-secret"), "{shell}");
    }
    // Nothing was configured, and nothing was made.
    assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 0);
}

#[test]
fn manual_pages_are_written_for_every_verb() {
    let world = World::new();
    let page = world.run(&["man"]).expect(0).stdout;
    assert!(page.contains(".TH"), "{page}");
    world.run(&["man", "pages/man1"]).expect(0);
    for name in [
        "bosa-auth",
        "bosa-auth-serve",
        "bosa-auth-user-reset-secret",
    ] {
        let path = world.path().join(format!("pages/man1/{name}.1"));
        assert!(path.exists(), "{}", path.display());
    }
}
