//! What reports about TLS call what can go wrong with it (RFC 8460 section 4.3). Decides nothing.
use rustls::{CertificateError, Error};
use std::io;

/// The host has no STARTTLS, or refuses it.
pub(in crate::outbound) const NO_STARTTLS: &str = "starttls-not-supported";
/// Whatever has no name of its own.
pub(super) const FAILED: &str = "validation-failure";
/// TLSA records cannot be had.
pub(super) const NO_TLSA: &str = "dnssec-invalid";
/// A policy of MTA-STS cannot be had, or is none.
pub(super) const NO_POLICY: &str = "sts-policy-fetch-error";
pub(super) const BAD_POLICY: &str = "sts-policy-invalid";
/// The certificate's faults.
const EXPIRED: &str = "certificate-expired";
const OTHER_HOST: &str = "certificate-host-mismatch";
const NOT_TRUSTED: &str = "certificate-not-trusted";

/// A name as it is written here; `None`: nothing here is called so.
pub(in crate::outbound) fn named(name: &str) -> Option<&'static str> {
    let all = [NO_STARTTLS, FAILED, NO_TLSA, NO_POLICY, BAD_POLICY, EXPIRED, OTHER_HOST, NOT_TRUSTED];
    all.into_iter().find(|known| *known == name)
}

/// Of a handshake that has failed.
pub(in crate::outbound) fn result_type(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => of_tls(error),
        None => FAILED,
    }
}

/// Why a handshake has failed, in words.
pub(in crate::outbound) fn why(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        // A judge of ours has said it.
        Some(Error::InvalidCertificate(CertificateError::Other(why))) => format!("invalid peer certificate: {why}"),
        _ => error.to_string(),
    }
}

/// Of an error of TLS.
pub(super) fn of_tls(error: &Error) -> &'static str {
    let Error::InvalidCertificate(error) = error else { return FAILED };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => EXPIRED,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => OTHER_HOST,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => NOT_TRUSTED,
        _ => FAILED,
    }
}
