//! Accounts that the source has removed, or connected anew, since they were imported.

use std::time::Duration;

use bosa_auth::{ClientId, ImportOptions, ThirdPartyIntegrationAuth, UserId, UserUpdate};
use bosa_auth_testkit::on_every_database;

use super::source::{Source, counts, import, world};
use crate::dump::dump;
use crate::support::World;

const ACME: &str = "077621c2-9523-4583-8a0c-f367035f71ce";
const ALICE: &str = "a023f9c3-9ef0-4b77-a4d6-16e00b1cd540";

/// Alice's accounts at GitHub by their names, the default one first.
async fn accounts(world: &World) -> Vec<ThirdPartyIntegrationAuth> {
    let (acme, alice): (ClientId, UserId) = (ACME.parse().unwrap(), ALICE.parse().unwrap());
    let service = world.auth.third_party_integration_service();
    let mut all = service.get_integrations(acme, alice).await.unwrap();
    all.retain(|found| found.connector == "github");
    all.sort_by(|left, right| {
        (!left.selected, &left.user_identifier).cmp(&(!right.selected, &right.user_identifier))
    });
    all
}

fn names(accounts: &[ThirdPartyIntegrationAuth]) -> Vec<&str> {
    accounts
        .iter()
        .map(|found| found.user_identifier.as_str())
        .collect()
}

on_every_database! {
    async fn an_account_that_the_source_has_removed_is_removed_here(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        assert_eq!(names(&accounts(&world).await), ["alice-work-gh", "alice-gh"]);
        source.run("delete from public.third_party_integration_auths where user_identifier = 'alice-work-gh'").await;
        let before = dump(&db).await;
        let dry = ImportOptions { dry_run: true, ..source.options() };
        let dry = import(&world.auth, dry).await.unwrap();
        assert_eq!(dump(&db).await, before);
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!((dry.kinds, dry.lines), (report.kinds.clone(), report.lines.clone()));
        assert_eq!(counts(&report, "integration"), [7, 0, 7, 0, 0, 1]);
        // As with every deletion, what is left becomes the default.
        let left = accounts(&world).await;
        assert_eq!((names(&left), left[0].selected), (vec!["alice-gh"], true));
        let before = dump(&db).await;
        source.import(&world.auth).await.unwrap();
        assert_eq!(dump(&db).await, before);
    }

    async fn an_account_that_was_connected_anew_keeps_its_name(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        // Removed and connected again: another row, another value.
        source.run("update public.third_party_integration_auths set id = '00000000-0000-4000-8000-0000000000aa', \
            auth_string = (select auth_string from public.third_party_integration_auths where user_identifier = 'carol@gmail.test') \
            where user_identifier = 'alice-gh'").await;
        let dry = ImportOptions { dry_run: true, ..source.options() };
        let dry = import(&world.auth, dry).await.unwrap();
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!((dry.kinds, dry.lines), (report.kinds.clone(), report.lines.clone()));
        assert_eq!(counts(&report, "integration"), [8, 1, 7, 0, 0, 1]);
        let found = accounts(&world).await;
        assert_eq!(names(&found), ["alice-work-gh", "alice-gh"]);
        assert_eq!(found[1].auth_string.expose(), "x");
    }

    async fn what_was_changed_here_or_is_another_sources_stays(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        let tenant = world.auth.operator().tenant(ACME.parse().unwrap()).await.unwrap();
        let alice: UserId = ALICE.parse().unwrap();
        let update = bosa_auth::IntegrationUpdate { auth_string: Some("changed here".into()), ..Default::default() };
        tenant.update_integration_auth(alice, "github", "alice-gh", update).await.unwrap();
        source.run("delete from public.third_party_integration_auths where user_identifier like 'alice%gh'").await;
        // The suspension of its user keeps no credential alive.
        let suspended = UserUpdate { is_active: Some(false), ..Default::default() };
        tenant.update_user(alice, suspended).await.unwrap();
        source.import(&world.auth).await.unwrap();
        let resumed = UserUpdate { is_active: Some(true), ..Default::default() };
        tenant.update_user(alice, resumed).await.unwrap();
        assert_eq!(names(&accounts(&world).await), ["alice-gh"]);

        let other = Source::fixture().await;
        other.run("delete from public.third_party_integration_auths; delete from public.tokens; delete from public.users; \
            delete from public.clients").await;
        let before = dump(&db).await;
        let report = other.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "integration"), [0, 0, 0, 0, 0, 0]);
        assert_eq!(dump(&db).await, before);
    }

    async fn an_account_that_is_there_again_is_imported_again(db: TestDatabase) {
        let (world, source, older) = (world(&db).await, Source::fixture().await, Source::fixture().await);
        older.run("delete from public.third_party_integration_auths where user_identifier = 'alice-work-gh'").await;
        source.import(&world.auth).await.unwrap();
        older.import(&world.auth).await.unwrap();
        assert_eq!(names(&accounts(&world).await), ["alice-gh"]);
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "integration"), [8, 1, 7, 0, 0, 0]);
        assert_eq!(names(&accounts(&world).await), ["alice-gh", "alice-work-gh"]);
        // What was removed here is not.
        let tenant = world.auth.operator().tenant(ACME.parse().unwrap()).await.unwrap();
        tenant.delete_integration(ALICE.parse().unwrap(), "github", Some("alice-gh")).await.unwrap();
        source.import(&world.auth).await.unwrap();
        assert_eq!(names(&accounts(&world).await), ["alice-work-gh"]);
    }

    async fn other_scopes_are_taken_over(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        source.run("update public.third_party_integration_auths set auth_scopes = '{repo,\"ünï\"}' where user_identifier = 'alice-gh'").await;
        let report = source.import(&world.auth).await.unwrap();
        let updated = report.kinds.iter().map(|of| of.updated).collect::<Vec<_>>();
        assert_eq!(updated, [0, 0, 0, 1]);
        assert_eq!(accounts(&world).await[1].auth_scopes, ["repo", "ünï"]);
    }
}
