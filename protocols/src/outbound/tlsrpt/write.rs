//! A day's report as JSON (RFC 8460 section 4), as gzip, and as a mail (section 5). Sends none.
use super::tally::{Counts, Day, Kind};
use crate::wire::{DAY, civil, write_date_time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::directory::Address;
use serde_json::{Value, json};

/// Who reports, and under which number.
pub(super) struct Reporter<'a> {
    /// Our name.
    pub(super) hostname: &'a str,
    /// Whom to ask about it.
    pub(super) contact: &'a str,
    /// A number that no other report has.
    pub(super) number: u64,
    /// Seconds since 1970 UTC.
    pub(super) now: i64,
}

impl Reporter<'_> {
    /// Names the report.
    fn id(&self, day: &Day) -> String {
        format!("{}.{:X}@{}", date(day.day), self.number, self.hostname)
    }

    /// The report, packed.
    pub(super) fn packed(&self, day: &Day) -> Vec<u8> {
        let report = json!({
            "organization-name": self.hostname,
            "date-range": {
                "start-datetime": format!("{}T00:00:00Z", date(day.day)),
                "end-datetime": format!("{}T23:59:59Z", date(day.day)),
            },
            "contact-info": self.contact,
            "report-id": self.id(day),
            "policies": day.policies.iter().map(|(published, counts)| {
                let mut policy = json!({
                    "policy-type": kind(published.kind),
                    "policy-domain": &*published.domain,
                });
                if !published.lines.is_empty() {
                    policy["policy-string"] = json!(published.lines);
                }
                if !published.mx.is_empty() {
                    policy["mx-host"] = json!(published.mx);
                }
                described(&policy, counts)
            }).collect::<Vec<_>>(),
        });
        gzip(report.to_string().as_bytes())
    }

    /// The mail that brings it to somebody.
    pub(super) fn mail(&self, day: &Day, to: &[Address], packed: &[u8]) -> Vec<u8> {
        let (host, domain, id) = (self.hostname, &day.domain, self.id(day));
        // RFC 8460 sections 5.1 and 5.3: who submits it is the domain of the contact.
        let submitter = self.contact.rsplit_once('@').map_or(host, |(_, domain)| domain);
        let boundary = format!("=_tlsrpt_{:X}", self.number);
        let (begin, end) = (day.day * DAY, day.day * DAY + DAY - 1);
        let mut date_time = Vec::new();
        write_date_time(&mut date_time, self.now);
        let date_time = String::from_utf8_lossy(&date_time);
        let to: Vec<String> = to.iter().map(|one| format!("<{}>", one.as_str())).collect();
        let mut lines = vec![
            format!("From: TLS reports <{}>", self.contact),
            format!("To: {}", to.join(",\r\n\t")),
            format!("Subject: Report Domain: {domain} Submitter: {submitter} Report-ID: <{id}>"),
            format!("Message-ID: <{id}>"),
            format!("Date: {date_time}"),
            format!("TLS-Report-Domain: {domain}"),
            format!("TLS-Report-Submitter: {submitter}"),
            // A report about TLS that fails must not fail with it (RFC 8460 section 3).
            "TLS-Required: No".into(),
            "Auto-Submitted: auto-generated".into(),
            "MIME-Version: 1.0".into(),
            format!("Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"{boundary}\""),
            String::new(),
            format!("--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n"),
            format!(
                "This is a report about TLS between {host} and the mail hosts of {domain} on {} (UTC).",
                date(day.day)
            ),
            format!("\r\n--{boundary}\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64"),
            format!(
                "Content-Disposition: attachment;\r\n\tfilename=\"{submitter}!{domain}!{begin}!{end}.json.gz\"\r\n"
            ),
        ];
        let encoded = STANDARD.encode(packed);
        lines.extend(encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()));
        lines.push(format!("\r\n--{boundary}--\r\n"));
        lines.join("\r\n").into_bytes()
    }
}

fn described(policy: &Value, counts: &Counts) -> Value {
    let detail = |(failed, count): (&super::tally::Failed, &u64)| {
        let mut detail = json!({
            "result-type": failed.result,
            "receiving-mx-hostname": failed.host,
            "failed-session-count": count,
        });
        if let Some((ours, theirs)) = failed.ips {
            detail["sending-mta-ip"] = json!(ours.to_string());
            detail["receiving-ip"] = json!(theirs.to_string());
        }
        detail
    };
    let summary = json!({
        "total-successful-session-count": counts.successes,
        "total-failure-session-count": counts.failures,
    });
    let details: Vec<Value> = counts.details.iter().map(detail).collect();
    json!({ "policy": policy, "summary": summary, "failure-details": details })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Tlsa => "tlsa",
        Kind::Sts => "sts",
        Kind::NoPolicyFound => "no-policy-found",
    }
}

/// `2026-11-27` (RFC 3339).
fn date(day: i64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// RFC 1952.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(miniz_oxide::deflate::compress_to_vec(bytes, 6));
    out.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out
}
