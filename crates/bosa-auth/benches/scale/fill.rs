//! Filling a database in bulk with rows of the shape that the library writes.

use bosa_auth_store::Db;
use bosa_auth_store::params;
use std::collections::HashMap;
use uuid::Uuid;

use crate::rows::{ENDED, Plan, TOKENS_EACH, mix, time_ordered};
use crate::world::World;
use crate::{Order, Outcome, postgres, sqlite};

/// A table to be filled.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static str,
}

/// One row.
pub(crate) enum Line {
    /// Has the columns of its table.
    Made(Vec<Value>),
    /// The row of this id that the library wrote.
    Real(Uuid),
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Uuid(Uuid),
    Int(i64),
    Bool(bool),
    Text(String),
    Bytes(Vec<u8>),
}

/// What takes the rows.
pub(crate) trait Sink {
    fn fill(
        &mut self,
        table: &Table,
        lines: &mut dyn Iterator<Item = Outcome<Line>>,
    ) -> Outcome<()>;
}

pub(crate) const USERS: Table = Table {
    name: "bosa_users",
    columns: "client_id, id, identifier, state, generation, version, secret_kind, secret_version, \
        digest, digest_key_id, password_hash, secret_preview, created_at, updated_at",
};
pub(crate) const TOKENS: Table = Table {
    name: "bosa_tokens",
    columns: "client_id, id, user_id, signing_key_id, form, client_generation, user_generation, \
        issued_at, expires_at, idle_end, revoked_at, revoke_operation",
};
const EVENTS: Table = Table {
    name: "bosa_audit_events",
    columns: "id, at, actor_kind, actor_id, action, client_id, subject, detail",
};
const SETS: Table = Table {
    name: "bosa_integration_sets",
    columns: "client_id, user_id, connector, version",
};
const INTEGRATIONS: Table = Table {
    name: "bosa_integrations",
    columns: "client_id, id, user_id, connector, user_identifier, auth_scopes, sealed, data_key_id, \
        version, auth_status, subject, selected, created_at, updated_at",
};
/// Every table that is filled.
pub(crate) const TABLES: [&str; 5] = [
    USERS.name,
    TOKENS.name,
    EVENTS.name,
    SETS.name,
    INTEGRATIONS.name,
];
/// Tables whose real rows move to their place among the others.
pub(crate) const MOVED: [&Table; 2] = [&USERS, &TOKENS];

/// Before the library writes.
pub(crate) fn prepare(order: &Order) -> Outcome<()> {
    match order.database.as_str() {
        "sqlite" => Ok(()),
        _ => postgres::loosen(&order.url),
    }
}

/// Adds everything that was not made through the library.
pub(crate) async fn fill(order: &Order, world: &World) -> Outcome<()> {
    let shape = Shape::read(&world.db).await?;
    world.db.close().await;
    match order.database.as_str() {
        "sqlite" => {
            let mut sink = sqlite::Sqlite::open(&order.url)?;
            shape.fill(&mut sink, world)?;
            sink.finish()
        }
        _ => {
            let mut sink = postgres::Postgres::open(&order.url)?;
            shape.fill(&mut sink, world)?;
            sink.finish()
        }
    }
}

/// In MiB.
pub(crate) fn size(order: &Order) -> Outcome<f64> {
    match order.database.as_str() {
        "sqlite" => sqlite::size(&order.url),
        _ => postgres::size(&order.url),
    }
}

/// What the rows have in common with those of the library.
struct Shape {
    digest_key: Uuid,
    preview: String,
    signing_key: String,
    actor_kind: String,
    action: String,
    /// The id of each client's key.
    keys: HashMap<Uuid, Uuid>,
    /// The data key of each client that has one.
    data_keys: HashMap<Uuid, Uuid>,
    connector: String,
    account: String,
    scopes: String,
    status: String,
    sealed: Vec<u8>,
}

impl Shape {
    async fn read(db: &Db) -> Outcome<Self> {
        let user = db.read_opt(A_USER, params![]).await?.ok_or("no user")?;
        let token = db.read_opt(A_TOKEN, params![]).await?.ok_or("no token")?;
        let id: Uuid = user.get(2)?;
        let event = db
            .read_opt(AN_EVENT, params![id])
            .await?
            .ok_or("no event")?;
        let account = db
            .read_opt(AN_ACCOUNT, params![])
            .await?
            .ok_or("no integration")?;
        Ok(Self {
            digest_key: user.get(0)?,
            preview: user.get(1)?,
            signing_key: token.get(0)?,
            actor_kind: event.get(0)?,
            action: event.get(1)?,
            keys: pairs(db, KEYS).await?,
            data_keys: pairs(db, DATA_KEYS).await?,
            connector: account.get(0)?,
            account: account.get(1)?,
            scopes: account.get(2)?,
            status: account.get(3)?,
            sealed: account.get(4)?,
        })
    }

    fn fill(&self, sink: &mut dyn Sink, world: &World) -> Outcome<()> {
        let plan = &world.plan;
        sink.fill(
            &USERS,
            &mut (0..plan.users).map(|user| self.user(world, user)),
        )?;
        let live = (0..plan.tokens()).map(|token| self.token(world, token));
        let ended = (0..ENDED).map(|number| self.ended(world, number));
        sink.fill(&TOKENS, &mut ended.chain(live))?;
        let others = || (0..plan.users).filter(|user| plan.real(*user).is_none());
        sink.fill(&EVENTS, &mut others().map(|user| self.event(world, user)))?;
        // One user in ten has an account, where its client has a data key.
        let owners = || {
            others().filter(|user| {
                let client = world.client_of(*user).map(|client| client.id);
                user % TOKENS_EACH == 3
                    && client.is_ok_and(|client| self.data_keys.contains_key(&client))
            })
        };
        sink.fill(&SETS, &mut owners().map(|user| self.set(world, user)))?;
        sink.fill(
            &INTEGRATIONS,
            &mut owners().map(|user| self.integration(world, user)),
        )
    }

