//! What happens to PostgreSQL behind the servers' backs.

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A connection of the test's own.
pub(super) struct Session(Client);

impl Session {
    pub(super) async fn open(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    /// Runs statements and returns the first column of every row.
    pub(super) async fn run(&self, sql: &str) -> Vec<String> {
        let answers = self.0.simple_query(sql).await.unwrap();
        let first = |answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        };
        answers.into_iter().filter_map(first).collect()
    }
}
