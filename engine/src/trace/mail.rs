//! One step on a message's way: its bytes (docs/format.md, "Mail log"). No I/O.
use super::files::{Files, Record};
use super::login::{peer, put_peer, shortened};
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::limits;
use std::net::SocketAddr;

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// The message has come whole and is to be judged.
    #[default]
    Came,
    /// It, or a recipient of it, is refused; who brought it knows.
    Refused,
    /// It stands in a mailbox.
    Delivered,
    /// It waits to go to another host.
    Queued,
    /// A copy failed after the message was taken; the sender is told by mail.
    Failed,
    /// An account gets no copy, and nobody is told.
    Dropped,
    /// The next host has taken it over.
    Sent,
    /// An attempt failed; there will be another.
    Deferred,
    /// It is given up.
    Bounced,
    /// A report goes to its sender.
    Reported,
    /// A person has done something to it.
    Handled,
    /// It was answered for a member who is away.
    Answered,
    /// It was answered 250 and cannot be seen.
    Alarm,
    /// Records may be missing before this one.
    Gap,
    /// The log was closed in order.
    Ended,
    /// A member has logged in to send mail.
    Login,
}

pub(super) const STEPS: [(Step, &str); 16] = [
    (Step::Came, "came"),
    (Step::Refused, "refused"),
    (Step::Delivered, "delivered"),
    (Step::Queued, "queued"),
    (Step::Failed, "failed"),
    (Step::Dropped, "dropped"),
    (Step::Sent, "sent"),
    (Step::Deferred, "deferred"),
    (Step::Bounced, "bounced"),
    (Step::Reported, "reported"),
    (Step::Handled, "handled"),
    (Step::Answered, "answered"),
    (Step::Alarm, "alarm"),
    (Step::Gap, "gap"),
    (Step::Ended, "ended"),
    (Step::Login, "login"),
];

impl Step {
    /// For people.
    pub fn name(self) -> &'static str {
        STEPS.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }
}

/// One step. What does not apply to it is zero or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailRecord {
    /// Milliseconds since 1970-01-01 UTC.
    pub when_ms: i64,
    /// What happened.
    pub step: Step,
    /// Names the message from MAIL on: the id in Received.
    pub id: u64,
    /// Its number in the queue.
    pub queue: u64,
    /// The number in the queue of what it comes from.
    pub from_queue: u64,
    /// The member who sends it, or whose mailbox it stands in.
    pub account: u64,
    /// The mailbox's number.
    pub mailbox: u32,
    /// The entry.
    pub uid: u32,
    /// Bytes of the message.
    pub size_bytes: u64,
    /// How many attempts there were.
    pub attempt: u32,
    /// When the next one is, seconds since 1970-01-01 UTC.
    pub next_try: i64,
    /// Who has brought it.
    pub peer: Option<SocketAddr>,
    /// The protocol by which it came, or the host that it went to.
    pub by: String,
    /// The reverse-path.
    pub sender: String,
    /// The forward-path.
    pub recipient: String,
    /// Of the header, with its brackets.
    pub message_id: String,
    /// Decoded.
    pub subject: String,
    /// Which policy acted, or what was found out about the sender.
    pub policy: String,
    /// A reply, or what a person reads of it.
    pub text: String,
    /// Names the connection on which it happened. What happens before MAIL has this number and no `id`.
    pub connection: u64,
    /// How many such steps it stands for; 0 and 1: itself only.
    pub count: u32,
    /// What was known of the connection: what the client calls itself, TLS, who has logged in.
    pub session: String,
}

/// The mail log of a store.
pub type MailLog = Files<MailRecord>;

/// The texts in their order, with the bytes that are kept of each.
const TEXTS: [usize; 7] = [128, 320, 320, 320, 256, 256, 512];
/// The bit of `given` that says that there is a peer.
const PEER: u64 = 1 << 9;
/// The bit of the first text.
const TEXT: u64 = 1 << 10;
/// Bits of what was added later, behind all others.
const CONNECTION: u64 = 1 << 17;
const COUNT: u64 = 1 << 18;
const SESSION: u64 = 1 << 19;
/// Bytes that are kept of what was known of the connection.
const SESSION_BYTES_MAX: usize = 640;

impl MailRecord {
    fn numbers(&self) -> [u64; 9] {
        [
            self.id,
            self.queue,
            self.account,
            u64::from(self.mailbox),
            u64::from(self.uid),
            self.size_bytes,
            u64::from(self.attempt),
            self.next_try.unsigned_abs(),
            self.from_queue,
        ]
    }

    fn texts(&self) -> [&str; 7] {
        [&self.by, &self.sender, &self.recipient, &self.message_id, &self.subject, &self.policy, &self.text]
    }
}

