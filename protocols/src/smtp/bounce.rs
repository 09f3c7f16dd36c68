//! Tells the sender of a message by mail that some of its copies failed, when the reply could not, or that they arrived, when it wants to hear so.
//! Never answers the null sender, so that bounces do not bounce.
use super::deliver::Committed;
use super::fate::{self, Fate};
use super::reply::Reply;
use super::role::Role;
use super::state::{Session, Transaction};
use crate::dsn::{self, Entry, Kind, Original, Report};
use crate::limits;
use crate::runtime::sleep;
use crate::session::Shared;
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, Error};
use posthouse_engine::delivery::{Delivery, Target};
use posthouse_engine::directory::Address;
use posthouse_engine::mailflow::{Facts, Verdict};
use posthouse_engine::queue::NewQueueItem;
use posthouse_engine::trace::{MailRecord, Step};

/// The part of a message's header that a bounce returns.
pub(super) fn header_of(message: &[u8], size_bytes: usize) -> Vec<u8> {
    message[..size_bytes.min(limits::SMTP_BOUNCE_HEADER_BYTES_MAX)].to_vec()
}

/// A recipient of whose fate is told.
pub(super) struct Told {
    pub(super) address: String,
    /// RFC 3461 ORCPT as given, empty if not.
    pub(super) orcpt: String,
    pub(super) reply: Reply,
}

impl Session {
    /// Tells the sender by mail of copies that failed though the client hears a 250 (RFC 5321 section 6.1), and of those that arrived if it has asked
    /// for that (RFC 3461 section 4.1).
    pub(super) async fn report(
        &self,
        (transaction, verdicts, facts): (&Transaction, &[Verdict], Facts),
        header: Vec<u8>,
        (fates, committed): (&[Fate], &Committed),
        id: &str,
    ) {
        self.report_success((transaction, verdicts), &header, (fates, committed), id).await;
        let by_reply = fate::are_told_by_reply(self.role, fates);
        let mut failed = Vec::new();
        // RFC 3461 section 4.1: NOTIFY says who is to hear of it.
        let all = transaction.recipients.iter().zip(fates).zip(verdicts);
        for ((rcpt, fate), verdict) in all.filter(|((rcpt, _), _)| Kind::Failed.is_wanted(rcpt.notify)) {
            let failure = |address: String, reply| Told { address, orcpt: rcpt.orcpt.clone(), reply };
            if fate.is_taken() {
                let members = fate.failed.iter();
                failed.extend(members.map(|(address, error)| failure(address.to_string(), Reply::refused(error))));
            } else if let Some(reply) = fate.refusal()
                && (fate.refused_by_mail
                    || !by_reply
                        && (fate.refused.is_none() || self.role == Role::Submission || verdict.asks_for_report(facts)))
            {
                failed.push(failure(rcpt.given.clone(), reply));
            }
        }
        // The null sender (RFC 5321 section 4.5.5) hears nothing.
        if !failed.is_empty() {
            send(&self.shared, (transaction, self.account()), (Kind::Failed, &failed), header, id).await;
        }
    }
}

/// Sends it to the sender's mailbox or into the queue. `id` is the message's. It returns the header only, whatever RET asked for: the message
/// itself is in the store by then, with those whose copies did not fail.
pub(super) async fn send(
    shared: &Shared,
    (transaction, account): (&Transaction, Option<AccountId>),
    (kind, told): (Kind, &[Told]),
    header: Vec<u8>,
    id: &str,
) {
    let Ok(address) = Address::parse(&transaction.sender) else {
        tracing::warn!(id, ?kind, recipients = told.len(), "there is no sender to tell");
        return;
    };
    let (targets, mut queue) = dsn::place(&shared.engine, &address, account);
    if targets.is_empty() && queue.is_empty() {
        tracing::warn!(id, ?kind, sender = %address, "the sender's address is nobody's any more");
        return;
    }
    queue
        .iter_mut()
        .for_each(|item| (item.tls, item.terms) = (transaction.tls.of_report(), transaction.terms.of_report()));
    let entry = |one: &Told| Entry {
        address: one.address.clone(),
        orcpt: one.orcpt.clone(),
        reply: dsn::Reply::heard(one.reply.code, &one.reply.text),
        remote: None,
    };
    let entries: Vec<Entry> = told.iter().map(entry).collect();
    let report = Report {
        kind,
        hostname: &shared.hostname,
        number: shared.next_id(),
        to: address.as_str(),
        envelope_id: &transaction.envelope_id,
        arrived: Some(shared.clock.now()),
        terms: transaction.terms,
        until: None,
        now: shared.clock.now(),
        entries: &entries,
        original: Original::Header(&header),
    };
    let bytes = dsn::write(&report, !targets.is_empty());
    let record = MailRecord {
        when_ms: shared.clock.now_ms(),
        id: transaction.id,
        recipient: address.to_string(),
        ..MailRecord::default()
    };
    match deliver(&shared.engine, bytes, targets, &queue).await {
        Ok(queue) => {
            tracing::info!(id, sender = %address, ?kind, recipients = told.len(), "report sent");
            let text = match kind {
                Kind::Failed => format!("copies failed: {}", told.len()),
                kind => format!("{kind:?}: {}", told.len()).to_lowercase(),
            };
            shared.engine.note_mail(&MailRecord { step: Step::Reported, queue, text, ..record });
        }
        Err(error) => {
            tracing::error!(id, sender = %address, %error, "a report was not delivered");
            let text = format!("no report: {error}");
            shared.engine.note_mail(&MailRecord { step: Step::Failed, text, ..record });
        }
    }
}

/// The number that a report has in the queue, 0 for mailboxes. What may pass is tried again for as long as the client can wait for its reply:
/// nothing else tells the sender.
async fn deliver(
    engine: &Engine,
    bytes: Vec<u8>,
    mut targets: Vec<Target>,
    queue: &[NewQueueItem],
) -> Result<u64, Error> {
    let mut tries = 1;
    loop {
        let error = match try_once(engine, bytes.clone(), &mut targets, queue).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if tries == limits::SMTP_BOUNCE_TRIES_MAX || !matches!(error, Error::Busy | Error::NoSpace) {
            return Err(error);
        }
        tries += 1;
        sleep(limits::OUTBOUND_PAUSE).await;
    }
}

/// Leaves in `targets` those that did not get it.
async fn try_once(
    engine: &Engine,
    bytes: Vec<u8>,
    targets: &mut Vec<Target>,
    queue: &[NewQueueItem],
) -> Result<u64, Error> {
    let staged = engine.stage(Vec::new(), bytes).await?;
    let outcome = engine.deliver(Delivery { staged, targets: targets.clone(), queue: queue.to_vec() }).await;
    let mut failed = Ok(());
    let mut answers = outcome.targets.into_iter();
    targets.retain(|_| match answers.next() {
        Some(Err(error)) => {
            failed = Err(error);
            true
        }
        _ => false,
    });
    outcome.queued.and(failed)?;
    Ok(outcome.queue_ids.first().map_or(0, |id| id.0))
}
