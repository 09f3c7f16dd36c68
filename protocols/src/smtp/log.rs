//! What is noted of a message: a line in the server's log, and its steps in the mail log (H1), all under the id in its Received field. Decides
//! nothing, and waits for no disk.
use super::deliver::Committed;
use super::fate::Fate;
use super::held;
use super::letter::Says;
use super::reply::Reply;
use super::role::Role;
use super::sizes::is_command;
use super::state::{Rcpt, Session, Transaction};
use crate::limits;
use crate::session::Shared;
use crate::spending::Charged;
use posthouse_engine::Accepted;
use posthouse_engine::base::limits::ADDRESS_BYTES_MAX;
use posthouse_engine::base::{Error, QueueId};
use posthouse_engine::delivery::Delivered;
use posthouse_engine::directory::{Address, Recipient};
use posthouse_engine::mailflow::{Copy, Dmarc, Facts, Outcome, Verdict};
use posthouse_engine::trace::{MailRecord, Step};
use std::fmt::Write;
use std::net::SocketAddr;

fn shown(transaction: &Transaction) -> String {
    let all = transaction.recipients.iter();
    let shown: Vec<&str> = all.take(limits::SMTP_LOGGED_RECIPIENTS_MAX).map(|rcpt| rcpt.given.as_str()).collect();
    let more = transaction.recipients.len() - shown.len();
    let shown = shown.join(",");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// The recipients for steps of the mail log, as many to each as it has room for; and how many are beyond the bound of them all.
fn in_steps(recipients: &[Rcpt]) -> (Vec<String>, usize) {
    let (mut steps, mut bytes) = (Vec::new(), 0);
    let mut step = String::new();
    for (at, Rcpt { given, .. }) in recipients.iter().enumerate() {
        bytes += given.len() + 1;
        if bytes > limits::SMTP_REFUSED_RECIPIENTS_BYTES_MAX {
            steps.push(step);
            return (steps, recipients.len() - at);
        }
        if !step.is_empty() && step.len() + 1 + given.len() > ADDRESS_BYTES_MAX {
            steps.push(std::mem::take(&mut step));
        }
        if !step.is_empty() {
            step.push(',');
        }
        step.push_str(given);
    }
    steps.push(step);
    (steps, 0)
}

fn found(facts: Facts) -> String {
    let Facts { spf, dkim, arc, dmarc } = facts;
    if spf == Outcome::Unchecked && dmarc == Dmarc::Unchecked {
        return String::new();
    }
    format!("spf={spf:?} dkim={dkim:?} arc={arc:?} dmarc={dmarc:?}").to_lowercase()
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn comma(before: &str) -> &'static str {
    if before.is_empty() { "" } else { ", " }
}

/// What has moved a copy elsewhere than into INBOX.
pub(crate) fn moved(copy: Copy) -> &'static str {
    match copy {
        Copy::Inbox => "",
        Copy::Junk => "junk",
        Copy::Transfer => "catch-all",
        Copy::Nowhere => "blocklist",
        Copy::Forwarded => "forward-only",
        Copy::Discarded | Copy::Filed => "sieve",
        Copy::Held => "held",
    }
}

/// A host was turned away before it had a session.
pub(super) fn note_unserved(shared: &Shared, role: Role, peer: SocketAddr, policy: &str, reply: &Reply) {
    shared.engine.note_refusal(MailRecord {
        when_ms: shared.clock.now_ms(),
        step: Step::Refused,
        peer: Some(peer),
        by: role.name().to_owned(),
        policy: policy.to_owned(),
        text: format!("{} {}", reply.code, reply.text),
        ..MailRecord::default()
    });
}

impl Session {
    /// What is known of the connection: what the client calls itself, TLS, who has logged in and how.
    fn known_of_connection(&self) -> String {
        let mut known = String::new();
        if let Some(hello) = &self.hello {
            known.push_str(match (hello.extended, self.role) {
                (false, _) => "HELO ",
                (true, Role::Lmtp) => "LHLO ",
                (true, _) => "EHLO ",
            });
            known.push_str(&hello.name);
        }
        if let Some(tls) = self.stream.tls_info() {
            let _ = write!(known, "{}{} {}", comma(&known), tls.version, tls.cipher);
        }
        if let (Some(login), Some(mechanism)) = (&self.login, self.mechanism) {
            let _ = write!(known, "{}AUTH {} {}", comma(&known), mechanism.name(), login.address);
        }
        known
    }

