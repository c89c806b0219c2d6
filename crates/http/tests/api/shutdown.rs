//! Stopping: what is in flight is finished, nothing new is accepted, and it takes bounded time.

use std::time::Duration;

use bosa_auth_http::HttpConfig;
use bosa_auth_testkit::on_every_database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::TestApp;

on_every_database! {
    async fn a_request_in_flight_is_finished(db: TestDatabase) {
        let mut app = TestApp::new(&db).await;
        let client = app.client("in-flight").await;
        let body = r#"{"identifier":"late"}"#;
        let head = format!(
            "POST /users HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            client.key,
            body.len()
        );
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body.as_bytes()[..1]).await.unwrap();
        // Another connection is answered after this one was accepted.
        app.get("/healthz").send().await.data();
        let address = app.address;
        app.tell_to_stop();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        stream.write_all(&body.as_bytes()[1..]).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("sk-user-"), "{answer}");
        app.stopped().await;
    }

    async fn a_connection_that_never_ends_is_cut_off(db: TestDatabase) {
        let config = HttpConfig { shutdown_limit: Duration::from_millis(50), ..HttpConfig::default() };
        let mut app = TestApp::with(&db, &[], config).await;
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        let head = "POST /users HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n1";
        stream.write_all(head.as_bytes()).await.unwrap();
        app.get("/healthz").send().await.data();
        app.tell_to_stop();
        app.stopped().await;
    }
}
