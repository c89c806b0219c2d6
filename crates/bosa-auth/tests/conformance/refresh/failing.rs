//! What providers do wrong, and what becomes of the account.

use std::time::Duration;

use bosa_auth::{AuthStatus, Clock as _, Error};
use bosa_auth_testkit::oauth_provider::{Endpoint, Fault, RefreshTokens};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::world::{CONNECTOR, Place, WITHOUT_GRACE, set_oauth_client, with_grace};
use crate::support::code;

/// After these the refresh token is as good as before, and everybody knows it.
fn harmless() -> Vec<(&'static str, Fault)> {
    vec![
        ("500", Fault::server_error(500)),
        ("503", Fault::server_error(503)),
        ("429", Fault::too_many_requests(1)),
        ("temporarily", Fault::error("temporarily_unavailable")),
    ]
}

/// After these nobody here knows whether the refresh token was used.
fn doubtful() -> Vec<(&'static str, Fault)> {
    vec![
        ("lost", Fault::lose_answer()),
        ("unasked", Fault::drop_connection()),
        ("cut", Fault::cut_answer()),
        ("malformed", Fault::malformed()),
        ("used-malformed", Fault::malformed().after_effect()),
        ("gateway", Fault::server_error(504)),
        ("slow", Fault::slow_answer(Duration::from_millis(200))),
    ]
}

/// What a reader finds whose access token has ended, when the next `times` requests go wrong.
async fn read_with_fault(
    db: &TestDatabase,
    place: &Place,
    label: &str,
    fault: &Fault,
    times: usize,
) -> Result<bosa_auth::ThirdPartyIntegrationAuth, Error> {
    place.connect(db, label).await;
    place.an_hour();
    place.provider.fault(Endpoint::Token, times, fault.clone());
    // A process of its own: an earlier failure keeps nobody waiting.
    let read = place.read_in(&place.apart(db).await, Some(label)).await;
    place.provider.heal();
    read
}