    /// A step before MAIL.
    fn step_before_mail(&self, step: Step, name: &str) -> MailRecord {
        MailRecord {
            when_ms: self.shared.clock.now_ms(),
            step,
            connection: self.connection,
            peer: Some(self.stream.peer()),
            by: self.role.name().to_owned(),
            // A name in base64 may hold anything.
            sender: name.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
            session: self.known_of_connection(),
            ..MailRecord::default()
        }
    }

    /// The client was refused something before MAIL; `name` is the login that it has tried.
    pub(super) fn note_turned_away(&self, policy: &str, name: &str, reply: &Reply) {
        let (policy, text) = (policy.to_owned(), format!("{} {}", reply.code, reply.text));
        let refused = MailRecord { policy, text, ..self.step_before_mail(Step::Refused, name) };
        self.shared.engine.note_refusal(refused);
    }

    /// A member has logged in.
    pub(super) fn note_login(&self) {
        if let Some(login) = &self.login {
            let account = login.account.0;
            let record = self.step_before_mail(Step::Login, login.address.as_str());
            self.shared.engine.note_mail(&MailRecord { account, ..record });
        }
    }

    fn step(&self, transaction: &Transaction, step: Step) -> MailRecord {
        let (when_ms, id) = (self.shared.clock.now_ms(), transaction.id);
        MailRecord { when_ms, step, id, ..MailRecord::default() }
    }

    /// The first step of a message that has come whole.
    pub(super) fn note_came(
        &self,
        transaction: &Transaction,
        says: &Says,
        size_bytes: usize,
        (facts, filtered): (Facts, &str),
    ) {
        self.shared.engine.note_mail(&MailRecord {
            account: self.account().map_or(0, |account| account.0),
            size_bytes: size_bytes as u64,
            peer: Some(self.stream.peer()),
            by: self.role.name().to_owned(),
            sender: transaction.sender.clone(),
            message_id: says.message_id.clone(),
            subject: says.subject.clone(),
            policy: joined([found(facts), self.listed(), filtered.to_owned()]),
            connection: self.connection,
            session: self.known_of_connection(),
            ..self.step(transaction, Step::Came)
        });
    }

    fn listed(&self) -> String {
        self.listing.as_ref().map_or_else(String::new, |listing| listing.shown())
    }

    /// The message was taken, and a filter has thrown it away.
    pub(super) fn note_discarded(&self, transaction: &Transaction) {
        let policy = "filter".to_owned();
        self.shared.engine.note_mail(&MailRecord { policy, ..self.step(transaction, Step::Dropped) });
    }

    /// A recipient, or with an empty one the whole message, was refused.
    pub(super) fn note_refused(&self, transaction: &Transaction, recipient: &str, policy: &str, reply: &Reply) {
        // Who gets no further than MAIL comes again and again.
        let is_at_mail = recipient.is_empty() && !transaction.begun && transaction.recipients.is_empty();
        // What is refused for all was for each of them.
        let (steps, more) = match recipient {
            "" => in_steps(&transaction.recipients),
            one => (vec![one.to_owned()], 0),
        };
        let mut record = MailRecord {
            peer: Some(self.stream.peer()),
            by: self.role.name().to_owned(),
            sender: transaction.sender.clone(),
            policy: policy.to_owned(),
            text: format!("{} {}", reply.code, reply.text),
            connection: self.connection,
            session: self.known_of_connection(),
            ..self.step(transaction, Step::Refused)
        };
        if is_at_mail {
            return self.shared.engine.note_refusal(record);
        }
        for recipient in steps {
            self.shared.engine.note_mail(&MailRecord { recipient, ..record.clone() });
            // The first tells of the connection, by whose number the others are found.
            record.session.clear();
        }
        if more > 0 {
            let text = format!("and {more} more recipients, for whose names there is no room");
            self.shared.engine.note_mail(&MailRecord { text, ..record });
        }
    }

