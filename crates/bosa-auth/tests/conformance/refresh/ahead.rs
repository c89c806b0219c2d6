//! Accounts that are refreshed although nobody reads them.

use std::collections::BTreeSet;
use std::time::Duration;

use bosa_auth::{AuthStatus, ClientUpdate, Clock as _, Timestamp, UserUpdate};
use bosa_auth_testkit::oauth_provider::{Endpoint, Fault};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::world::{HOUR, Place, WITHOUT_GRACE, run};

async fn next(place: &Place, db: &TestDatabase, label: &str) -> Option<Timestamp> {
    place
        .stored(db, label)
        .await
        .grant
        .unwrap()
        .row
        .next_refresh_at
}

on_every_database! {
    async fn a_server_refreshes_idle_accounts_each_at_a_moment_of_its_own(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        let labels: Vec<_> = (0..12).map(|number| format!("idle-{number}")).collect();
        for label in &labels {
            place.connect(&db, label).await;
        }
        place.world.auth.run_maintenance().await.unwrap();
        assert_eq!(place.provider.counts().refreshes, 0);
        place.world.clock.advance(HOUR / 2);
        place.world.auth.run_maintenance().await.unwrap();
        assert_eq!(place.provider.counts().refreshes, 13);
        let now = place.world.clock.now();
        let mut moments = BTreeSet::new();
        for label in &labels {
            let stored = place.stored(&db, label).await;
            let grant = stored.grant.unwrap().row;
            let next = grant.next_refresh_at.unwrap();
            let share = next.duration_since(now).as_secs_f64() / HOUR.as_secs_f64();
            assert!((0.6..=0.8).contains(&share), "{share}");
            moments.insert(next);
            assert_eq!(grant.refreshed_at, Some(now));
        }
        assert!(moments.len() > 6, "{moments:?}");
        place.world.auth.run_maintenance().await.unwrap();
        assert_eq!(place.provider.counts().refreshes, 13);
        // A day later every account is alive although nobody has read it.
        for _ in 0..48 {
            place.world.clock.advance(HOUR / 2);
            place.world.auth.run_maintenance().await.unwrap();
        }
        let before = place.provider.counts().refreshes;
        for label in &labels {
            let read = place.read_in(&place.world.auth, Some(label)).await.unwrap();
            assert!(place.works(&read));
        }
        assert_eq!(place.provider.counts().refreshes, before);
        assert_eq!(place.provider.counts().reuses, 0);
    }

    async fn several_servers_refresh_each_account_once(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        for number in 0..15 {
            place.connect(&db, &format!("idle-{number}")).await;
        }
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(place.apart(&db).await);
        }
        place.world.clock.advance(HOUR / 2);
        let work = servers.iter().map(|server| server.run_maintenance());
        for done in futures_util::future::join_all(work).await {
            done.unwrap();
        }
        let counts = place.provider.counts();
        assert_eq!((counts.refreshes, counts.reuses), (16, 0));
    }

    async fn accounts_of_the_suspended_are_left_alone(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        let operator = place.world.auth.operator();
        let user = place.world.tenant(&place.client).await;
        let suspend = UserUpdate { is_active: Some(false), ..UserUpdate::default() };
        user.update_user(place.user.id, suspend).await.unwrap();
        for round in 0..3 {
            place.world.clock.advance(HOUR / 2);
            place.world.auth.run_maintenance().await.unwrap();
            assert!(next(&place, &db, "ana").await.unwrap() > place.world.clock.now());
            if round == 1 {
                let resume = UserUpdate { is_active: Some(true), ..UserUpdate::default() };
                user.update_user(place.user.id, resume).await.unwrap();
                let suspend = ClientUpdate { is_active: Some(false), ..ClientUpdate::default() };
                operator.update_client(place.client.model.id, suspend).await.unwrap();
            }
        }
        assert_eq!(place.provider.counts().refreshes, 0);
        let resume = ClientUpdate { is_active: Some(true), ..ClientUpdate::default() };
        operator.update_client(place.client.model.id, resume).await.unwrap();
        place.assert_alive(&db, "ana").await;
    }

    async fn what_cannot_be_refreshed_now_is_put_off_and_keeps_nobody_waiting(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        place.connect(&db, "ben").await;
        place.world.clock.advance(HOUR / 2);
        place.provider.fault(Endpoint::Token, 100, Fault::server_error(503));
        let before = place.provider.asked(Endpoint::Token);
        place.world.auth.run_maintenance().await.unwrap();
        assert_eq!(place.provider.asked(Endpoint::Token), before + 2);
        for label in ["ana", "ben"] {
            let wait = next(&place, &db, label).await.unwrap().duration_since(place.world.clock.now());
            assert!((60..=120).contains(&wait.as_secs()), "{wait}");
            assert_eq!(place.reason(&db, label).await, None);
        }
        place.world.auth.run_maintenance().await.unwrap();
        assert_eq!(place.provider.asked(Endpoint::Token), before + 2);
        place.provider.heal();
        place.world.clock.advance(Duration::from_secs(121));
        place.world.auth.run_maintenance().await.unwrap();
        assert_eq!(place.provider.counts().refreshes, 2);
    }

    async fn a_restored_account_waits_for_a_reader(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        run(&db, "update bosa_integrations set auth_status = 'unverified'").await;
        place.world.clock.advance(HOUR / 2);
        place.world.auth.run_maintenance().await.unwrap();
        assert_eq!(place.provider.counts().refreshes, 0);
        // Its access token has not ended, and yet it is tried.
        let read = place.read().await.unwrap();
        assert_eq!((place.provider.counts().refreshes, read.auth_status), (1, AuthStatus::Active));
        assert!(place.works(&read));
        place.assert_alive(&db, "ana").await;
    }
}