impl Record for MailRecord {
    const DIR: &'static str = "mail-log";
    const DAMAGED: &'static str = "a mail record with a right crc expected before this byte";
    const MAGIC: &'static [u8; 8] = b"PHMAIL01";
    const FILE_BYTES_MAX: u64 = limits::MAIL_LOG_FILE_BYTES_MAX;
    const BYTES_MAX: u64 = limits::MAIL_LOG_BYTES_DEFAULT;
    const DAYS_MAX: u64 = limits::MAIL_LOG_DAYS_DEFAULT;
    const WAITING_BYTES_MAX: usize = limits::MAIL_LOG_WAITING_BYTES_MAX;

    fn when_ms(&self) -> i64 {
        self.when_ms
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.put_i64(self.when_ms);
        out.put_u8(STEPS.iter().position(|(step, _)| *step == self.step).unwrap_or(0) as u8 + 1);
        let (numbers, texts) = (self.numbers(), self.texts());
        let mut given = if self.peer.is_some() { PEER } else { 0 };
        numbers.iter().enumerate().filter(|(_, number)| **number != 0).for_each(|(at, _)| given |= 1 << at);
        texts.iter().enumerate().filter(|(_, text)| !text.is_empty()).for_each(|(at, _)| given |= TEXT << at);
        let later = [(CONNECTION, self.connection != 0), (COUNT, self.count != 0), (SESSION, !self.session.is_empty())];
        later.iter().filter(|(_, is_given)| *is_given).for_each(|(bit, _)| given |= bit);
        out.put_varint(given);
        numbers.iter().filter(|number| **number != 0).for_each(|number| out.put_varint(*number));
        if let Some(peer) = self.peer {
            put_peer(out, peer);
        }
        for (text, bytes_max) in texts.iter().zip(TEXTS).filter(|(text, _)| !text.is_empty()) {
            out.put_str(shortened(text, bytes_max));
        }
        [self.connection, self.count.into()].iter().filter(|number| **number != 0).for_each(|one| out.put_varint(*one));
        if !self.session.is_empty() {
            out.put_str(shortened(&self.session, SESSION_BYTES_MAX));
        }
    }

    fn get(body: &mut Reader<'_>) -> Result<MailRecord, DecodeError> {
        let when_ms = body.i64()?;
        let step = usize::from(body.u8()?).wrapping_sub(1);
        let Some((step, _)) = STEPS.get(step).copied() else {
            return body.error("a known step expected before this byte");
        };
        let given = body.varint()?;
        let is_given = |bit: u64| given & bit != 0;
        let mut numbers = [0; 9];
        for (at, number) in numbers.iter_mut().enumerate().filter(|(at, _)| is_given(1 << at)) {
            *number = if (3..5).contains(&at) || at == 6 { u64::from(body.varint_u32()?) } else { body.varint()? };
        }
        let peer = if is_given(PEER) { Some(peer(body)?) } else { None };
        let mut texts: [String; 7] = Default::default();
        for (_, text) in texts.iter_mut().enumerate().filter(|(at, _)| is_given(TEXT << at)) {
            body.str()?.clone_into(text);
        }
        let connection = if is_given(CONNECTION) { body.varint()? } else { 0 };
        let count = if is_given(COUNT) { body.varint_u32()? } else { 0 };
        let session = if is_given(SESSION) { body.str()?.to_owned() } else { String::new() };
        let [id, queue, account, mailbox, uid, size_bytes, attempt, next_try, from_queue] = numbers;
        let [by, sender, recipient, message_id, subject, policy, text] = texts;
        let (mailbox, uid, attempt) = (mailbox as u32, uid as u32, attempt as u32);
        let next_try = i64::try_from(next_try).unwrap_or(i64::MAX);
        Ok(MailRecord {
            when_ms,
            step,
            id,
            queue,
            from_queue,
            account,
            mailbox,
            uid,
            size_bytes,
            attempt,
            next_try,
            peer,
            by,
            sender,
            recipient,
            message_id,
            subject,
            policy,
            text,
            connection,
            count,
            session,
        })
    }

    fn resumed(last: Option<&MailRecord>, when_ms: i64) -> Option<MailRecord> {
        let last = last.filter(|last| last.step != Step::Ended)?;
        let text = format!(
            "the server did not end in order; of what happened after {} ms records may be missing",
            last.when_ms
        );
        Some(MailRecord { when_ms, step: Step::Gap, text, ..MailRecord::default() })
    }

    fn lost(count: u64, when_ms: i64) -> Option<MailRecord> {
        let text = format!("{count} records were lost: the disk did not take them, or not in time");
        Some(MailRecord { when_ms, step: Step::Gap, text, ..MailRecord::default() })
    }
}