    /// The connection has ended before a message that was begun had come whole.
    pub(super) fn note_lost(&self) {
        if let Some(transaction) = self.transaction.as_ref().filter(|transaction| transaction.begun) {
            let reply = Reply::new(421, "4.4.2 the connection ended before the message had come whole");
            self.note_refused(transaction, "", "", &reply);
        }
    }

    /// MAIL or RCPT with what is no address, or with parameters that are not known or not allowed; a greeting without a name.
    pub(super) fn note_not_understood(&self, line: &[u8], reply: &Reply) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        let path = text.split_once('<').map_or("", |(_, rest)| rest.split(['>', '\r']).next().unwrap_or(""));
        let path: String = path.chars().take(limits::SMTP_LOGGED_PATH_CHARS_MAX).collect();
        if let Some(transaction) = self.transaction.as_ref().filter(|_| is_command(text, "RCPT")) {
            self.note_refused(transaction, &path, "", reply);
        } else if self.hello.is_some() && self.transaction.is_none() && is_command(text, "MAIL") {
            let transaction = Transaction { id: self.shared.next_id(), sender: path, ..Transaction::default() };
            self.note_refused(&transaction, "", "", reply);
        } else if ["EHLO", "HELO", "LHLO"].iter().any(|verb| is_command(text, verb)) {
            self.note_turned_away("hello", "", reply);
        }
    }

    /// Where each copy is; from now on somebody looks whether it can be seen.
    pub(super) fn note_fates(&self, transaction: &Transaction, verdicts: &[Verdict], committed: &Committed) {
        let engine = &self.shared.engine;
        for (rcpt, verdict) in transaction.recipients.iter().zip(verdicts) {
            if let Some(refusal) = &verdict.refusal {
                self.note_refused(transaction, &rcpt.given, refusal.stage, &super::policy::reply(refusal));
                continue;
            }
            for (recipient, copy) in rcpt.local.iter().zip(&verdict.copies) {
                let by = if *copy == Copy::Junk { verdict.suspected_by() } else { "" };
                for record in self.copies(transaction, (rcpt, recipient), (*copy, by), committed) {
                    if record.step == Step::Delivered {
                        engine.watch_accepted(std::iter::once(accepted(&record)));
                    }
                    engine.note_mail(&record);
                }
            }
            self.note_external(transaction, rcpt, verdict, committed);
        }
        for (forward, queue) in committed.forwards.iter().zip(&committed.forward_ids) {
            engine.note_mail(&MailRecord {
                queue: queue.0,
                sender: forward.sender.clone(),
                recipient: forward.to.to_string(),
                policy: "forward".into(),
                text: format!("for {}", forward.by),
                ..self.step(transaction, Step::Queued)
            });
        }
    }

    /// One step for each copy of an account, or one that says why there is none. `by` is who has moved it.
    fn copies(
        &self,
        transaction: &Transaction,
        (rcpt, recipient): (&Rcpt, &Recipient),
        (copy, by): (Copy, &str),
        committed: &Committed,
    ) -> Vec<MailRecord> {
        let record = MailRecord {
            account: recipient.account.0,
            recipient: by_way_of(&recipient.address, rcpt),
            policy: moved(copy).into(),
            text: by.into(),
            ..self.step(transaction, Step::Delivered)
        };
        if let (Copy::Held, Some(queue)) = (copy, committed.queue_id_of(held::address(rcpt, recipient))) {
            return vec![MailRecord { step: Step::Queued, queue: queue.0, ..record }];
        }
        if copy.is_none() {
            return vec![MailRecord { step: Step::Dropped, ..record }];
        }
        if let Some(queue) = committed.later.get(&recipient.account) {
            let text = "its mailbox could not take it now".into();
            return vec![MailRecord { step: Step::Queued, queue: queue.0, text, ..record }];
        }
        let one = |answer: &Result<Delivered, Error>| match answer {
            Ok(copy) => MailRecord { mailbox: copy.mailbox.0, uid: copy.uid.0, ..record.clone() },
            Err(error) => MailRecord { step: Step::Failed, text: error.to_string(), ..record.clone() },
        };
        committed.copies_of(recipient.account).map(one).collect()
    }

    /// What a member's rate keeps from being sent on or answered.
    pub(super) fn note_kept(&self, transaction: &Transaction, charged: &Charged) {
        charged.note_kept(&self.shared.engine, &self.step(transaction, Step::Dropped));
    }

    fn note_external(&self, transaction: &Transaction, rcpt: &Rcpt, verdict: &Verdict, committed: &Committed) {
        for address in &rcpt.external {
            if !verdict.external.contains(address) {
                let (recipient, policy) = (by_way_of(address, rcpt), "suspicious".to_owned());
                let record = MailRecord { recipient, policy, ..self.step(transaction, Step::Dropped) };
                self.shared.engine.note_mail(&record);
                continue;
            }
            let (step, queue, text) = match (&committed.queued, committed.queue_id_of(address)) {
                (Some(Err(error)), _) => (Step::Failed, 0, error.to_string()),
                (_, queue) => (Step::Queued, queue.unwrap_or(QueueId(0)).0, String::new()),
            };
            let recipient = by_way_of(address, rcpt);
            let record = MailRecord { queue, recipient, text, ..self.step(transaction, step) };
            self.shared.engine.note_mail(&record);
        }
    }

    /// Who is away has answered.
    pub(super) fn note_answered(&self, transaction: &Transaction, by: &str, queue: QueueId) {
        self.shared.engine.note_mail(&MailRecord {
            queue: queue.0,
            recipient: transaction.sender.clone(),
            policy: "away".into(),
            text: format!("for {by}"),
            ..self.step(transaction, Step::Answered)
        });
    }

    /// One line a message: who, to whom, how large, what became of it. The id is the one in Received.
    pub(super) fn log(
        &self,
        transaction: &Transaction,
        (id, size_bytes): (&str, usize),
        fates: &[Fate],
        (verdicts, facts): (&[Verdict], Facts),
    ) {
        let delivered = fates.iter().filter(|fate| fate.is_taken()).count();
        let refused = fates.len() - delivered;
        let peer = self.stream.peer();
        let (from, protocol) = (transaction.sender.escape_debug(), self.role.name());
        let to = shown(transaction);
        let to = to.escape_debug();
        let policy = verdicts.iter().find_map(|verdict| verdict.refusal.as_ref()).map_or("", |refusal| refusal.stage);
        let Facts { spf, dkim, dmarc, .. } = facts;
        tracing::info!(
            id, %peer, protocol, %from, %to, size_bytes, delivered, refused, policy, ?spf, ?dkim, ?dmarc, "message taken"
        );
    }

    pub(super) fn log_refusal(&self, transaction: &Transaction, policy: &str, refusal: &Reply) {
        let (peer, protocol, to) = (self.stream.peer(), self.role.name(), shown(transaction));
        let (from, to, reply) = (transaction.sender.escape_debug(), to.escape_debug(), &refusal.text);
        let id = format_args!("{:X}", transaction.id);
        tracing::info!(%id, %peer, protocol, %from, %to, policy, %reply, "message refused");
    }
}

/// Whose copy it is, and the address that it was sent to where that is another: an alias, a group, one with a tag or one that a catch-all has. Whoever asks
/// what became of a message knows that one only.
fn by_way_of(address: &Address, rcpt: &Rcpt) -> String {
    if *address == rcpt.address { address.to_string() } else { format!("{address},{}", rcpt.address) }
}

fn accepted(record: &MailRecord) -> Accepted {
    use posthouse_engine::base::{AccountId, MailboxId, Uid};
    Accepted {
        id: record.id,
        when: record.when_ms.div_euclid(1000),
        account: AccountId(record.account),
        mailbox: MailboxId(record.mailbox),
        uid: Uid(record.uid),
    }
}
