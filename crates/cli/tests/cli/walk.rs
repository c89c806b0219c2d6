//! Every verb on what an instance holds, once, with the shape of what it prints.

use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::support::{ROOT_KEYS, World, members};

const CLIENT: [&str; 6] = [
    "api_key",
    "can_get_integrations",
    "created_at",
    "id",
    "is_active",
    "name",
];
const API_KEY: [&str; 9] = [
    "api_key",
    "client_id",
    "created_at",
    "expires_at",
    "id",
    "last_used_at",
    "preview",
    "revoked_at",
    "scopes",
];
const USER: [&str; 7] = [
    "client_id",
    "created_at",
    "id",
    "identifier",
    "is_active",
    "secret",
    "secret_preview",
];
const INTEGRATION: [&str; 9] = [
    "auth_scopes",
    "auth_status",
    "client_id",
    "connector",
    "created_at",
    "id",
    "selected",
    "user_id",
    "user_identifier",
];

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

on_every_database! {
    async fn clients_are_created_renamed_suspended_and_deleted(db: TestDatabase) {
        let world = World::initialized(&db);
        let client = world.json(&["client", "create", "acme"]);
        assert_eq!(members(&client), CLIENT);
        assert!(text(&client, "api_key").starts_with("sk-client-"));
        assert_eq!(client["is_active"], true);
        let id = text(&client, "id");

        let mut stored = client.clone();
        stored["api_key"] = Value::Null;
        assert_eq!(world.json(&["client", "show", "acme"]), stored);
        assert_eq!(world.json(&["client", "show", id]), stored);
        assert_eq!(world.json(&["client", "list"]), json!([stored]));

        let renamed = world.json(&["client", "rename", "acme", "acme two"]);
        assert_eq!(text(&renamed, "name"), "acme two");
        let suspended = world.json(&["client", "suspend", id, "--sign-out"]);
        assert_eq!(suspended["is_active"], false);
        let resumed = world.json(&["client", "resume", "acme two"]);
        assert_eq!(resumed["is_active"], true);

        let deleted = world.json(&["client", "delete", "acme two", "--yes"]);
        assert_eq!(deleted, json!({"deleted": true}));
        world.run(&["client", "show", id]).refused(3);
        assert_eq!(world.json(&["client", "list"]), json!([]));
    }

    async fn keys_are_created_rotated_and_revoked(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        let key = world.json(&[
            "key", "create", "--client", "acme", "--scope", "users:read", "--scope",
            "tokens:verify", "--expires-at", "2100-01-01T00:00:00Z",
        ]);
        assert_eq!(members(&key), API_KEY);
        assert_eq!(key["scopes"], json!(["users:read", "tokens:verify"]));
        assert_eq!(key["expires_at"], 4_102_444_800_i64);
        let id = text(&key, "id");

        let next = world.json(&[
            "key", "rotate", id, "--client", "acme", "--overlap-seconds", "60", "--yes",
        ]);
        assert_eq!(members(&next), API_KEY);
        assert_eq!(next["scopes"], key["scopes"]);
        assert!(text(&next, "api_key").starts_with("sk-client-"));

        let revoke = ["key", "revoke", text(&next, "id"), "--client", "acme", "--yes"];
        assert_eq!(world.json(&revoke), json!({"revoked": true}));
        let again = world.run(&[&revoke[..], &["--output", "json"]].concat());
        assert_eq!(again.json(4), json!({"revoked": false}));

        let keys = world.json(&["key", "list", "--client", "acme"]);
        assert_eq!(keys.as_array().unwrap().len(), 3);
        assert!(keys.as_array().unwrap().iter().all(|key| key["api_key"].is_null()));
    }

    async fn users_are_created_suspended_reset_and_deleted(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        let c = ["--client", "acme"];
        let user = world.json(&["user", "create", "ana@example.com", c[0], c[1]]);
        assert!(text(&user, "secret").starts_with("sk-user-"));
        assert_eq!(user["integrations"], json!([]));
        let id = text(&user, "id");

        let shown = world.json(&["user", "show", id, c[0], c[1]]);
        assert_eq!(shown["secret"], Value::Null);
        assert_eq!(shown["integrations"], json!([]));
        let listed = world.json(&["user", "list", c[0], c[1]]);
        assert_eq!(members(&listed[0]), USER);

        let chosen = world.json_with(
            &["user", "create", "ben", c[0], c[1], "--choose-secret"],
            "correct horse battery staple\n",
        );
        assert_eq!(chosen["secret"], Value::Null);
        assert_eq!(text(&chosen, "secret_preview"), "chosen");

        let user = "ana@example.com";
        assert_eq!(world.json(&["user", "suspend", user, c[0], c[1]])["is_active"], false);
        assert_eq!(world.json(&["user", "resume", user, c[0], c[1]])["is_active"], true);
        let reset = world.json(&["user", "reset-secret", user, c[0], c[1], "--yes"]);
        assert_eq!(members(&reset), USER);
        assert!(text(&reset, "secret").starts_with("sk-user-"));
        let out = world.json(&["user", "sign-out", user, c[0], c[1], "--yes"]);
        assert_eq!(out, json!({"revoked": true}));
        let gone = world.json(&["user", "delete", user, c[0], c[1], "--yes"]);
        assert_eq!(gone, json!({"deleted": true}));
        world.run(&["user", "show", id, c[0], c[1]]).refused(3);
    }

    async fn tokens_are_issued_verified_listed_and_revoked(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        world.run(&["client", "create", "other"]).expect(0);
        let user = world.json(&["user", "create", "ana", "--client", "acme"]);
        let token = world.json(&["token", "issue", "ana", "--client", "acme"]);
        let names = ["client_id", "expires_at", "id", "token", "token_type", "user_id"];
        assert_eq!(members(&token), names);
        let jwt = text(&token, "token");

        let verify = ["token", "verify", "--client", "acme"];
        let valid = world.json_with(&verify, jwt);
        assert_eq!(
            valid,
            json!({
                "valid": true, "user_id": user["id"], "identifier": "ana",
                "expires_at": token["expires_at"],
            })
        );
        let foreign = ["token", "verify", "--client", "other", "--output", "json"];
        let invalid = json!({"valid": false, "code": "invalid_token"});
        assert_eq!(world.run_with(&foreign, jwt).json(4), invalid);

        let listed = world.json(&["token", "list", "ana", "--client", "acme"]);
        let names = ["expires_at", "id", "is_active", "issued_at", "revoked_at", "user_id"];
        assert_eq!(members(&listed[0]), names);

        let revoke = ["token", "revoke", "--client", "acme"];
        assert_eq!(world.json_with(&revoke, jwt), json!({"revoked": true}));
        let again = world.run_with(&[&revoke[..], &["--output", "json"]].concat(), jwt);
        assert_eq!(again.json(4), json!({"revoked": false}));
        let after = world.run_with(&[&verify[..], &["--output", "json"]].concat(), jwt);
        assert_eq!(after.json(4), json!({"valid": false, "code": "revoked_token"}));
    }

    async fn integrations_are_stored_shown_selected_and_removed(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        world.run(&["user", "create", "ana", "--client", "acme"]).expect(0);
        let on = |args: &[&'static str]| [args, &["--client", "acme", "--user", "ana"]].concat();

        let add = on(&["integration", "add", "github", "--account", "one", "--scope", "repo"]);
        let stored = world.json_with(&add, "gho_secret\n");
        assert_eq!(members(&stored), INTEGRATION);
        assert_eq!(stored["selected"], true);
        assert_eq!(stored["auth_scopes"], json!(["repo"]));
        world.run_with(&add, "gho_secret").refused(1);
        let second = on(&["integration", "add", "github", "--account", "two"]);
        assert_eq!(world.json_with(&second, "gho_two")["selected"], false);

        let show = on(&["integration", "show", "github"]);
        assert_eq!(text(&world.json(&show), "auth_string"), "gho_secret");
        let named = on(&["integration", "show", "github", "--account", "two"]);
        assert_eq!(text(&world.json(&named), "auth_string"), "gho_two");

        let list = on(&["integration", "list", "--connector", "github"]);
        let listed = world.json(&list);
        assert_eq!(listed.as_array().unwrap().len(), 2);
        assert_eq!(members(&listed[0]), INTEGRATION);

        let select = on(&["integration", "select", "github", "--account", "two"]);
        assert_eq!(world.json(&select)["selected"], true);
        assert_eq!(text(&world.json(&show), "auth_string"), "gho_two");

        let unnamed = world.run(&on(&["integration", "remove", "github", "--yes"])).refused(1);
        assert!(unnamed.contains("--account: one, two"), "{unnamed}");
        let remove = on(&["integration", "remove", "github", "--account", "two", "--yes"]);
        assert_eq!(world.json(&remove), json!({"deleted": true}));
        world.run(&remove).refused(3);
        world.run(&on(&["integration", "show", "slack"])).refused(3);

        let user = world.json(&["user", "show", "ana", "--client", "acme"]);
        assert_eq!(user["integrations"].as_array().unwrap().len(), 1);
        assert!(user["integrations"][0].get("auth_string").is_none());
    }

    async fn root_keys_are_activated_and_retired(db: TestDatabase) {
        let mut world = World::initialized(&db);
        let active = if db.url().is_sqlite() {
            world.run(&["root-key", "activate", "k2"]).refused(2);
            world.json(&["root-key", "activate", "--new"])
        } else {
            let refused = world.run(&["root-key", "activate", "--new"]).refused(2);
            assert!(refused.contains("BOSA_AUTH_ROOT_KEYS"), "{refused}");
            world.set("BOSA_AUTH_ROOT_KEYS", &format!("{ROOT_KEYS},k2:{}", &ROOT_KEYS[3..].replace("AAEC", "AQEC")));
            world.json(&["root-key", "activate", "k2"])
        };
        assert_eq!((text(&active, "id"), &active["is_active"]), ("k2", &json!(true)));
        world.run(&["root-key", "activate"]).expect(2);
        let refused = world.run(&["root-key", "retire", "k1", "--yes"]).refused(2);
        assert!(refused.contains("1 digest key"), "{refused}");
        world.run(&["root-key", "retire", "k2", "--yes"]).refused(2);
        world.run(&["root-key", "retire", "k9", "--yes"]).refused(3);
        let listed = world.json(&["root-key", "list"]);
        assert_eq!(members(&listed[0]), ["created_at", "id", "is_active", "is_present", "seals"]);
        assert_eq!(listed.as_array().unwrap().len(), 2);
    }

    async fn digest_keys_are_rotated_and_retired(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        world.run(&["user", "create", "ana", "--client", "acme"]).expect(0);
        let first = world.json(&["digest-key", "list"]);
        let former = text(&first[0], "id").to_owned();
        world.run(&["digest-key", "retire", &former]).refused(2);
        world.run(&["digest-key", "retire", &former, "--end-credentials", "--yes"]).refused(2);
        let rotated = world.json(&["digest-key", "rotate"]);
        assert_eq!((&rotated["is_active"], &rotated["used_by"]), (&json!(true), &json!(0)));
        let names = ["api_keys", "connections", "created_at", "id", "is_active", "requests", "used_by", "users"];
        assert_eq!(members(&rotated), names);

        let retire = ["digest-key", "retire", former.as_str()];
        let shown = world.run(&retire).expect(4);
        assert!(shown.stdout.contains("acme") && shown.stderr.contains("--end-credentials"), "{shown:?}");
        let shown = world.run(&[&retire[..], &["--output", "json"]].concat()).json(4);
        assert_eq!(shown["retired"], false);
        let kinds: Vec<_> = shown["credentials"].as_array().unwrap().iter().map(|one| text(one, "kind")).collect();
        assert_eq!(kinds, ["api_key", "user"]);
        assert_eq!(members(&shown["credentials"][1]), ["client", "client_id", "id", "kind", "name"]);
        world.run(&[&retire[..], &["--end-credentials"]].concat()).expect(2);
        let ended = world.json(&[&retire[..], &["--end-credentials", "--yes"]].concat());
        assert_eq!(ended["retired"], true);
        assert_eq!(ended["credentials"].as_array().unwrap().len(), 2);
        world.run(&[&retire[..], &["--yes"]].concat()).refused(3);
        let keys = world.json(&["key", "list", "--client", "acme"]);
        assert!(keys[0]["revoked_at"].is_number() || keys[0]["revoked_at"].is_string());
        assert_eq!(world.json(&["digest-key", "list"]).as_array().unwrap().len(), 1);
    }

    async fn what_the_operator_looks_after_is_listed(db: TestDatabase) {
        let world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        world.run(&["user", "create", "ana", "--client", "acme"]).expect(0);
        let token = world.json(&["token", "issue", "ana", "--client", "acme"]);

        let connectors = world.json(&["connector", "list"]);
        let github = connectors.as_array().unwrap().iter().find(|one| one["name"] == "github");
        let shown = json!({
            "name": "github", "title": "GitHub", "takes": ["oauth", "bearer"], "source": "built-in"
        });
        assert_eq!(github, Some(&shown));
        let roots = world.json(&["root-key", "list"]);
        assert_eq!(roots[0]["id"], "k1");
        assert_eq!(roots[0]["is_active"], true);
        assert_eq!(world.json(&["digest-key", "list"])[0]["used_by"], 2);
        let vault = world.json(&["vault", "status"]);
        assert_eq!((&vault["clients"], &vault["values"]["credentials"]), (&json!(1), &json!(0)));
        assert_eq!(world.json(&["vault", "verify"])["unreadable"], json!([]));

        let first = world.json(&["signing-key", "list"]);
        assert_eq!(first[0]["signs"], true);
        let made = world.json(&["signing-key", "rotate", "--algorithm", "EdDSA"]);
        assert_eq!(made["algorithm"], "EdDSA");
        let verify = ["token", "verify", "--client", "acme"];
        world.run_with(&verify, text(&token, "token")).expect(0);
        let again = world.json(&["signing-key", "rotate"]);
        assert_eq!(again["algorithm"], "HS256");
        let kid = text(&made, "kid");
        world.run(&["signing-key", "retire", kid, "--yes"]).expect(0);
        for unknown in ["unknown", "-LPKWLNSE3LIziIkYMDc8", "-yKWLNSE3LIziIkYMDc8PA", "--YMDc8PA"] {
            world.run(&["signing-key", "retire", unknown, "--yes"]).refused(3);
            world.run(&["signing-key", "retire", "--yes", unknown]).refused(3);
        }

        let steps = world.json(&["migrate", "status"]);
        assert!(steps[0]["applied_at"].is_string());
        assert_eq!(world.json(&["migrate", "plan"]), json!([]));
        world.run(&["migrate", "up"]).expect(0);
        let findings = world.json(&["doctor"]);
        assert!(findings.as_array().unwrap().iter().all(|one| one["severity"] != "problem"));
    }
}
