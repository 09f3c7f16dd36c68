//! TLS on the simulated network: an identity made for the test, and a client that begins TLS in the middle of its connection. Compiled
//! for tests only.
use crate::runtime::sim::Client;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
use std::io::{Read, Write};
use std::sync::Arc;

const NAME: &str = "mail.example.org";

/// Both ends' configuration: the client trusts the server's new certificate and nothing else.
pub(crate) fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let (server, client, _) = bound_configs();
    (server, client)
}

/// The same with the certificate's `tls-server-end-point`.
pub(crate) fn bound_configs() -> (Arc<ServerConfig>, Arc<ClientConfig>, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate is made");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it has a key");
    let certificate = made.cert.der().clone();
    let end_point = crate::runtime::tls::end_point_of(&certificate).expect("rcgen signs with ECDSA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("it can be a root");
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they fit");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client), end_point)
}

/// A simulated client under TLS.
pub(crate) struct TlsClient {
    client: Client,
    tls: ClientConnection,
    read: Vec<u8>,
}

impl TlsClient {
    /// Shakes hands over what has been a plain connection.
    pub(crate) async fn start(client: Client, config: Arc<ClientConfig>) -> TlsClient {
        let name = ServerName::try_from(NAME).expect("a name");
        let tls = ClientConnection::new(config, name).expect("a configuration");
        let mut client = TlsClient { client, tls, read: Vec::new() };
        client.send().await;
        while client.tls.is_handshaking() {
            assert!(client.receive().await, "the server closed in the handshake");
        }
        client
    }

    /// `tls-exporter` of RFC 9266 as the client sees it.
    pub(crate) fn exporter(&self) -> Vec<u8> {
        let label = b"EXPORTER-Channel-Binding";
        self.tls.export_keying_material(vec![0; 32], label, Some(b"")).expect("the handshake is over")
    }

    /// Sends all of `bytes`.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.tls.writer().write_all(bytes).expect("memory takes it");
        self.send().await;
    }

    /// Reads up to and with the next LF; less only when the server closes before.
    pub(crate) async fn read_line(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                return std::mem::replace(&mut self.read, rest);
            }
            if !self.receive().await {
                return std::mem::take(&mut self.read);
            }
        }
    }

    async fn send(&mut self) {
        let mut out = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut out).expect("memory takes it");
        }
        self.client.write(&out).await;
    }

    /// Takes what the server sent; false at its end.
    async fn receive(&mut self) -> bool {
        let bytes = self.client.read().await;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).expect("memory gives it");
            self.tls.process_new_packets().expect("the server speaks TLS");
        }
        self.send().await;
        // `WouldBlock` says that nothing more is there yet.
        let _ = self.tls.reader().read_to_end(&mut self.read);
        !bytes.is_empty()
    }
}
