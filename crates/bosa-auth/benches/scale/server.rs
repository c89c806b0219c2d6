//! The server on the filled database: how long it takes to be ready, and what memory it uses.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::measure::{Report, now};
use crate::operations::token_of;
use crate::rows::Class;
use crate::world::{ROOT_KEYS, SIGNING_KEY, World};
use crate::{Order, Outcome};

const STARTS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);
/// More than are remembered.
const VERIFIED: u64 = 70_000;
const CONNECTIONS: u64 = 4;
const MASTER_KEY: &str = "a-master-key-for-benchmarks-of-32-characters-or-more";

pub(crate) async fn measure(order: &Order, world: World, report: &mut Report) -> Outcome<()> {
    let (order, world) = (order.clone(), Arc::new(world));
    let measured = tokio::task::spawn_blocking(move || measure_blocking(&order, &world));
    let Measured {
        starts,
        at_rest,
        after,
        verified,
    } = measured.await??;
    report.add_times("start the server until it is ready", &starts);
    report.figure("memory of the server at rest", "MiB", at_rest);
    report.figure(
        "different tokens verified by the server",
        "tokens",
        verified,
    );
    report.figure("memory of the server after them", "MiB", after);
    Ok(())
}

struct Measured {
    starts: Vec<Duration>,
    at_rest: f64,
    after: f64,
    verified: f64,
}

fn measure_blocking(order: &Order, world: &Arc<World>) -> Outcome<Measured> {
    // The first start prunes what is left to prune, so that the others do not.
    Server::start(order)?.stop()?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let start = now();
        let server = Server::start(order)?;
        starts.push(start.elapsed());
        server.stop()?;
    }
    let server = Server::start(order)?;
    thread::sleep(Duration::from_secs(2));
    let at_rest = server.memory()?;
    let wanted = VERIFIED.min(world.plan.tokens() / 2);
    verify_many(&server, world, wanted)?;
    thread::sleep(Duration::from_secs(1));
    let after = server.memory()?;
    server.stop()?;
    let verified = f64::from(u32::try_from(wanted)?);
    Ok(Measured {
        starts,
        at_rest,
        after,
        verified,
    })
}

/// Verifies different tokens over a few connections at once.
fn verify_many(server: &Server, world: &Arc<World>, wanted: u64) -> Outcome<()> {
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|part| {
            let (world, address) = (world.clone(), server.address);
            thread::spawn(move || -> Outcome<()> {
                let mut connection = Connection::open(address)?;
                for number in (part..wanted).step_by(usize::try_from(CONNECTIONS)?) {
                    let token = token_of(&world.plan, number + (1 << 35), Class::Read);
                    let key = world.key_of(world.plan.user_of_token(token))?;
                    let body = format!("{{\"token\":\"{}\"}}", world.token(token)?);
                    let head = format!(
                        "POST /auth/tokens/verify HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\n\
                         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    let (status, answer) = connection.send(&(head + &body))?;
                    if status != 200 || !answer.contains("true") {
                        return Err(format!("a token was refused: {status} {answer}").into());
                    }
                }
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a connection failed")??;
    }
    Ok(())
}

/// A server that is ready; killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(order: &Order) -> Outcome<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(&order.program)
            .args([
                "serve",
                "--output",
                "json",
                "--listen",
                &address.to_string(),
            ])
            .env_clear()
            .env("DATABASE_AUTHENTICATION_URL", &order.url)
            .env("AUTH_SECRET_KEY", SIGNING_KEY)
            .env("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS)
            .env("BOSA_WHITELISTED_KEYS", MASTER_KEY)
            .env("BOSA_AUTH_STALENESS_MS", "1000")
            .env("BOSA_AUTH_DATA_DIR", order.directory.join("server"))
            .env("BOSA_AUTH_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut server = Self { child, address };
        let start = now();
        while !server.is_ready() {
            if start.elapsed() > PATIENCE || server.child.try_wait()?.is_some() {
                return Err("the server does not become ready".into());
            }
            thread::sleep(Duration::from_micros(500));
        }
        Ok(server)
    }

    fn is_ready(&self) -> bool {
        let ask = "GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        Connection::open(self.address)
            .and_then(|mut connection| connection.send(ask))
            .is_ok_and(|(status, _)| status == 200)
    }

    /// Resident memory in MiB.
    fn memory(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no VmRSS")?;
        Ok(size.parse::<f64>()? / 1024.0)
    }

    fn stop(mut self) -> Outcome<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One connection of HTTP/1.1 that is kept.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and returns status and body of its answer.
    fn send(&mut self, request: &str) -> Outcome<(u16, String)> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line.split(' ').nth(1).ok_or("no status")?.parse()?;
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }
}
