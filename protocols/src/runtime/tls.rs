//! Answers where the server's TLS identity comes from: PEM files, or a self-signed certificate made at first start. It never talks to a
//! network and never overwrites a file that is there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
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
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // Tickets are sealed state that the client keeps: resumption without memory here.
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

fn named(path: &Path, error: impl std::fmt::Display) -> io::Error {
    let told = format!("{}: {error}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, told)
}
