//! What a command changes beside a running server: the server sees it within its bound.

use std::time::{Duration, Instant};

use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::server::{Server, create_client, master_key, post};
use crate::support::World;

/// The default bound of one second, and time for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is that one, and returns how long it took.
async fn until(answer: &str, ask: impl AsyncFn() -> String) -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "what is measured is another process"
    )]
    let start = Instant::now();
    loop {
        let now = ask().await;
        if now == answer {
            return start.elapsed();
        }
        assert!(start.elapsed() < PATIENCE, "the server still says {now}");
    }
}

on_every_database! {
    async fn what_a_command_ends_beside_a_running_server_ends_there(db: TestDatabase) {
        let world = World::on(&db);
        let server = Server::start(&world);
        let url = server.url();
        let key = create_client(url, &master_key(&world, &server), "acme").await.unwrap();
        let (_, user) = post(url, "/users", &key, json!({"identifier": "ana"})).await.unwrap();
        let login = json!({"identifier": "ana", "secret": user["data"]["secret"]});
        let login = async || {
            let (status, body) = post(url, "/auth/tokens", &key, login.clone()).await.unwrap();
            assert_eq!(status, 200, "{body}");
            json!({"token": body["data"]["token"]})
        };
        let verify = async |token: &Value| {
            let (status, body) = post(url, "/auth/tokens/verify", &key, token.clone()).await.unwrap();
            match body["data"]["valid"].as_bool() {
                Some(true) => "valid".to_owned(),
                Some(false) => body["data"]["code"].to_string(),
                None => status.to_string(),
            }
        };
        let token = login().await;
        for _ in 0..2 {
            assert_eq!(verify(&token).await, "valid");
        }
        world.run(&["user", "sign-out", "ana", "--client", "acme", "--yes"]).expect(0);
        let seen = until("\"revoked_token\"", async || verify(&token).await).await;
        println!("the sign-out was seen after {seen:?}");

        let token = login().await;
        assert_eq!(verify(&token).await, "valid");
        world.run(&["client", "suspend", "acme"]).expect(0);
        let seen = until("401", async || verify(&token).await).await;
        println!("the suspension was seen after {seen:?}");
        // The other way is at once: a refusal is never remembered.
        world.run(&["client", "resume", "acme"]).expect(0);
        assert_eq!(verify(&token).await, "valid");
    }
}
