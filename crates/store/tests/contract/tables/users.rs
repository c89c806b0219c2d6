use bosa_auth_core::{SecretKind, UserId, UserState};
use bosa_auth_store::{
    ClientTx, NewSecret, PageQuery, StoreError, StoredSecret, Updated, UserChange, UserRow, tokens,
    users,
};
use bosa_auth_testkit::on_every_database;

use super::world::{at, digest_secret, id, two_clients, user_row};

fn hash(text: &str) -> StoredSecret {
    StoredSecret::Hash(text.to_owned())
}

fn chosen(user: UserRow) -> UserRow {
    UserRow {
        secret_kind: SecretKind::Chosen,
        secret: hash("$argon2id$one"),
        secret_preview: None,
        ..user
    }
}

on_every_database! {
    async fn users_come_back_as_they_were_stored(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let machine = user_row(ours.client, id(0x51), "machine");
        let person = chosen(user_row(ours.client, id(0x52), "Ünal 🙂"));
        let added = write!(store, [ours, machine, person] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            Ok((scope.insert_user(&machine).await?, scope.insert_user(&person).await?))
        });
        assert_eq!(added, Ok((true, true)));
        let mut scope = store.client(ours.client);
        assert_eq!(scope.user(id(0x51)).await.unwrap().unwrap().user, machine);
        assert_eq!(scope.user_by_identifier("Ünal 🙂").await.unwrap().unwrap().user, person);
        assert_eq!(users::find(&store, id(0x52)).await.unwrap().unwrap().user, person);
        assert_eq!(scope.user_by_identifier("ünal 🙂").await, Ok(None));
    }

    async fn an_identifier_is_unique_within_its_client_only(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        let added = write!(store, [ours, theirs] tx => {
            let again = user_row(ours.client, id(0x51), "ana");
            let refused = ClientTx::new(tx, ours.client).insert_user(&again).await?;
            let bob = user_row(ours.client, id(0x52), "bob");
            let first = ClientTx::new(tx, ours.client).insert_user(&bob).await?;
            let other_bob = user_row(theirs.client, id(0x53), "bob");
            let second = ClientTx::new(tx, theirs.client).insert_user(&other_bob).await?;
            Ok((refused, first, second))
        });
        assert_eq!(added, Ok((false, true, true)));
    }

    async fn inserting_the_same_user_again_changes_nothing(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let before = users::find(&store, ours.user).await.unwrap();
        let again = UserRow { generation: 9, ..user_row(ours.client, ours.user, "ana") };
        let added = write!(store, [ours, again] tx => {
            ClientTx::new(tx, ours.client).insert_user(&again).await
        });
        assert_eq!(added, Ok(false));
        assert_eq!(users::find(&store, ours.user).await.unwrap(), before);
    }

    async fn a_row_with_both_a_digest_and_no_proper_kind_is_refused(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let wrong = [
            UserRow { secret: hash("$argon2id$"), ..user_row(ours.client, id(0x51), "x") },
            UserRow { secret_kind: SecretKind::Chosen, ..user_row(ours.client, id(0x51), "x") },
            UserRow {
                secret_preview: Some("chosen".to_owned()),
                ..chosen(user_row(ours.client, id(0x51), "x"))
            },
        ];
        for user in wrong {
            let added = write!(store, [ours, user] tx => {
                ClientTx::new(tx, ours.client).insert_user(&user).await
            });
            assert!(added.is_err(), "{user:?}");
        }
        let imported = UserRow { secret_kind: SecretKind::Imported, ..user_row(ours.client, id(0x51), "x") };
        let hashed = UserRow { secret: hash("$argon2id$"), ..user_row(ours.client, id(0x52), "y") };
        let hashed = UserRow { secret_kind: SecretKind::Imported, ..hashed };
        for user in [imported, hashed] {
            let added = write!(store, [ours, user] tx => {
                ClientTx::new(tx, ours.client).insert_user(&user).await
            });
            assert_eq!(added, Ok(true), "{user:?}");
        }
    }

    async fn a_change_needs_the_version_that_was_read(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let bob = user_row(ours.client, id(0x51), "bob");
        let outcomes = write!(store, [ours, bob] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            scope.insert_user(&bob).await?;
            let change = UserChange {
                version: 1,
                identifier: "bob".to_owned(),
                state: UserState::Suspended,
                end_tokens: true,
                at: at(5),
            };
            let taken = scope.update_user(ours.user, &change).await?;
            let renamed = UserChange { identifier: "anna".to_owned(), ..change };
            let done = scope.update_user(ours.user, &renamed).await?;
            let stale = scope.update_user(ours.user, &renamed).await?;
            Ok((taken, done, stale))
        });
        assert_eq!(outcomes, Ok((Updated::Taken, Updated::Done, Updated::Stale)));
        let anna = users::find(&store, ours.user).await.unwrap().unwrap().user;
        assert_eq!((anna.identifier.as_str(), anna.state), ("anna", UserState::Suspended));
        assert_eq!((anna.generation, anna.version, anna.updated_at), (1, 2, at(5)));
        assert_eq!(anna.secret_version, 1);
    }

    async fn renames_to_one_identifier_at_once_give_it_to_one_user(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let done = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            for number in 0..6 {
                let user = user_row(ours.client, id(0x60 + number), &format!("user-{number}"));
                scope.insert_user(&user).await?;
            }
            Ok(())
        });
        assert_eq!(done, Ok(()));
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let (store, ours) = (store.clone(), ours.clone());
                tokio::spawn(async move {
                    write!(store, [ours] tx => {
                        let change = UserChange {
                            version: 1,
                            identifier: "wanted".to_owned(),
                            state: UserState::Active,
                            end_tokens: true,
                            at: at(5),
                        };
                        let user: UserId = id(0x60 + number);
                        ClientTx::new(tx, ours.client).update_user(user, &change).await
                    })
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(Updated::Done) => done += 1,
                other => assert_eq!(other, Ok(Updated::Taken)),
            }
        }
        assert_eq!(done, 1);
    }

    async fn a_new_secret_replaces_only_the_one_that_was_read(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let outcomes = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            let new = NewSecret {
                kind: SecretKind::Chosen,
                secret: hash("$argon2id$two"),
                preview: None,
            };
            let done = scope.replace_secret(ours.user, Some(1), &new, at(5)).await?;
            let stale = scope.replace_secret(ours.user, Some(1), &new, at(6)).await?;
            let rewrite = scope.rewrite_secret(ours.user, 1, &digest_secret(9)).await?;
            Ok((done, stale, rewrite))
        });
        assert_eq!(outcomes, Ok((true, false, false)));
        let ana = users::find(&store, ours.user).await.unwrap().unwrap().user;
        assert_eq!(ana.secret, hash("$argon2id$two"));
        assert_eq!(ana.secret_kind, SecretKind::Chosen);
        assert_eq!((ana.secret_version, ana.generation, ana.version), (2, 1, 2));
        assert_eq!(ana.secret_preview, None);
    }

    async fn rewriting_the_same_secret_ends_nothing(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let done = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).rewrite_secret(ours.user, 1, &digest_secret(9)).await
        });
        assert_eq!(done, Ok(true));
        let ana = users::find(&store, ours.user).await.unwrap().unwrap().user;
        assert_eq!(ana.secret, digest_secret(9));
        assert_eq!((ana.secret_version, ana.generation, ana.version), (1, 0, 1));
    }

    async fn deleting_a_user_removes_its_tokens_and_integrations(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        let gone = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            Ok((scope.delete_user(ours.user).await?, scope.delete_user(ours.user).await?))
        });
        assert_eq!(gone, Ok((true, false)));
        assert_eq!(users::find(&store, ours.user).await, Ok(None));
        assert_eq!(tokens::find(&store, ours.token).await, Ok(None));
        let everything = PageQuery { after: None, limit: 10 };
        assert!(store.client(ours.client).all_integrations(everything).await.unwrap().items.is_empty());
        assert_eq!(store.client(theirs.client).all_integrations(everything).await.unwrap().items.len(), 2);
    }

    async fn pages_of_users_follow_their_ids(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let done = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            for number in [3, 1, 2] {
                let user = user_row(ours.client, id(0x9_0000 + number), &format!("u{number}"));
                scope.insert_user(&user).await?;
            }
            Ok::<_, StoreError>(())
        });
        assert_eq!(done, Ok(()));
        let mut scope = store.client(ours.client);
        let first = scope.users(PageQuery { after: None, limit: 3 }).await.unwrap();
        let ids: Vec<UserId> = first.items.iter().map(|user| user.id).collect();
        assert_eq!(ids, vec![ours.user, id(0x9_0001), id(0x9_0002)]);
        let last = scope.users(PageQuery { after: first.next, limit: 3 }).await.unwrap();
        let ids: Vec<UserId> = last.items.iter().map(|user| user.id).collect();
        assert_eq!((ids, last.next), (vec![id(0x9_0003)], None));
    }
}
