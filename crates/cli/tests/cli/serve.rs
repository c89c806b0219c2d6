//! Starting, stopping and killing the server.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::server::{Server, create_client, master_key, post, shell};
use crate::support::{MASTER_KEY, World};

/// Starts `serve` as a person would, and returns what it prints up to the end of the three lines.
fn printed(world: &World) -> (std::process::Child, String) {
    let mut child = world
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    while !text.contains("/auth/tokens") && stdout.read_line(&mut text).unwrap() > 0 {}
    (child, text)
}

fn three_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("KEY="))
        .take(3)
        .collect();
    lines.join("\n")
}

#[test]
fn the_first_start_without_any_configuration_prints_lines_that_work() {
    let world = World::new();
    let (mut child, text) = printed(&world);
    let directory = world.path().join("bosa-auth-data");
    let key_path = directory.join("master.key");
    assert!(text.contains("http://127.0.0.1:"), "{text}");
    assert!(text.contains(&directory.display().to_string()), "{text}");
    assert!(text.contains(&key_path.display().to_string()), "{text}");
    // Standard output is no terminal: the key itself is not printed.
    let key = std::fs::read_to_string(&key_path).unwrap();
    assert!(!text.contains(key.trim()), "{text}");

    let lines = three_lines(&text);
    let answers = shell(&world, &lines);
    let answers: Vec<&str> = answers.lines().collect();
    assert!(answers[0].starts_with("sk-client-"), "{answers:?}");
    assert!(answers[1].starts_with("sk-user-"), "{answers:?}");
    let login: serde_json::Value = serde_json::from_str(answers[2]).unwrap();
    assert_eq!(login["data"]["token_type"], "bearer");
    child.kill().unwrap();
    child.wait().unwrap();

    for (name, mode) in [
        ("", 0o700),
        ("root.keys", 0o600),
        ("auth_secret.key", 0o600),
        ("master.key", 0o600),
        ("bosa-auth.db", 0o600),
    ] {
        let metadata = directory.join(name).metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn the_lines_work_in_a_directory_with_a_difficult_name_and_with_a_configured_key() {
    let mut world = World::new();
    world.set("BOSA_AUTH_DATA_DIR", "it's $HOME");
    let (mut child, text) = printed(&world);
    let answers = shell(&world, &three_lines(&text));
    assert!(answers.contains("\"token_type\":\"bearer\""), "{answers}");
    child.kill().unwrap();
    child.wait().unwrap();

    let mut world = World::new();
    world.set(
        "BOSA_WHITELISTED_KEYS",
        &format!("{MASTER_KEY},{MASTER_KEY}-2"),
    );
    let (mut child, text) = printed(&world);
    assert!(!text.contains(MASTER_KEY), "{text}");
    let answers = shell(&world, &three_lines(&text));
    assert!(answers.contains("\"token_type\":\"bearer\""), "{answers}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_address_in_use_is_named_and_leaves_nothing_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let world = World::new();
    let said = world.run(&["serve", "--listen", &address]).refused(2);
    assert!(said.contains(&address), "{said}");
    assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 0);
}

on_every_database! {
    async fn a_signal_stops_the_server_without_an_error(db: TestDatabase) {
        let world = World::on(&db);
        for signal in ["TERM", "INT"] {
            let server = Server::start(&world);
            assert_eq!(server.stop(signal), Some(0), "{signal}");
        }
    }

    async fn every_answer_is_in_the_log_once_the_server_has_stopped(db: TestDatabase) {
        let mut world = World::on(&db);
        for format in ["json", "text"] {
            world.set("BOSA_AUTH_LOG_FORMAT", format);
            let server = Server::start(&world);
            let master_key = master_key(&world, &server);
            let name = format!("client-{format}");
            let key = create_client(server.url(), &master_key, &name).await.unwrap();
            for number in 0..20 {
                let token = json!({"token": format!("a-token-{number}")});
                let answer = post(server.url(), "/auth/tokens/verify", &key, token).await;
                assert_eq!(answer.unwrap().0, 200);
            }
            let log = server.log_until_stopped();
            for secret in [&key, &master_key, "a-token-"] {
                assert!(!log.contains(secret), "{log}");
            }
            let answers: Vec<&str> = log.lines().filter(|line| line.contains("answered")).collect();
            assert_eq!(answers.len(), 21, "{log}");
            for line in answers {
                if format == "json" {
                    let line: Value = serde_json::from_str(line).unwrap();
                    assert_eq!(line["fields"]["status"], 200, "{line}");
                    assert!(line["span"]["request_id"].is_string(), "{line}");
                } else {
                    assert!(line.contains("status=200"), "{line}");
                    assert!(line.contains("request_id="), "{line}");
                }
            }
        }
    }

    async fn what_was_answered_survives_a_kill(db: TestDatabase) {
        let world = World::on(&db);
        let server = Server::start(&world);
        let master_key = master_key(&world, &server);
        let killed = Arc::new(AtomicBool::new(false));
        let mut writers = Vec::new();
        for writer in 0..4 {
            let (url, master_key) = (server.url().to_owned(), master_key.clone());
            let killed = killed.clone();
            writers.push(tokio::spawn(async move {
                let mut answered = Vec::new();
                for number in 0..10_000 {
                    let name = format!("client-{writer}-{number}");
                    match create_client(&url, &master_key, &name).await {
                        Ok(key) => answered.push((name, key)),
                        Err(error) => {
                            assert!(killed.load(Ordering::SeqCst), "{error}");
                            break;
                        }
                    }
                }
                answered
            }));
        }
        // Something of each writer is in the database by then, and more is on its way.
        while world.json(&["client", "list"]).as_array().unwrap().len() < 40 {}
        killed.store(true, Ordering::SeqCst);
        server.kill();
        let mut answered = Vec::new();
        for writer in writers {
            answered.extend(writer.await.unwrap());
        }
        assert!(answered.len() >= 30, "{}", answered.len());

        world.run(&["doctor"]).expect(0);
        let server = Server::start(&world);
        let known: Vec<String> = world
            .json(&["client", "list"])
            .as_array()
            .unwrap()
            .iter()
            .map(|client| client["name"].as_str().unwrap().to_owned())
            .collect();
        for (name, key) in &answered {
            assert!(known.contains(name), "{name} was answered and is gone");
            let body = serde_json::json!({"identifier": "ana"});
            let (status, body) = post(server.url(), "/users", key, body).await.unwrap();
            assert_eq!(status, 200, "{body}");
        }
    }

    async fn ten_first_starts_at_once_all_come_up(db: TestDatabase) {
        let world = World::on(&db);
        let starting: Vec<_> = (0..10).map(|_| Server::spawn(&world)).collect();
        let servers: Vec<Server> = starting.into_iter().map(|one| one.ready()).collect();
        let key = master_key(&world, &servers[0]);
        let mut keys = Vec::new();
        for (number, server) in servers.iter().enumerate() {
            let name = format!("client-{number}");
            keys.push(create_client(server.url(), &key, &name).await.unwrap());
        }
        // What one server has made, the next one accepts.
        keys.rotate_left(1);
        for (server, key) in servers.iter().zip(&keys) {
            let body = serde_json::json!({"identifier": "ana"});
            assert_eq!(post(server.url(), "/users", key, body).await.unwrap().0, 200);
        }
        world.run(&["doctor"]).expect(0);
    }
}

#[test]
fn a_start_without_a_signing_key_says_that_nobody_can_log_in() {
    let world = World::new();
    assert!(!Server::spawn(&world).log_until_ready().contains("WARN"));
    std::fs::remove_file(world.path().join("bosa-auth-data/auth_secret.key")).unwrap();
    let log = Server::spawn(&world).log_until_ready();
    assert!(log.contains("there is no signing key"), "{log}");
    let found = world.run(&["doctor"]).expect(1);
    let said = "there is no signing key\n         remedy: set AUTH_SECRET_KEY";
    assert!(found.stdout.contains(said), "{found:?}");
    world.run(&["signing-key", "rotate"]).expect(0);
    assert!(!Server::spawn(&world).log_until_ready().contains("WARN"));
}

#[test]
fn two_first_starts_at_once_share_one_data_directory() {
    for _ in 0..5 {
        let world = World::new();
        let first = Server::spawn(&world);
        let second = Server::spawn(&world);
        let (first, second) = (first.ready(), second.ready());
        assert_eq!(
            first.welcome["master_key_path"],
            second.welcome["master_key_path"]
        );
        let listed: Vec<_> = std::fs::read_dir(world.path().join("bosa-auth-data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".keys") || name.ends_with(".key"))
            .collect();
        assert_eq!(listed.len(), 3, "{listed:?}");
        drop((first, second));
        world.run(&["doctor"]).expect(0);
    }
}

on_every_database! {
    async fn a_start_with_missing_or_foreign_root_keys_is_refused(db: TestDatabase) {
        let mut world = World::initialized(&db);
        world.run(&["client", "create", "acme"]).expect(0);
        let kept = std::mem::take(&mut world.environment);
        let without = kept
            .iter()
            .filter(|(name, _)| name != "BOSA_AUTH_ROOT_KEYS")
            .cloned();
        world.environment = without.clone().collect();
        let file = db.directory().map(|directory| directory.join("root.keys"));
        let moved = db.directory().map(|directory| directory.join("moved.keys"));
        if let (Some(file), Some(moved)) = (&file, &moved) {
            std::fs::rename(file, moved).unwrap();
        }
        let serve = ["serve", "--listen", "127.0.0.1:0"];
        let said = world.run(&serve).refused(2);
        assert!(said.contains("BOSA_AUTH_ROOT_KEYS"), "{said}");
        world.run(&["client", "list"]).refused(2);
        world.run(&["doctor"]).expect(1);

        let foreign = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        for (id, named) in [("k1", "k1"), ("k2", "k1")] {
            world.environment = without.clone().collect();
            world.set("BOSA_AUTH_ROOT_KEYS", &format!("{id}:{foreign}"));
            let said = world.run(&serve).refused(2);
            assert!(said.contains(&format!("root key {named}")), "{id}: {said}");
            assert!(!said.contains(foreign), "{said}");
            let found = world.run(&["doctor"]).expect(1);
            assert!(found.stdout.contains(&format!("root key {named}")), "{found:?}");
        }
        // Nothing was made beside the data, and the right key opens it again.
        assert!(file.as_ref().is_none_or(|file| !file.exists()));
        if let (Some(file), Some(moved)) = (&file, &moved) {
            std::fs::rename(moved, file).unwrap();
        }
        world.environment = kept;
        let clients = world.json(&["client", "list"]);
        assert_eq!(clients[0]["name"], "acme");
    }
}
