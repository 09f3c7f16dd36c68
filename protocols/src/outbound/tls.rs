//! TLS as a client: any certificate for hosts that nobody vouches for, proven ones where that is asked for, or as a judge has it. Opens no
//! connection.
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Client configurations of TLS.
#[derive(Clone)]
pub struct TlsConfigs {
    /// Takes any certificate: protects from listeners, not from impostors (RFC 7435).
    pub any: Arc<ClientConfig>,
    /// Takes a certificate that a known authority has signed for the host.
    pub proven: Arc<ClientConfig>,
    /// The authorities.
    pub(super) roots: Arc<RootCertStore>,
}

impl TlsConfigs {
    /// The authorities are those in the PEM file, or the system's.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate; it is named.
    pub fn new(authorities: Option<&Path>) -> io::Result<TlsConfigs> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        match authorities {
            Some(path) => {
                let named =
                    |error: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()));
                let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
                let (added, _) = roots.add_parsable_certificates(all.map_err(|error| named(error.to_string()))?);
                if added == 0 {
                    return Err(named("no certificate of an authority in it".into()));
                }
            }
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let builder = || {
            let builder = ClientConfig::builder_with_provider(provider.clone());
            builder.with_safe_default_protocol_versions().map_err(io::Error::other)
        };
        let any = Arc::new(Judged(provider.clone(), Anything));
        let any = builder()?.dangerous().with_custom_certificate_verifier(any).with_no_client_auth();
        let roots = Arc::new(roots);
        let proven = builder()?.with_root_certificates(roots.clone()).with_no_client_auth();
        Ok(TlsConfigs { any: Arc::new(any), proven: Arc::new(proven), roots })
    }

    /// Takes what a judge lets pass. No session of it is resumed: another judge might not have let it begin.
    pub(super) fn judged_by(&self, judge: impl Judge) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.any);
        let provider = config.crypto_provider().clone();
        config.dangerous().set_certificate_verifier(Arc::new(Judged(provider, judge)));
        config.resumption = Resumption::disabled();
        Arc::new(config)
    }
}

/// What a server has shown of itself.
pub(super) struct Chain<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    /// In any order, the authority at the top among them or not.
    pub(super) others: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
    pub(super) provider: &'a Arc<CryptoProvider>,
}

/// Says whether a certificate will do.
pub(super) trait Judge: std::fmt::Debug + Send + Sync + 'static {
    fn judge(&self, chain: &Chain<'_>) -> Result<(), Error>;
}

/// Believes every name.
#[derive(Debug)]
struct Anything;

impl Judge for Anything {
    fn judge(&self, _chain: &Chain<'_>) -> Result<(), Error> {
        Ok(())
    }
}

/// A judge of certificates, but never of a peer that does not have its certificate's key.
#[derive(Debug)]
struct Judged<J>(Arc<CryptoProvider>, J);

impl<J: Judge> ServerCertVerifier for Judged<J> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.1.judge(&Chain { end_entity, others: intermediates, now, provider: &self.0 })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
