//! Answers where the server's TLS identity comes from: PEM files, or a self-signed certificate made at first start. It never talks to a
//! network and never overwrites a file that is there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use ring::digest;
use rustls::ServerConfig;
use rustls::crypto::ring as provider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// File of the self-signed certificate in its directory.
pub const CERTIFICATE_FILE: &str = "selfsigned.crt.pem";
/// File of its private key, mode 0600.
pub const KEY_FILE: &str = "selfsigned.key.pem";

/// A server configuration (TLS 1.2 and 1.3) from a certificate chain and its key, both PEM.
///
/// # Errors
/// A file that cannot be read, holds no certificate or key, or a key that does not fit the certificate; the file is named.
pub fn from_pem_files(certificates: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect);
    let chain = chain.map_err(|error| named(certificates, error))?;
    if chain.is_empty() {
        return Err(named(certificates, "no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| named(key, error))?;
    server_config(chain, private).map_err(|error| named(key, error))
}

/// The self-signed certificate in `directory` for `host_names` (its subjectAltNames); made when it is not there yet.
///
/// # Errors
/// A directory that cannot be written, or files there that are no certificate and key.
pub fn self_signed(directory: &Path, host_names: &[String]) -> io::Result<Arc<ServerConfig>> {
    let certificate = directory.join(CERTIFICATE_FILE);
    let key = directory.join(KEY_FILE);
    if !certificate.exists() {
        make_self_signed(&certificate, &key, host_names)?;
    }
    from_pem_files(&certificate, &key)
}

fn make_self_signed(certificate: &Path, key: &Path, host_names: &[String]) -> io::Result<()> {
    let made = rcgen::generate_simple_self_signed(host_names).map_err(io::Error::other)?;
    if let Some(directory) = certificate.parent() {
        fs::create_dir_all(directory)?;
    }
    // The key first: a start that dies in between leaves no certificate, so the next one begins anew.
    if key.exists() {
        fs::remove_file(key)?;
    }
    write_new(key, 0o600, &made.signing_key.serialize_pem())?;
    write_new(certificate, 0o644, &made.cert.pem())
}

fn write_new(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // Tickets are sealed state that the client keeps: resumption without memory here.
    config.ticketer = provider::Ticketer::new()?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// `tls-server-end-point` of a certificate file's first certificate (RFC 5929 section 4.1): its hash. `None` for a certificate whose
/// signature has no hash of its own (Ed25519): the binding is not defined for it.
///
/// # Errors
/// A file that cannot be read or holds no certificate; the file is named.
pub fn end_point(certificates: &Path) -> io::Result<Option<Vec<u8>>> {
    let certificate = CertificateDer::from_pem_file(certificates).map_err(|error| named(certificates, error))?;
    Ok(end_point_of(&certificate))
}

/// The same of a certificate.
pub fn end_point_of(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let hash = match signature_oid(certificate)? {
        // 1.2.840.113549.1.1: RSA with MD5 and SHA-1 (for which SHA-256 stands in), SHA-256, SHA-384, SHA-512.
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4 | 5 | 11] => &digest::SHA256,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12] => &digest::SHA384,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13] => &digest::SHA512,
        // 1.2.840.10045.4: ECDSA with SHA-1, and 1.2.840.10045.4.3: with SHA-256, SHA-384, SHA-512.
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] => &digest::SHA256,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] => &digest::SHA384,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

/// signatureAlgorithm's OID (RFC 5280 section 4.1): what follows tbsCertificate.
fn signature_oid(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = der_value(der, 0x30)?;
    let (_, rest) = der_value(certificate, 0x30)?;
    let (algorithm, _) = der_value(rest, 0x30)?;
    der_value(algorithm, 0x06).map(|(oid, _)| oid)
}

/// The content of a DER value with that tag, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

fn named(path: &Path, error: impl std::fmt::Display) -> io::Error {
    let told = format!("{}: {error}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_points_are_the_hash_that_the_signature_has() {
        let made = rcgen::generate_simple_self_signed(["mail.example.org".to_owned()]).expect("a certificate");
        let der = made.cert.der();
        // rcgen signs with ECDSA and SHA-256.
        assert_eq!(end_point_of(der), Some(digest::digest(&digest::SHA256, der).as_ref().to_vec()));
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
        let params = rcgen::CertificateParams::new(vec!["mail.example.org".to_owned()]).expect("a name");
        let der = params.self_signed(&key).expect("a certificate").der().clone();
        assert_eq!(end_point_of(&der), Some(digest::digest(&digest::SHA384, &der).as_ref().to_vec()));
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let params = rcgen::CertificateParams::new(vec!["mail.example.org".to_owned()]).expect("a name");
        assert_eq!(end_point_of(params.self_signed(&key).expect("a certificate").der()), None);
        for end in 0..der.len() {
            let _ = end_point_of(&der[..end].to_vec().into());
        }
    }
}
