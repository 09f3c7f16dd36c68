//! Tells the sender of a message by mail that some of its copies failed, when the reply could not, or that they arrived, when it wants to hear so.
//! Never answers the null sender, so that bounces do not bounce.
use super::deliver::Committed;
use super::fate::{self, Fate};
use super::reply::Reply;
use super::role::Role;
use super::state::{Session, Transaction};
use crate::dsn::{self, Entry, Kind, Original, Report};
use crate::limits;
use crate::session::Shared;
use posthouse_engine::base::AccountId;
use posthouse_engine::delivery::Delivery;
use posthouse_engine::directory::Address;
use posthouse_engine::mailflow::{Facts, Verdict};
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
        self.report_success((transaction, verdicts, facts), &header, (fates, committed), id).await;
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
    let staged = match shared.engine.stage(Vec::new(), bytes).await {
        Ok(staged) => staged,
        Err(error) => {
            tracing::error!(id, %error, "a bounce could not be made");
            return;
        }
    };
    let outcome = shared.engine.deliver(Delivery { staged, targets, queue }).await;
    let text = match kind {
        Kind::Failed => format!("copies failed: {}", told.len()),
        kind => format!("{kind:?}: {}", told.len()).to_lowercase(),
    };
    shared.engine.note_mail(&MailRecord {
        when_ms: shared.clock.now_ms(),
        step: Step::Reported,
        id: transaction.id,
        queue: outcome.queue_ids.first().map_or(0, |id| id.0),
        recipient: address.to_string(),
        text,
        ..MailRecord::default()
    });
    let failure = outcome.targets.into_iter().filter_map(Result::err).next().or(outcome.queued.err());
    match failure {
        Some(error) => tracing::error!(id, sender = %address, %error, "a bounce was not delivered"),
        None => tracing::info!(id, sender = %address, ?kind, recipients = told.len(), "report sent"),
    }
}
