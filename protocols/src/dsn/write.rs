//! A report as a message: a text for a person, the fields of RFC 3464 (RFC 6533 where UTF-8 is in it), the message or its header.
use super::{Entry, Kind, Original, Report};
use crate::orcpt;
use crate::wire::{rfc3339, write_date_time};

/// The whole message. With `local` it has the Return-Path that final delivery puts on top.
pub(crate) fn write(report: &Report<'_>, local: bool) -> Vec<u8> {
    let (kind, host, number) = (report.kind, report.hostname, report.number);
    // In no line of the parts: what others wrote is in the last part only, and that cannot know the number.
    let boundary = format!("=_report_{number:X}");
    let mut out = Lines(Vec::with_capacity(4096));
    if local {
        out.line("Return-Path: <>");
    }
    out.line(&format!("From: Mail delivery <MAILER-DAEMON@{host}>"));
    out.line(&format!("To: <{}>", report.to));
    out.line(&format!("Subject: {}", subject(kind)));
    out.line(&format!("Message-ID: <{number:X}.report@{host}>"));
    out.date("Date", report.now);
    // RFC 3834 section 5: nobody's vacation notice answers it.
    out.line("Auto-Submitted: auto-replied");
    out.line("MIME-Version: 1.0");
    let parts = parts(report, &boundary);
    if !parts.is_ascii() {
        // RFC 2045 section 6.4: what is in its parts is in the whole.
        out.line("Content-Transfer-Encoding: 8bit");
    }
    out.line(&format!("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n"));
    out.0.extend_from_slice(&parts);
    out.0
}

fn parts(report: &Report<'_>, boundary: &str) -> Vec<u8> {
    let (mut out, mut words, mut fields) =
        (Lines(Vec::with_capacity(4096)), Lines(Vec::with_capacity(1024)), Lines(Vec::with_capacity(1024)));
    text(&mut words, report);
    out.part(boundary, "text/plain; charset=utf-8", &words.0);
    // RFC 6533 section 3: the fields may hold UTF-8 only under this name.
    let global = report.entries.iter().any(|entry| !entry.address.is_ascii() || !entry.reply.text.is_ascii());
    status(&mut fields, report, global);
    fields.line("");
    let kind = if global { "message/global-delivery-status" } else { "message/delivery-status" };
    out.part(boundary, kind, &fields.0);
    let (whole, original) = match report.original {
        Original::Full(message) => (true, message),
        Original::Header(header) => (false, header),
    };
    let kind = match (whole, std::str::from_utf8(super::header_of(original)).is_ok_and(|text| !text.is_ascii())) {
        (true, true) => "message/global",
        (true, false) => "message/rfc822",
        (false, true) => "message/global-headers",
        (false, false) => "text/rfc822-headers",
    };
    out.part(boundary, kind, original);
    out.line(&format!("\r\n--{boundary}--"));
    out.0
}

struct Lines(Vec<u8>);

impl Lines {
    fn line(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }

    /// RFC 3464 section 2 wants delivery-status to be 7bit, and a host without 8BITMIME looks at the label.
    fn part(&mut self, boundary: &str, kind: &str, content: &[u8]) {
        let encoding = if content.is_ascii() { "7bit" } else { "8bit" };
        self.line(&format!("--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n"));
        self.0.extend_from_slice(content);
    }

    fn date(&mut self, field: &str, seconds: i64) {
        self.0.extend_from_slice(field.as_bytes());
        self.0.extend_from_slice(b": ");
        write_date_time(&mut self.0, seconds);
        self.0.extend_from_slice(b"\r\n");
    }
}

fn subject(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => "Undelivered mail",
        Kind::Delayed => "Delayed mail (still being tried)",
        Kind::Relayed => "Mail handed on",
        Kind::Delivered => "Mail delivered",
        Kind::Expanded => "Mail sent to a group",
    }
}

