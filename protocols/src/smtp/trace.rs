//! The fields put on top of a message: Return-Path and Received (RFC 5321 section 4.4), and what a submission lacks (RFC 6409 section 8).
use super::header::Header;
use super::role::Role;
use super::state::{Session, Transaction};
use crate::limits;
use crate::wire::write_date_time;

/// The fields for one message. `id` names it in the log and in Received.
pub(super) fn fields(session: &Session, transaction: &Transaction, header: &Header, id: &str, now: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    // A message that only goes on to other hosts gets its Return-Path where it is delivered at last.
    if transaction.recipients.iter().any(|rcpt| !rcpt.local.is_empty()) {
        out.extend_from_slice(b"Return-Path: <");
        out.extend_from_slice(transaction.sender.as_bytes());
        out.extend_from_slice(b">\r\n");
    }
    received(&mut out, session, transaction, id, now);
    if session.role == Role::Submission {
        if let Some(author) = session.author(transaction).filter(|_| !header.has_from) {
            out.extend_from_slice(format!("From: {author}\r\n").as_bytes());
        }
        if !header.has_date {
            out.extend_from_slice(b"Date: ");
            write_date_time(&mut out, now);
            out.extend_from_slice(b"\r\n");
        }
        if !header.has_message_id {
            out.extend_from_slice(format!("Message-ID: <{id}@{}>\r\n", session.shared.hostname).as_bytes());
        }
    }
    out
}

fn received(out: &mut Vec<u8>, session: &Session, transaction: &Transaction, id: &str, now: i64) {
    out.extend_from_slice(b"Received: from ");
    out.extend_from_slice(shown(session.hello.as_ref().map_or("unknown", |hello| &hello.name)).as_bytes());
    // RFC 5321 section 4.1.3: an IPv6 literal has its tag.
    let peer = session.stream.peer().ip().to_canonical();
    let literal = if peer.is_ipv6() { format!(" ([IPv6:{peer}])") } else { format!(" ([{peer}])") };
    out.extend_from_slice(literal.as_bytes());
    if let Some(tls) = session.stream.tls_info() {
        out.extend_from_slice(format!("\r\n\t(using {} with cipher {})", tls.version, tls.cipher).as_bytes());
    }
    out.extend_from_slice(b"\r\n\tby ");
    out.extend_from_slice(session.shared.hostname.as_bytes());
    out.extend_from_slice(b" with ");
    out.extend_from_slice(with(session, transaction).as_bytes());
    out.extend_from_slice(b" id ");
    out.extend_from_slice(id.as_bytes());
    // With more recipients the field would tell each of them of the others (RFC 5321 section 7.2).
    if let [rcpt] = transaction.recipients.as_slice() {
        out.extend_from_slice(b"\r\n\tfor <");
        out.extend_from_slice(rcpt.given.as_bytes());
        out.push(b'>');
    }
    if transaction.terms.priority != 0 {
        // RFC 6710 section 4.1; section 7 has the clause.
        out.extend_from_slice(format!("\r\n\tPRIORITY {}", transaction.terms.priority).as_bytes());
    }
    out.extend_from_slice(b";\r\n\t");
    write_date_time(out, now);
    out.extend_from_slice(b"\r\n");
}

/// The protocol keyword (RFC 3848, RFC 6531 section 4.3).
fn with(session: &Session, transaction: &Transaction) -> String {
    let base = match (session.role, transaction.utf8) {
        (Role::Lmtp, false) => "LMTP",
        (Role::Lmtp, true) => "UTF8LMTP",
        (_, true) => "UTF8SMTP",
        (_, false) if session.hello.as_ref().is_some_and(|hello| hello.extended) => "ESMTP",
        (_, false) => return "SMTP".into(),
    };
    let tls = if session.stream.is_tls() { "S" } else { "" };
    let auth = if session.login.is_some() { "A" } else { "" };
    format!("{base}{tls}{auth}")
}

/// The client's name for itself, so that it can neither end the field nor open a comment.
fn shown(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    let kept = name.chars().take(limits::SMTP_HELLO_CHARS_MAX);
    kept.map(|c| if fits(c) { c } else { '?' }).collect()
}
