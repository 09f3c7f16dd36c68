//! `[reports]`: what other domains are told of their mail, with its defaults. docs/configuration.md explains the keys.
use super::check::{Wrong, wrong};
use posthouse_engine::directory::Address;
use serde::Deserialize;

/// `[reports]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reports {
    /// Whether domains that ask for DMARC reports get them.
    pub dmarc: bool,
    /// Who reports, as people read it.
    pub organisation: String,
    /// Whom to write to about reports, and their From.
    pub contact: String,
}

/// Who reports must be said.
pub(super) fn check(reports: &Reports, checks_senders: bool) -> Result<(), Wrong> {
    let needed = reports.dmarc;
    let Reports { organisation, contact, .. } = reports;
    if organisation.len() > 200 || organisation.contains(char::is_control) || needed && organisation.trim().is_empty() {
        let what = "allowed: the organisation's name, as in \"Acme Mail\"; needed where reports are sent".to_owned();
        return wrong("reports.organisation", what);
    }
    if (needed || !contact.is_empty()) && Address::parse(contact).is_err() {
        let what = "allowed: an address, as in \"postmaster@acme.example\"; needed where reports are sent".to_owned();
        return wrong("reports.contact", what);
    }
    if reports.dmarc && !checks_senders {
        return wrong("reports.dmarc", "true is allowed only with verify.enabled: else nothing is known".to_owned());
    }
    Ok(())
}
