//! Answers the sender of a message for members who are away (F11): the mail flow has said for whom. Each sender once in a while, which the store
//! remembers; nothing that goes wrong here changes what the client hears.
use super::letter::Says;
use super::state::{Session, Transaction};
use crate::wire::write_date_time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::Answer;
use posthouse_engine::directory::{Account, Address, Away};
use posthouse_engine::mailflow::Answering;
use posthouse_engine::queue::{NewQueueItem, QueueRecipient};
use std::fmt::Write;

impl Session {
    /// Answers for one account.
    pub(super) async fn answer(&self, transaction: &Transaction, says: &Says, answering: &Answering) {
        let engine = &self.shared.engine;
        let Answering { account, away, handle } = answering;
        let Some(member) = engine.directory(|known| known.account(*account).cloned()) else { return };
        let bytes = message(
            &self.shared.hostname,
            self.shared.next_id(),
            &member,
            away,
            transaction,
            says,
            self.shared.clock.now(),
        );
        // It is the member's mail, so it is signed like the rest of it.
        let from = Says { from: vec![member.address.clone()], ..Says::default() };
        let signed = match self.sign(&from, Vec::new(), bytes).await {
            Ok(signed) => signed,
            Err(reply) => {
                return tracing::warn!(id = transaction.id, why = %reply.text, "an answer was not signed or sent");
            }
        };
        let staged = match engine.stage(signed.fields, signed.message).await {
            Ok(staged) => staged,
            Err(error) => return tracing::error!(id = transaction.id, %error, "an answer could not be made"),
        };
        let to = transaction.sender.clone();
        // RFC 3834 section 3.3: with the null sender, so that it is answered by nobody; and nobody is told of its delivery.
        let recipients = vec![QueueRecipient { address: to.clone(), notify: 1, orcpt: String::new() }];
        let utf8 = !to.is_ascii() || !member.address.as_str().is_ascii();
        let item = NewQueueItem { recipients, utf8, tls: transaction.tls.of_report(), ..NewQueueItem::default() };
        let lower = Address::parse(&to).map_or_else(|_| to.to_lowercase(), |address| address.to_string());
        let (account, handle, days) = (*account, handle.clone(), away.days);
        let answer = Answer { account, to: lower, handle, days, staged, item };
        match engine.answer_once(answer).await {
            Ok(Some(queue)) => self.note_answered(transaction, member.address.as_str(), queue),
            Ok(None) => {}
            Err(error) => tracing::error!(id = transaction.id, %error, "an answer was not sent"),
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

/// The answer (RFC 3834 section 3, RFC 5230 section 5).
fn message(
    host: &str,
    number: u64,
    member: &Account,
    away: &Away,
    transaction: &Transaction,
    says: &Says,
    now: i64,
) -> Vec<u8> {
    let clean = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let subject = match &*away.subject {
        "" => clean(&format!("Auto: {}", says.subject)),
        own => own.to_owned(),
    };
    let mut out = String::with_capacity(1024 + 2 * away.text.len());
    let name = clean(&member.name).replace(['"', '\\'], "'");
    let name = match name.as_str() {
        "" => String::new(),
        name if name.is_ascii() => format!("\"{name}\" "),
        name => format!("{} ", encoded(name)),
    };
    let _ = write!(out, "From: {name}<{}>\r\nTo: <{}>\r\n", member.address, transaction.sender);
    let _ = write!(out, "Subject: {}\r\nMessage-ID: <{number:X}.away@{host}>\r\n", encoded(&subject));
    let id = clean(&says.message_id);
    if id.starts_with('<') && id.len() < 900 && id.is_ascii() {
        let _ = write!(out, "In-Reply-To: {id}\r\nReferences: {id}\r\n");
    }
    let mut date = Vec::new();
    write_date_time(&mut date, now);
    let _ = write!(out, "Date: {}\r\nAuto-Submitted: auto-replied\r\n", String::from_utf8_lossy(&date));
    out.push_str(
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    );
    let text = away.text.replace('\n', "\r\n") + "\r\n";
    let body = STANDARD.encode(text);
    for line in body.as_bytes().chunks(76) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push_str("\r\n");
    }
    out.into_bytes()
}
