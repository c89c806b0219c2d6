//! Accounts that are changed by others while they are refreshed.

use bosa_auth::{AuthStatus, IntegrationUpdate};
use bosa_auth_testkit::oauth_provider::{Endpoint, Fault};
use bosa_auth_testkit::on_every_database;

use super::world::{CONNECTOR, Place, WITHOUT_GRACE};

on_every_database! {
    async fn a_change_that_leaves_the_tokens_alone_loses_none(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        place.an_hour();
        place.provider.fault(Endpoint::Token, 1, Fault::hang().after_effect());
        let tenant = place.world.tenant(&place.client).await;
        let change = async {
            place.provider.until("the request arrives", |provider| provider.hanging() == 1).await;
            let update = IntegrationUpdate {
                auth_scopes: Some(vec!["of the client".to_owned()]),
                ..IntegrationUpdate::default()
            };
            let changed = tenant.update_integration_auth(place.user.id, CONNECTOR, "ana", update);
            changed.await.unwrap();
            place.provider.release();
        };
        let (read, ()) = tokio::join!(place.read(), change);
        assert!(place.works(&read.unwrap()));
        place.assert_alive(&db, "ana").await;
        assert_eq!(place.provider.counts().reuses, 0);
    }

    async fn a_deleted_account_is_not_found_when_the_answer_comes(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        let (process, reading) = place.unanswered(&db).await;
        let tenant = place.world.tenant(&place.client).await;
        assert!(tenant.delete_integration(place.user.id, CONNECTOR, Some("ana")).await.unwrap());
        place.provider.release();
        assert!(reading.await.unwrap().unwrap().is_none());
        process.kill();
    }

    async fn what_was_connected_again_meanwhile_is_kept(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        let (process, reading) = place.unanswered(&db).await;
        place.connect_again(&db, "ana").await;
        let newer = place.read().await.unwrap();
        assert!(place.works(&newer));
        place.provider.release();
        let read = reading.await.unwrap().unwrap().unwrap();
        assert_eq!(read.auth_string.expose(), newer.auth_string.expose());
        assert_eq!(place.read().await.unwrap().auth_string.expose(), newer.auth_string.expose());
        process.kill();
        place.assert_alive(&db, "ana").await;
    }

    async fn a_refusal_of_former_tokens_says_nothing_about_what_was_connected_again(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        place.an_hour();
        place.provider.end_tokens("ana");
        place.provider.fault(Endpoint::Token, 1, Fault::hang());
        let process = place.process(&db);
        let reading = process.read("ana");
        place.provider.until("the request arrives", |provider| provider.hanging() == 1).await;
        place.connect_again(&db, "ana").await;
        place.provider.release();
        let read = reading.await.unwrap().unwrap().unwrap();
        assert!(place.works(&read));
        assert_eq!(read.auth_status, AuthStatus::Active);
        assert_eq!(place.reason(&db, "ana").await, None);
        process.kill();
    }
}
