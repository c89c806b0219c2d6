//! The calls that are measured. The synchronous ones fail when memory does not answer; the
//! asynchronous ones are awaited on a runtime of their thread's own.

use std::future::Future;
use std::hint::black_box;

use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::rounds::Repeat;
use crate::world::World;

pub(crate) fn try_token(world: &World) -> Outcome<Repeat<'_>> {
    let tenant = Builder::new_current_thread()
        .build()?
        .block_on(world.auth.authenticate_client(world.key()))?;
    Ok(Box::new(move |times| {
        for _ in 0..times {
            let verified = tenant.try_verify_token(black_box(world.token.expose()))?;
            black_box(verified.ok_or("the token is not in memory")?);
        }
        Ok(())
    }))
}

pub(crate) fn token(world: &World) -> Outcome<Repeat<'_>> {
    let runtime = runtime()?;
    let tenant = runtime.block_on(world.auth.authenticate_client(world.key()))?;
    Ok(Box::new(move |times| {
        awaited(&runtime, times, || async {
            black_box(tenant.verify_token(black_box(world.token.expose())).await?);
            Ok(())
        })
    }))
}

pub(crate) fn try_key(world: &World) -> Outcome<Repeat<'_>> {
    Ok(Box::new(|times| {
        for _ in 0..times {
            let tenant = world.auth.try_authenticate_client(black_box(world.key()));
            black_box(tenant?.ok_or("the key is not in memory")?);
        }
        Ok(())
    }))
}

pub(crate) fn key(world: &World) -> Outcome<Repeat<'_>> {
    let runtime = runtime()?;
    Ok(Box::new(move |times| {
        awaited(&runtime, times, || async {
            black_box(
                world
                    .auth
                    .authenticate_client(black_box(world.key()))
                    .await?,
            );
            Ok(())
        })
    }))
}

pub(crate) fn try_both(world: &World) -> Outcome<Repeat<'_>> {
    Ok(Box::new(|times| {
        for _ in 0..times {
            let tenant = world.auth.try_authenticate_client(black_box(world.key()));
            let tenant = tenant?.ok_or("the key is not in memory")?;
            let verified = tenant.try_verify_token(black_box(world.token.expose()))?;
            black_box(verified.ok_or("the token is not in memory")?);
        }
        Ok(())
    }))
}

/// As a service asks for every request of a user.
pub(crate) fn both(world: &World) -> Outcome<Repeat<'_>> {
    let runtime = runtime()?;
    let service = world.auth.verify_token_service();
    Ok(Box::new(move |times| {
        awaited(&runtime, times, || async {
            let (key, token) = (black_box(world.key()), black_box(world.token.expose()));
            black_box(service.verify_token_and_get_user_id(key, token).await?);
            Ok(())
        })
    }))
}

fn awaited<C>(runtime: &Runtime, times: u32, call: impl Fn() -> C) -> Outcome<()>
where
    C: Future<Output = Outcome<()>>,
{
    runtime.block_on(async {
        for _ in 0..times {
            call().await?;
        }
        Ok(())
    })
}

fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
