//! Connector files of the user's own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::World;

const ACME: &str = r#"title = "Acme"
documentation = ["https://docs.acme.example/"]

[oauth]
authorization_endpoint = "https://{region}.acme.example/authorize"
token_endpoint = "https://{region}.acme.example/token"
hosts = ["*.acme.example"]
client_authentication = "post"
pkce = true
default_scopes = ["profile"]

[oauth.lifetime]
access_token_seconds = 3600
refresh_token = "rotates"

[oauth.identity]
source = "token_response"
subject = "/user_id"
label = ["/user_name"]

[variables.region]
description = "where the account lies"
example = "eu"
"#;

/// A world with a directory of connector files.
fn world(files: &[(&str, &str)]) -> World {
    let mut world = World::new();
    std::fs::create_dir(world.path().join("own")).unwrap();
    for (name, text) in files {
        world.file(&format!("own/{name}"), text);
    }
    world.set("BOSA_AUTH_CONNECTORS_DIR", "own");
    world
}

#[test]
fn own_connectors_are_listed_and_shown_beside_the_built_in_ones() {
    let world = world(&[("acme.toml", ACME)]);
    world.run(&["init"]).expect(0);
    let listed = world.json(&["connector", "list"]);
    let listed = listed.as_array().unwrap();
    let of = |name: &str| listed.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(of("acme")["source"], "own/acme.toml");
    assert_eq!(of("acme")["takes"], json!(["oauth"]));
    assert_eq!(of("openai")["takes"], json!(["api_key"]));

    let shown = world.json(&["connector", "show", "acme"]);
    let needs = json!(["client_id", "client_secret", "variables.region"]);
    assert_eq!(shown["needs"], needs);
    let token_endpoint = "https://{region}.acme.example/token";
    assert_eq!(shown["oauth"]["token_endpoint"], token_endpoint);
    assert_eq!(
        shown["documentation"],
        json!(["https://docs.acme.example/"])
    );

    let table = world.run(&["connector", "list"]).expect(0).stdout;
    let row = table
        .lines()
        .find(|line| line.starts_with("acme "))
        .unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells, ["acme", "Acme", "oauth", "own/acme.toml"]);
    let text = world.run(&["connector", "show", "acme"]).expect(0).stdout;
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.starts_with(&["name", "title", "source", "takes", "needs"]));
    assert!(names.contains(&"oauth.lifetime.refresh_token"), "{text}");
    assert!(text.contains("where the account lies"), "{text}");

    world.run(&["connector", "show", "unknown"]).refused(3);
    world.run(&["connector", "show", "No Name"]).refused(2);
}

#[test]
fn a_bad_file_stops_every_start_with_its_line_and_reason() {
    let bad = ACME.replace("pkce = true", "pkce = 1");
    let other = ACME.replace("3600", "0");
    let world = world(&[("acme.toml", &bad), ("other.toml", &other)]);
    for args in [&["config", "check"][..], &["serve"], &["init"]] {
        let text = world.run(args).refused(2);
        assert!(text.contains("own/acme.toml:9:8: invalid type"), "{text}");
        let expected = "own/other.toml:13:24: access_token_seconds: use seconds";
        assert!(text.contains(expected), "{text}");
    }
    assert!(!world.path().join("bosa-auth-data").exists());
}

/// A server whose log can be read while it runs.
struct Server {
    child: Child,
    url: String,
    log: std::path::PathBuf,
}

impl Server {
    fn start(world: &World) -> Self {
        let log = world.path().join("log");
        let mut child = world
            .command(&["serve", "--listen", "127.0.0.1:0", "--output", "json"])
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("}\n") {
            assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "{text}");
        }
        let welcome: Value = serde_json::from_str(&text).unwrap();
        let url = welcome["url"].as_str().unwrap().to_owned();
        Self { child, url, log }
    }

    fn reload(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("bash")
            .args(["-c", "kill -s HUP \"$1\"", "kill", &id])
            .status();
        assert!(sent.unwrap().success());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn names(&self) -> Vec<String> {
        let answer = reqwest::get(format!("{}/connectors/names", self.url)).await;
        answer.unwrap().json().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Looks again and again until the condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen");
}

#[tokio::test]
async fn a_running_server_reads_the_files_again_when_it_is_told() {
    let world = world(&[]);
    let server = Server::start(&world);
    let has = async |name: &str| server.names().await.iter().any(|one| one == name);
    assert!(!has("acme").await && has("github").await);

    world.file("own/acme.toml", ACME);
    server.reload();
    until("the new connector", async || has("acme").await).await;

    world.file("own/other.toml", &ACME.replace("3600", "0"));
    std::fs::remove_file(world.path().join("own/acme.toml")).unwrap();
    server.reload();
    let problem = "the former connectors stay: own/other.toml:13:24: access_token_seconds";
    until("the problem in the log", async || {
        server.log().contains(problem)
    })
    .await;
    assert!(has("acme").await && !has("other").await);

    world.file("own/other.toml", ACME);
    server.reload();
    until("the corrected connector", async || has("other").await).await;
    assert!(!has("acme").await);
}
