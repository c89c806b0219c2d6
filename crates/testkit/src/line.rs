//! A line to PostgreSQL that counts round trips.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use bosa_auth_store::DatabaseUrl;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{TestDatabase, give_up, postgres::server};

/// Stands between a client and the server and counts how often the client speaks after the server
/// did.
///
/// On a runtime of one thread everything that is sent together also leaves together.
#[derive(Debug)]
pub struct Line {
    address: String,
    trips: Arc<AtomicU32>,
}

impl Line {
    /// A line to a test's own database.
    ///
    /// # Panics
    /// When the server does not listen on a TCP port.
    pub async fn to(database: &TestDatabase) -> Self {
        let (host, user) = server();
        let address = database.address();
        let name = address
            .rsplit_once('/')
            .and_then(|(_, rest)| rest.split('?').next())
            .unwrap_or_default();
        let listener = match TcpListener::bind("127.0.0.1:0").await {
            Ok(listener) => listener,
            Err(error) => give_up("no port", &error),
        };
        let port = listener.local_addr().map_or(0, |address| address.port());
        let address = format!("postgres://{user}@127.0.0.1:{port}/{name}?sslmode=disable");
        let trips = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&trips);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(&host).await {
                    tokio::spawn(carry(client, server, Arc::clone(&counted)));
                }
            }
        });
        Self { address, trips }
    }

    /// Returns the address of this end, for settings.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns where this end is.
    pub fn url(&self) -> DatabaseUrl {
        match DatabaseUrl::parse(&self.address) {
            Ok(url) => url,
            Err(error) => give_up("the address of the line", &error),
        }
    }

    /// Returns how many round trips there were so far.
    #[must_use]
    pub fn trips(&self) -> u32 {
        self.trips.load(Ordering::Relaxed)
    }
}

/// Carries until either end closes.
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
            let said = bytes.get(..length).unwrap_or_default();
            if to_server.write_all(said).await.is_err() {
                return;
            }
        }
    };
    let answers = async move {
        let mut bytes = vec![0; 65536];
        while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
            answered.store(true, Ordering::Relaxed);
            let said = bytes.get(..length).unwrap_or_default();
            if to_client.write_all(said).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(questions, answers);
}
