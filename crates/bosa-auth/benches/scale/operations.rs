//! The calls that are measured, one after the other, each on rows drawn from all of them.

use std::hint::black_box;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth::models::PageRequest;
use bosa_auth::{Auth, Clock as _, SystemClock, SystemEntropy, TokenId};
use bosa_auth_store::{Db, Store, StoreError, params, tokens};
use jiff::SignedDuration;

use crate::Outcome;
use crate::measure::{Report, now};
use crate::rows::{Class, Plan, mix};
use crate::world::{CONNECTOR, World, configuration, open};

const ROUNDS: u64 = 5;
/// Calls of each round.
const QUICK: u64 = 10_000;
const READS: u64 = 800;
const LISTS: u64 = 300;
const WRITES: u64 = 200;
const OPENS: u64 = 4;
/// As many tokens as are remembered in every size.
const REMEMBERED: u64 = 1000;
const BATCH: u32 = 1000;
/// Tokens that ended before this time ago are pruned.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
const PROBE_ROWS: u64 = 1000;

pub(crate) async fn measure(world: &World, report: &mut Report) -> Outcome<()> {
    make_probe(&world.db).await?;
    let remembered = remembered(world)?;
    let revoked = to_be_revoked(world);
    for round in 0..ROUNDS {
        baselines(world, report).await?;
        verify(world, report, &remembered).await?;
        read(world, report).await?;
        write(world, report, &revoked).await?;
        prune(world, report).await?;
        starts(world, report).await?;
        eprintln!(
            "round {} of {ROUNDS} at {} users",
            round + 1,
            world.plan.users
        );
    }
    Ok(())
}

/// The same in every size, so that they show what the machine does.
async fn baselines(world: &World, report: &mut Report) -> Outcome<()> {
    let db = &world.db;
    let probe = |number| Ok(TokenId::from(probe_id(mix(number) % PROBE_ROWS)));
    report
        .time(
            "baseline: one look-up by primary key",
            READS,
            probe,
            |id| async move {
                black_box(db.read_opt(SELECT, params![id]).await?.ok_or("no row")?);
                Ok(())
            },
        )
        .await?;
    let new = |_| Ok(TokenId::generate(SystemClock.now(), &SystemEntropy)?);
    report
        .time("baseline: one insert", WRITES, new, |id| insert(db, id))
        .await
}

async fn verify(world: &World, report: &mut Report, known: &[(String, String)]) -> Outcome<()> {
    for (key, token) in known {
        verified(&world.auth, key, token).await?;
    }
    let pick = |number: u64| {
        let place = usize::try_from(mix(number) % REMEMBERED)?;
        Ok(known.get(place).ok_or("nothing is known")?)
    };
    report
        .time(
            "verify a token (key and token), from memory",
            QUICK,
            pick,
            |(key, token)| async {
                let tenant = world.auth.try_authenticate_client(key)?;
                if let Some(tenant) = tenant
                    && let Some(token) = tenant.try_verify_token(token)?
                {
                    black_box(token);
                    return Ok(());
                }
                // The machine was too busy to stay informed: the price of that is part of the truth.
                verified(&world.auth, key, token).await
            },
        )
        .await?;
    let any = |number| {
        let token = token_of(&world.plan, number, Class::Read);
        let user = world.plan.user_of_token(token);
        Ok((world.key_of(user)?, world.token(token)?))
    };
    report
        .time(
            "verify a token (key and token), reading",
            READS,
            any,
            |(key, token)| async move { verified(&world.reading, &key, &token).await },
        )
        .await?;
    let key = |number| world.key_of(mix(number) % world.plan.users);
    report
        .time(
            "verify a client key, reading",
            READS,
            key,
            |key| async move {
                black_box(world.reading.authenticate_client(&key).await?);
                Ok(())
            },
        )
        .await
}

