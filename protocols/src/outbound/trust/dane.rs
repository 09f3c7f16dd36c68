//! Which TLSA records count for SMTP, and whether a certificate matches one (RFC 6698, 7671 and 7672). Asks no name server.
use crate::outbound::resolve::Tlsa;
use crate::outbound::tls::{Chain, Judge};
use ring::digest::{self, SHA256, SHA256_OUTPUT_LEN, SHA512, SHA512_OUTPUT_LEN};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, OtherError, RootCertStore};
use std::fmt;
use std::sync::Arc;

/// Usage: an authority for the host's name (DANE-TA), and the host's certificate itself (DANE-EE). The other two ask for authorities that both
/// sides know, of which SMTP has none (RFC 7672 section 3.1.3).
const TA: u8 = 2;
const EE: u8 = 3;
/// Selector: the certificate, its public key.
const WHOLE: u8 = 0;
const KEY: u8 = 1;
/// Matching: as it is, and hashes, the better one last.
const AS_IT_IS: u8 = 0;
const BY_SHA256: u8 = 1;
const BY_SHA512: u8 = 2;

/// The records that can be used. Of those that differ by their hash alone only the best hash counts (RFC 7671 section 9).
pub(in crate::outbound) fn usable(records: Vec<Tlsa>) -> Vec<Tlsa> {
    let all: Vec<Tlsa> = records.into_iter().filter(is_usable).collect();
    let best = |one: &Tlsa| {
        let alike = all.iter().filter(|other| (other.usage, other.selector) == (one.usage, one.selector));
        alike.map(|other| other.matching).max()
    };
    let counts = |one: &&Tlsa| one.matching == AS_IT_IS || Some(one.matching) == best(one);
    all.iter().filter(counts).cloned().collect()
}

fn is_usable(record: &Tlsa) -> bool {
    let fits = match record.matching {
        AS_IT_IS => !record.data.is_empty(),
        BY_SHA256 => record.data.len() == SHA256_OUTPUT_LEN,
        BY_SHA512 => record.data.len() == SHA512_OUTPUT_LEN,
        _ => false,
    };
    fits && matches!(record.usage, TA | EE) && matches!(record.selector, WHOLE | KEY)
}

/// Lets pass what a domain's own records name.
#[derive(Debug)]
pub(super) struct Dane {
    /// Where the records stand, for complaints.
    owner: String,
    records: Vec<Tlsa>,
    /// Names that an authority may have certified.
    names: Vec<ServerName<'static>>,
}

impl Dane {
    /// `records` are usable ones.
    pub(super) fn new(owner: &str, records: Vec<Tlsa>, names: &[&str]) -> Dane {
        let names = names.iter().filter_map(|name| ServerName::try_from((*name).to_owned()).ok()).collect();
        Dane { owner: owner.to_owned(), records, names }
    }

    fn of(&self, usage: u8) -> impl Iterator<Item = &Tlsa> {
        self.records.iter().filter(move |record| record.usage == usage)
    }

    /// The authorities that the records name: among the certificates that the host has sent, or in the records themselves.
    fn authorities(&self, sent: &[CertificateDer<'_>]) -> RootCertStore {
        let mut found = RootCertStore::empty();
        let named = sent.iter().filter(|one| self.of(TA).any(|record| matches(record, one)));
        found.add_parsable_certificates(named.cloned());
        let whole = self.of(TA).filter(|record| (record.selector, record.matching) == (WHOLE, AS_IT_IS));
        found.add_parsable_certificates(whole.map(|record| CertificateDer::from(record.data.as_slice())));
        found
    }
}

impl Judge for Dane {
    fn judge(&self, chain: &Chain<'_>) -> Result<(), Error> {
        // RFC 7672 section 3.1.1: neither the names in the certificate nor its dates count.
        if self.of(EE).any(|record| matches(record, chain.end_entity)) {
            return Ok(());
        }
        let authorities = self.authorities(chain.others);
        if authorities.is_empty() {
            let why = NoMatch(self.owner.clone());
            return Err(CertificateError::Other(OtherError(Arc::new(why))).into());
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), chain.provider.clone());
        let verifier = verifier.build().map_err(|error| Error::General(error.to_string()))?;
        let verify = |name| verifier.verify_server_cert(chain.end_entity, chain.others, name, &[], chain.now);
        let mut why = Err(CertificateError::NotValidForName.into());
        for name in &self.names {
            why = verify(name).map(drop);
            if why.is_ok() {
                break;
            }
        }
        why
    }
}

/// Whether a record means this certificate (RFC 6698 section 2.1).
fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let key;
    let part: &[u8] = match record.selector {
        WHOLE => certificate,
        _ => match ParsedCertificate::try_from(certificate) {
            Ok(parsed) => {
                key = parsed.subject_public_key_info();
                &key
            }
            Err(_) => return false,
        },
    };
    match record.matching {
        BY_SHA256 => digest::digest(&SHA256, part).as_ref() == record.data,
        BY_SHA512 => digest::digest(&SHA512, part).as_ref() == record.data,
        _ => part == record.data,
    }
}

/// Why a certificate does not pass.
#[derive(Debug)]
struct NoMatch(String);

impl fmt::Display for NoMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it matches no TLSA record of {}", self.0)
    }
}

impl std::error::Error for NoMatch {}
