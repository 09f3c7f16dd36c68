//! Hosts with certificates of an authority of their own, and handshakes with them in memory.
use crate::outbound::trust::Guard;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConnection, ServerConfig, ServerConnection};
use std::io;
use std::sync::Arc;

/// A host's chain: its certificate for `name`, and the authority that has signed it.
pub(super) struct Host {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: KeyPair,
    pub(super) authority_key: Vec<u8>,
}

impl Host {
    pub(super) fn new(name: &str, expired: bool) -> Host {
        let authority_key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("params");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Each has a name of its own: one of the same name with another key is a forger.
        let public = authority_key.subject_public_key_info();
        let name_of = format!("authority {:?}", &public[public.len() - 8..]);
        authority.distinguished_name.push(DnType::CommonName, name_of);
        let top = authority.self_signed(&authority_key).expect("signed").der().clone();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().expect("a key");
        let mut own = CertificateParams::new(vec![name.to_owned()]).expect("params");
        if expired {
            own.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let own = own.signed_by(&key, &issuer).expect("signed").der().clone();
        Host { chain: vec![own, top], key, authority_key: public }
    }

    pub(super) fn own(&self) -> &[u8] {
        &self.chain[0]
    }

    pub(super) fn top(&self) -> &[u8] {
        &self.chain[1]
    }

    /// The handshake with a client that guards itself so; with the authority's certificate in it or without.
    pub(super) fn shake(&self, guard: &Guard, sent: usize) -> io::Result<()> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key");
        let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let server = server.expect("TLS").with_no_client_auth().with_single_cert(self.chain[..sent].to_vec(), key);
        let mut server = ServerConnection::new(Arc::new(server.expect("a certificate"))).expect("a server");
        let name = guard.name.clone().try_into().expect("a name");
        let mut client = ClientConnection::new(guard.config.clone(), name).expect("a client");
        let failed = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        while client.is_handshaking() || server.is_handshaking() {
            let mut pipe = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut pipe).expect("memory");
            }
            let mut rest = &pipe[..];
            while !rest.is_empty() {
                server.read_tls(&mut rest).expect("memory");
            }
            server.process_new_packets().map_err(failed)?;
            let mut pipe = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut pipe).expect("memory");
            }
            let mut rest = &pipe[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).expect("memory");
            }
            client.process_new_packets().map_err(failed)?;
        }
        assert_eq!(server.server_name(), Some(&*guard.name), "the name is told");
        Ok(())
    }
}