on_every_database! {
    async fn what_the_provider_did_not_do_costs_nothing(db: TestDatabase) {
        for (mode, refresh_tokens) in [("stay", RefreshTokens::Stay), ("once", WITHOUT_GRACE), ("grace", with_grace())] {
            let place = Place::named(&db, mode, refresh_tokens).await;
            for (name, fault) in harmless() {
                let read = read_with_fault(&db, &place, name, &fault, 1).await;
                assert_eq!(code(read), "provider_unavailable", "{mode} {name}");
                assert_eq!(place.reason(&db, name).await, None);
                place.assert_alive(&db, name).await;
            }
            assert_eq!(place.provider.counts().reuses, 0);
        }
    }

    async fn a_lost_answer_is_asked_for_again_where_that_is_safe(db: TestDatabase) {
        for (mode, refresh_tokens) in [("stay", RefreshTokens::Stay), ("grace", with_grace())] {
            let place = Place::named(&db, mode, refresh_tokens).await;
            for (name, fault) in doubtful() {
                let read = read_with_fault(&db, &place, name, &fault, 1).await.unwrap();
                assert!(place.works(&read), "{mode} {name}");
                place.assert_alive(&db, name).await;
                let name = &format!("{name}-for-long");
                let read = read_with_fault(&db, &place, name, &fault, 2).await;
                assert_eq!(code(read), "provider_unavailable", "{mode} {name}");
                place.assert_alive(&db, name).await;
            }
        }
    }

    async fn a_lost_answer_without_grace_is_not_asked_for_again_and_the_account_says_so(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        for (name, fault) in doubtful() {
            let before = place.provider.counts();
            let read = read_with_fault(&db, &place, name, &fault, 1).await;
            assert_eq!(code(read), "needs_reauthorization", "{name}");
            place.assert_unknown(&db, name).await;
            let after = place.provider.counts();
            assert_eq!(after.reuses, before.reuses, "{name}");
        }
    }

    async fn while_the_provider_is_down_a_token_is_handed_out_until_it_ends(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        let first = place.read().await.unwrap();
        place.almost_an_hour();
        place.provider.fault(Endpoint::Token, 100, Fault::server_error(503));
        for _ in 0..5 {
            let read = place.read().await.unwrap();
            assert_eq!(read.auth_string.expose(), first.auth_string.expose());
        }
        // The code, and one attempt: the others did not wait for a provider that is down.
        assert_eq!(place.provider.asked(Endpoint::Token), 2);
        place.world.clock.advance(Duration::from_secs(30));
        let refused = place.read().await.unwrap_err();
        let wait = match refused {
            Error::ProviderUnavailable { retry_after } => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(place.provider.asked(Endpoint::Token), 3);
        assert!(wait >= Duration::from_secs(5), "{wait:?}");
        assert_eq!(code(place.read().await), "provider_unavailable");
        assert_eq!(place.provider.asked(Endpoint::Token), 3);
        place.provider.heal();
        place.world.clock.advance(wait);
        assert!(place.works(&place.read().await.unwrap()));
    }

    async fn a_provider_is_asked_again_when_it_says(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        place.an_hour();
        place.provider.fault(Endpoint::Token, 1, Fault::too_many_requests(120));
        let refused = place.read().await.unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(120)));
        place.world.clock.advance(Duration::from_secs(119));
        let refused = place.read().await.unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
        place.world.clock.advance(Duration::from_secs(1));
        assert!(place.works(&place.read().await.unwrap()));
    }

    async fn a_provider_that_is_down_for_some_accounts_is_left_alone_for_all_of_this_client(db: TestDatabase) {
        let place = Place::new(&db, RefreshTokens::Stay).await;
        let labels = ["b", "c", "d", "e"];
        for label in labels {
            place.connect(&db, label).await;
        }
        place.an_hour();
        place.provider.fault(Endpoint::Token, 100, Fault::server_error(502));
        let before = place.provider.asked(Endpoint::Token);
        for label in labels {
            let refused = place.read_in(&place.world.auth, Some(label)).await;
            assert_eq!(code(refused), "provider_unavailable");
        }
        assert_eq!(place.provider.asked(Endpoint::Token), before + 3);
        place.provider.heal();
        place.world.clock.advance(Duration::from_secs(60));
        for label in labels {
            let read = place.read_in(&place.world.auth, Some(label)).await.unwrap();
            assert!(place.works(&read));
        }
    }

    async fn a_permanent_refusal_is_kept_with_its_reason_and_no_other_account_takes_its_place(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        place.connect(&db, "ben").await;
        place.provider.end_tokens("ana");
        place.an_hour();
        let at = place.world.clock.now();
        for _ in 0..2 {
            match place.read().await.unwrap_err() {
                Error::NeedsReauthorization { connector, account, since } => {
                    assert_eq!((connector.as_str(), account.as_str(), since), (CONNECTOR, "ana", at));
                }
                other => panic!("{other:?}"),
            }
            place.world.clock.advance(Duration::from_secs(60));
        }
        let reason = place.reason(&db, "ana").await.unwrap();
        assert!(reason.contains("invalid_grant"), "{reason}");
        // The code of each account, and one refusal.
        assert_eq!(place.provider.asked(Endpoint::Token), 3);
        let sql = "select client_id, detail from bosa_audit_events where action = 'integration.refresh_refuse'";
        let rows = db.db().read(sql, vec![]).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].get::<uuid::Uuid>(0).unwrap(), place.client.model.id.as_uuid());
        assert!(rows[0].get::<String>(1).unwrap().contains("invalid_grant"));
        let ben = place.read_in(&place.world.auth, Some("ben")).await.unwrap();
        assert!(place.works(&ben));
    }

    async fn a_refused_oauth_client_is_not_the_accounts_fault(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        set_oauth_client(&place.world, &place.client, "a secret that is wrong").await;
        place.almost_an_hour();
        assert!(place.works(&place.read().await.unwrap()));
        place.world.clock.advance(Duration::from_secs(60));
        let refused = place.read().await.unwrap_err();
        assert_eq!(refused.code(), "provider_unavailable");
        assert_eq!(place.reason(&db, "ana").await, None);
        let sql = "select detail from bosa_audit_events where action = 'integration.refresh_refuse'";
        let rows = db.db().read(sql, vec![]).await.unwrap();
        assert!(rows[0].get::<String>(0).unwrap().contains("invalid_client"));
        set_oauth_client(&place.world, &place.client, bosa_auth_testkit::oauth_provider::CLIENT_SECRET).await;
        place.world.clock.advance(refused.retry_after().unwrap());
        let read = place.read().await.unwrap();
        assert!(place.works(&read) && read.auth_status == AuthStatus::Active);
    }
}
