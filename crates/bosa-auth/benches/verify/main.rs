//! What a verification from memory costs beside its signature check: `bench/verify.sh`.
//!
//! Everything that is compared runs in one process in short rounds that alternate, so that whatever
//! the machine does hits all of it. Each call is also made by two threads at once on the same handle,
//! because memory that is shared badly shows only there; the baselines are too, because not every
//! machine gives two threads twice the speed of one.

mod baselines;
mod calls;
mod rounds;
mod world;

use std::error::Error;

use bosa_auth_core::token::Algorithm;

use self::rounds::{Candidate, Group, Plan};
use self::world::World;

/// What may fail here is reported and ends the run.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    // Cargo adds `--bench`.
    let quick = std::env::args().any(|word| word == "--quick");
    let plan = if quick { Plan::QUICK } else { Plan::WHOLE };
    // The instances poll for changes here; the calls are made elsewhere.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let mut rows = Vec::new();
    for algorithm in [Algorithm::HS256, Algorithm::EdDSA, Algorithm::ES256] {
        let world = runtime.block_on(World::new(algorithm))?;
        rows.extend(rounds::measure(&tokens(&world)?, plan)?);
        if algorithm == Algorithm::HS256 {
            rows.extend(rounds::measure(&keys(&world)?, plan)?);
            rows.extend(rounds::measure(&both(&world)?, plan)?);
        }
        runtime.block_on(world.auth.close())?;
    }
    println!("{}", serde_json::to_string(&rows)?);
    Ok(())
}

fn tokens(world: &World) -> Outcome<Group<'_>> {
    let checks = baselines::of_token(world)?;
    Ok(Group {
        name: format!("token, {}", world.algorithm),
        baselines: checks,
        subjects: vec![
            Candidate::new("Tenant::try_verify_token", || calls::try_token(world)),
            Candidate::new("Tenant::verify_token", || calls::token(world)),
        ],
    })
}

fn keys(world: &World) -> Outcome<Group<'_>> {
    Ok(Group {
        name: "client key".to_owned(),
        baselines: baselines::of_key(world)?,
        subjects: vec![
            Candidate::new("Auth::try_authenticate_client", || calls::try_key(world)),
            Candidate::new("Auth::authenticate_client", || calls::key(world)),
        ],
    })
}

fn both(world: &World) -> Outcome<Group<'_>> {
    Ok(Group {
        name: format!("client key and token, {}", world.algorithm),
        baselines: baselines::of_both(world)?,
        subjects: vec![
            Candidate::new("try_authenticate_client, try_verify_token", || {
                calls::try_both(world)
            }),
            Candidate::new("verify_token_and_get_user_id", || calls::both(world)),
        ],
    })
}
