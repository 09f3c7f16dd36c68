//! What DMARC's checks of a message have found, as a report tells it to the domain of From. Counts and sends nothing.
use super::names::Known;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::dmarc::{Alignment, Dmarc, Policy, Report, URI};
use mail_auth::report::{Record, SPFDomainScope};
use mail_auth::{DkimOutput, DmarcOutput, DmarcResult, MessageAuthenticator, SpfOutput};
use posthouse_engine::trace::{DmarcRow, DmarcSignature};
use std::fmt::Write;
use std::net::IpAddr;

/// A message, of a domain that wants to hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The policy domain: where its record stands.
    pub(crate) domain: String,
    /// That record, in a form of ours.
    pub(crate) policy: String,
    /// But for what is done with it.
    pub(crate) row: DmarcRow,
}

/// `None`: there is no record, or one that asks for no reports.
pub(super) async fn seen(
    (names, policies): (&MessageAuthenticator, &Known),
    (ip, sender): (IpAddr, &str),
    (spf, dkim, dmarc): (&SpfOutput, &[DkimOutput<'_>], &DmarcOutput),
) -> Option<Seen> {
    let record = dmarc.dmarc_record().filter(|record| !record.rua().is_empty())?;
    let domain = policy_domain((names, policies), dmarc.domain(), record).await;
    let told = Record::new().with_dkim_output(dkim).with_spf_output(spf, SPFDomainScope::MailFrom);
    let signatures = told.dkim_auth_result().iter().map(|one| DmarcSignature {
        domain: plain(one.domain()),
        selector: plain(one.selector()),
        result: one.result().to_string(),
    });
    let envelope_from = sender.rsplit_once('@').map_or_else(String::new, |(_, domain)| plain(domain));
    let asked = told.spf_auth_result().first().filter(|_| !envelope_from.is_empty());
    let row = DmarcRow {
        source: Some(ip),
        dkim_aligned: *dmarc.dkim_result() == DmarcResult::Pass,
        spf_aligned: *dmarc.spf_result() == DmarcResult::Pass,
        header_from: plain(dmarc.domain()),
        spf: asked.map_or_else(String::new, |spf| spf.result().to_string()),
        envelope_from,
        dkim: signatures.collect(),
        ..DmarcRow::default()
    };
    Some(Seen { domain: plain(&domain), policy: written(record), row })
}

/// The name at which that record stands: that of From or one above it (RFC 9989 section 4.10). The answers are `policies` by now.
async fn policy_domain((names, policies): (&MessageAuthenticator, &Known), from: &str, record: &Dmarc) -> String {
    let mut name = from;
    loop {
        // Of a long name, only its last seven labels and what is above them are asked for.
        if name == from || name.split('.').count() <= 7 {
            let key = format!("_dmarc.{name}.");
            let found = names.txt_lookup::<Dmarc>(&key, Some(policies)).await;
            if found.is_ok_and(|found| *found == *record) {
                return name.to_owned();
            }
        }
        match name.split_once('.') {
            Some((_, above)) => name = above,
            None => return from.to_owned(),
        }
    }
}

/// What a stranger wrote, so that it can stand in a report.
fn plain(text: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || "-_.:[]".contains(c);
    text.chars().take(255).map(|c| if fits(c) { c.to_ascii_lowercase() } else { '?' }).collect()
}

/// A record as text: what reports need of it.
fn written(record: &Dmarc) -> String {
    let mut out = String::from("v=DMARC1");
    for (tag, policy) in [("p", record.p), ("sp", record.sp), ("np", record.np)] {
        if policy != Policy::Unspecified {
            let _ = write!(out, "; {tag}={policy}");
        }
    }
    for (tag, alignment) in [("adkim", record.adkim), ("aspf", record.aspf)] {
        if alignment == Alignment::Strict {
            let _ = write!(out, "; {tag}=s");
        }
    }
    let fo = match record.fo {
        Report::All => "",
        Report::Any => "; fo=1",
        Report::Dkim => "; fo=d",
        Report::Spf => "; fo=s",
        Report::DkimSpf => "; fo=d:s",
    };
    out.push_str(fo);
    out.push_str(if record.t { "; t=y" } else { "" });
    let addresses: Vec<String> = record.rua().iter().map(address).collect();
    let _ = write!(out, "; rua={}", addresses.join(","));
    out
}

fn address(uri: &URI) -> String {
    let mut out = String::from("mailto:");
    for c in uri.uri().chars() {
        match c {
            ',' | '!' | ';' | '%' => {
                let _ = write!(out, "%{:02X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    if uri.max_size() > 0 {
        let _ = write!(out, "!{}", uri.max_size());
    }
    out
}

/// What [`Seen::policy`] holds.
pub(crate) fn published_record(policy: &str) -> Option<Dmarc> {
    Dmarc::parse(policy.as_bytes()).ok()
}
