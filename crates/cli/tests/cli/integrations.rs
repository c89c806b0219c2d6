//! Accounts with credentials of every kind.

use bosa_auth_testkit::on_every_database;
use serde_json::json;

use crate::support::World;

/// A world with the user `ana` of the client `acme`.
fn world(db: &bosa_auth_testkit::TestDatabase) -> World {
    let world = World::initialized(db);
    world.run(&["client", "create", "acme"]).expect(0);
    world
        .run(&["user", "create", "ana", "--client", "acme"])
        .expect(0);
    world
}

fn on<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let owner = ["--client", "acme", "--user", "ana"];
    [&["integration"], args, &owner].concat()
}

on_every_database! {
    async fn a_credential_of_any_kind_comes_on_standard_input(db: TestDatabase) {
        let world = world(&db);
        let add = |args: &[&'static str], input: &str| {
            let stored = world.json_with(&on(&[&["add"], args].concat()), input);
            let account = stored["user_identifier"].as_str().unwrap().to_owned();
            let show = world.json(&on(&["show", args[0], "--account", &account]));
            (account, show["auth_string"].as_str().unwrap().to_owned(), show["auth_scopes"].clone())
        };
        let stored = |account: &str, credential: &str| (account.to_owned(), credential.to_owned(), json!([]));
        assert_eq!(add(&["openai", "--type", "api_key"], "sk-x\n"), stored("default", "sk-x"));
        assert_eq!(add(&["openai", "--type", "api-key", "--account", "work"], "sk-y"), stored("work", "sk-y"));
        assert_eq!(add(&["github", "--type", "bearer"], "ghp_x\n"), stored("default", "ghp_x"));
        let pair = r#"{"password":"p w","username":"ana/token"}"#;
        assert_eq!(add(&["zendesk", "--type", "basic", "--username", "ana/token"], "p w\n"), stored("ana/token", pair));
        assert_eq!(add(&["zendesk", "--type", "basic", "--username", "ana/token", "--account", "two"], "p w"), stored("two", pair));
        assert_eq!(add(&["twilio", "--type", "basic", "--account", "AC1"], "x"), stored("AC1", r#"{"password":"x","username":"AC1"}"#));
        let fields = "{\"b\": 1, \"a\": \"x\", \"user_identifier\": \"three\"}\n";
        assert_eq!(add(&["acme", "--type", "custom"], fields), stored("three", r#"{"a":"x","b":1}"#));
        let (account, credential, scopes) = add(&["acme", "--type", "custom", "--account", "four", "--scope", "r", "--scope", "w"], fields);
        assert_eq!((account.as_str(), credential.as_str(), scopes), ("four", r#"{"a":"x","b":1}"#, json!(["r", "w"])));
        assert_eq!(add(&["acme"], "  exact \n"), stored("default", "  exact "));
    }

    async fn an_account_is_replaced_only_when_asked_for(db: TestDatabase) {
        let world = world(&db);
        for kind in [&["add", "openai"][..], &["add", "openai", "--type", "api_key", "--account", "key"]] {
            let first = world.json_with(&on(kind), "first");
            assert!(world.run_with(&on(kind), "second").refused(1).contains("already"));
            let replaced = world.json_with(&on(&[kind, &["--replace"]].concat()), "third");
            assert_eq!(replaced["id"], first["id"]);
            let account = first["user_identifier"].as_str().unwrap();
            let shown = world.json(&on(&["show", "openai", "--account", account]));
            assert_eq!(shown["auth_string"], "third");
        }
    }

    async fn what_does_not_fit_is_refused_without_its_value(db: TestDatabase) {
        let world = world(&db);
        let mark = "a-marked-value";
        let object = format!("{{\"site\": \"{mark}\", \"region\": 1}}");
        let list = format!("[\"{mark}\"]");
        for (args, input, says) in [
            (&["add", "openai", "--type", "basic", "--username", "x"][..], mark, "takes: api_key, custom"),
            (&["add", "acme", "--type", "basic"], mark, "--username"),
            (&["add", "acme", "--username", "ana"], mark, "--type basic"),
            (&["add", "acme", "--type", "bearer"], "a-marked-value\nb", "configuration.token must not"),
            (&["add", "acme", "--type", "custom"], &list, "not a JSON object"),
            (&["add", "acme", "--type", "custom"], mark, "not a JSON object"),
            (&["add", "github", "--type", "oauth"], &object, "configuration.access_token is missing"),
            (&["add", "github", "--type", "oauth"], r#"{"access_token": "a-marked-value"}"#, "bosa-auth connector set github"),
            (&["add", "acme", "--type", "api_key"], "", "the API key is missing"),
            (&["add", "datadog", "--type", "custom"], &object, "/api_key is missing; /application_key is missing; /region is not"),
        ] {
            let said = world.run_with(&on(args), input).refused(2);
            assert!(said.contains(says), "{args:?}: {said}");
            assert!(!said.contains(mark), "{args:?}: {said}");
        }
        assert_eq!(world.json(&on(&["list"])), json!([]));
        let unknown = world.run_with(&on(&["add", "acme", "--type", "password"]), "x").expect(2);
        assert!(unknown.stderr.contains("api_key, basic, bearer, custom, oauth"), "{unknown:#?}");
    }

    async fn removing_asks_about_the_account_that_is_meant(db: TestDatabase) {
        let world = world(&db);
        world.run_with(&on(&["add", "github", "--account", "one"]), "x").expect(0);
        let asked = world.run(&on(&["remove", "github"])).refused(2);
        assert!(asked.contains("Remove the account one of github?"), "{asked}");
        world.run_with(&on(&["add", "github", "--account", "two"]), "x").expect(0);
        // Nobody is asked about what is not clear.
        let unclear = world.run(&on(&["remove", "github"])).refused(1);
        assert!(unclear.contains("--account: one, two"), "{unclear}");
        world.run(&on(&["remove", "slack", "--yes"])).refused(3);
        let named = on(&["remove", "github", "--account", "two", "--yes"]);
        assert_eq!(world.json(&named), json!({"deleted": true}));
        assert_eq!(world.json(&on(&["remove", "github", "--yes"])), json!({"deleted": true}));
    }

    async fn an_account_that_must_be_connected_again_says_so(db: TestDatabase) {
        let world = world(&db);
        world.run_with(&on(&["add", "github"]), "gho_secret").expect(0);
        let expire = "update bosa_integrations set auth_status = 'needs_reauth'";
        let expired: Result<u64, bosa_auth::Error> = db
            .db()
            .write(move |tx| Box::pin(async move { Ok(tx.execute(expire, vec![]).await?) }))
            .await;
        assert_eq!(expired.unwrap(), 1);
        let listed = world.json(&on(&["list"]));
        assert_eq!(listed[0]["auth_status"], "needs_reauth");
        let since = listed[0]["auth_status_since"].as_str().unwrap();
        let table = world.run(&on(&["list"])).expect(0).stdout;
        assert!(table.contains("needs_reauth") && !table.contains("gho_secret"), "{table}");
        let refused = world.run(&on(&["show", "github"])).refused(1);
        assert!(refused.contains("default of github") && refused.contains(since), "{refused}");
        world.run_with(&on(&["add", "github", "--replace"]), "gho_new").expect(0);
        assert_eq!(world.json(&on(&["show", "github"]))["auth_string"], "gho_new");
    }
}
