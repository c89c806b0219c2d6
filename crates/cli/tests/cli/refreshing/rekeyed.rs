//! The vault's keys are replaced while servers refresh, by a command that is killed again and again.
//! `BOSA_AUTH_TEST_KILL_ROUNDS` asks for more kills.

use std::time::Duration;

use bosa_auth_testkit::oauth_provider::{Behaviour, OAuthProvider, RefreshTokens};
use bosa_auth_testkit::on_every_database;

use super::fleet::{Fleet, Read};
use super::{LIFETIME, chance, rounds};

on_every_database! {
    async fn a_replacement_of_keys_that_is_killed_goes_on_and_loses_nothing(db: TestDatabase) {
        // Used once, without a grace: a token that were lost between the keys would show.
        let provider = OAuthProvider::start_with(Behaviour {
            refresh_tokens: RefreshTokens::Rotate { grace: None },
            access_token_lifetime: LIFETIME,
            ..Behaviour::default()
        });
        let servers = if db.directory().is_some() { 1 } else { 2 };
        let mut fleet = Fleet::start(&db, provider, servers).await;
        for _ in 0..rounds() {
            let enough = fleet.provider().counts().refreshes + 1 + chance(3);
            // Slow enough to be killed on its way.
            let mut rekey = fleet.world().command(&["vault", "rekey", "--rate", "3", "--yes"]).spawn().unwrap();
            let late = u64::try_from(chance(2500)).unwrap();
            tokio::time::sleep(Duration::from_millis(late)).await;
            rekey.kill().unwrap();
            rekey.wait().unwrap();
            assert_eq!(fleet.until_refreshed(&db, enough).await, 0);
        }
        // Refreshes go on meanwhile, so that values may be left for another run.
        let mut is_finished = false;
        for _ in 0..20 {
            is_finished = fleet.world().run(&["vault", "rekey", "--yes"]).code == 0;
            if is_finished {
                break;
            }
        }
        assert!(is_finished);
        for (user, read) in fleet.settled().await {
            let Read::Token(token) = read else { panic!("{user}: {read:?}") };
            assert_eq!(fleet.provider().whose(&token).unwrap().label, user);
        }
        let status = fleet.world().json(&["vault", "status"]);
        assert_eq!(status["data_keys"]["count"], 1, "{status}");
        fleet.world().run(&["vault", "verify"]).expect(0);
        fleet.stop();
    }
}
