//! Lists, closed pipes, and pages for people.

use std::io::Read as _;
use std::process::Stdio;

use bosa_auth_testkit::on_every_database;

use crate::support::{Outcome, World};

on_every_database! {
    async fn a_list_walks_through_all_pages(db: TestDatabase) {
        let world = World::initialized(&db);
        let client = world.json(&["client", "create", "acme"]);
        let configuration = bosa_auth::AuthenticationDbSettings {
            database_authentication_url: Some(db.address().into()),
            others: match db.url().is_sqlite() {
                true => Vec::new(),
                false => vec![("BOSA_AUTH_ROOT_KEYS", crate::support::ROOT_KEYS.into())],
            },
            ..Default::default()
        }
        .gather_from(Vec::new())
        .unwrap();
        let mode = bosa_auth::OpenMode::Existing;
        let auth = bosa_auth::Auth::open_configured(&configuration, mode).await.unwrap();
        let id: bosa_auth::ClientId = client["id"].as_str().unwrap().parse().unwrap();
        let tenant = auth.operator().tenant(id).await.unwrap();
        for number in 0..203 {
            let identifier = format!("user-{number}");
            let new = bosa_auth::NewUser { identifier, secret: None };
            tenant.create_user(new).await.unwrap();
        }
        auth.close().await.unwrap();

        let count = |args: &[&str]| {
            let all = [&["user", "list", "--client", "acme"], args].concat();
            world.json(&all).as_array().unwrap().len()
        };
        assert_eq!(count(&[]), 203);
        assert_eq!(count(&["--limit", "100"]), 100);
        assert_eq!(count(&["--limit", "150"]), 150);
        assert_eq!(count(&["--limit", "1"]), 1);
        world.run(&["user", "list", "--client", "acme", "--limit", "0"]).expect(2);
        let table = world.run(&["user", "list", "--client", "acme"]).expect(0);
        assert_eq!(table.stdout.lines().count(), 204);
    }
}

#[test]
fn a_reader_that_goes_away_causes_no_panic() {
    let world = World::new();
    world.run(&["init"]).expect(0);
    for args in [
        &["man"][..],
        &["completions", "bash"],
        &["config", "show"],
        &["connector", "list"],
    ] {
        let mut child = world.command(args).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
        assert_eq!(stderr, "", "{args:?}");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let world = World::new();
    world.run(&["init"]).expect(0);
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut command = world.command(&["connector", "list"]);
    let outcome = Outcome::of(command.stdout(Stdio::from(full)).output().unwrap());
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.starts_with("error: cannot write the result"));
}

#[test]
fn results_are_alone_on_standard_output() {
    let world = World::new();
    world.run(&["init"]).expect(0);
    let created = world.run(&["client", "create", "acme"]).expect(0);
    assert!(created.stdout.contains("sk-client-"));
    assert!(!created.stderr.contains("sk-client-"));
    assert!(created.stderr.contains("shown this once"));
    let quiet = world.run(&["client", "create", "b", "--quiet"]).expect(0);
    assert_eq!(quiet.stderr, "");
    assert!(!quiet.stdout.contains('\u{1b}'));
}
