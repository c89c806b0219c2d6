//! What a reader gets.

use std::time::Duration;

use bosa_auth::AuthStatus;
use bosa_auth_testkit::oauth_provider::{Endpoint, RefreshTokens};
use bosa_auth_testkit::on_every_database;

use super::world::{CONNECTOR, Place, WITHOUT_GRACE, with_grace};

on_every_database! {
    async fn a_token_that_is_about_to_end_is_refreshed_before_it_is_handed_out(db: TestDatabase) {
        for (mode, refresh_tokens) in [("stay", RefreshTokens::Stay), ("once", WITHOUT_GRACE), ("grace", with_grace())] {
            let place = Place::named(&db, mode, refresh_tokens).await;
            let first = place.read().await.unwrap();
            place.world.clock.advance(Duration::from_secs(1800));
            let same = place.read().await.unwrap();
            assert_eq!(same.auth_string.expose(), first.auth_string.expose());
            assert_eq!(place.provider.counts().refreshes, 0);
            place.world.clock.advance(Duration::from_secs(1770));
            let second = place.read().await.unwrap();
            assert_ne!(second.auth_string.expose(), first.auth_string.expose());
            assert!(place.works(&second));
            assert_eq!(second.auth_status, AuthStatus::Active);
            let again = place.read().await.unwrap();
            assert_eq!(again.auth_string.expose(), second.auth_string.expose());
            let counts = place.provider.counts();
            assert_eq!((counts.refreshes, counts.reuses), (1, 0));
            // The next one works too: the refresh token of the answer was stored.
            place.an_hour();
            let third = place.read().await.unwrap();
            assert!(place.works(&third));
            assert_eq!(place.provider.counts().refreshes, 2);
        }
    }

    async fn lists_never_refresh(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        place.an_hour();
        let (client, user) = (place.client.model.id, place.user.id);
        let service = place.world.auth.third_party_integration_service();
        assert_eq!(service.get_integrations(client, user).await.unwrap().len(), 1);
        assert_eq!(service.get_integrations_for(client, user, CONNECTOR).await.unwrap().len(), 1);
        assert!(service.has_integration(client, user, CONNECTOR).await.unwrap());
        let tenant = place.world.tenant(&place.client).await;
        tenant.list_integrations(user, None, Default::default()).await.unwrap();
        // One code, and no refresh token.
        assert_eq!(place.provider.asked(Endpoint::Token), 1);
    }

    async fn many_readers_in_many_processes_refresh_once(db: TestDatabase) {
        let place = Place::new(&db, WITHOUT_GRACE).await;
        let mut processes = Vec::new();
        for _ in 0..4 {
            processes.push(place.apart(&db).await);
        }
        for round in 1..=3 {
            place.an_hour();
            let reads = processes.iter().flat_map(|auth| (0..5).map(|_| place.read_in(auth, None)));
            let reads = futures_util::future::join_all(reads).await;
            let tokens: Vec<_> = reads.into_iter().map(|read| read.unwrap()).collect();
            assert!(tokens.iter().all(|token| place.works(token)));
            let counts = place.provider.counts();
            assert_eq!((counts.refreshes, counts.reuses), (round, 0));
        }
    }
}
