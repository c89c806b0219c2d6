//! Imports that are ended in the middle, by force or kindly, and go on when they are run again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};

use bosa_auth_store::{Store, counts};
use bosa_auth_testkit::{TestDatabase, on_every_database};
use serde_json::{Value, json};

use crate::import::{fill, set_as_there};
use crate::support::{Outcome, World};

/// Users with a token each, and an account for every second, beside those of the fixture.
const MORE: &str = "insert into public.users \
    select md5('user' || n)::uuid, 'user-' || n, u.secret, u.secret_preview, true, u.client_id \
    from generate_series(1, 2000) n, public.users u where u.identifier = 'bob'; \
    insert into public.tokens select md5('token' || n)::uuid, u.id, u.client_id, false, 2145916811 \
    from generate_series(1, 2000) n join public.users u on u.id = md5('user' || n)::uuid; \
    insert into public.third_party_integration_auths \
    select md5('account' || n)::uuid, u.id, u.client_id, 'github', 'account-' || n, i.auth_string, \
    i.auth_scopes, true, i.created_at, false \
    from generate_series(2, 2000, 2) n join public.users u on u.id = md5('user' || n)::uuid, \
    public.third_party_integration_auths i where i.user_identifier = 'bob-gh'";

const IMPORT: [&str; 4] = ["import", "bosa", "--output", "json"];

/// Runs an import and sends it a signal once it has told of more than `at` rows; returns how it ended.
fn interrupted(world: &World, signal: &str, at: u64) -> Outcome {
    let mut child = world.command(&IMPORT).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    loop {
        let mut line = String::new();
        let is_over = lines.read_line(&mut line).unwrap() == 0;
        told.push_str(&line);
        if is_over || number(&line).is_some_and(|number| number > at) {
            break;
        }
    }
    send(&child, signal);
    lines.read_to_string(&mut told).unwrap();
    let mut outcome = Outcome::of(child.wait_with_output().unwrap());
    outcome.stderr = told;
    outcome
}

/// The number in a line such as `1005 of 5021 rows`.
fn number(line: &str) -> Option<u64> {
    let (number, rest) = line.split_once(" of ")?;
    rest.ends_with(" rows\n").then(|| number.parse().ok())?
}

fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "kill", signal, &id])
        .status();
    sent.unwrap();
}

fn sums(report: &Value) -> Vec<(u64, u64)> {
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap();
    let kinds = report["kinds"].as_array().unwrap();
    let there = |of| number(of, "imported") + number(of, "already_there");
    kinds
        .iter()
        .map(|of| (number(of, "read"), there(of)))
        .collect()
}

async fn interrupt(target: &TestDatabase, source: &TestDatabase) {
    let mut world = World::on(target);
    set_as_there(&mut world);
    world.set("BOSA_AUTH_IMPORT_FROM", &source.address());

    let asked = interrupted(&world, "TERM", 0).refused_after_progress(143);
    assert!(asked.contains("Run the same command again"), "{asked}");
    for (signal, at, code) in [("KILL", 1000, -1), ("INT", 2000, 130), ("KILL", 3000, -1)] {
        let ended = interrupted(&world, signal, at);
        // One that was done before the signal came has nothing left to go on with.
        assert!([0, code].contains(&ended.code), "{ended:?}");
    }

    let all = [(2, 2), (2005, 2005), (2006, 2006), (1008, 1008)];
    let (rest, again) = (world.json(&IMPORT[..2]), world.json(&IMPORT[..2]));
    for report in [&rest, &again] {
        assert_eq!(sums(report), all);
        assert_eq!(report["rows"], json!([]));
    }
    let kinds = again["kinds"].as_array().unwrap();
    assert!(kinds.iter().all(|of| of["imported"] == json!(0)), "{again}");
    let there = counts(&Store::new(target.db().clone())).await.unwrap();
    assert_eq!(
        (there.clients, there.users, there.tokens, there.integrations),
        (2, 2005, 2006, 1008)
    );
    for number in [2, 1000, 2000] {
        let (user, account) = (format!("user-{number}"), format!("account-{number}"));
        let show = [
            "integration",
            "show",
            "github",
            "--client",
            "acme",
            "--user",
            &user,
        ];
        let shown = world.json(&show);
        assert_eq!(shown["user_identifier"], account);
        assert_eq!(shown["auth_string"], "ghp_plainpat0123456789");
    }
    let sound = world.json(&["vault", "verify"]);
    assert_eq!(sound["unreadable"], json!([]), "{sound}");
}

async fn source() -> TestDatabase {
    let source = TestDatabase::postgres().await;
    fill(&source).await;
    source.run(MORE).await;
    source
}

on_every_database! {
    async fn an_import_that_is_killed_anywhere_goes_on(db: TestDatabase) {
        interrupt(&db, &source().await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_into_the_source_itself_that_is_killed_goes_on() {
    let both = source().await;
    interrupt(&both, &both).await;
}