    fn user(&self, world: &World, user: u64) -> Outcome<Line> {
        if world.plan.real(user).is_some() {
            return Ok(Line::Real(world.user_id(user)?));
        }
        let made = micros(world.plan.user_made(user))?;
        let digest = (0..4)
            .flat_map(|part| mix(user * 4 + part).to_be_bytes())
            .collect();
        Ok(Line::Made(vec![
            Value::Uuid(world.client_of(user)?.id),
            Value::Uuid(world.plan.user_id(user)),
            Value::Text(Plan::identifier(user)),
            Value::Text("active".to_owned()),
            Value::Int(0),
            Value::Int(0),
            Value::Text("generated".to_owned()),
            Value::Int(0),
            Value::Bytes(digest),
            Value::Uuid(self.digest_key),
            Value::Null,
            Value::Text(self.preview.clone()),
            Value::Int(made),
            Value::Int(made),
        ]))
    }

    fn token(&self, world: &World, token: u64) -> Outcome<Line> {
        if let Some(real) = world.plan.real_token(token) {
            return Ok(Line::Real(
                world.real.get(real).ok_or("no such user")?.token_id,
            ));
        }
        let issued = micros(world.plan.token_issued(token))?;
        let ends = micros(world.plan.token_ends(token))?;
        let user = world.plan.user_of_token(token);
        self.token_of(world, user, world.plan.token_id(token), (issued, ends))
    }

    fn ended(&self, world: &World, number: u64) -> Outcome<Line> {
        let (issued, ends) = world.plan.ended(number);
        let user = mix(number) % world.plan.users;
        let id = time_ordered(issued, mix(number + (1 << 50)));
        self.token_of(world, user, id, (micros(issued)?, micros(ends)?))
    }

    fn token_of(
        &self,
        world: &World,
        user: u64,
        id: Uuid,
        (issued, ends): (i64, i64),
    ) -> Outcome<Line> {
        Ok(Line::Made(vec![
            Value::Uuid(world.client_of(user)?.id),
            Value::Uuid(id),
            Value::Uuid(world.user_id(user)?),
            Value::Text(self.signing_key.clone()),
            Value::Text("current".to_owned()),
            Value::Int(0),
            Value::Int(0),
            Value::Int(issued),
            Value::Int(ends),
            Value::Null,
            Value::Null,
            Value::Null,
        ]))
    }

    fn event(&self, world: &World, user: u64) -> Outcome<Line> {
        let made = world.plan.user_made(user);
        let client = world.client_of(user)?.id;
        Ok(Line::Made(vec![
            Value::Uuid(time_ordered(made, mix(user + (1 << 51)))),
            Value::Int(micros(made)?),
            Value::Text(self.actor_kind.clone()),
            Value::Uuid(*self.keys.get(&client).ok_or("a client without a key")?),
            Value::Text(self.action.clone()),
            Value::Uuid(client),
            Value::Uuid(world.plan.user_id(user)),
            Value::Null,
        ]))
    }

    fn set(&self, world: &World, user: u64) -> Outcome<Line> {
        Ok(Line::Made(vec![
            Value::Uuid(world.client_of(user)?.id),
            Value::Uuid(world.plan.user_id(user)),
            Value::Text(self.connector.clone()),
            Value::Int(1),
        ]))
    }

    fn integration(&self, world: &World, user: u64) -> Outcome<Line> {
        let made = world.plan.user_made(user);
        let client = world.client_of(user)?.id;
        Ok(Line::Made(vec![
            Value::Uuid(client),
            Value::Uuid(time_ordered(made, mix(user + (1 << 52)))),
            Value::Uuid(world.plan.user_id(user)),
            Value::Text(self.connector.clone()),
            Value::Text(self.account.clone()),
            Value::Text(self.scopes.clone()),
            Value::Bytes(self.sealed.clone()),
            Value::Uuid(*self.data_keys.get(&client).ok_or("no data key")?),
            Value::Int(1),
            Value::Text(self.status.clone()),
            Value::Null,
            Value::Bool(true),
            Value::Int(micros(made)?),
            Value::Int(micros(made)?),
        ]))
    }
}

async fn pairs(db: &Db, statement: &'static str) -> Outcome<HashMap<Uuid, Uuid>> {
    let rows = db.read(statement, params![]).await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

fn micros(milliseconds: u64) -> Outcome<i64> {
    Ok(i64::try_from(milliseconds * 1000)?)
}

const A_USER: &str = "select digest_key_id, secret_preview, id from bosa_users limit 1";
const A_TOKEN: &str = "select signing_key_id from bosa_tokens limit 1";
const AN_EVENT: &str =
    "select actor_kind, action from bosa_audit_events where subject = $1 order by at, id limit 1";
const AN_ACCOUNT: &str = "select connector, user_identifier, auth_scopes, auth_status, sealed \
    from bosa_integrations limit 1";
const KEYS: &str = "select client_id, id from bosa_api_keys";
const DATA_KEYS: &str = "select client_id, id from bosa_data_keys where state = 'active'";