async fn read(world: &World, report: &mut Report) -> Outcome<()> {
    let plan = &world.plan;
    let integrations = world.auth.third_party_integration_service();
    let owner = |number| {
        let user = plan.user_of_real(mix(number) % plan.real_users());
        Ok((world.client_of(user)?.id, world.user_id(user)?))
    };
    report
        .time("read an integration", READS, owner, |(client, user)| {
            let found = integrations.get_integration(client, user, CONNECTOR);
            async move {
                black_box(found.await?.ok_or("no integration")?);
                Ok(())
            }
        })
        .await?;
    let users = world.auth.get_user_service();
    let named = |number| {
        let user = mix(number) % plan.users;
        Ok((world.key_of(user)?, Plan::identifier(user)))
    };
    report
        .time(
            "find a user by its identifier",
            READS,
            named,
            |(key, name)| {
                let users = users.clone();
                async move {
                    black_box(users.find_user_by_identifier(&key, &name).await?);
                    Ok(())
                }
            },
        )
        .await?;
    lists(world, report).await
}

/// Of the client that has half of all users.
async fn lists(world: &World, report: &mut Report) -> Outcome<()> {
    let plan = &world.plan;
    let users = world.auth.get_user_service();
    let key = world.clients.first().ok_or("no client")?.key.expose();
    let first = users
        .list_users(
            key,
            PageRequest {
                limit: Some(1),
                cursor: None,
            },
        )
        .await?;
    let like = first.next_cursor.ok_or("only one user")?;
    let page = |cursor| {
        let users = users.clone();
        async move {
            black_box(
                users
                    .list_users(
                        key,
                        PageRequest {
                            limit: None,
                            cursor,
                        },
                    )
                    .await?,
            );
            Ok(())
        }
    };
    report
        .time("list users, first page of 100", LISTS, |_| Ok(None), page)
        .await?;
    let deep = |number| {
        let user = plan.users / 10 + mix(number) % (plan.users * 8 / 10);
        Ok(Some(cursor(&like, world.user_id(user)?)?))
    };
    report
        .time("list users, a page of 100 far behind", LISTS, deep, page)
        .await?;
    let tokens = world.auth.create_token_service();
    let owner = |number| {
        let user = mix(number) % plan.users;
        Ok((world.key_of(user)?, world.user_id(user)?))
    };
    report
        .time("list the tokens of a user", LISTS, owner, |(key, user)| {
            let tokens = tokens.clone();
            async move {
                black_box(
                    tokens
                        .list_tokens(&key, user, PageRequest::default())
                        .await?,
                );
                Ok(())
            }
        })
        .await
}

async fn write(world: &World, report: &mut Report, revoked: &[u64]) -> Outcome<()> {
    let plan = &world.plan;
    let auth = &world.auth;
    let owner = |number| {
        let user = mix(number + (1 << 20)) % plan.users;
        Ok((world.client_of(user)?.id, world.user_id(user)?))
    };
    report
        .time(
            "issue a token",
            WRITES,
            owner,
            |(client, user)| async move {
                black_box(
                    auth.create_token_service()
                        .create_token(user, client)
                        .await?,
                );
                Ok(())
            },
        )
        .await?;
    let login = |number| {
        let real = mix(number) % plan.real_users();
        let user = plan.user_of_real(real);
        let secret = &world
            .real
            .get(usize::try_from(real)?)
            .ok_or("no such user")?
            .secret;
        Ok((world.key_of(user)?, Plan::identifier(user), secret.expose()))
    };
    report
        .time(
            "log in with a generated secret",
            WRITES,
            login,
            |(key, name, secret)| async move {
                let service = auth.authenticate_user_service();
                black_box(service.authenticate_user(&key, &name, secret).await?);
                Ok(())
            },
        )
        .await?;
    let new = |number| {
        let key = world.key_of(mix(number) % plan.users)?;
        Ok((key, format!("new{:016x}@example.com", mix(number))))
    };
    report
        .time("create a user", WRITES, new, |(key, name)| async move {
            black_box(auth.create_user_service().create_user(&key, &name).await?);
            Ok(())
        })
        .await?;
    let live = |number| {
        let token = *revoked
            .get(usize::try_from(number)?)
            .ok_or("no token is left")?;
        let user = plan.user_of_token(token);
        Ok((world.key_of(user)?, world.token(token)?))
    };
    report
        .time("revoke a token", WRITES, live, |(key, token)| async move {
            match auth
                .revoke_token_service()
                .revoke_token(&key, &token)
                .await?
            {
                true => Ok(()),
                false => Err("the token was not live".into()),
            }
        })
        .await?;
    let signed_in = |number| {
        let user = plan.user_of_token(token_of(plan, number, Class::SignedOut));
        Ok((world.key_of(user)?, world.user_id(user)?))
    };
    report
        .time(
            "sign a user out",
            WRITES,
            signed_in,
            |(key, user)| async move {
                auth.revoke_token_service()
                    .revoke_all_tokens(&key, user)
                    .await?;
                Ok(())
            },
        )
        .await
}

