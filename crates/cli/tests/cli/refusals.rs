//! What is refused, with which exit code, and what is said about it.

use bosa_auth_testkit::on_every_database;

use crate::support::World;

on_every_database! {
    async fn an_error_has_the_exit_code_of_its_kind(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        world.run(&["user", "create", "ana", "--client", "acme"]).expect(0);

        world.run(&["client", "create", "acme"]).refused(1);
        world.run(&["user", "create", "ana", "--client", "acme"]).refused(1);
        world.run(&["client", "create", ""]).refused(2);
        world.run(&["client", "create", "a\tb"]).refused(2);
        world.run(&["client", "show", "nobody"]).refused(3);
        world.run(&["user", "show", "nobody", "--client", "acme"]).refused(3);
        world.run(&["user", "show", "ana", "--client", "nobody"]).refused(3);
        let unknown = "00000000-0000-7000-8000-000000000000";
        world.run(&["key", "revoke", unknown, "--client", "acme", "--yes"]).refused(3);
        world.run(&["key", "rotate", unknown, "--client", "acme", "--yes"]).refused(3);
        world.run(&["token", "issue", "nobody", "--client", "acme"]).refused(3);
        world.run(&["user", "suspend", "ana", "--client", "acme"]).expect(0);
        world.run(&["token", "issue", "ana", "--client", "acme"]).refused(1);
    }

    async fn what_cannot_be_undone_needs_a_yes(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        let user = world.json(&["user", "create", "ana", "--client", "acme"]);
        let keys = world.json(&["key", "list", "--client", "acme"]);
        let key = keys[0]["id"].as_str().unwrap();
        let add = ["integration", "add", "github", "--client", "acme", "--user", "ana"];
        world.run_with(&add, "gho_secret").expect(0);
        let token = world.json(&["token", "issue", "ana", "--client", "acme"]);

        for args in [
            &["client", "delete", "acme"][..],
            &["user", "delete", "ana", "--client", "acme"],
            &["user", "reset-secret", "ana", "--client", "acme"],
            &["user", "sign-out", "ana", "--client", "acme"],
            &["key", "rotate", key, "--client", "acme"],
            &["key", "revoke", key, "--client", "acme"],
            &["integration", "remove", "github", "--client", "acme", "--user", "ana"],
            &["signing-key", "retire", "any"],
            &["init", "--new-master-key"],
        ] {
            let said = world.run_with(args, "y\n").refused(2);
            assert!(said.contains("--yes"), "{args:?}: {said}");
        }
        let after = world.json(&["user", "show", "ana", "--client", "acme"]);
        assert_eq!(after["secret_preview"], user["secret_preview"]);
        assert_eq!(after["integrations"].as_array().unwrap().len(), 1);
        assert_eq!(world.json(&["key", "list", "--client", "acme"])[0]["id"], keys[0]["id"]);
        let token = token["token"].as_str().unwrap();
        world.run_with(&["token", "verify", "--client", "acme"], token).expect(0);
    }

    async fn only_some_verbs_make_an_instance(db: TestDatabase) {
        let world = World::on(&db);
        for args in [
            &["client", "list"][..],
            &["vault", "status"],
            &["client", "create", "acme"],
            &["signing-key", "list"],
        ] {
            world.run(args).refused(2);
        }
        world.run(&["doctor"]).expect(1);
        let plan = world.json(&["migrate", "plan"]);
        assert_eq!(plan[0]["version"], 1);
        world.run(&["migrate", "up"]).expect(0);
        assert_eq!(world.json(&["migrate", "plan"]), serde_json::json!([]));
        world.run(&["init"]).expect(0);
        world.run(&["init"]).expect(0);
        world.run(&["client", "list"]).expect(0);
    }

    async fn a_secret_on_standard_input_must_be_there_and_be_text(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        world.run(&["user", "create", "ana", "--client", "acme"]).expect(0);
        for args in [
            &["token", "verify", "--client", "acme"][..],
            &["token", "revoke", "--client", "acme"],
            &["user", "create", "ben", "--client", "acme", "--choose-secret"],
            &["integration", "add", "github", "--client", "acme", "--user", "ana"],
        ] {
            let said = world.run(args).refused(2);
            assert!(said.contains("standard input"), "{args:?}: {said}");
        }
        let short = ["user", "create", "ben", "--client", "acme", "--choose-secret"];
        let said = world.run_with(&short, "too short").refused(2);
        assert!(!said.contains("too short"), "{said}");
        world.run(&["user", "show", "ben", "--client", "acme"]).refused(3);
    }

    async fn hostile_tokens_are_answered_with_no(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        let long = "a".repeat(100_000);
        for token in ["x", "a.b.c", "\u{202e}", "' or 1=1 --", "\0", long.as_str()] {
            world.run_with(&["token", "verify", "--client", "acme"], token).expect(4);
            world.run_with(&["token", "revoke", "--client", "acme"], token).expect(4);
        }
    }
}

#[test]
fn a_database_that_is_not_there_has_its_own_exit_code() {
    let mut world = World::new();
    world.set(
        "DATABASE_AUTHENTICATION_URL",
        "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1",
    );
    world.set("BOSA_AUTH_ROOT_KEYS", crate::support::ROOT_KEYS);
    world.set("AUTH_SECRET_KEY", crate::support::SIGNING_KEY);
    let said = world.run(&["client", "list"]).refused(5);
    assert_eq!(
        said.matches("the database is unavailable").count(),
        1,
        "{said}"
    );
    let found = world.run(&["doctor"]).expect(1);
    for text in [&said, &found.stdout] {
        assert!(text.contains("refused"), "{text}");
    }
}

#[test]
fn a_verb_that_finds_nothing_names_the_path() {
    let world = World::new();
    let said = world
        .run(&["client", "list", "--data-dir", "some-where"])
        .refused(2);
    assert!(
        said.contains("some-where/bosa-auth.db\nhelp: run bosa-auth init"),
        "{said}"
    );
    assert!(!world.path().join("some-where").exists());
}
