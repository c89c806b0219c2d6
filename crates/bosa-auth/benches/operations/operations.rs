//! The calls that are measured, each with what its caller would hand over.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bosa_auth::IntegrationUpdate;
use criterion::Criterion;
use tokio::runtime::Runtime;

use crate::measure::{FEW, MANY, measure, must};
use crate::world::{ACCOUNT, CHOSEN_SECRET, CONNECTOR, World, credential};

/// After this time a user may try once more with a chosen secret.
const ONE_ATTEMPT: Duration = Duration::from_secs(6);

pub(crate) fn verify_api_key(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let place = ("verify_api_key", world.database, MANY);
    each(criterion, runtime, place, world, |world| async move {
        black_box(must(world.auth.authenticate_client(world.key()).await));
    });
}

/// With key and token, as a service asks for every request of a user.
pub(crate) fn verify_token(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let place = ("verify_token", world.database, MANY);
    each(criterion, runtime, place, world, |world| async move {
        let service = world.auth.verify_token_service();
        let verified = service.verify_token_and_get_user_id(world.key(), world.token.expose());
        black_box(must(verified.await));
    });
}

pub(crate) fn issue_token(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let place = ("issue_token", world.database, MANY);
    each(criterion, runtime, place, world, |world| async move {
        let service = world.auth.create_token_service();
        let token = service.create_token(world.machine.id, world.client.id);
        black_box(must(token.await));
    });
}

pub(crate) fn login_generated(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let place = ("login_generated_secret", world.database, MANY);
    each(criterion, runtime, place, world, |world| async move {
        let service = world.auth.authenticate_user_service();
        let user = &world.machine;
        let token = service.authenticate_user(world.key(), &user.identifier, user.secret.expose());
        black_box(must(token.await));
    });
}

/// With a clock that moves on for every attempt, because attempts are limited.
pub(crate) fn login_chosen(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let place = ("login_chosen_secret", world.database, FEW);
    each(criterion, runtime, place, world, |world| async move {
        world.clock.advance(ONE_ATTEMPT);
        let service = world.auth.authenticate_user_service();
        let token = service.authenticate_user(world.key(), &world.person.identifier, CHOSEN_SECRET);
        black_box(must(token.await));
    });
}

pub(crate) fn read_integration(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let place = ("read_integration", world.database, MANY);
    each(criterion, runtime, place, world, |world| async move {
        let service = world.auth.third_party_integration_service();
        let found = service.get_integration(world.client.id, world.machine.id, CONNECTOR);
        // Absence would be fast, and nothing that is to be measured.
        black_box(must(must(found.await).ok_or("there is no integration")));
    });
}

/// Replaces the credential, so that the database does not grow while it is measured.
pub(crate) fn write_integration(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let place = ("write_integration", world.database, MANY);
    each(criterion, runtime, place, world, |world| async move {
        let service = world.auth.third_party_integration_service();
        let update = IntegrationUpdate {
            auth_string: Some(credential()),
            auth_scopes: None,
        };
        let (client, user) = (world.client.id, world.machine.id);
        let updated = service.update_integration_auth(client, user, CONNECTOR, ACCOUNT, update);
        black_box(must(updated.await));
    });
}

fn each<F, C>(
    criterion: &mut Criterion,
    runtime: &Runtime,
    place: (&str, &str, usize),
    world: &Arc<World>,
    call: F,
) where
    F: Fn(Arc<World>) -> C + Send + Sync + 'static,
    C: Future<Output = ()> + Send,
{
    let world = Arc::clone(world);
    measure(criterion, runtime, place, move || call(Arc::clone(&world)));
}
