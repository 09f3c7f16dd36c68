//! DKIM signatures (RFC 6376, RFC 8463) for mail of our domains, and ARC sets (RFC 8617) for mail that is passed on. Chooses no key.
use super::{Seal, forged};
use crate::dsn::header_of;
use mail_auth::arc::ArcSealer;
use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256, SigningKey as Signs};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner};
use mail_auth::{ArcOutput, AuthenticatedMessage, AuthenticationResults};
use posthouse_engine::directory::{Algorithm, SigningKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What a signature covers (RFC 6376 section 5.4.1). A field that is not there is named all the same, so that nobody can add it.
const COVERED: [&str; 16] = [
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Post",
];
/// And of a report about TLS besides (RFC 8460 section 5.3).
const OF_REPORT: [&str; 2] = ["TLS-Report-Domain", "TLS-Report-Submitter"];
/// What a seal's message signature covers: what has been signed before too.
const SEALED: [&str; 9] =
    ["From", "To", "Cc", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "DKIM-Signature"];

/// Of these a message has one at most (RFC 5322 section 3.6, RFC 2045 section 3), and readers differ in which of two they show: each is named once more than it is there, so that
/// none can be added to what is signed (RFC 6376 sections 5.4.2 and 8.15).
const SINGLE: [&str; 10] = [
    "From",
    "Subject",
    "To",
    "Cc",
    "Date",
    "Reply-To",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// The names of a signature: `all`, and those fields once more that are there and must stay single. mail-auth names each as often as it is there,
/// and once a name of the list that it has not found in its place.
fn covered<'a>(all: &[&'static str], there: impl Iterator<Item = &'a [u8]>) -> Vec<&'static str> {
    let mut single: Vec<&'static str> = SINGLE.into_iter().filter(|name| all.contains(name)).collect();
    let mut covered = all.to_vec();
    for name in there {
        if let Some(at) = single.iter().position(|one| one.as_bytes().eq_ignore_ascii_case(name)) {
            covered.push(single.swap_remove(at));
        }
    }
    covered
}

fn rsa(key: &SigningKey) -> mail_auth::Result<RsaKey<Sha256>> {
    RsaKey::from_key_der(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(&*key.private)))
}

fn one<K: Signs<Hasher = Sha256>>(with: K, key: &SigningKey, top: &[u8], message: &[u8]) -> mail_auth::Result<String> {
    let is_report = memchr::memmem::find(header_of(message), b"\nTLS-Report-Domain:").is_some();
    let all: Vec<_> = COVERED.into_iter().chain(OF_REPORT.into_iter().filter(|_| is_report)).collect();
    let signer = DkimSigner::from_key(with)
        .domain(&*key.domain)
        .selector(&*key.selector)
        .headers(covered(&all, [top, message].into_iter().flat_map(forged::names)))
        .header_canonicalization(Canonicalization::Relaxed)
        .body_canonicalization(Canonicalization::Relaxed);
    signer.sign_chained([top, message]).map(|signature| signature.to_header())
}

/// A DKIM-Signature of `top` + `message` for each key.
pub(super) fn fields(top: &[u8], message: &[u8], keys: &[SigningKey]) -> Vec<u8> {
    let mut out = Vec::new();
    for key in keys {
        let signed = match key.algorithm {
            Algorithm::Rsa => rsa(key).and_then(|with| one(with, key, top, message)),
            Algorithm::Ed25519 => {
                Ed25519Key::from_pkcs8_maybe_unchecked_der(&key.private).and_then(|with| one(with, key, top, message))
            }
        };
        match signed {
            Ok(field) => out.extend_from_slice(field.as_bytes()),
            Err(error) => told(key, &error),
        }
    }
    out
}

/// The three fields of an ARC set; nothing when the chain is broken already or the key cannot sign.
pub(super) fn seal(
    Seal { key, over }: &Seal,
    came: &AuthenticatedMessage<'_>,
    results: &AuthenticationResults<'_>,
    arc: &ArcOutput<'_>,
) -> Vec<u8> {
    let changed = over.as_deref().map(AuthenticatedMessage::parse);
    let message = match &changed {
        None => came,
        Some(Some(changed)) => changed,
        // Nothing of its header is left that could be signed.
        Some(None) => return Vec::new(),
    };
    // RFC 8617 section 5.1: a chain that has failed is not continued.
    if !arc.can_be_sealed() {
        return Vec::new();
    }
    let sealed = rsa(key).and_then(|with| {
        let covered = covered(&SEALED, message.headers.iter().map(|(name, _)| *name));
        let sealer = ArcSealer::from_key(with).domain(&*key.domain).selector(&*key.selector).headers(covered);
        sealer.seal(message, results, arc).map(|set| set.to_header())
    });
    sealed.map_or_else(
        |error| {
            told(key, &error);
            Vec::new()
        },
        String::into_bytes,
    )
}

fn told(key: &SigningKey, error: &mail_auth::Error) {
    tracing::error!(domain = %key.domain, selector = %key.selector, %error, "a message could not be signed");
}
