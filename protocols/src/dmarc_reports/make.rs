//! From sums to a report, its XML and its message (RFC 9990 sections 2 and 3). Pure: no clock, no I/O.
use super::Settings;
use crate::verify::published_record;
use mail_auth::dmarc::Dmarc;
use mail_auth::report::{
    ActionDisposition, DKIMAuthResult, DmarcResult, PolicyOverride, PolicyOverrideReason, PolicyPublished, Record,
    Report, SPFAuthResult, SPFDomainScope,
};
use posthouse_engine::trace::{DmarcAction, DmarcRow, DmarcSums};

const DAY: u64 = 86_400;

/// A report's message, and how much it tells.
pub(super) struct Made {
    pub(super) message: Vec<u8>,
    pub(super) rows: usize,
    pub(super) messages: u64,
}

/// A record as the log keeps it.
pub(super) fn published(policy: &str) -> Option<Dmarc> {
    published_record(policy)
}

/// Who is to get reports, each with the bytes that it takes; 0: any number.
pub(super) fn addresses(record: &Dmarc) -> impl Iterator<Item = (String, usize)> {
    record.rua().iter().map(|uri| (uri.uri().to_owned(), uri.max_size()))
}

/// The report of a day (since 1970-01-01 UTC) as a message to all of `to`.
pub(super) fn message(
    settings: &Settings,
    domain: &str,
    day: u32,
    record: &Dmarc,
    sums: DmarcSums,
    to: &[String],
) -> Result<Made, String> {
    let (rows, messages) = (sums.rows.len(), sums.rows.values().sum::<u64>() + sums.unlisted);
    let report = report(settings, domain, day, record, sums);
    let mut message = Vec::new();
    let from = (settings.organisation.as_str(), settings.contact.as_str());
    let written = report.write_rfc5322(settings.contact.domain(), from, to.iter().map(String::as_str), &mut message);
    written.map_err(|error| error.to_string())?;
    let subject = format!(
        "Subject: Report Domain: {domain}\r\n Submitter: {}\r\n Report-ID: <{}>",
        settings.contact.domain(),
        report.report_id()
    );
    Ok(Made { message: with_subject(message, &subject), rows, messages })
}

/// With that field in the place of the one that is there, which is made of encoded words: receivers find reports by the subject as it stands.
fn with_subject(mut message: Vec<u8>, field: &str) -> Vec<u8> {
    let Some(start) = memchr::memmem::find(&message, b"\r\nSubject:").map(|at| at + 2) else { return message };
    let end = {
        let mut ends = memchr::memmem::find_iter(&message[start..], b"\r\n").map(|at| start + at);
        ends.find(|end| !matches!(message.get(end + 2), Some(b' ' | b'\t'))).unwrap_or(message.len())
    };
    message.splice(start..end, field.bytes());
    message
}

/// The same as mail-auth has it.
pub(super) fn report(settings: &Settings, domain: &str, day: u32, record: &Dmarc, sums: DmarcSums) -> Report {
    let begin = u64::from(day) * DAY;
    let mut report = Report::new()
        .with_version(1.0)
        .with_org_name(&settings.organisation)
        .with_email(settings.contact.as_str())
        // The same whenever it is made, so that who gets it twice knows.
        .with_report_id(format!("{begin}.{domain}@{}", settings.hostname))
        .with_date_range_begin(begin)
        .with_date_range_end(begin + DAY - 1)
        .with_generator("Posthouse")
        .with_policy_published(PolicyPublished::from_record(domain, record));
    if sums.unlisted > 0 {
        report = report.with_error(format!("{} messages stand in no record: there were too many kinds", sums.unlisted));
    }
    let mut rows: Vec<(DmarcRow, u64)> = sums.rows.into_iter().collect();
    rows.sort_unstable();
    for (row, count) in rows {
        report.add_record(one(&row, count, record.t));
    }
    report
}

fn one(row: &DmarcRow, count: u64, is_test: bool) -> Record {
    let aligned = |is: bool| if is { DmarcResult::Pass } else { DmarcResult::Fail };
    let mut record = Record::new()
        .with_count(u32::try_from(count).unwrap_or(u32::MAX))
        .with_action_disposition(match row.action {
            DmarcAction::None => ActionDisposition::None,
            DmarcAction::Pass => ActionDisposition::Pass,
            DmarcAction::Quarantine => ActionDisposition::Quarantine,
            DmarcAction::Reject => ActionDisposition::Reject,
        })
        .with_dmarc_dkim_result(aligned(row.dkim_aligned))
        .with_dmarc_spf_result(aligned(row.spf_aligned))
        .with_header_from(&row.header_from)
        .with_envelope_from(&row.envelope_from);
    if let Some(source) = row.source {
        record = record.with_source_ip(source);
    }
    if row.overridden {
        record = record.with_policy_override_reason(PolicyOverrideReason::new(PolicyOverride::LocalPolicy));
    }
    if is_test && row.action != DmarcAction::Pass {
        record = record.with_policy_override_reason(PolicyOverrideReason::new(PolicyOverride::PolicyTestMode));
    }
    for signature in &row.dkim {
        let result = DKIMAuthResult::new().with_domain(&signature.domain).with_selector(&signature.selector);
        record = record.with_dkim_auth_result(result.with_result(signature.result.parse().unwrap_or_default()));
    }
    if !row.spf.is_empty() {
        let result = SPFAuthResult::new().with_domain(&row.envelope_from).with_scope(SPFDomainScope::MailFrom);
        record = record.with_spf_auth_result(result.with_result(row.spf.parse().unwrap_or_default()));
    }
    record
}
