use bosa_auth_core::{ClientState, OperationId, TokenId};
use bosa_auth_store::{
    ClientChange, ClientTx, PageQuery, Revocation, Store, StoreError, TokenIssue, Updated, clients,
    params, signing_keys, tokens,
};
use bosa_auth_testkit::on_every_database;

use super::{
    keys::signing_key,
    world::{Tenant, at, id, token_issue, two_clients},
};

async fn issue(store: &Store, tenant: &Tenant, token: &TokenIssue) -> Result<bool, StoreError> {
    write!(store, [tenant, token] tx => ClientTx::new(tx, tenant.client).issue_token(&token).await)
}

async fn revoke(
    store: &Store,
    tenant: &Tenant,
    operation: u128,
    now: i64,
) -> Result<bool, StoreError> {
    write!(store, [tenant] tx => {
        let operation: OperationId = id(operation);
        ClientTx::new(tx, tenant.client)
            .revoke_token(tenant.token, operation, at(now))
            .await
    })
    .map(|revocation| revocation != Revocation::NotLive)
}

on_every_database! {
    async fn a_token_comes_back_with_its_owner(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let found = store.client(ours.client).token(ours.token).await.unwrap().unwrap();
        assert_eq!(found.token.user_id, ours.user);
        assert_eq!(found.token.expires_at, at(1000));
        assert_eq!((found.token.client_generation, found.token.user_generation), (0, 0));
        assert_eq!(found.user_identifier, "ana");
        assert_eq!(found.client.id, ours.client);
        assert!(!found.signing_key_is_stored);
        assert_eq!(tokens::find(&store, ours.token).await, Ok(Some(found)));
        assert_eq!(tokens::find(&store, id(0x4711)).await, Ok(None));
    }

    async fn a_token_knows_whether_its_key_is_stored(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let issued = TokenIssue { signing_key_id: "new".to_owned(), ..token_issue(id(0x50), ours.user) };
        assert_eq!(issue(&store, &ours, &issued).await, Ok(true));
        let added = write!(store, [] tx => signing_keys::insert(tx, &signing_key("new")).await);
        assert_eq!(added, Ok(true));
        let found = tokens::find(&store, id(0x50)).await.unwrap().unwrap();
        assert!(found.signing_key_is_stored);
        let retired = write!(store, [] tx => signing_keys::retire(tx, "new").await);
        assert_eq!(retired, Ok(true));
        let found = tokens::find(&store, id(0x50)).await.unwrap().unwrap();
        assert!(!found.signing_key_is_stored);
    }

    async fn a_token_is_issued_only_on_what_was_checked(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let token = token_issue(id(0x50), ours.user);
        for stale in [
            TokenIssue { client_generation: 1, ..token.clone() },
            TokenIssue { user_generation: 1, ..token.clone() },
            TokenIssue { secret_version: Some(2), ..token.clone() },
            TokenIssue { user_id: id(0x4711), ..token.clone() },
        ] {
            assert_eq!(issue(&store, &ours, &stale).await, Ok(false), "{stale:?}");
        }
        let without_secret = TokenIssue { secret_version: None, ..token };
        assert_eq!(issue(&store, &ours, &without_secret).await, Ok(true));
    }

    async fn a_suspended_client_issues_nothing(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let suspended = write!(store, [ours] tx => {
            let change = ClientChange {
                version: 1,
                name: "ours".to_owned(),
                state: ClientState::Suspended,
                can_get_integrations: true,
                end_tokens: false,
                at: at(1),
            };
            clients::update(tx, ours.client, &change).await
        });
        assert_eq!(suspended, Ok(Updated::Done));
        assert_eq!(issue(&store, &ours, &token_issue(id(0x50), ours.user)).await, Ok(false));
    }

    async fn issuing_the_same_token_again_changes_nothing(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let before = tokens::find(&store, ours.token).await.unwrap();
        let again = TokenIssue { expires_at: at(9999), ..token_issue(ours.token, ours.user) };
        assert_eq!(issue(&store, &ours, &again).await, Ok(true));
        assert_eq!(tokens::find(&store, ours.token).await.unwrap(), before);
    }

    async fn only_the_operation_that_revoked_is_told_so(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        assert_eq!(revoke(&store, &ours, 1, 5).await, Ok(true));
        assert_eq!(revoke(&store, &ours, 2, 6).await, Ok(false));
        assert_eq!(revoke(&store, &ours, 1, 7).await, Ok(true));
        let found = tokens::find(&store, ours.token).await.unwrap().unwrap();
        assert_eq!(found.token.revoked_at, Some(at(5)));
        assert_eq!(found.token.revoke_operation, Some(id(1)));
    }

    async fn one_of_many_revocations_at_once_wins(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let tasks: Vec<_> = (1..=8)
            .map(|operation| {
                let (store, ours) = (store.clone(), ours.clone());
                tokio::spawn(async move { revoke(&store, &ours, operation, 5).await })
            })
            .collect();
        let mut wins = 0;
        for task in tasks {
            wins += usize::from(task.await.unwrap().unwrap());
        }
        assert_eq!(wins, 1);
    }

    async fn a_token_that_is_over_cannot_be_revoked(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        // It ends at 1000 and is accepted for five seconds more.
        assert_eq!(revoke(&store, &ours, 1, 1005).await, Ok(false));
        let ended = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).end_user_tokens(ours.user, at(1)).await
        });
        assert_eq!(ended, Ok(true));
        assert_eq!(revoke(&store, &ours, 1, 2).await, Ok(false));
        let ended = write!(store, [theirs] tx => clients::end_tokens(tx, theirs.client, at(1)).await);
        assert_eq!(ended, Ok(true));
        assert_eq!(revoke(&store, &theirs, 1, 2).await, Ok(false));
    }

    async fn a_token_can_be_revoked_within_its_leeway(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        assert_eq!(revoke(&store, &ours, 1, 1004).await, Ok(true));
    }

    async fn a_slide_moves_only_forward_and_only_before_the_idle_end(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let token = TokenIssue { idle_end: Some(at(10)), ..token_issue(id(0x50), ours.user) };
        assert_eq!(issue(&store, &ours, &token).await, Ok(true));
        let slides = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            let token: TokenId = id(0x50);
            Ok([
                scope.slide_token(token, at(20), at(5)).await?,
                scope.slide_token(token, at(15), at(5)).await?,
                scope.slide_token(token, at(30), at(20)).await?,
                scope.slide_token(ours.token, at(30), at(5)).await?,
            ])
        });
        assert_eq!(slides, Ok([true, false, false, false]));
        let found = tokens::find(&store, id(0x50)).await.unwrap().unwrap();
        assert_eq!(found.token.idle_end, Some(at(20)));
    }

    async fn pages_of_tokens_go_from_the_newest_to_the_oldest(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        for number in 1..=4 {
            let token = token_issue(id(0x9_0000 + number), ours.user);
            assert_eq!(issue(&store, &ours, &token).await, Ok(true));
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let query = PageQuery { after, limit: 2 };
            let page = store.client(ours.client).tokens(ours.user, query).await.unwrap();
            seen.extend(page.items.iter().map(|token| token.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<TokenId> =
            vec![id(0x9_0004), id(0x9_0003), id(0x9_0002), id(0x9_0001), ours.token];
        assert_eq!(seen, expected);
    }

    async fn pruning_removes_only_what_has_ended_and_not_more_than_asked(db: TestDatabase) {
        let (db, store, ours, theirs) = two_clients(db).await;
        assert_eq!(write!(store, [] tx => tokens::prune(tx, at(1000), at(1001), 10).await), Ok(0));
        assert_eq!(write!(store, [] tx => tokens::prune(tx, at(1001), at(1001), 1).await), Ok(1));
        assert_eq!(write!(store, [] tx => tokens::prune(tx, at(1001), at(1001), 10).await), Ok(1));
        assert_eq!(tokens::find(&store, ours.token).await, Ok(None));
        assert_eq!(tokens::find(&store, theirs.token).await, Ok(None));
        let rows = db.db().read("select 1 from bosa_users", params![]).await.unwrap();
        assert_eq!(rows.len(), 2);
    }
}
