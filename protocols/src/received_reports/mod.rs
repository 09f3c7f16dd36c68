//! What other hosts report of our mail: DMARC aggregate reports (RFC 9990, RFC 7489) and TLS reports (RFC 8460), read out of the messages that bring them.
//! They come from strangers: what is unpacked is bounded, entities are not expanded, and what is shown holds no control characters. Keeps nothing.
#[cfg(test)]
mod tests;
mod unpack;

use crate::limits;
use mail_auth::report::tlsrpt::TlsReport;
use mail_auth::report::{ActionDisposition, DmarcResult, Report};
use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Mail in a domain's name, as its receivers saw it.
    Dmarc,
    /// Connections to a domain's hosts, as senders saw them.
    Tls,
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What it is about.
    pub kind: Kind,
    /// Who reports.
    pub reporter: String,
    /// The reporter's name for it.
    pub id: String,
    /// The time that it tells of, seconds since 1970-01-01 UTC.
    pub begin: i64,
    /// Its end.
    pub end: i64,
    /// What it tells.
    pub rows: Vec<Row>,
}

/// One line of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Whose mail, or whose hosts.
    pub domain: String,
    /// The host that sent in its name, or the one that could not be reached as it should.
    pub source: String,
    /// Messages, or connections.
    pub count: u64,
    /// Those that passed.
    pub passed: u64,
    /// Those whose signature proves the domain.
    pub dkim: u64,
    /// Those whose envelope proves it.
    pub spf: u64,
    /// Those that were put aside.
    pub quarantined: u64,
    /// Those that were refused.
    pub rejected: u64,
    /// Why connections failed (RFC 8460 section 4.3).
    pub why: String,
}

/// What a message brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Its reports; none: it brings none that can be read.
    pub reports: Vec<Received>,
    /// Why something that should be one cannot be read, for each.
    pub unreadable: Vec<String>,
}

/// The reports in a message. What cannot be read takes nothing from what stands beside it.
pub fn read(message: &[u8]) -> Brought {
    let mut brought = Brought::default();
    if message.len() > limits::REPORT_BYTES_MAX {
        brought.unreadable.push("it is too large for a report".into());
        return brought;
    }
    let Some(parsed) = MessageParser::new().parse(message) else { return brought };
    for part in parsed.parts.iter().filter(|part| may_be(part)).take(limits::REPORT_PARTS_MAX) {
        match one(part.contents()) {
            Ok(report) => brought.reports.push(report),
            Err(why) => brought.unreadable.push(why),
        }
    }
    brought
}

/// Whether a part should be a report, by its type or its name: senders agree upon neither.
fn may_be(part: &MessagePart<'_>) -> bool {
    if matches!(part.body, PartType::Multipart(_) | PartType::Message(_)) {
        return false;
    }
    let subtype = part.content_type().and_then(|one| one.subtype()).unwrap_or_default().to_ascii_lowercase();
    let name = part.attachment_name().unwrap_or_default().to_ascii_lowercase();
    let types = ["gzip", "x-gzip", "zip", "x-zip", "x-zip-compressed", "xml", "tlsrpt+json", "tlsrpt+gzip"];
    types.contains(&&*subtype) || [".xml", ".gz", ".zip", ".json"].iter().any(|end| name.ends_with(end))
}

fn one(packed: &[u8]) -> Result<Received, String> {
    let text = unpack::unpack(packed, limits::REPORT_BYTES_MAX)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text).trim_ascii_start();
    match text.first() {
        Some(b'<') => Report::parse_xml(text).map(|report| of_dmarc(&report)).map_err(|error| plain(&error)),
        Some(b'{') => TlsReport::parse_json(text).map(of_tls).map_err(|error| plain(&format!("{error:?}"))),
        _ => Err("neither XML nor JSON".into()),
    }
}

fn of_dmarc(report: &Report) -> Received {
    let row = |record: &mail_auth::report::Record| {
        let count = u64::from(record.count());
        let if_so = |so: bool| if so { count } else { 0 };
        let (dkim, spf) = (record.dmarc_dkim_result(), record.dmarc_spf_result());
        let action = record.action_disposition();
        Row {
            domain: plain(if record.header_from().is_empty() { report.domain() } else { record.header_from() }),
            source: record.source_ip().map_or_else(String::new, |ip| ip.to_string()),
            count,
            passed: if_so(dkim == DmarcResult::Pass || spf == DmarcResult::Pass),
            dkim: if_so(dkim == DmarcResult::Pass),
            spf: if_so(spf == DmarcResult::Pass),
            quarantined: if_so(action == ActionDisposition::Quarantine),
            rejected: if_so(action == ActionDisposition::Reject),
            why: String::new(),
        }
    };
    Received {
        kind: Kind::Dmarc,
        reporter: plain(report.org_name()),
        id: plain(report.report_id()),
        begin: i64::try_from(report.date_range_begin()).unwrap_or(i64::MAX),
        end: i64::try_from(report.date_range_end()).unwrap_or(i64::MAX),
        rows: report.records().iter().map(row).collect(),
    }
}

fn of_tls(report: TlsReport) -> Received {
    let mut rows = Vec::new();
    for policy in report.policies {
        let domain = plain(&policy.policy.policy_domain);
        let row = |count: u32, source: &str, why: String| Row {
            domain: domain.clone(),
            source: plain(source),
            count: count.into(),
            why,
            ..Row::default()
        };
        let passed = policy.summary.total_success;
        rows.push(Row { passed: passed.into(), ..row(passed, "", String::new()) });
        let mut untold = policy.summary.total_failure;
        for failure in policy.failure_details {
            untold = untold.saturating_sub(failure.failed_session_count);
            let host = failure.receiving_mx_hostname.unwrap_or_default();
            let ip = failure.receiving_ip.map_or_else(String::new, |ip| ip.to_string());
            let why = serde_json::to_value(failure.result_type).unwrap_or_default();
            let why = plain(why.as_str().unwrap_or_default());
            rows.push(row(failure.failed_session_count, if host.is_empty() { &ip } else { &host }, why));
        }
        if untold > 0 {
            rows.push(row(untold, "", "not told".into()));
        }
    }
    Received {
        kind: Kind::Tls,
        reporter: plain(&report.organization_name.unwrap_or_default()),
        id: plain(&report.report_id),
        begin: report.date_range.start_datetime.to_timestamp(),
        end: report.date_range.end_datetime.to_timestamp(),
        rows: rows.into_iter().filter(|row| row.count > 0).collect(),
    }
}

/// What a stranger wrote, as a terminal may show it.
fn plain(text: &str) -> String {
    text.chars().take(limits::REPORT_TEXT_CHARS_MAX).map(|c| if c.is_control() { '?' } else { c }).collect()
}
