//! Processes that are killed, callers that go away and databases that do not write, at every step of a
//! refresh.

use bosa_auth::AuthStatus;
use bosa_auth_testkit::oauth_provider::{Endpoint, Fault, RefreshTokens};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::world::{Place, Process, WITHOUT_GRACE, end_leases, run, until, with_grace};
use crate::support::code;

/// Where a refresh stands when its process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It holds the lease and has sent nothing.
    Leased,
    /// It has recorded that it sends, and the provider has not looked at it.
    Sent,
    /// The provider has used the refresh token up, and the answer is on its way.
    Used,
    /// The answer is there and cannot be stored yet.
    Answered,
}

const STEPS: [Step; 4] = [Step::Leased, Step::Sent, Step::Used, Step::Answered];

fn modes() -> [(&'static str, RefreshTokens); 3] {
    [
        ("stay", RefreshTokens::Stay),
        ("once", WITHOUT_GRACE),
        ("grace", with_grace()),
    ]
}

/// What the database refuses.
#[derive(Debug, Clone, Copy)]
enum Refused {
    /// To record that a refresh token is sent.
    Mark,
    /// To store another credential.
    Store,
    /// To change the status of an account.
    Status,
    /// To give a lease back.
    Release,
}

/// Lets the database refuse something from now on.
async fn refuse(db: &TestDatabase, what: Refused) {
    let sqlite = db.directory().is_some();
    if !sqlite {
        run(
            db,
            "create or replace function refuse() returns trigger language plpgsql as \
             'begin raise exception ''refused by the test''; end'",
        )
        .await;
    }
    let sql = match (what, sqlite) {
        (Refused::Mark, true) => {
            "create trigger refused before update of sent_at on bosa_refresh_leases \
             when new.sent_at is not null begin select raise(abort, 'refused'); end"
        }
        (Refused::Mark, false) => {
            "create trigger refused before update on bosa_refresh_leases \
             for each row when (new.sent_at is not null) execute function refuse()"
        }
        (Refused::Store, true) => {
            "create trigger refused before update of sealed on bosa_integrations \
             begin select raise(abort, 'refused'); end"
        }
        (Refused::Store, false) => {
            "create trigger refused before update of sealed on bosa_integrations \
             for each row execute function refuse()"
        }
        (Refused::Status, true) => {
            "create trigger refused before update of auth_status on bosa_integrations \
             when new.auth_status = 'needs_reauth' begin select raise(abort, 'refused'); end"
        }
        (Refused::Status, false) => {
            "create trigger refused before update of auth_status on bosa_integrations \
             for each row when (new.auth_status = 'needs_reauth') execute function refuse()"
        }
        (Refused::Release, true) => {
            "create trigger refused before delete on bosa_refresh_leases \
             begin select raise(abort, 'refused'); end"
        }
        (Refused::Release, false) => {
            "create trigger refused before delete on bosa_refresh_leases \
             for each row execute function refuse()"
        }
    };
    run(db, sql).await;
}

async fn allow(db: &TestDatabase, what: Refused) {
    let sql = match (what, db.directory().is_some()) {
        (_, true) => "drop trigger refused",
        (Refused::Mark | Refused::Release, false) => "drop trigger refused on bosa_refresh_leases",
        (Refused::Store | Refused::Status, false) => "drop trigger refused on bosa_integrations",
    };
    run(db, sql).await;
}

/// Kills a process in the middle of a refresh.
async fn kill_at(db: &TestDatabase, place: &Place, step: Step, process: Process, label: &str) {
    match step {
        Step::Leased => {
            // The lease as the dead process has left it.
            run(
                db,
                "insert into bosa_refresh_leases (client_id, integration_id, holder, held_until) \
                 select client_id, id, id, 9000000000000000 from bosa_integrations \
                 where user_identifier = 'leased'",
            )
            .await;
            process.kill();
        }
        Step::Sent | Step::Used => {
            let fault = match step {
                Step::Sent => Fault::hang(),
                _ => Fault::hang().after_effect(),
            };
            place.provider.fault(Endpoint::Token, 1, fault);
            let before = place.provider.hanging();
            let _reading = process.read(label);
            place
                .provider
                .until("the request arrives", |provider| {
                    provider.hanging() > before
                })
                .await;
            process.kill();
        }
        Step::Answered => {
            refuse(db, Refused::Store).await;
            // The caller is not kept waiting, and gets nothing that is not stored.
            let read = process.read(label).await.unwrap();
            assert_eq!(code(read), "database_unavailable");
            process.kill();
            allow(db, Refused::Store).await;
        }
    }
}

on_every_database! {
    async fn a_killed_process_loses_no_account_but_between_sending_and_storing_without_grace(db: TestDatabase) {
        for (mode, refresh_tokens) in modes() {
            let place = Place::patient(&db, mode, refresh_tokens).await;
            for step in STEPS {
                let label = format!("{step:?}").to_lowercase();
                place.connect(&db, &label).await;
                place.an_hour();
                kill_at(&db, &place, step, place.process(&db), &label).await;
                end_leases(&db).await;
                let read = place.read_in(&place.apart(&db).await, Some(&label)).await;
                if mode == "once" && step != Step::Leased {
                    assert_eq!(code(read), "needs_reauthorization", "{mode} {step:?}");
                    place.assert_unknown(&db, &label).await;
                } else {
                    assert!(place.works(&read.unwrap()), "{mode} {step:?}");
                    place.assert_alive(&db, &label).await;
                }
                if mode != "grace" {
                    assert_eq!(place.provider.counts().reuses, 0, "{mode} {step:?}");
                }
                // Nobody else pays for it.
                run(&db, "delete from bosa_refresh_leases").await;
            }
        }
    }

    async fn a_caller_that_goes_away_stops_nothing(db: TestDatabase) {
        for (mode, refresh_tokens) in modes() {
            let place = Place::patient(&db, mode, refresh_tokens).await;
            for (label, fault) in [("sent", Fault::hang()), ("used", Fault::hang().after_effect())] {
                place.connect(&db, label).await;
                place.an_hour();
                place.provider.fault(Endpoint::Token, 1, fault);
                let process = place.process(&db);
                let reading = process.read(label);
                place.provider.until("the request arrives", |provider| provider.hanging() == 1).await;
                reading.abort();
                assert!(reading.await.unwrap_err().is_cancelled());
                let before = place.stored(&db, label).await.integration.version;
                place.provider.release();
                until(&place, &db, label, |stored| stored.integration.version > before).await;
                place.assert_alive(&db, label).await;
                process.kill();
            }
            assert_eq!(place.provider.counts().reuses, 0, "{mode}");
        }
    }

    async fn closing_waits_for_an_answer_and_stores_it(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        place.an_hour();
        place.provider.fault(Endpoint::Token, 1, Fault::hang().after_effect());
        let process = place.apart(&db).await;
        let reading = place.read_in(&process, None);
        let closing = async {
            place.provider.until("the request arrives", |provider| provider.hanging() == 1).await;
            let (closed, ()) = tokio::join!(process.close(), async {
                tokio::task::yield_now().await;
                place.provider.release();
            });
            closed.unwrap();
        };
        let (_whatever, ()) = tokio::join!(reading, closing);
        place.assert_alive(&db, "ana").await;
        assert_eq!(place.provider.counts().reuses, 0);
    }

    async fn an_answer_that_cannot_be_stored_is_kept_until_it_can(db: TestDatabase) {
        for (mode, refresh_tokens) in modes() {
            let place = Place::patient(&db, mode, refresh_tokens).await;
            place.an_hour();
            refuse(&db, Refused::Store).await;
            for _ in 0..3 {
                assert_eq!(code(place.read().await), "database_unavailable", "{mode}");
            }
            let before = place.stored(&db, "ana").await.integration.version;
            allow(&db, Refused::Store).await;
            until(&place, &db, "ana", |stored| stored.integration.version > before).await;
            assert!(place.works(&place.read().await.unwrap()));
            let counts = place.provider.counts();
            assert_eq!((counts.refreshes, counts.reuses), (1, 0), "{mode}");
            place.assert_alive(&db, "ana").await;
        }
    }

    async fn nothing_is_sent_that_is_not_recorded(db: TestDatabase) {
        for (mode, refresh_tokens) in modes() {
            let place = Place::patient(&db, mode, refresh_tokens).await;
            place.an_hour();
            refuse(&db, Refused::Mark).await;
            let before = place.provider.asked(Endpoint::Token);
            assert!(place.read().await.is_err());
            assert_eq!(place.provider.asked(Endpoint::Token), before, "{mode}");
            allow(&db, Refused::Mark).await;
            // The lease was given back: nobody waits for it.
            let read = place.read_in(&place.apart(&db).await, None).await.unwrap();
            assert!(place.works(&read));
            place.assert_alive(&db, "ana").await;
        }
    }

    async fn a_record_of_sending_is_taken_back_when_nothing_was_used(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        place.an_hour();
        place.provider.fault(Endpoint::Token, 1, Fault::server_error(503));
        refuse(&db, Refused::Release).await;
        assert_eq!(code(place.read().await), "database_unavailable");
        allow(&db, Refused::Release).await;
        let rest = "select 1 from bosa_refresh_leases";
        for _ in 0..12_000 {
            if db.db().read(rest, vec![]).await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        place.assert_alive(&db, "ana").await;
    }

    async fn a_refusal_that_cannot_be_stored_is_kept_until_it_can(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        place.provider.end_tokens("ana");
        place.an_hour();
        refuse(&db, Refused::Status).await;
        assert_eq!(code(place.read().await), "database_unavailable");
        allow(&db, Refused::Status).await;
        let is_marked = |stored: &bosa_auth_store::IntegrationWithGrant| {
            stored.integration.auth_status == AuthStatus::NeedsReauth
        };
        until(&place, &db, "ana", is_marked).await;
        assert_eq!(code(place.read().await), "needs_reauthorization");
        // The code, and one refusal.
        assert_eq!(place.provider.asked(Endpoint::Token), 2);
    }

    async fn an_answer_that_comes_after_all_takes_back_that_the_account_was_given_up(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        let (slow, reading) = place.unanswered(&db).await;
        // As if the process had stood still for longer than its lease.
        end_leases(&db).await;
        assert_eq!(code(place.read().await), "needs_reauthorization");
        place.provider.release();
        let read = reading.await.unwrap().unwrap().unwrap();
        assert!(place.works(&read));
        place.assert_alive(&db, "ana").await;
        assert_eq!(place.provider.counts().reuses, 0);
        slow.kill();
    }

    async fn whoever_comes_after_a_dead_process_waits_for_its_lease(db: TestDatabase) {
        // The one test in which the lease ends by itself.
        let place = Place::new(&db, with_grace()).await;
        let (process, _reading) = place.unanswered(&db).await;
        process.kill();
        assert!(place.works(&place.read().await.unwrap()));
        place.assert_alive(&db, "ana").await;
    }

    async fn a_token_that_is_still_good_is_handed_out_while_another_process_refreshes(db: TestDatabase) {
        let place = Place::patient(&db, "acme", WITHOUT_GRACE).await;
        let first = place.read().await.unwrap();
        place.almost_an_hour();
        place.provider.fault(Endpoint::Token, 1, Fault::hang());
        let process = place.process(&db);
        let reading = process.read("ana");
        place.provider.until("the request arrives", |provider| provider.hanging() == 1).await;
        for _ in 0..3 {
            let read = place.read().await.unwrap();
            assert_eq!(read.auth_string.expose(), first.auth_string.expose());
        }
        // One that has ended is not; its reader waits for the other process.
        place.world.clock.advance(std::time::Duration::from_secs(30));
        let (read, ()) = tokio::join!(place.read(), async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            place.provider.release();
        });
        assert!(place.works(&read.unwrap()));
        assert!(place.works(&reading.await.unwrap().unwrap().unwrap()));
        let counts = place.provider.counts();
        assert_eq!((counts.refreshes, counts.reuses), (1, 0));
        process.kill();
    }
}
