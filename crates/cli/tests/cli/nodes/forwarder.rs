//! A line to PostgreSQL that a test can hold and turn elsewhere.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Where connections lead, and what is held back.
#[derive(Debug, Default)]
struct Course {
    port: u16,
    held: Option<&'static str>,
}

/// Listens on a port and carries what it gets to another one of this machine.
pub(super) struct Forwarder {
    port: u16,
    course: Arc<watch::Sender<Course>>,
}

impl Forwarder {
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let course = Course { port, held: None };
        let forwarder = Self {
            port: listener.local_addr().unwrap().port(),
            course: Arc::new(watch::Sender::new(course)),
        };
        let course = forwarder.course.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let port = course.borrow().port;
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::spawn(carry(from_client, to_server, course.subscribe()));
                    tokio::spawn(carry(from_server, to_client, course.subscribe()));
                }
            }
        });
        forwarder
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Holds every connection, old or new, from the moment on in which it would carry this text.
    pub(super) fn hold(&self, text: &'static str) {
        self.course.send_modify(|course| course.held = Some(text));
    }

    /// Lets everything go on.
    pub(super) fn release(&self) {
        self.course.send_modify(|course| course.held = None);
    }

    /// Has new connections lead to another port.
    pub(super) fn turn_to(&self, port: u16) {
        self.course.send_modify(|course| course.port = port);
    }
}

/// Carries until either end closes.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut course: watch::Receiver<Course>,
) {
    let mut bytes = vec![0; 65536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let said = &bytes[..length];
        let passes = |course: &Course| course.held.is_none_or(|text| !holds(said, text));
        if course.wait_for(passes).await.is_err() || to.write_all(said).await.is_err() {
            return;
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
