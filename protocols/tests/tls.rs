//! Tests TLS on both runtimes with rustls clients: implicit and by STARTTLS, the injection behind STARTTLS, rude endings, and the
//! self-signed certificate. It knows no mail protocol.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{By, MANY, connect, echo, eventually, listener, on_both, read_all, serve};
use posthouse_protocols::runtime::{Server, Stream, tls};
use posthouse_protocols::wire::{Line, read_line};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConfig, StreamOwned};

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("posthouse-tls-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn identity(directory: &Path) -> Arc<ServerConfig> {
    let names = ["mail.example.org".to_owned(), "localhost".to_owned()];
    tls::self_signed(directory, &names).expect("a certificate is made")
}

type TlsClient = StreamOwned<ClientConnection, TcpStream>;

/// A client that trusts the certificate in `directory` and nothing else.
fn tls_client(directory: &Path, socket: TcpStream, version: ProtocolVersion) -> TlsClient {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(directory.join(tls::CERTIFICATE_FILE));
    roots.add(certificate.expect("a certificate is there")).expect("it is one");
    let versions: &[&rustls::SupportedProtocolVersion] =
        if version == ProtocolVersion::TLSv1_2 { &[&rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let config = config.expect("the versions are known").with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("mail.example.org").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a configuration");
    StreamOwned::new(connection, socket)
}

fn ask(client: &mut TlsClient, bytes: &[u8]) -> Vec<u8> {
    client.write_all(bytes).expect("the server reads");
    let mut answer = vec![0; bytes.len()];
    client.read_exact(&mut answer).expect("the server answers");
    answer
}

const BOTH_VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3];

#[test]
fn implicit_tls_serves_both_versions_and_large_transfers() {
    let scratch = Scratch::new("implicit");
    let config = identity(&scratch.0);
    on_both(|kind| {
        let mut implicit = listener(By(echo));
        implicit.implicit_tls = Some(config.clone());
        let server = Server::start(kind, 2, vec![implicit], MANY).expect("the server starts");
        let addr = server.local_addrs()[0].1;
        for version in BOTH_VERSIONS {
            let mut client = tls_client(&scratch.0, connect(addr), version);
            assert_eq!(ask(&mut client, b"hello"), b"hello");
            assert_eq!(client.conn.protocol_version(), Some(version));
            let large: Vec<u8> = (0..1_000_000_u32).map(|n| (n >> 3) as u8).collect();
            for piece in large.chunks(100_000) {
                assert!(ask(&mut client, piece) == piece);
            }
            // A clean end from our side is answered by a clean end: close_notify, then the end of the stream.
            client.conn.send_close_notify();
            let _ = client.flush();
            assert_eq!(client.read(&mut [0; 10]).expect("close_notify comes"), 0);
        }
        assert!(eventually(|| server.connections() == 0));
        server.stop(Duration::ZERO);
    });
}

/// A tiny protocol with STARTTLS that says what it thinks of the connection.
fn with_starttls(config: Arc<ServerConfig>) -> By<impl Fn(Stream) -> std::pin::Pin<Box<dyn Future<Output = ()>>>> {
    By(move |stream| Box::pin(talk(stream, config.clone())) as std::pin::Pin<Box<dyn Future<Output = ()>>>)
}

async fn talk(mut stream: Stream, config: Arc<ServerConfig>) {
    while let Ok(Line::Text(line)) = read_line(&mut stream, 100).await {
        let answer = match line.as_slice() {
            b"INFO" => match stream.tls_info() {
                Some(info) => format!("{} {}\r\n", info.version, info.cipher),
                None => "plain\r\n".to_owned(),
            },
            b"STARTTLS" => "go\r\n".to_owned(),
            _ => "what?\r\n".to_owned(),
        };
        stream.output().extend_from_slice(answer.as_bytes());
        if stream.flush().await.is_err() {
            return;
        }
        if line == b"STARTTLS" && stream.start_tls(config.clone()).await.is_err() {
            assert!(!stream.is_tls());
            break;
        }
    }
    stream.close().await;
}

fn starttls(scratch: &Scratch, addr: SocketAddr, version: ProtocolVersion) -> TlsClient {
    let mut socket = connect(addr);
    assert_eq!(line(&mut socket, b"INFO\r\n"), b"plain\r\n");
    assert_eq!(line(&mut socket, b"STARTTLS\r\n"), b"go\r\n");
    tls_client(&scratch.0, socket, version)
}

fn line(client: &mut impl ReadWrite, command: &[u8]) -> Vec<u8> {
    client.write_all(command).expect("the server reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("the server answers");
        answer.push(byte[0]);
    }
    answer
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

#[test]
fn starttls_turns_the_connection_over() {
    let scratch = Scratch::new("starttls");
    let config = identity(&scratch.0);
    on_both(|kind| {
        let (server, addr) = serve(kind, 1, with_starttls(config.clone()));
        let mut old = starttls(&scratch, addr, ProtocolVersion::TLSv1_2);
        let info = line(&mut old, b"INFO\r\n");
        assert!(info.starts_with(b"TLSv1.2 TLS_ECDHE_"), "{}", String::from_utf8_lossy(&info));
        let mut new = starttls(&scratch, addr, ProtocolVersion::TLSv1_3);
        let info = line(&mut new, b"INFO\r\n");
        assert!(info.starts_with(b"TLSv1.3 TLS_AES_256_GCM_SHA384"), "{}", String::from_utf8_lossy(&info));
        assert_eq!(line(&mut new, b"NOOP\r\n"), b"what?\r\n");
        drop((old, new));
        assert!(eventually(|| server.connections() == 0));
        server.stop(Duration::ZERO);
    });
}

#[test]
fn plain_text_behind_starttls_never_reaches_the_session() {
    let scratch = Scratch::new("injection");
    let config = identity(&scratch.0);
    on_both(|kind| {
        let (server, addr) = serve(kind, 1, with_starttls(config.clone()));
        // In one packet with STARTTLS, and in one that comes while the server waits for the handshake.
        let mut together = connect(addr);
        together.write_all(b"STARTTLS\r\nINFO\r\n").expect("the server reads");
        let mut go = [0; 4];
        together.read_exact(&mut go).expect("the server answers");
        let mut together = tls_client(&scratch.0, together, ProtocolVersion::TLSv1_3);
        let _ = together.write_all(b"NOOP\r\n");
        let mut answer = Vec::new();
        assert!(together.read_to_end(&mut answer).is_err(), "{}", String::from_utf8_lossy(&answer));
        assert_eq!(answer, b"");
        let mut apart = connect(addr);
        assert_eq!(line(&mut apart, b"STARTTLS\r\n"), b"go\r\n");
        apart.write_all(b"INFO\r\n").expect("the server reads");
        let (answer, _) = read_all(&mut apart);
        assert!(!answer.windows(5).any(|at| at == b"plain"), "{answer:?}");
        assert!(eventually(|| server.connections() == 0));
        server.stop(Duration::ZERO);
    });
}

#[test]
fn a_close_sends_what_is_left_and_then_says_goodbye() {
    let scratch = Scratch::new("close");
    let config = identity(&scratch.0);
    on_both(|kind| {
        let leaves = |mut stream: Stream| async move {
            stream.output().extend_from_slice(&vec![b'x'; 300_000]);
            stream.close().await;
        };
        let mut implicit = listener(By(leaves));
        implicit.implicit_tls = Some(config.clone());
        let server = Server::start(kind, 1, vec![implicit], MANY).expect("the server starts");
        let mut client = tls_client(&scratch.0, connect(server.local_addrs()[0].1), ProtocolVersion::TLSv1_3);
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("close_notify comes before the end of the stream");
        assert!(received == vec![b'x'; 300_000], "{} bytes", received.len());
        drop(client);
        assert!(eventually(|| server.connections() == 0));
        server.stop(Duration::ZERO);
    });
}

#[test]
fn rude_tls_clients_end_cleanly() {
    let scratch = Scratch::new("rude");
    let config = identity(&scratch.0);
    on_both(|kind| {
        let mut implicit = listener(By(echo));
        implicit.implicit_tls = Some(config.clone());
        let server = Server::start(kind, 1, vec![implicit], MANY).expect("the server starts");
        let addr = server.local_addrs()[0].1;
        // Not TLS at all; nothing and gone; half a record and gone.
        let mut plain = connect(addr);
        plain.write_all(b"EHLO example.org\r\n").expect("the server reads");
        read_all(&mut plain).1.expect("an alert and the end, not a reset");
        drop(connect(addr));
        let mut half = connect(addr);
        half.write_all(&[0x16, 3, 1, 2]).expect("the server reads");
        half.shutdown(Shutdown::Write).expect("the socket is open");
        assert_eq!(read_all(&mut half).0, b"");
        // The end of the stream without close_notify, in the middle of the session.
        let mut client = tls_client(&scratch.0, connect(addr), ProtocolVersion::TLSv1_3);
        assert_eq!(ask(&mut client, b"x"), b"x");
        client.sock.shutdown(Shutdown::Both).expect("the socket is open");
        assert!(eventually(|| server.connections() == 0));
        server.stop(Duration::ZERO);
    });
}

#[test]
fn the_self_signed_certificate_is_made_once_and_its_key_is_private() {
    let scratch = Scratch::new("files");
    identity(&scratch.0);
    let key = scratch.0.join(tls::KEY_FILE);
    let mode = std::fs::metadata(&key).expect("the key is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = std::fs::read(&key).expect("the key can be read");
    identity(&scratch.0);
    assert_eq!(std::fs::read(&key).expect("the key can be read"), first);
    let error = tls::from_pem_files(&scratch.0.join("absent.pem"), &key).expect_err("no such file");
    assert!(error.to_string().contains("absent.pem"), "{error}");
    std::fs::write(&key, "no key").expect("the file can be written");
    let error = tls::from_pem_files(&scratch.0.join(tls::CERTIFICATE_FILE), &key).expect_err("no key in it");
    assert!(error.to_string().contains(tls::KEY_FILE), "{error}");
}