fn text(out: &mut Lines, report: &Report<'_>) {
    let host = report.hostname;
    out.line(&match report.kind {
        Kind::Failed => format!("Your message could not be delivered to everybody. {host} says:\r\n"),
        Kind::Delayed => format!("Your message is delayed for these recipients. {host} says:\r\n"),
        Kind::Relayed => {
            format!("Your message was handed to hosts that do not tell of its delivery. {host} says:\r\n")
        }
        Kind::Delivered => format!("Your message is in the mailboxes of these recipients. {host} says:\r\n"),
        Kind::Expanded => format!("Your message went to everybody behind these addresses. {host} says:\r\n"),
    });
    for Entry { address, reply, remote, .. } in report.entries {
        let by = remote.as_ref().map_or(String::new(), |remote| format!(" ({remote})"));
        out.line(&format!("  {address}{by}\r\n    {reply}\r\n"));
    }
    out.line(match report.kind {
        Kind::Failed => "It is not tried again. Recipients that are not named here are not affected.\r\n",
        Kind::Delayed => "You need not do anything: it is tried again until it is delivered or given up.\r\n",
        Kind::Relayed => "You will hear of it only if its delivery fails.\r\n",
        Kind::Delivered => "Nobody is known to have read it yet.\r\n",
        Kind::Expanded => "You will hear of one of them only if its delivery fails.\r\n",
    });
}

fn status(out: &mut Lines, report: &Report<'_>, global: bool) {
    out.line(&format!("Reporting-MTA: dns; {}", report.hostname));
    if !report.envelope_id.is_empty() {
        out.line(&format!("Original-Envelope-Id: {}", printable(report.envelope_id)));
    }
    if let Some(arrived) = report.arrived {
        out.date("Arrival-Date", arrived);
    }
    if let Some(by) = report.terms.deliver_by {
        // RFC 2852 section 5.
        out.date("Deliver-By-Date", by.at);
    }
    if report.terms.hold_until != 0 {
        // RFC 4865 section 5.1.2; a time is what the store keeps, however it was asked for.
        out.line(&format!("Future-Release-Request: until;{}", rfc3339(report.terms.hold_until)));
    }
    let (action, class) = match report.kind {
        Kind::Failed => ("failed", "5"),
        Kind::Delayed => ("delayed", "4"),
        Kind::Relayed => ("relayed", "2"),
        Kind::Delivered => ("delivered", "2"),
        Kind::Expanded => ("expanded", "2"),
    };
    for Entry { address, orcpt, reply, remote } in report.entries {
        out.line("");
        if let Some(original) = orcpt::shown(orcpt, global) {
            out.line(&format!("Original-Recipient: {original}"));
        }
        let of = if global && !address.is_ascii() { "utf-8" } else { "rfc822" };
        out.line(&format!("Final-Recipient: {of}; {address}"));
        out.line(&format!("Action: {action}"));
        // RFC 3464 section 2.3.4: the status fits the action, whatever class the reply had.
        out.line(&format!("Status: {class}{}", &reply.status[1.min(reply.status.len())..]));
        if let Some(remote) = remote {
            out.line(&format!("Remote-MTA: dns; {remote}"));
        }
        if matches!(report.kind, Kind::Delivered | Kind::Expanded) {
            // RFC 3464 section 2.3.6: there is nothing to diagnose.
            continue;
        }
        let of = if reply.code == 0 { "x-posthouse" } else { "smtp" };
        out.line(&format!("Diagnostic-Code: {of}; {reply}"));
        if report.kind != Kind::Relayed {
            out.date("Last-Attempt-Date", report.now);
        }
        if let (Kind::Delayed, Some(until)) = (report.kind, report.until) {
            out.date("Will-Retry-Until", until);
        }
    }
}

