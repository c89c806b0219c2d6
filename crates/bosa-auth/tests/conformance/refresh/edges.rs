//! Lifetimes that are not named, settings that are gone, copies that were restored, and other rare
//! things.

use std::time::Duration;

use bosa_auth::{AuthStatus, Clock as _, RekeyOptions};
use bosa_auth_testkit::oauth_provider::{
    Behaviour, CLIENT_SECRET, Endpoint, Fault, GraceAnswer, RefreshTokens,
};
use bosa_auth_testkit::on_every_database;

use super::world::{CONNECTOR, Place, WITHOUT_GRACE, run, set_oauth_client};
use crate::support::code;

on_every_database! {
    async fn an_answer_that_names_no_lifetime_has_the_declared_one(db: TestDatabase) {
        let behaviour = Behaviour {
            says_lifetime: false,
            access_token_lifetime: Duration::from_secs(600),
            ..Behaviour::default()
        };
        let place = Place::with(&db, "acme", behaviour).await;
        for refreshes in 1..=3 {
            place.world.clock.advance(Duration::from_secs(530));
            place.read().await.unwrap();
            assert_eq!(place.provider.counts().refreshes, refreshes - 1);
            place.world.clock.advance(Duration::from_secs(70));
            assert!(place.works(&place.read().await.unwrap()));
            assert_eq!(place.provider.counts().refreshes, refreshes);
            let grant = place.stored(&db, "ana").await.grant.unwrap().row;
            let lifetime = grant.expires_at.duration_since(place.world.clock.now());
            assert_eq!(lifetime.as_secs(), 600);
        }
    }

    async fn a_short_lifetime_is_not_all_margin(db: TestDatabase) {
        let behaviour = Behaviour {
            access_token_lifetime: Duration::from_secs(20),
            ..Behaviour::default()
        };
        let place = Place::with(&db, "acme", behaviour).await;
        for refreshes in 1..=5 {
            place.world.clock.advance(Duration::from_secs(9));
            place.read().await.unwrap();
            assert_eq!(place.provider.counts().refreshes, refreshes - 1);
            place.world.clock.advance(Duration::from_secs(1));
            assert!(place.works(&place.read().await.unwrap()));
            assert_eq!(place.provider.counts().refreshes, refreshes);
        }
    }

    async fn without_a_refresh_token_an_account_is_connected_again_when_its_token_has_ended(db: TestDatabase) {
        let place = Place::new(&db, RefreshTokens::None).await;
        place.almost_an_hour();
        assert!(place.works(&place.read().await.unwrap()));
        place.world.clock.advance(Duration::from_secs(30));
        for _ in 0..2 {
            assert_eq!(code(place.read().await), "needs_reauthorization");
        }
        let reason = place.reason(&db, "ana").await.unwrap();
        assert!(reason.contains("no refresh token"), "{reason}");
        assert_eq!(place.provider.asked(Endpoint::Token), 1);
    }

    async fn a_provider_that_rotates_although_declared_otherwise_loses_nothing(db: TestDatabase) {
        for (mode, declared, real) in [
            ("stays", RefreshTokens::Stay, WITHOUT_GRACE),
            ("rotates", WITHOUT_GRACE, RefreshTokens::Stay),
        ] {
            let place = Place::named(&db, mode, declared).await;
            place.provider.behave(|behaviour| behaviour.refresh_tokens = real);
            place.assert_alive(&db, "ana").await;
            place.assert_alive(&db, "ana").await;
            let counts = place.provider.counts();
            assert_eq!((counts.refreshes, counts.reuses), (4, 0), "{mode}");
        }
    }

    async fn beyond_its_grace_a_token_that_was_sent_is_not_sent_again(db: TestDatabase) {
        let grace = RefreshTokens::rotate_with_grace(Duration::from_secs(300), GraceAnswer::FurtherSuccessor);
        for (label, seconds_ago, is_lost) in [("soon", 0, false), ("in-time", 200, false), ("late", 290, true), ("later", 400, true)] {
            let place = Place::patient(&db, label, grace).await;
            let (process, _reading) = place.unanswered(&db).await;
            process.kill();
            let sql = match seconds_ago {
                0 => "update bosa_refresh_leases set held_until = 0",
                200 => "update bosa_refresh_leases set held_until = 0, sent_at = sent_at - 200000000",
                290 => "update bosa_refresh_leases set held_until = 0, sent_at = sent_at - 290000000",
                _ => "update bosa_refresh_leases set held_until = 0, sent_at = sent_at - 400000000",
            };
            run(&db, sql).await;
            let read = place.read().await;
            if is_lost {
                assert_eq!(code(read), "needs_reauthorization", "{label}");
                place.assert_unknown(&db, "ana").await;
                assert_eq!(place.provider.counts().reuses, 0, "{label}");
            } else {
                assert!(place.works(&read.unwrap()), "{label}");
                place.assert_alive(&db, "ana").await;
            }
        }
    }

    async fn without_its_oauth_client_an_account_lasts_as_long_as_its_token(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        let tenant = place.world.tenant(&place.client).await;
        tenant.unset_connector_settings(CONNECTOR).await.unwrap();
        place.almost_an_hour();
        assert!(place.works(&place.read().await.unwrap()));
        place.world.clock.advance(Duration::from_secs(30));
        let refused = place.read().await.unwrap_err();
        assert_eq!(refused.code(), "invalid_input");
        assert!(refused.to_string().contains("OAuth client"), "{refused}");
        assert_eq!(place.reason(&db, "ana").await, None);
        assert_eq!(place.provider.asked(Endpoint::Token), 1);
        set_oauth_client(&place.world, &place.client, CLIENT_SECRET).await;
        place.assert_alive(&db, "ana").await;
    }

    async fn without_its_connector_an_account_lasts_as_long_as_its_token(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        let directory = place.provider.connector_file(CONNECTOR);
        std::fs::remove_file(directory.join("loopback.toml")).unwrap();
        place.world.auth.reload_connectors().unwrap();
        place.almost_an_hour();
        assert!(place.works(&place.read().await.unwrap()));
        place.world.clock.advance(Duration::from_secs(30));
        let refused = place.read().await.unwrap_err();
        assert_eq!(refused.to_string(), "connector not found");
        let _directory = place.provider.connector_file(CONNECTOR);
        place.world.auth.reload_connectors().unwrap();
        assert!(place.works(&place.read().await.unwrap()));
    }

    async fn a_restored_account_is_tried_once_and_then_known(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        place.connect(&db, "ben").await;
        run(&db, "update bosa_integrations set auth_status = 'unverified'").await;
        // While the provider is down, the token that is there is handed out, and the doubt stays.
        place.provider.fault(Endpoint::Token, 1, Fault::server_error(503));
        let read = place.read().await.unwrap();
        assert_eq!(read.auth_status, AuthStatus::Unverified);
        assert!(place.works(&read));
        place.provider.end_tokens("ana");
        place.world.clock.advance(Duration::from_secs(10));
        for _ in 0..2 {
            assert_eq!(code(place.read().await), "needs_reauthorization");
        }
        let ben = place.read_in(&place.world.auth, Some("ben")).await.unwrap();
        assert_eq!(ben.auth_status, AuthStatus::Active);
        assert!(place.works(&ben));
        let before = place.provider.asked(Endpoint::Token);
        place.read_in(&place.world.auth, Some("ben")).await.unwrap();
        assert_eq!(place.provider.asked(Endpoint::Token), before);
    }

    async fn an_account_that_waits_for_its_code_is_not_read(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        run(&db, "update bosa_integrations set auth_status = 'pending'").await;
        place.an_hour();
        let tenant = place.world.tenant(&place.client).await;
        for label in [None, Some("ana")] {
            let read = tenant.get_specific_or_default_integration(place.user.id, CONNECTOR, label);
            assert!(read.await.unwrap().is_none());
        }
        let all = tenant.get_integrations(place.user.id, None).await.unwrap();
        assert_eq!(all[0].auth_status, AuthStatus::Pending);
        assert!(all[0].auth_string.is_empty());
        // Its tokens stay usable meanwhile.
        place.world.auth.run_maintenance().await.unwrap();
        assert_eq!(place.provider.counts().refreshes, 1);
        run(&db, "update bosa_integrations set auth_status = 'active'").await;
        assert!(place.works(&place.read().await.unwrap()));
    }

    async fn a_second_client_neither_reads_nor_refreshes(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        let foreign = place.world.client("foreign").await;
        set_oauth_client(&place.world, &foreign, CLIENT_SECRET).await;
        place.an_hour();
        let tenant = place.world.tenant(&foreign).await;
        for label in [None, Some("ana")] {
            let read = tenant.get_specific_or_default_integration(place.user.id, CONNECTOR, label);
            assert!(read.await.unwrap().is_none());
        }
        assert_eq!(place.provider.asked(Endpoint::Token), 1);
    }

    async fn keys_that_are_replaced_meanwhile_lose_no_answer(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        let (process, reading) = place.unanswered(&db).await;
        let before = place.stored(&db, "ana").await.key.id;
        let operator = place.world.auth.operator();
        operator.vault_rekey(RekeyOptions::default(), |_| ()).await.unwrap();
        assert_ne!(place.stored(&db, "ana").await.key.id, before);
        place.provider.release();
        assert!(place.works(&reading.await.unwrap().unwrap().unwrap()));
        let grant = place.stored(&db, "ana").await.grant.unwrap();
        assert_ne!(grant.key.unwrap().id, before);
        place.assert_alive(&db, "ana").await;
        process.kill();
    }
}
