//! Replacing keys beside servers that store, refresh, read and delete.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bosa_auth::{Auth, Entropy as _, RekeyEnd, SeededEntropy};
use bosa_auth_testkit::on_every_database;
use tokio::task::JoinSet;

use super::filled::{Server, new_id};
use super::opened::open_all;
use super::rekey::{filled, rekey};
use crate::support::open_apart;

const ACTS: u32 = 120;
const ACCOUNTS: [&str; 5] = ["first", "second", "a", "b", "c"];

/// What a server has stored last, by the name of the value.
type Model = BTreeMap<String, String>;

/// Acts as a server does, on a data key that it hardly ever looks up, and says what it stored.
async fn serve(auth: Auth, mut server: Server, name: &'static str, seed: u64) -> Model {
    let random = SeededEntropy::new(seed);
    let pick = |choices: u32| {
        let mut bytes = [0; 4];
        random.fill(&mut bytes).unwrap();
        u32::from_be_bytes(bytes) % choices
    };
    let mut model = Model::new();
    for (account, refresh) in [("first", Some("refresh 1")), ("second", None)] {
        let number = if account == "first" { 1 } else { 2 };
        model.insert(
            format!("credential {name} github {account}"),
            format!("access {number}"),
        );
        if let Some(refresh) = refresh {
            model.insert(
                format!("refresh {name} github {account}"),
                refresh.to_owned(),
            );
        }
    }
    for act in 0..ACTS {
        let account = ACCOUNTS[pick(5) as usize];
        let key = format!("{name} github {account}");
        let (credential, refresh) = (format!("credential {key}"), format!("refresh {key}"));
        let (access, token) = (format!("access {act}"), format!("refresh {act}"));
        if pick(10) == 0 {
            server.learn().await;
        }
        let is_there = model.contains_key(&credential);
        match pick(10) {
            0 => {
                let secret = format!("secret {act}");
                while !server.set_secret("github", &secret).await {}
                model.insert(format!("secret {name} github"), secret);
            }
            1 => {
                let id = new_id();
                let verifier = format!("verifier {act}");
                while !server.depart(id, &verifier).await {}
                model.insert(format!("verifier {name} github {id}"), verifier);
            }
            2 if is_there => {
                assert!(server.disconnect(account).await);
                model.remove(&credential);
                model.remove(&refresh);
            }
            3 | 4 if is_there => {
                let service = auth.third_party_integration_service();
                let read =
                    service.get_integration_for(server.client, server.user, "github", account);
                let read = read.await.unwrap().unwrap();
                assert_eq!(read.auth_string.expose(), model[&credential]);
            }
            kind if is_there => {
                let token = (kind % 2 == 0 && model.contains_key(&refresh)).then_some(token);
                while !server.refresh(account, &access, token.as_deref()).await {}
                model.insert(credential, access);
                if let Some(token) = token {
                    model.insert(refresh, token);
                }
            }
            _ => {
                while !server.connect(account, &access, Some(&token)).await {}
                model.insert(credential, access);
                model.insert(refresh, token);
            }
        }
    }
    model
}

on_every_database! {
    async fn nothing_is_lost_when_two_runs_and_two_servers_go_on_at_once(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        let mut tasks = JoinSet::new();
        for (server, (name, seed)) in servers.into_iter().zip([("acme", 1), ("foreign", 2)]) {
            tasks.spawn(serve(world.auth.clone(), server, name, seed));
        }
        let serving = Arc::new(AtomicBool::new(true));
        let mut runs = JoinSet::new();
        for _ in 0..2 {
            let auth = open_apart(&db, &[], &world.clock).await.unwrap();
            let serving = serving.clone();
            runs.spawn(async move {
                let mut finished = 0;
                // A machine with much to do may serve all before the first has finished.
                while serving.load(Ordering::Relaxed) || finished < 2 {
                    let report = rekey(&auth).await;
                    assert_eq!((report.end, report.left), (RekeyEnd::Finished, vec![]));
                    finished += 1;
                }
                finished
            });
        }
        let mut model = Model::new();
        for served in tasks.join_all().await {
            model.extend(served);
        }
        serving.store(false, Ordering::Relaxed);
        let runs: u32 = runs.join_all().await.into_iter().sum();
        assert!(runs > 2, "{runs}");

        let before = open_all(&db).await;
        for (name, text) in &before.values {
            match model.remove(name) {
                Some(stored) => assert_eq!(*text, stored, "{name}"),
                // What was there from the beginning and has not changed.
                None => assert!(["secret", "verifier", "stored"].iter().any(|kind| text.starts_with(kind)), "{name}"),
            }
        }
        assert_eq!(model, Model::new(), "lost");
        let last = rekey(&world.auth).await;
        let after = open_all(&db).await;
        assert_eq!(after.values, before.values);
        assert!(after.keys.len() == 3 && after.keys.iter().all(|key| key.is_active));
        assert!(after.oldest_key() >= last.started_at);
    }
}
