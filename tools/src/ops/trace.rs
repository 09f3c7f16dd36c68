//! The mail log as it is shown: all steps of the messages that somebody asks for. Reads it only.
use super::{Failure, Kind, Response, View};
use crate::limits::PAGE_ROWS_MAX;
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::directory::{Address, normalise_domain};
use posthouse_engine::trace::{MailFilter, MailKey, MailRecord};
use serde::{Deserialize, Serialize};

/// Which steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceFilter {
    /// Those of messages with this Message-ID, address, `@domain`, id or queue number, or of a host by its IP address; none: all.
    pub what: Option<String>,
    /// Only those from here on, seconds since 1970-01-01 UTC.
    pub since: Option<i64>,
    /// Only those before this.
    pub until: Option<i64>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// Seconds since 1970-01-01 UTC.
    pub when: i64,
    /// What happened.
    pub step: String,
    /// Names the message from MAIL on, as in Received.
    pub id: String,
    /// Its number in the queue.
    pub queue: Option<u64>,
    /// The number of the message in the queue that it was made of.
    pub from_queue: Option<u64>,
    /// The member who sends it, or whose mailbox it stands in.
    pub account: Option<u64>,
    /// The mailbox; its number when it is not there any more.
    pub mailbox: String,
    /// The entry.
    pub uid: Option<u32>,
    /// Bytes.
    pub size_bytes: Option<u64>,
    /// How many attempts there were.
    pub attempt: Option<u32>,
    /// Seconds since 1970-01-01 UTC.
    pub next_try: Option<i64>,
    /// Who has brought it.
    pub from: String,
    /// By which protocol, or to which host.
    pub by: String,
    /// The reverse-path.
    pub sender: String,
    /// The forward-path.
    pub recipient: String,
    /// Of the header.
    pub message_id: String,
    /// Decoded.
    pub subject: String,
    /// Which policy acted, what was found out about the sender, or what protected the connection.
    pub policy: String,
    /// A reply, or what a person reads of it.
    pub text: String,
    /// Names the connection on which it happened; the id of what happened before MAIL.
    pub connection: String,
    /// How many such steps it stands for, where it is not one.
    pub count: Option<u32>,
    /// What was known of the connection.
    pub session: String,
}

/// What a word can mean.
fn keys(what: &str) -> Result<Vec<MailKey>, Failure> {
    let what = what.trim();
    let bare = what.trim_matches(['<', '>']);
    let mut keys = Vec::new();
    if let Ok(ip) = bare.parse() {
        keys.push(MailKey::Peer(ip));
    } else if bare.contains('@') {
        // An address and a Message-ID look alike.
        keys.extend([MailKey::MessageId(bare.to_owned()), MailKey::Address(bare.to_owned())]);
        // The log has names in the form in which they are compared.
        let canonical = match bare.strip_prefix('@') {
            Some(domain) => normalise_domain(domain).ok().map(|domain| format!("@{domain}")),
            None => Address::parse(bare).ok().map(|address| address.to_string()),
        };
        keys.extend(canonical.filter(|form| form != bare).map(MailKey::Address));
    } else {
        keys.extend(bare.parse().ok().map(MailKey::Queue));
        keys.extend(u64::from_str_radix(bare, 16).ok().map(MailKey::Id));
    }
    if keys.is_empty() {
        let text = format!(
            "{what:?} is none of: a Message-ID, name@domain, @domain, an IP address, the id in Received, a queue number"
        );
        return Err(Failure::new(Kind::Refused, text));
    }
    Ok(keys)
}

/// One page, the oldest first.
pub(super) fn trace(engine: &Engine, filter: &TraceFilter, after: Option<u64>) -> Result<Response, Failure> {
    let ms = |seconds: Option<i64>| seconds.map(|seconds| seconds.saturating_mul(1000));
    let keys = filter.what.as_deref().map(keys).transpose()?.unwrap_or_default();
    let filter = MailFilter { keys, since_ms: ms(filter.since), until_ms: ms(filter.until) };
    let page = engine.mail_log(&filter, after, PAGE_ROWS_MAX)?;
    if page.cut {
        return Err(Failure::new(
            Kind::Refused,
            "too many messages fit; ask for a shorter time (--since, --until, --last)",
        ));
    }
    let rows = page.rows.iter().map(|row| View::Step(Box::new(view(engine, &row.record)))).collect();
    Ok(Response::Listed { rows, next: page.next.map(|next| next.to_string()) })
}

fn view(engine: &Engine, record: &MailRecord) -> StepView {
    let number = record.mailbox;
    let name = || {
        let view = engine.mailbox(AccountId(record.account), MailboxId(number)).ok()?;
        Some(view.name.to_string())
    };
    StepView {
        when: record.when_ms.div_euclid(1000),
        step: record.step.name().to_owned(),
        id: id(record.id),
        queue: Some(record.queue).filter(|queue| *queue != 0),
        from_queue: Some(record.from_queue).filter(|queue| *queue != 0),
        account: Some(record.account).filter(|account| *account != 0),
        mailbox: if number == 0 { String::new() } else { name().unwrap_or_else(|| number.to_string()) },
        uid: Some(record.uid).filter(|uid| *uid != 0),
        size_bytes: Some(record.size_bytes).filter(|size| *size != 0),
        attempt: Some(record.attempt).filter(|attempt| *attempt != 0),
        next_try: Some(record.next_try).filter(|next| *next != 0),
        from: record.peer.map_or_else(String::new, |peer| peer.to_string()),
        by: record.by.clone(),
        sender: record.sender.clone(),
        recipient: record.recipient.clone(),
        message_id: record.message_id.clone(),
        subject: record.subject.clone(),
        policy: record.policy.clone(),
        text: record.text.clone(),
        connection: id(record.connection),
        count: Some(record.count).filter(|count| *count > 1),
        session: record.session.clone(),
    }
}

fn id(number: u64) -> String {
    if number == 0 { String::new() } else { format!("{number:X}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_word_can_mean() {
        assert_eq!(keys("42").expect("both"), [MailKey::Queue(42), MailKey::Id(0x42)]);
        assert_eq!(keys("18FAB").expect("hexadecimal"), [MailKey::Id(0x18fab)]);
        assert_eq!(keys("<a@b>").expect("an id or an address")[0], MailKey::MessageId("a@b".into()));
        assert_eq!(keys("@b.test").expect("a domain")[1..], [MailKey::Address("@b.test".into())]);
        assert_eq!(keys("@b\u{fc}.test").expect("a domain")[2], MailKey::Address("@xn--b-eha.test".into()));
        assert_eq!(keys("A@B\u{fc}.test").expect("an address")[2], MailKey::Address("a@xn--b-eha.test".into()));
        assert_eq!(keys("192.0.2.7").expect("a host"), [MailKey::Peer([192, 0, 2, 7].into())]);
        assert!(matches!(keys("2001:db8::7").expect("a host")[..], [MailKey::Peer(_)]));
        keys("hello").expect_err("nothing");
    }
}
