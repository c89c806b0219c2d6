//! Taking over a database of the original from the command line.

use bosa_auth_testkit::TestDatabase;
use serde_json::{Value, json};

use crate::support::World;

const DUMP: &str =
    include_str!("../../../bosa-auth/tests/fixtures/original-0.9.7/dump_inserts.sql");
const KNOWN: &str = include_str!("../../../bosa-auth/tests/fixtures/original-0.9.7/known.json");

fn known() -> Value {
    serde_json::from_str(KNOWN).unwrap()
}

/// Fills a database as version 0.9.7 of the original did.
pub(crate) async fn fill(db: &TestDatabase) {
    db.run(DUMP).await;
}

/// With the settings that the original had.
pub(crate) fn set_as_there(world: &mut World) {
    let known = known();
    let of = |group: &str, name: &str| known[group][name].as_str().unwrap().to_owned();
    world.set("AUTH_SECRET_KEY", &of("settings", "auth_secret_key"));
    for name in ["BOSA_AUTH_ENCRYPTION_PASSWORD", "BOSA_AUTH_ENCRYPTION_SALT"] {
        world.set(name, &of("env", name));
    }
}

fn kinds(report: &Value) -> Vec<(String, u64, u64, u64)> {
    let kinds = report["kinds"].as_array().unwrap();
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap();
    kinds
        .iter()
        .map(|of| {
            (
                of["kind"].as_str().unwrap().to_owned(),
                number(of, "read"),
                number(of, "imported"),
                number(of, "already_there"),
            )
        })
        .collect()
}

