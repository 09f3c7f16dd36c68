//! New signing keys, made in the command's own process, and their records for DNS (RFC 6376 section 3.6.1). Keeps no key.
use crate::ops::{Failure, KeyView, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey};
use rsa::rand_core::OsRng;

/// Bits of a new RSA key: 4096 do not fit into what some receivers and name servers take.
const RSA_BITS: usize = 2048;
/// Bytes of one string of a TXT record (RFC 1035 section 3.3).
const TXT_STRING_BYTES: usize = 255;

/// A new key: the private half as PKCS #8, the public one as the record holds it.
pub fn generate(algorithm: &str) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let failed = |what: String| Failure::new(Kind::Failed, format!("a signing key could not be made: {what}"));
    if algorithm == "ed25519" {
        let private = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new())
            .map_err(|error| failed(error.to_string()))?;
        let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).map_err(|error| failed(error.to_string()))?;
        return Ok((private.as_ref().to_vec(), pair.public_key().as_ref().to_vec()));
    }
    let key = rsa::RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(|error| failed(error.to_string()))?;
    let private = key.to_pkcs8_der().map_err(|error| failed(error.to_string()))?;
    let public = key.to_public_key().to_public_key_der().map_err(|error| failed(error.to_string()))?;
    Ok((private.as_bytes().to_vec(), public.as_bytes().to_vec()))
}

/// What the record says.
pub fn record(algorithm: &str, public: &[u8]) -> String {
    format!("v=DKIM1; k={algorithm}; p={}", STANDARD.encode(public))
}

/// The record as a line of a zone file.
pub fn zone_line(key: &KeyView) -> String {
    let strings: Vec<String> = key
        .record
        .as_bytes()
        .chunks(TXT_STRING_BYTES)
        .map(|part| format!("\"{}\"", String::from_utf8_lossy(part)))
        .collect();
    format!("{}. IN TXT ( {} )", key.name, strings.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_into_strings() {
        let key = KeyView { record: "x".repeat(300), name: "s._domainkey.a.test".into(), ..KeyView::default() };
        let line = zone_line(&key);
        assert_eq!(line, format!("s._domainkey.a.test. IN TXT ( \"{}\" \"{}\" )", "x".repeat(255), "x".repeat(45)));
    }

    #[test]
    fn both_kinds_can_be_made() {
        let (private, public) = generate("ed25519").expect("a key");
        assert_eq!((public.len(), private[0]), (32, 0x30));
        let (_, public) = generate("rsa").expect("a key");
        assert!(public.len() > 270, "SubjectPublicKeyInfo of 2048 bits");
    }
}
