//! Answers what the original's Redis would, out of the keys that were in a real one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// The keys with their values.
type Keys = Arc<Mutex<BTreeMap<String, String>>>;

pub(super) struct Redis {
    pub(super) url: String,
    keys: Keys,
}

impl Redis {
    /// Takes the keys as commands that set them, one a line.
    pub(super) async fn of(commands: &str) -> Self {
        let keys = commands.lines().map(|line| {
            let (key, rest) = line.strip_prefix("SET ").unwrap().split_once(' ').unwrap();
            let value = rest.rsplit_once(" EXAT ").unwrap().0.trim_matches('\'');
            (key.to_owned(), value.to_owned())
        });
        let keys: Keys = Arc::new(Mutex::new(keys.collect()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/0", listener.local_addr().unwrap());
        let shared = keys.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, shared.clone()));
            }
        });
        Self { url, keys }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.lock().unwrap().len()
    }

    /// Removes the key of this token.
    pub(super) fn remove(&self, token: &str) {
        let mut keys = self.keys.lock().unwrap();
        keys.retain(|key, _| !key.ends_with(token));
    }

    /// Replaces the value of this token's key.
    pub(super) fn set(&self, token: &str, value: &str) {
        let mut keys = self.keys.lock().unwrap();
        let of = keys.iter_mut().find(|(key, _)| key.ends_with(token));
        value.clone_into(of.unwrap().1);
    }
}

/// The two commands that are asked here; a scan returns few keys at once, and the last ones again.
async fn answer(stream: TcpStream, keys: Keys) {
    let mut stream = BufStream::new(stream);
    while let Some(command) = command(&mut stream).await {
        let keys = keys.lock().unwrap().clone();
        let reply = match command[0].as_str() {
            "SCAN" => {
                let from: usize = command[1].parse().unwrap();
                let next = if from + 3 < keys.len() { from + 3 } else { 0 };
                let page = keys.keys().skip(from.saturating_sub(1)).take(4);
                let page = page.map(|key| bulk(Some(key)));
                let page: Vec<_> = page.collect();
                format!(
                    "*2\r\n{}*{}\r\n{}",
                    bulk(Some(&next.to_string())),
                    page.len(),
                    page.concat()
                )
            }
            "MGET" => {
                let values = command[1..].iter().map(|key| bulk(keys.get(key)));
                format!("*{}\r\n{}", command.len() - 1, values.collect::<String>())
            }
            other => format!("-ERR unknown command '{other}'\r\n"),
        };
        stream.write_all(reply.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
}

fn bulk(value: Option<&String>) -> String {
    match value {
        Some(value) => format!("${}\r\n{value}\r\n", value.len()),
        None => "$-1\r\n".to_owned(),
    }
}

async fn command(stream: &mut BufStream<TcpStream>) -> Option<Vec<String>> {
    let count = number(stream).await?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut bytes = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut bytes).await.ok()?;
        bytes.truncate(bytes.len() - 2);
        words.push(String::from_utf8(bytes).unwrap());
    }
    Some(words)
}

async fn number(stream: &mut BufStream<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim().parse().ok()
}
