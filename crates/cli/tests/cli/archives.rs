//! From one database to the other, and back.

use bosa_auth_testkit::TestDatabase;
use serde_json::{Value, json};

use crate::support::{ROOT_KEYS, SIGNING_KEY, World};

/// What a newcomer has made, to be found again.
struct Made {
    token: String,
    secret: String,
}

/// An instance with the same keys wherever it lies.
async fn world_on(db: &TestDatabase) -> World {
    let mut world = World::new();
    world.set("DATABASE_AUTHENTICATION_URL", &address_of(db));
    world.set("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS);
    world.set("AUTH_SECRET_KEY", SIGNING_KEY);
    world
}

/// A file beside the test's own: a restore wants one that is not there yet.
fn address_of(db: &TestDatabase) -> String {
    match db.directory() {
        Some(directory) => format!("sqlite:///{}", directory.join("other.db").display()),
        None => db.address(),
    }
}

fn fill(world: &World) -> Made {
    world.run(&["init"]).expect(0);
    world.run(&["client", "create", "acme"]).expect(0);
    let user = world.json(&["user", "create", "ana", "--client", "acme"]);
    let token = world.json(&["token", "issue", "ana", "--client", "acme"]);
    let add = [
        "integration",
        "add",
        "github",
        "--client",
        "acme",
        "--user",
        "ana",
    ];
    world.run_with(&add, "gho_secret").expect(0);
    Made {
        token: token["token"].as_str().unwrap().to_owned(),
        secret: user["secret"].as_str().unwrap().to_owned(),
    }
}

fn credential(world: &World) -> Value {
    let show = [
        "integration",
        "show",
        "github",
        "--client",
        "acme",
        "--user",
        "ana",
    ];
    world.json(&show)["auth_string"].clone()
}

fn verification(world: &World, token: &str) -> i32 {
    world
        .run_with(&["token", "verify", "--client", "acme"], token)
        .code
}

async fn both_ways() -> [(TestDatabase, TestDatabase); 2] {
    [
        (TestDatabase::sqlite().await, TestDatabase::postgres().await),
        (TestDatabase::postgres().await, TestDatabase::sqlite().await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_restores_into_the_other_database_and_signs_everyone_out() {
    for (from, to) in both_ways().await {
        let (source, target) = (world_on(&from).await, world_on(&to).await);
        let made = fill(&source);
        let archive = source.path().join("archive.jsonl");
        let archive = archive.to_str().unwrap();
        let written = source.json(&["backup", archive]);
        assert_eq!(written["root_keys"], json!(["k1"]));
        assert_eq!(written["moved"], false);
        let text = std::fs::read_to_string(archive).unwrap();
        for secret in [
            &made.token,
            &made.secret,
            "gho_secret",
            ROOT_KEYS,
            SIGNING_KEY,
        ] {
            assert!(!text.contains(secret));
        }
        source.run(&["backup", archive]).refused(2);

        let restored = target.json(&["restore", archive]);
        assert_eq!(restored["keeps_sessions"], false);
        assert_eq!(restored["rows"], written["rows"]);
        assert_eq!(verification(&target, &made.token), 4);
        assert_eq!(credential(&target), "gho_secret");
        // The source goes on, and a second restore finds the place taken.
        assert_eq!(verification(&source, &made.token), 0);
        target.run(&["restore", archive]).refused(2);
        target.run(&["doctor"]).expect(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_keeps_every_session_and_closes_the_source() {
    for (from, to) in both_ways().await {
        let (source, target) = (world_on(&from).await, world_on(&to).await);
        let made = fill(&source);
        let archive = source.path().join("archive.jsonl");
        let archive = archive.to_str().unwrap();
        source.run(&["backup", archive, "--move"]).refused(2);
        assert_eq!(verification(&source, &made.token), 0);
        let moved = source
            .run(&["backup", archive, "--move", "--yes"])
            .expect(0);
        assert!(!moved.stderr.contains("WARN"), "{moved:?}");

        let said = source.run(&["client", "list"]).refused(2);
        assert!(said.contains("moved"), "{said}");
        source.run(&["serve", "--listen", "127.0.0.1:0"]).refused(2);
        source.run(&["doctor"]).expect(1);

        assert_eq!(target.json(&["restore", archive])["keeps_sessions"], true);
        assert_eq!(verification(&target, &made.token), 0);
        assert_eq!(credential(&target), "gho_secret");
        target.run(&["doctor"]).expect(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_can_end_all_keys() {
    let (from, to) = (TestDatabase::sqlite().await, TestDatabase::sqlite().await);
    let (source, target) = (world_on(&from).await, world_on(&to).await);
    fill(&source);
    let archive = source.path().join("archive.jsonl");
    let archive = archive.to_str().unwrap();
    source.run(&["backup", archive]).expect(0);
    let restored = target.json(&["restore", archive, "--revoke-keys"]);
    assert_eq!(restored["revoked_keys"], 1);
    let keys = target.json(&["key", "list", "--client", "acme"]);
    assert!(keys[0]["revoked_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_cannot_be_restored_leaves_nothing_behind() {
    let (from, to) = (TestDatabase::sqlite().await, TestDatabase::sqlite().await);
    let (source, mut target) = (world_on(&from).await, world_on(&to).await);
    fill(&source);
    let path = source.path().join("archive.jsonl");
    let archive = path.to_str().unwrap();
    source.run(&["backup", archive]).expect(0);

    let text = std::fs::read_to_string(&path).unwrap();
    let cut = source.file("cut.jsonl", &text[..text.len() / 2]);
    target.run(&["restore", cut.to_str().unwrap()]).refused(2);
    let edited = source.file("edited.jsonl", &text.replacen("acme", "evil", 1));
    target
        .run(&["restore", edited.to_str().unwrap()])
        .refused(2);
    target.run(&["restore", "/does/not/exist"]).refused(2);

    let kept = std::mem::take(&mut target.environment);
    target.environment = kept
        .iter()
        .map(|(name, value)| match name.as_str() {
            "BOSA_AUTH_ROOT_KEYS" => {
                let foreign = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
                (name.clone(), foreign.to_owned())
            }
            _ => (name.clone(), value.clone()),
        })
        .collect();
    let said = target.run(&["restore", archive]).refused(2);
    assert!(said.contains("k1"), "{said}");
    target.environment = kept;
    assert!(!to.directory().unwrap().join("other.db").exists());
    target.run(&["restore", archive]).expect(0);
}