/// What a client gave, so that it can end no field.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Reply;
    use super::*;
    use posthouse_engine::queue::{DeliverBy, Terms};

    fn entry(address: &str, reply: Reply) -> Entry {
        Entry { address: address.into(), orcpt: "rfc822;o@x.test".into(), reply, remote: Some("mx.x.test".into()) }
    }

    fn report(kind: Kind, entries: &[Entry], original: Original<'_>) -> String {
        let report = Report {
            kind,
            hostname: "mail.example.org",
            number: 255,
            to: "ann@example.org",
            envelope_id: "QQ\r\n1",
            arrived: Some(0),
            terms: Terms {
                hold_until: 60,
                deliver_by: Some(DeliverBy { at: 120, returns: true, trace: false }),
                ..Terms::default()
            },
            until: Some(432_000),
            now: 14_400,
            entries,
            original,
        };
        String::from_utf8(write(&report, true)).expect("UTF-8")
    }

    #[test]
    fn a_failure_has_the_fields_of_the_rfc() {
        let entries = [entry("bob@x.test", Reply::heard(450, "4.2.2 full"))];
        let text = report(Kind::Failed, &entries, Original::of(b"Subject: s\r\n\r\nbody\r\n", 0, Kind::Failed));
        for line in [
            "Return-Path: <>",
            "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit",
            "Reporting-MTA: dns; mail.example.org",
            "Original-Envelope-Id: QQ??1",
            "Arrival-Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "Deliver-By-Date: Thu, 01 Jan 1970 00:02:00 +0000",
            "Future-Release-Request: until;1970-01-01T00:01:00Z",
            "Original-Recipient: rfc822;o@x.test",
            "Final-Recipient: rfc822; bob@x.test",
            "Action: failed",
            "Status: 5.2.2",
            "Remote-MTA: dns; mx.x.test",
            "Diagnostic-Code: smtp; 450 4.2.2 full",
            "Content-Type: text/rfc822-headers",
            "Subject: s",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line}\n{text}");
        }
        assert!(!text.contains("\r\nbody") && !text.contains("8bit"), "{text}");
    }

    #[test]
    fn delays_say_until_when_and_relays_say_relayed() {
        let late = report(Kind::Delayed, &[entry("a@x.test", Reply::own("4.4.1", "no answer"))], Original::Header(b""));
        for line in ["Action: delayed", "Status: 4.4.1", "Will-Retry-Until: Tue, 06 Jan 1970 00:00:00 +0000"] {
            assert!(late.contains(line), "{late}");
        }
        assert!(late.contains("Diagnostic-Code: x-posthouse; 4.4.1 no answer"), "{late}");
        let on = report(Kind::Relayed, &[entry("a@x.test", Reply::heard(250, "2.0.0 ok"))], Original::Header(b""));
        assert!(on.contains("Action: relayed\r\nStatus: 2.0.0"), "{on}");
    }

    #[test]
    fn successes_say_what_became_of_it_and_nothing_is_diagnosed() {
        let reply = || Reply { code: 0, status: "2.1.5".into(), text: "in its mailbox".into() };
        for (kind, action) in [(Kind::Delivered, "delivered"), (Kind::Expanded, "expanded")] {
            let entries = [Entry { remote: None, ..entry("a@x.test", reply()) }];
            let text = report(kind, &entries, Original::of(b"Subject: s\r\n\r\nbody\r\n", 1, kind));
            assert!(text.contains(&format!("Action: {action}\r\nStatus: 2.1.5\r\n")), "{text}");
            assert!(!text.contains("Diagnostic-Code") && !text.contains("Last-Attempt") && !text.contains("\r\nbody"));
        }
        let left: Vec<u8> = [0, 1, 2, 4, 6, 8, 14].into_iter().map(super::super::without_success).collect();
        assert_eq!(left, [0, 1, 1, 4, 4, 8, 12]);
    }

    #[test]
    fn utf8_goes_under_its_own_names_and_full_messages_only_when_asked() {
        let entries = [entry("\u{90ae}@x.test", Reply::heard(550, "5.1.1 no"))];
        let message = "Subject: \u{90ae}\r\n\r\nbody\r\n".as_bytes();
        let text = report(Kind::Failed, &entries, Original::of(message, 1, Kind::Failed));
        assert!(text.contains("message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"), "{text}");
        assert!(text.contains("Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: multipart/report;"), "{text}");
        assert!(
            text.contains("Final-Recipient: utf-8; \u{90ae}@x.test") && text.contains("\r\n\r\nbody\r\n"),
            "{text}"
        );
        assert!(matches!(Original::of(message, 1, Kind::Delayed), Original::Header(_)));
    }

    #[test]
    fn notify_is_obeyed() {
        let wanted = |notify| [Kind::Failed, Kind::Delayed, Kind::Relayed].map(|kind| kind.is_wanted(notify));
        assert_eq!(wanted(0), [true, true, false]);
        assert_eq!(wanted(1), [false, false, false]);
        assert_eq!(wanted(2), [false, false, true]);
        assert_eq!(wanted(4), [true, false, false]);
        assert_eq!(wanted(8 | 2), [false, true, true]);
    }
}
