//! Answers the sender of a message for members who are away (F11): the mail flow has said for whom. Each sender once in a while, which the store
//! remembers; nothing that goes wrong here changes what the client hears.
use super::letter::Says;
use super::prepare::sign;
use super::state::{Session, Transaction};
use crate::verify::Verifier;
use crate::wire::write_date_time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::base::QueueId;
use posthouse_engine::directory::{Account, Address};
use posthouse_engine::mailflow::Answering;
use posthouse_engine::queue::{NewQueueItem, QueueRecipient, TlsDemand};
use posthouse_engine::{Answer, Engine};
use std::fmt::Write;
use std::sync::Arc;

/// What is answered.
pub(crate) struct About<'a> {
    /// Names the message in the log.
    pub(crate) id: u64,
    /// Its reverse-path.
    pub(crate) sender: &'a str,
    pub(crate) subject: &'a str,
    /// In its brackets; empty if there is none.
    pub(crate) message_id: &'a str,
    /// What it demands of TLS.
    pub(crate) tls: TlsDemand,
}

/// What answers are made with.
pub(crate) struct Means<'a> {
    pub(crate) engine: &'a Engine,
    /// Signs them.
    pub(crate) verifier: Option<&'a Arc<Verifier>>,
    pub(crate) hostname: &'a str,
    /// A number that no other message has.
    pub(crate) number: u64,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) now: i64,
}

impl Session {
    /// Answers for one account; whether it did.
    pub(super) async fn answer(&self, transaction: &Transaction, says: &Says, answering: &Answering) -> bool {
        let shared = &self.shared;
        let means = Means {
            engine: &shared.engine,
            verifier: shared.verifier.as_ref(),
            hostname: &shared.hostname,
            number: shared.next_id(),
            now: shared.clock.now(),
        };
        let Says { subject, message_id, .. } = says;
        let (id, tls) = (transaction.id, transaction.tls);
        let about = About { id, sender: &transaction.sender, subject, message_id, tls };
        let answered = answer(&means, &about, answering).await;
        if let Some((by, queue)) = &answered {
            self.note_answered(transaction, by.as_str(), *queue);
        }
        answered.is_some()
    }
}

/// Queues the answer for one account: by whom, and its number; `None`, when there is none or the sender was answered before.
pub(crate) async fn answer(means: &Means<'_>, about: &About<'_>, answering: &Answering) -> Option<(Address, QueueId)> {
    let Answering { account, away, handle, .. } = answering;
    let (engine, id) = (means.engine, about.id);
    let member = engine.directory(|known| known.account(*account).cloned())?;
    let bytes = message(means, &member, answering, about);
    // It is the member's mail, so it is signed like the rest of it.
    let author = answering.from.as_ref().unwrap_or(&member.address);
    let signed = match sign(engine, means.verifier, Some(author), (Vec::new(), bytes)).await {
        Ok(signed) => signed,
        Err(reply) => {
            tracing::warn!(id, why = %reply.text, "an answer was not signed or sent");
            return None;
        }
    };
    let staged = match engine.stage(signed.fields, signed.message).await {
        Ok(staged) => staged,
        Err(error) => {
            tracing::error!(id, %error, "an answer could not be made");
            return None;
        }
    };
    let to = about.sender.to_owned();
    // RFC 3834 section 3.3: with the null sender, so that it is answered by nobody; and nobody is told of its delivery.
    let recipients = vec![QueueRecipient { address: to.clone(), notify: 1, orcpt: String::new() }];
    let utf8 = !to.is_ascii() || !author.as_str().is_ascii();
    let (account, handle, days) = (*account, handle.clone(), away.days);
    let (whose, tls) = (Some(account), about.tls.of_report());
    let item = NewQueueItem { account: whose, recipients, utf8, tls, ..NewQueueItem::default() };
    let lower = Address::parse(&to).map_or_else(|_| to.to_lowercase(), |address| address.to_string());
    match engine.answer_once(Answer { account, to: lower, handle, days, staged, item }).await {
        Ok(queue) => queue.map(|queue| (member.address, queue)),
        Err(error) => {
            tracing::error!(id, %error, "an answer was not sent");
            None
        }
    }
}

/// Text in a header field, encoded where it must be (RFC 2047).
fn encoded(text: &str) -> String {
    if text.is_ascii() && text.len() < 900 {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        // An encoded word has 75 characters at most: 45 bytes of text.
        let mut end = rest.len().min(45);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, after) = rest.split_at(end);
        let _ = write!(out, "{}=?utf-8?B?{}?=", if out.is_empty() { "" } else { "\r\n " }, STANDARD.encode(word));
        rest = after;
    }
    out
}

/// A MIME entity that a script gives (RFC 5230 section 4.3), with what describes its content (RFC 2045 section 3) and no other field: another From, say,
/// would be another's name under this member's signature.
fn write_entity(out: &mut String, entity: &str) {
    let mut lines = entity.lines();
    let mut is_kept = false;
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        // Lines that go on belong to the field before them.
        if !line.starts_with([' ', '\t']) {
            is_kept = line.get(..8).is_some_and(|name| name.eq_ignore_ascii_case("content-")) && line.contains(':');
        }
        if is_kept {
            out.extend([line, "\r\n"]);
        }
    }
    out.push_str("\r\n");
    lines.for_each(|line| out.extend([line, "\r\n"]));
}

/// The answer (RFC 3834 section 3, RFC 5230 section 5).
fn message(means: &Means<'_>, member: &Account, answering: &Answering, about: &About<'_>) -> Vec<u8> {
    let Means { hostname: host, number, now, .. } = means;
    let Answering { away, from, mime, .. } = answering;
    let clean = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let subject = match &*away.subject {
        "" => clean(&format!("Auto: {}", about.subject)),
        own => clean(own),
    };
    let mut out = String::with_capacity(1024 + 2 * away.text.len());
    let name = clean(&member.name).replace(['"', '\\'], "'");
    let name = match name.as_str() {
        "" => String::new(),
        name if name.is_ascii() => format!("\"{name}\" "),
        name => format!("{} ", encoded(name)),
    };
    let author = from.as_ref().unwrap_or(&member.address);
    let _ = write!(out, "From: {name}<{author}>\r\nTo: <{}>\r\n", about.sender);
    let _ = write!(out, "Subject: {}\r\nMessage-ID: <{number:X}.away@{host}>\r\n", encoded(&subject));
    let id = clean(about.message_id);
    if id.starts_with('<') && id.len() < 900 && id.is_ascii() {
        let _ = write!(out, "In-Reply-To: {id}\r\nReferences: {id}\r\n");
    }
    let mut date = Vec::new();
    write_date_time(&mut date, *now);
    let _ = write!(out, "Date: {}\r\nAuto-Submitted: auto-replied\r\n", String::from_utf8_lossy(&date));
    out.push_str("MIME-Version: 1.0\r\n");
    if *mime {
        write_entity(&mut out, &away.text);
        return out.into_bytes();
    }
    out.push_str("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    let text = away.text.replace('\n', "\r\n") + "\r\n";
    let body = STANDARD.encode(text);
    for line in body.as_bytes().chunks(76) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push_str("\r\n");
    }
    out.into_bytes()
}
