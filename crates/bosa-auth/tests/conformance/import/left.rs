//! What an operator is told of what is left of the original.

use bosa_auth::{Finding, Severity, doctor};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::source::{Source, known, text, world};
use crate::support::configuration;

/// What the doctor says of imports, each with how bad it is.
async fn said(db: &TestDatabase, others: &[(&'static str, &str)]) -> Vec<(Severity, String)> {
    let findings = doctor(&configuration(db, others).unwrap()).await;
    let is_of_imports = |finding: &Finding| {
        finding.title.contains("imported") || finding.title.contains("too short")
    };
    let found = findings.into_iter().filter(is_of_imports);
    found
        .map(|finding| (finding.severity, finding.title))
        .collect()
}

on_every_database! {
    async fn the_doctor_says_what_is_left_of_the_original(db: TestDatabase) {
        let (world, source, known) = (world(&db).await, Source::fixture().await, known());
        assert_eq!(said(&db, &[]).await, []);
        source.import(&world.auth).await.unwrap();
        let previous = format!("HS256:{}", text(&known["settings"], "auth_secret_key"));
        let key = ("AUTH_SECRET_KEY_PREVIOUS", previous.as_str());
        let users = |number: u32| (
            Severity::Fine,
            format!("{number} imported users have not logged in here yet: their hashes of the original are replaced at the first log-in"),
        );
        let live = (Severity::Fine, "5 imported tokens are live: the last recorded end is 2037-12-31T18:00:12Z".to_owned());
        let all = said(&db, &[key]).await;
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[0], users(5));
        assert!(all[1].1.starts_with(live.1.split(" is 2037").next().unwrap()), "{all:?}");

        let off = said(&db, &[key, ("BOSA_AUTH_IMPORTED_TOKENS_UNTIL", "2020-02-01")]).await;
        assert!(off[1].1.contains("refused since 2020-02-01"), "{off:?}");
        let soon = said(&db, &[key, ("BOSA_AUTH_IMPORTED_TOKENS_UNTIL", "2036-02-01")]).await;
        assert!(soon[1].1.contains("refused from 2036-02-01"), "{soon:?}");
        let short = said(&db, &[("AUTH_SECRET_KEY_PREVIOUS", "HS256:short"), ("BOSA_AUTH_IMPORTED_TOKENS_UNTIL", "2020-02-01")]).await;
        assert_eq!(short[2].0, Severity::Warning, "{short:?}");

        let client = &known["clients"][0];
        let tenant = world.auth.authenticate_client(text(client, "api_key")).await.unwrap();
        drop(tenant);
        let user = known["users"].as_array().unwrap().iter().find(|user| user["client_id"] == client["id"]).unwrap();
        let service = world.auth.authenticate_user_service();
        service.authenticate_user(text(client, "api_key"), text(user, "identifier"), text(user, "user_secret")).await.unwrap();
        assert_eq!(said(&db, &[key]).await[0], users(4));
    }

    async fn hashes_of_the_original_need_their_memory(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        let too_little = [("BOSA_AUTH_ARGON2_MEMORY_MIB", "32")];
        let problem = said(&db, &too_little).await;
        assert_eq!(problem.len(), 1, "{problem:?}");
        assert!(problem[0].0 == Severity::Problem && problem[0].1.contains("BOSA_AUTH_ARGON2_MEMORY_MIB"), "{problem:?}");
        // The same keeps a server from starting.
        let configuration = configuration(&db, &too_little).unwrap();
        let refused = bosa_auth::Auth::open_configured(&configuration, bosa_auth::OpenMode::Existing).await;
        assert_eq!(crate::support::code(refused), "configuration");
    }
}