/// Two batches of a thousand in each round.
async fn prune(world: &World, report: &mut Report) -> Outcome<()> {
    let store = Store::new(world.db.clone());
    let before = |_| Ok(SystemClock.now().checked_sub(KEPT)?);
    report
        .time("prune 1000 ended tokens", 2, before, |before| {
            let store = store.clone();
            async move {
                let pruned =
                    store.write(move |tx| Box::pin(tokens::prune(tx, before, before, BATCH)));
                match pruned.await? {
                    1000 => Ok(()),
                    other => Err(format!("{other} tokens were pruned").into()),
                }
            }
        })
        .await
}

async fn starts(world: &World, report: &mut Report) -> Outcome<()> {
    let mut opens = Vec::new();
    for _ in 0..OPENS {
        let start = now();
        let auth = open(&world.url, 1000).await?;
        opens.push(start.elapsed());
        auth.close().await?;
    }
    report.add_times("open the library", &opens);
    let start = now();
    black_box(bosa_auth::doctor(&configuration(&world.url, 1000)?).await);
    let doctor: [Duration; 1] = [start.elapsed()];
    report.add_times("doctor", &doctor);
    Ok(())
}

async fn verified(auth: &Auth, key: &str, token: &str) -> Outcome<()> {
    let service = auth.verify_token_service();
    black_box(service.verify_token_and_get_user_id(key, token).await?);
    Ok(())
}

/// Client key and token of the tokens that are answered from memory.
fn remembered(world: &World) -> Outcome<Vec<(String, String)>> {
    (0..REMEMBERED)
        .map(|number| {
            let token = token_of(&world.plan, number + (1 << 30), Class::Read);
            let key = world.key_of(world.plan.user_of_token(token))?;
            Ok((key, world.token(token)?))
        })
        .collect()
}

/// Different tokens, in no order.
fn to_be_revoked(world: &World) -> Vec<u64> {
    let all = world.plan.tokens();
    (0..all)
        .map(|number| number * 7_368_787 % all)
        .filter(|token| Plan::class_of_user(world.plan.user_of_token(*token)) == Class::Revoked)
        .take(usize::try_from(ROUNDS * WRITES).unwrap_or(0))
        .collect()
}

/// A token whose user is of this class, drawn from all of them.
pub(crate) fn token_of(plan: &Plan, number: u64, class: Class) -> u64 {
    let mut drawn = mix(number);
    loop {
        let token = drawn % plan.tokens();
        if Plan::class_of_user(plan.user_of_token(token)) == class {
            return token;
        }
        drawn = mix(drawn);
    }
}

/// The cursor of a page that begins after `id`, made from another one of the same list.
fn cursor(like: &str, id: uuid::Uuid) -> Outcome<String> {
    let mut bytes = URL_SAFE_NO_PAD.decode(like)?;
    let head = bytes
        .len()
        .checked_sub(16)
        .ok_or("the cursor is too short")?;
    bytes.truncate(head);
    bytes.extend_from_slice(id.as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

async fn make_probe(db: &Db) -> Outcome<()> {
    db.write(|tx| Box::pin(async move { tx.batch(CREATE_TABLE).await }))
        .await?;
    for number in 0..PROBE_ROWS {
        insert(db, probe_id(number).into()).await?;
    }
    Ok(())
}

async fn insert(db: &Db, id: TokenId) -> Outcome<()> {
    db.write(move |tx| {
        Box::pin(async move {
            tx.execute(INSERT, params![id, "a value"]).await?;
            Ok::<_, StoreError>(())
        })
    })
    .await?;
    Ok(())
}

fn probe_id(number: u64) -> uuid::Uuid {
    uuid::Uuid::from_u64_pair(mix(number), number)
}

const CREATE_TABLE: &str = "create table bench_rows (id uuid primary key, value text not null)";
const SELECT: &str = "select value from bench_rows where id = $1";
const INSERT: &str = "insert into bench_rows (id, value) values ($1, $2)";
