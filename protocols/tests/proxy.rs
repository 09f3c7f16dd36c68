//! Tests the PROXY protocol on both runtimes over the loopback: whose connection it is, with and without TLS, and where it counts.
mod common;

use common::{By, connect, listener, on_both, read_all};
use posthouse_protocols::runtime::{ConnectionLimits, Kind, Listener, Server, Stream, tls};
use rustls::pki_types::ServerName;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Tells the client who it is, then waits for its end.
async fn tell(mut stream: Stream) {
    let line = format!("{} {} {}\n", stream.peer(), stream.local(), stream.is_tls());
    stream.output().extend_from_slice(line.as_bytes());
    if stream.flush().await.is_ok() {
        while let Ok(1..) = stream.fill().await {
            stream.consume(usize::MAX);
        }
        stream.close().await;
    }
}

const LIMITS: ConnectionLimits = ConnectionLimits { total: 100, per_ip: 1, per_ip_minute: 0 };

fn start(kind: Kind, change: impl Fn(&mut Listener)) -> (Server, SocketAddr) {
    start_with(kind, LIMITS, change)
}

fn start_with(kind: Kind, limits: ConnectionLimits, change: impl Fn(&mut Listener)) -> (Server, SocketAddr) {
    let mut listener = listener(By(tell));
    listener.proxies = vec!["127.0.0.1/32".parse().expect("a network")].into();
    change(&mut listener);
    let server = Server::start(kind, 2, vec![listener], limits).expect("the server starts");
    let addr = server.local_addrs()[0].1;
    (server, addr)
}

fn line(client: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') && client.read(&mut byte).expect("the server answers") == 1 {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("ASCII")
}

fn begin(addr: SocketAddr, header: &[u8]) -> TcpStream {
    let mut client = connect(addr);
    client.write_all(header).expect("the server reads");
    client
}

#[test]
fn each_client_counts_by_itself() {
    on_both(|kind| {
        let (server, addr) = start(kind, |_| {});
        let header = |last: u8| format!("PROXY TCP4 203.0.113.{last} 192.0.2.1 40000 25\r\n").into_bytes();
        let mut first = begin(addr, &header(1));
        assert_eq!(line(&mut first), "203.0.113.1:40000 192.0.2.1:25 false\n");
        let mut second = begin(addr, &header(2));
        assert_eq!(line(&mut second), "203.0.113.2:40000 192.0.2.1:25 false\n");
        assert_eq!(read_all(&mut begin(addr, &header(1))).0, b"421 busy\r\n", "one too many from there");
        // The proxy's own look whether we are there, in version 2.
        let mut own = begin(addr, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
        assert!(line(&mut own).starts_with("127.0.0.1:"));
        assert_eq!(read_all(&mut begin(addr, b"EHLO x\r\n")).0, b"", "not without saying for whom");
        drop((first, second, own));
        server.stop(Duration::ZERO);
    });
}

#[test]
fn a_client_that_comes_again_and_again_is_sent_away() {
    on_both(|kind| {
        let limits = ConnectionLimits { per_ip: 100, per_ip_minute: 2, ..LIMITS };
        let (server, addr) = start_with(kind, limits, |_| {});
        let header = |last: u8| format!("PROXY TCP4 203.0.113.{last} 192.0.2.1 40000 25\r\n").into_bytes();
        // Each is gone before the next one comes.
        (0..2).for_each(|_| assert!(line(&mut begin(addr, &header(1))).starts_with("203.0.113.1:")));
        assert_eq!(read_all(&mut begin(addr, &header(1))).0, b"421 busy\r\n", "the third within a minute");
        assert!(line(&mut begin(addr, &header(2))).starts_with("203.0.113.2:"), "others come in");
        server.stop(Duration::ZERO);
    });
}

#[test]
fn others_are_not_believed() {
    on_both(|kind| {
        let (server, addr) =
            start(kind, |listener| listener.proxies = vec!["192.0.2.0/24".parse().expect("a network")].into());
        let mut client = begin(addr, b"PROXY TCP4 203.0.113.1 192.0.2.1 40000 25\r\n");
        assert!(line(&mut client).starts_with("127.0.0.1:"));
        drop(client);
        server.stop(Duration::ZERO);
    });
}

/// Sends a header together with the first bytes of TLS.
struct Joined {
    header: Vec<u8>,
    socket: TcpStream,
}

impl Read for Joined {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.socket.read(into)
    }
}

impl Write for Joined {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let all = [&std::mem::take(&mut self.header), bytes].concat();
        self.socket.write_all(&all)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

#[test]
fn tls_begins_behind_the_header_in_one_packet() {
    let directory = tempfile::tempdir().expect("a directory");
    let identity = tls::self_signed(directory.path(), &["localhost".to_owned()]).expect("a certificate is made");
    on_both(|kind| {
        let (server, addr) = start(kind, |listener| listener.implicit_tls = Some(identity.clone()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        let pem = directory.path().join(tls::CERTIFICATE_FILE);
        let certificate = rustls::pki_types::pem::PemObject::from_pem_file(pem).expect("it is there");
        roots.add(certificate).expect("it is one");
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = rustls::ClientConnection::new(Arc::new(config), name).expect("a configuration");
        let header = b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 993\r\n".to_vec();
        let mut client = rustls::StreamOwned::new(connection, Joined { header, socket: connect(addr) });
        client.flush().expect("the handshake begins");
        assert_eq!(line(&mut client), "[2001:db8::7]:40000 [2001:db8::1]:993 true\n");
        drop(client);
        server.stop(Duration::ZERO);
    });
}
