//! What an operation cannot cost less than.

use std::hint::black_box;
use std::sync::Arc;

use bosa_auth::{Clock as _, SystemEntropy, TokenId};
use bosa_auth_core::password::{Argon2Cost, HashMemory, hash, verify};
use bosa_auth_store::{StoreError, params};
use criterion::Criterion;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::runtime::Runtime;

use crate::measure::{FEW, MANY, measure, must};
use crate::world::{CHOSEN_SECRET, SIGNING_KEY, World};

/// HMAC-SHA-256 over the bytes of a client key, and over those of a key and of a token.
pub(crate) fn hmac(criterion: &mut Criterion, world: &World) {
    let key_text = world.key().to_owned();
    let signed = world
        .token
        .expose()
        .rsplit_once('.')
        .map_or("", |(signed, _)| signed)
        .to_owned();
    let digest_key = [7; 32];
    criterion
        .benchmark_group("baseline/hmac_key")
        .bench_function(world.database, |bencher| {
            bencher.iter(|| mac(&digest_key, black_box(key_text.as_bytes())));
        });
    criterion
        .benchmark_group("baseline/hmac_key_and_token")
        .bench_function(world.database, |bencher| {
            bencher.iter(|| {
                black_box(mac(&digest_key, black_box(key_text.as_bytes())));
                mac(SIGNING_KEY.as_bytes(), black_box(signed.as_bytes()))
            });
        });
}

/// Argon2id at the cost of new hashes, in memory that is kept.
pub(crate) fn argon2(criterion: &mut Criterion, world: &World) {
    let mut memory = HashMemory::new();
    let stored = must(hash(
        CHOSEN_SECRET,
        Argon2Cost::default(),
        &mut memory,
        &SystemEntropy,
    ));
    criterion
        .benchmark_group("baseline/argon2")
        .sample_size(FEW)
        .bench_function(world.database, |bencher| {
            bencher.iter(|| must(verify(black_box(CHOSEN_SECRET), &stored, &mut memory)));
        });
}

/// One look-up by primary key.
pub(crate) fn select(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let world = Arc::clone(world);
    let place = ("baseline/select", world.database, MANY);
    measure(criterion, runtime, place, move || {
        let (db, id) = (world.db().clone(), world.client.id);
        async move {
            black_box(must(db.read_opt(SELECT, params![id]).await));
        }
    });
}

/// One transaction that inserts one row.
pub(crate) fn insert(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    let world = Arc::clone(world);
    let place = ("baseline/insert", world.database, MANY);
    measure(criterion, runtime, place, move || {
        let db = world.db().clone();
        let id = must(TokenId::generate(world.clock.now(), &SystemEntropy));
        async move {
            let write = db.write(move |tx| {
                Box::pin(async move {
                    tx.execute(INSERT, params![id, "a value"]).await?;
                    Ok::<_, StoreError>(())
                })
            });
            must(write.await);
        }
    });
}

fn mac(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut mac = must(Hmac::<Sha256>::new_from_slice(key));
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

const SELECT: &str = "select name from bosa_clients where id = $1";
const INSERT: &str = "insert into bench_rows (id, value) values ($1, $2)";
