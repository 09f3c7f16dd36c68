//! Measures what an idle connection costs the server: starts one, connects COUNT clients from a second process, lets each exchange a
//! line, and prints the proportional set size (PSS) per connection. It asserts nothing.
//!
//! `cargo run --release -p posthouse-protocols --example idle_memory -- uring|tokio plain|tls COUNT`

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use posthouse_protocols::runtime::{
    Choice, ConnectionLimits, Listener, Server, Service, SessionFuture, Stream, choose, timeout, tls,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

struct Echo;

impl Service for Echo {
    fn serve(&self, mut stream: Stream) -> SessionFuture {
        Box::pin(async move {
            while let Some(Ok(1..)) = timeout(Duration::from_secs(1800), stream.fill()).await {
                let bytes = std::mem::take(stream.input());
                stream.output().extend_from_slice(&bytes);
                if stream.flush().await.is_err() {
                    return;
                }
            }
        })
    }

    fn busy_reply(&self) -> &'static [u8] {
        b"busy\r\n"
    }
}

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["client", addr, certificate, count] => clients(addr, certificate, count),
        [kind, mode, count] => measure(kind, *mode == "tls", count),
        _ => Err(io::Error::other("idle_memory uring|tokio plain|tls COUNT")),
    }
}

fn measure(kind: &str, with_tls: bool, count: &str) -> io::Result<()> {
    let choice = if kind == "tokio" { Choice::Tokio } else { Choice::Uring };
    let (kind, why) = choose(choice).map_err(io::Error::other)?;
    println!("{why}");
    let directory = std::env::temp_dir().join(format!("posthouse-idle-{}", std::process::id()));
    let config = tls::self_signed(&directory, &["localhost".to_owned()])?;
    let limits = ConnectionLimits { total: usize::MAX, per_ip: usize::MAX, per_ip_minute: 0 };
    let listener = Listener {
        name: "idle".into(),
        addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        service: Arc::new(Echo),
        implicit_tls: with_tls.then_some(config),
        proxies: Arc::default(),
    };
    let server = Server::start(kind, 2, vec![listener], limits)?;
    let addr = server.local_addrs()[0].1.to_string();
    let certificate = directory.join(tls::CERTIFICATE_FILE);
    let certificate = if with_tls { certificate.to_string_lossy().into_owned() } else { "-".to_owned() };
    let before = pss_kib()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["client", &addr, &certificate, count])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut said)?;
    }
    let after = pss_kib()?;
    let connections = server.connections();
    println!("{connections} idle connections: PSS {before} KiB -> {after} KiB");
    println!("{:.2} KiB per connection", (after - before) as f64 / connections.max(1) as f64);
    drop(child.stdin.take());
    child.wait()?;
    server.stop(Duration::ZERO);
    std::fs::remove_dir_all(&directory)
}

fn pss_kib() -> io::Result<i64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::Error::other("no Pss line"))
}

/// Opens the connections, exchanges a line on each, says so and holds them until its input ends.
fn clients(addr: &str, certificate: &str, count: &str) -> io::Result<()> {
    let count: usize = count.parse().map_err(io::Error::other)?;
    let config = (certificate != "-").then(|| client_config(certificate)).transpose()?;
    let mut sockets = Vec::new();
    for _ in 0..count {
        let mut socket = TcpStream::connect(addr)?;
        let mut answer = [0; 6];
        if let Some(config) = &config {
            let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
            let mut connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            stream.write_all(b"NOOP\r\n")?;
            stream.read_exact(&mut answer)?;
        } else {
            socket.write_all(b"NOOP\r\n")?;
            socket.read_exact(&mut answer)?;
        }
        sockets.push(socket);
    }
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn client_config(certificate: &str) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
    roots.add(certificate).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(Arc::new(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth()))
}
