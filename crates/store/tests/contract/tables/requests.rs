//! Audit and idempotency: what makes a repeated write change nothing.

use bosa_auth_core::{Actor, AuditAction, AuditEvent, OperationId};
use bosa_auth_store::{IdempotencyRow, IdempotencyScope, StoreError, audit, clients, idempotency};
use bosa_auth_testkit::on_every_database;

use super::world::{DIGEST_KEY, at, client_row, id, instance_in};

fn event(number: u128) -> AuditEvent {
    AuditEvent {
        id: id(number),
        at: at(1),
        actor: Actor::ApiKey(id(2)),
        action: AuditAction::ClientCreate,
        client_id: Some(id(3)),
        subject: Some(uuid::Uuid::from_u128(4)),
        detail: Some("{}".to_owned()),
    }
}

fn scope(caller: &str) -> IdempotencyScope {
    IdempotencyScope {
        caller: caller.to_owned(),
        route: "POST /users".to_owned(),
        key_digest: [1; 32].into(),
    }
}

fn request(operation: u128) -> IdempotencyRow {
    IdempotencyRow {
        request_digest: [2; 32].into(),
        digest_key_id: id(DIGEST_KEY),
        operation_id: id(operation),
        status: 0,
        resource_id: None,
        created_at: at(1),
    }
}

on_every_database! {
    async fn a_write_repeated_under_its_operation_id_changes_nothing(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let mut acted = Vec::new();
        for _ in 0..2 {
            let done = write!(store, [] tx => {
                let first = audit::record(tx, &event(1)).await?;
                if first {
                    clients::insert(tx, &client_row(id(3), "shop")).await?;
                }
                Ok::<_, StoreError>(first)
            });
            acted.push(done.unwrap());
        }
        assert_eq!(acted, vec![true, false]);
        assert_eq!(audit::is_recorded(&store, id::<OperationId>(1)).await, Ok(true));
        assert_eq!(audit::is_recorded(&store, id::<OperationId>(2)).await, Ok(false));
    }

    async fn an_act_that_fails_leaves_no_record(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let failed = write!(store, [] tx => {
            audit::record(tx, &event(1)).await?;
            Err::<(), _>(StoreError::ForeignKey)
        });
        assert_eq!(failed, Err(StoreError::ForeignKey));
        assert_eq!(audit::is_recorded(&store, id::<OperationId>(1)).await, Ok(false));
    }

    async fn the_first_request_with_a_key_acts_and_the_next_finds_it(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let answered = IdempotencyRow {
            status: 200,
            resource_id: Some("user-1".to_owned()),
            ..request(1)
        };
        let first = write!(store, [answered] tx => {
            idempotency::insert(tx, &scope("a"), &answered).await
        });
        assert_eq!(first, Ok(true));
        let again = write!(store, [] tx => idempotency::insert(tx, &scope("a"), &request(2)).await);
        assert_eq!(again, Ok(false));
        let kept = idempotency::load(&store, &scope("a")).await.unwrap().unwrap();
        assert_eq!(kept.operation_id, id(1));
        assert_eq!((kept.status, kept.resource_id.as_deref()), (200, Some("user-1")));
        let other = write!(store, [] tx => idempotency::insert(tx, &scope("b"), &request(3)).await);
        assert_eq!(other, Ok(true), "another caller has its own keys");
        assert_eq!(write!(store, [] tx => idempotency::prune(tx, at(1), 10).await), Ok(0));
        for removed in [1, 1, 0] {
            assert_eq!(write!(store, [] tx => idempotency::prune(tx, at(2), 1).await), Ok(removed));
        }
    }

    async fn requests_with_one_key_at_once_act_once(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let tasks: Vec<_> = (1..=6)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    write!(store, [] tx => {
                        let first = idempotency::insert(tx, &scope("a"), &request(number)).await?;
                        if first {
                            clients::insert(tx, &client_row(id(number), "shop")).await?;
                        }
                        Ok::<_, StoreError>(first)
                    })
                })
            })
            .collect();
        let mut acted = 0;
        for task in tasks {
            acted += usize::from(task.await.unwrap().unwrap());
        }
        assert_eq!(acted, 1);
    }
}