fn all(imported: bool) -> Vec<(String, u64, u64, u64)> {
    [("client", 2), ("user", 5), ("token", 6), ("integration", 8)]
        .map(|(kind, read)| match imported {
            true => (kind.to_owned(), read, read, 0),
            false => (kind.to_owned(), read, 0, read),
        })
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_original_is_looked_at_taken_over_and_looked_at_again() {
    let source = TestDatabase::postgres().await;
    fill(&source).await;
    let from = source.address();
    let mut world = World::new();
    set_as_there(&mut world);
    let import = ["import", "bosa", "--from", from.as_str()];

    let dry = world.json(&[import.as_slice(), &["--dry-run"]].concat());
    assert_eq!((kinds(&dry), &dry["dry_run"]), (all(true), &json!(true)));
    assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 0);

    let report = world.json(&import);
    assert_eq!(kinds(&report), all(true));
    assert_eq!(
        (&report["source_version"], &report["notes"]),
        (&json!(6), &json!([]))
    );
    let show = [
        "integration",
        "show",
        "github",
        "--client",
        "acme",
        "--user",
        "bob",
    ];
    assert_eq!(world.json(&show)["auth_string"], "ghp_plainpat0123456789");
    for token in known()["tokens"].as_array().unwrap() {
        let client = token["client_id"].as_str().unwrap();
        let verify = ["token", "verify", "--client", client];
        let code = world
            .run_with(&verify, token["token"].as_str().unwrap())
            .code;
        let dave = token["user_id"] == "c0a1ede8-862b-4881-989b-aef058972727";
        assert_eq!(
            code,
            if token["is_revoked"] == true || dave {
                4
            } else {
                0
            }
        );
    }

    let again = world.json(&[import.as_slice(), &["--dry-run"]].concat());
    assert_eq!(kinds(&again), all(false));
    let table = world.run(&import).expect(0);
    let lines: Vec<_> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("KIND"), "{}", table.stdout);
    assert!(lines[4].starts_with("integration  8"), "{}", table.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_does_not_repeat_a_reason_a_thousand_times() {
    let source = TestDatabase::postgres().await;
    fill(&source).await;
    source
        .run(
        "insert into public.third_party_integration_auths (id, user_id, client_id, connector, user_identifier, \
         auth_string, auth_scopes, selected, created_at) select md5(n::text)::uuid, \
         'c830fb10-e265-4701-bd06-68c1927f234d', '077621c2-9523-4583-8a0c-f367035f71ce', 'wiki', n::text, \
         'plain', '{}', false, now() from generate_series(1, 1000) as n",
        )
        .await;
    let from = source.address();
    let mut world = World::new();
    set_as_there(&mut world);
    let import = ["import", "bosa", "--from", from.as_str()];
    let table = world.run(&import).expect(0);
    let lines = table
        .stdout
        .lines()
        .filter(|line| line.contains("does not decrypt"));
    assert_eq!(lines.count(), 21, "{}", table.stdout);
    assert!(table.stderr.contains("980 more rows"), "{}", table.stderr);
    assert_eq!(world.json(&import)["rows"].as_array().unwrap().len(), 1000);
    // What is kept of a client is shown.
    let shown = world.run(&["client", "show", "acme"]).expect(0);
    assert!(
        shown.stdout.contains("can_get_integrations  yes"),
        "{}",
        shown.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_beside_the_tables_of_the_original_says_how_to_import() {
    let db = TestDatabase::postgres().await;
    fill(&db).await;
    let mut world = World::on(&db);
    set_as_there(&mut world);
    world.run(&["init"]).expect(0);
    let hint = "bosa-auth import bosa";
    assert!(world.run(&["client", "list"]).stderr.contains(hint));
    // The source is the database itself when none is named; whoever imports need not be told to.
    let imported = world.run(&["--output", "json", "import", "bosa"]).expect(0);
    assert_eq!(
        kinds(&serde_json::from_str(&imported.stdout).unwrap()),
        all(true)
    );
    assert!(!imported.stderr.contains(hint), "{}", imported.stderr);
    assert!(!world.run(&["client", "list"]).stderr.contains(hint));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_an_import_from_beginning_is_said() {
    let source = TestDatabase::postgres().await;
    fill(&source).await;
    let from = source.address();
    let mut world = World::new();
    world.run(&["import", "bosa"]).refused(2);
    for secret in [
        "postgresql://bosa:secret@localhost/bosa",
        "postgresql://localhost/bosa?password=secret",
    ] {
        let refused = world.run(&["import", "bosa", "--from", secret]).refused(2);
        assert!(
            refused.contains("BOSA_AUTH_IMPORT_FROM_FILE"),
            "{}",
            refused
        );
        assert!(!refused.contains("secret@"));
    }
    let unset = world.run(&["import", "bosa", "--from", &from]).refused(2);
    assert!(unset.contains("BOSA_AUTH_ENCRYPTION_PASSWORD"), "{}", unset);
    world
        .run(&["import", "bosa", "--from", "postgresql://127.0.0.1:1/bosa"])
        .refused(5);
    // Which of the two databases refuses is said.
    let stranger = from.replace("://bosa@", "://stranger@");
    assert_ne!(stranger, from);
    let refused = world
        .run(&["import", "bosa", "--from", &stranger])
        .refused(2);
    assert!(refused.contains("the source: "), "{}", refused);
    set_as_there(&mut world);
    world.set("AUTH_SECRET_KEY", "short");
    let short = world.run(&["import", "bosa", "--from", &from]).refused(2);
    assert!(short.contains("AUTH_SECRET_KEY_PREVIOUS"), "{}", short);
    // None of them has made anything.
    assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_source_from_being_read_is_found_before_anything_is_made() {
    let source = TestDatabase::postgres().await;
    fill(&source).await;
    let from = source.address();
    let empty = TestDatabase::postgres().await;
    // A column is missing among what may be read, of the table that is read last.
    source
        .run(
        "do $$ begin create role import_half_reader login; exception when duplicate_object then null; end $$; \
         grant usage on schema public to import_half_reader; \
         grant select on all tables in schema public to import_half_reader; \
         revoke select on public.third_party_integration_auths from import_half_reader; \
         grant select (id, user_id, client_id, connector) on public.third_party_integration_auths to import_half_reader",
        )
        .await;
    let (scheme, rest) = from.split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    let half = format!("{scheme}://import_half_reader@{place}");
    let nowhere = "redis://127.0.0.1:1";
    type Case<'c> = (&'c [&'c str], &'c [(&'c str, &'c str)], i32, &'c str);
    let cases: &[Case<'_>] = &[
        (
            &["--from", &from],
            &[("BOSA_AUTH_ENCRYPTION_SALT", "MFRGG===")],
            2,
            "nothing was written",
        ),
        (
            &["--from", &from],
            &[("BOSA_AUTH_ARGON2_MEMORY_MIB", "32")],
            2,
            "BOSA_AUTH_ARGON2_MEMORY_MIB",
        ),
        (&["--from", &half], &[], 2, "grant select"),
        (
            &["--from", &empty.address()],
            &[],
            2,
            "no database of the original",
        ),
        (&["--from", "sqlite:///x.db"], &[], 2, "PostgreSQL"),
        (&["--from", &from, "--redis", nowhere], &[], 5, "Redis"),
        (
            &["--from", &from, "--redis", "http://127.0.0.1"],
            &[],
            2,
            "redis://",
        ),
    ];
    for (arguments, settings, code, said) in cases {
        let mut world = World::new();
        set_as_there(&mut world);
        for (name, value) in *settings {
            world.set(name, value);
        }
        let refused = world
            .run(&[&["import", "bosa"], *arguments].concat())
            .refused(*code);
        assert!(refused.contains(said), "{refused}");
        assert_eq!(
            std::fs::read_dir(world.path()).unwrap().count(),
            0,
            "{arguments:?}"
        );
    }
}
