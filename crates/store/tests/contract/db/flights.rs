//! How many round trips a write to PostgreSQL costs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use bosa_auth_store::{BoxFuture, DatabaseUrl, Db, DbOptions, Store, params};
use bosa_auth_testkit::TestDatabase;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::tables::{INCREMENT, INSERT, Outcome, insert, with_items};

/// On one thread, so that everything that is sent together leaves together.
#[tokio::test]
async fn a_write_costs_one_round_trip_per_statement_and_one_to_commit() -> Outcome {
    let database = TestDatabase::postgres().await.migrated().await;
    with_items(database.db()).await?;
    let line = Line::to(&database).await;
    let options = DbOptions {
        pool_size: 1,
        ..DbOptions::default()
    };
    let db = Db::open(&line.url, options).await?;
    let store = Store::new(db.clone());
    db.ping().await?;

    let before = line.trips();
    db.ping().await?;
    assert_eq!(line.trips() - before, 1);

    let before = line.trips();
    store.write(insert(1, "a")).await?;
    assert_eq!(line.trips() - before, 2);

    let before = line.trips();
    store
        .write(|tx| -> BoxFuture<'_, Outcome> {
            Box::pin(async move {
                tx.execute(INSERT, params![2_i64, "b"]).await?;
                tx.execute(INCREMENT, params![]).await?;
                tx.query("select id from item", params![]).await?;
                Ok(())
            })
        })
        .await?;
    assert_eq!(line.trips() - before, 4);

    let before = line.trips();
    store
        .write(|_| -> BoxFuture<'_, Outcome> { Box::pin(async { Ok(()) }) })
        .await?;
    assert_eq!(line.trips() - before, 1);
    Ok(())
}

/// A line to the server that counts how often the client speaks after the server did.
struct Line {
    url: DatabaseUrl,
    trips: Arc<AtomicU32>,
}

impl Line {
    async fn to(database: &TestDatabase) -> Self {
        let server = std::env::var("BOSA_AUTH_TEST_POSTGRES_URL").unwrap();
        let server: tokio_postgres::Config = server.parse().unwrap();
        let tokio_postgres::config::Host::Tcp(host) = &server.get_hosts()[0] else {
            panic!("the server of the tests listens on a port");
        };
        let server_address = format!("{host}:{}", server.get_ports()[0]);
        let row = database
            .db()
            .read_opt("select current_database()::text", params![])
            .await;
        let name: String = row.unwrap().unwrap().get(0).unwrap();
        let user = server.get_user().unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://{user}@127.0.0.1:{port}/{name}?sslmode=disable");
        let trips = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&trips);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server_address).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&counted)));
            }
        });
        Self {
            url: DatabaseUrl::parse(&url).unwrap(),
            trips,
        }
    }

    fn trips(&self) -> u32 {
        self.trips.load(Ordering::Relaxed)
    }
}

async fn carry(client: TcpStream, server: TcpStream, trips: Arc<AtomicU32>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answered = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&answered);
    let questions = async move {
        let mut bytes = vec![0; 65536];
        while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
            if asked.swap(false, Ordering::Relaxed) {
                trips.fetch_add(1, Ordering::Relaxed);
            }
            to_server.write_all(&bytes[..length]).await.unwrap();
        }
    };
    let answers = async move {
        let mut bytes = vec![0; 65536];
        while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
            answered.store(true, Ordering::Relaxed);
            to_client.write_all(&bytes[..length]).await.unwrap();
        }
    };
    tokio::join!(questions, answers);
}
