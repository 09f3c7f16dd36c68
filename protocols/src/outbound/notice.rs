//! Which reports an attempt calls for, and to whom (RFC 3461 section 5.2, RFC 3464). Sends none: they are committed with the results.
use super::content::Content;
use super::office::Office;
use super::retry;
use super::session::read;
use super::settle::{self, Judged, Outcome};
use crate::dsn::{self, Entry, Kind, Original, Reply, Report};
use posthouse_engine::delivery::{Delivery, Target};
use posthouse_engine::directory::Address;
use posthouse_engine::queue::{Fate, QueueItem, QueueRecipient, TlsDemand};

/// The reports to be committed with the results. One for a mailbox in another shard goes there by way of the queue, so that it is neither
/// lost nor sent again when the results cannot be noted at once.
pub(super) async fn make(office: &Office, outcome: &Outcome, judged: &[Judged]) -> Vec<Delivery> {
    let mut notices = Vec::new();
    for kind in [Kind::Failed, Kind::Delayed, Kind::Relayed] {
        let entries = entries(outcome, judged, kind, office.now());
        if entries.is_empty() {
            continue;
        }
        let message = outcome.content.as_ref().map(Content::bytes);
        notices.extend(one(office, (&outcome.item, message), kind, &entries).await);
    }
    notices
}

/// The recipients that a report of this kind is about.
fn entries(outcome: &Outcome, judged: &[Judged], kind: Kind, now: i64) -> Vec<Entry> {
    let tells_of_time = tells_of_time(outcome, now);
    let is_about = |one: &&Judged| match kind {
        Kind::Failed => one.fate == Fate::Failed,
        Kind::Delayed => one.warned,
        Kind::Relayed => one.fate == Fate::Relayed && (!outcome.way.sends_notices || tells_of_time),
        // A mailbox's copy is told of with it, and who brings a message to a group is told when it comes.
        Kind::Delivered | Kind::Expanded => false,
    };
    let is_wanted = |notify: u8| match kind {
        // RFC 2852 section 4.1.4: told unless the sender wants to hear nothing at all.
        Kind::Relayed if tells_of_time => notify & 1 == 0,
        kind => kind.is_wanted(notify),
    };
    let all = judged.iter().filter(is_about);
    all.filter_map(|one| {
        let recipient = outcome.item.item.recipients.get(one.recipient as usize)?;
        is_wanted(recipient.notify).then(|| Entry {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            reply: match kind {
                // RFC 2852 section 4.1.3 has a status for it, whatever it is that keeps the message.
                Kind::Delayed if retry::is_overdue(&outcome.item, now) => settle::late(&one.reply),
                _ => one.reply.clone(),
            },
            remote: outcome.way.remote.as_ref().map(|remote| remote.name.clone()),
        })
    })
    .collect()
}

/// Whether a message whose sender has set a time went in time where nobody keeps it (RFC 2852 section 4.1.4.2), or is to be traced on its way.
fn tells_of_time(outcome: &Outcome, now: i64) -> bool {
    let by = outcome.item.item.terms.deliver_by;
    by.is_some_and(|by| (!outcome.way.keeps_time && now < by.at) || (by.trace && outcome.way.remote.is_some()))
}

/// That a recipient's mailbox here has it; to be committed with the copy.
pub(super) async fn delivered(
    office: &Office,
    item: &QueueItem,
    recipient: &QueueRecipient,
    (reply, message): (&Reply, &[u8]),
) -> Option<Delivery> {
    let (address, orcpt, reply) = (recipient.address.clone(), recipient.orcpt.clone(), reply.clone());
    one(office, (item, Some(message)), Kind::Delivered, &[Entry { address, orcpt, reply, remote: None }]).await
}

async fn one(
    office: &Office,
    (item, message): (&QueueItem, Option<&[u8]>),
    kind: Kind,
    entries: &[Entry],
) -> Option<Delivery> {
    let id = item.id.0;
    // RFC 5321 section 4.5.5: a report about a report goes to nobody, so that they cannot go round.
    let Ok(to) = Address::parse(&item.item.sender) else {
        tracing::info!(id, ?kind, recipients = entries.len(), "no report: the message has the null sender");
        return None;
    };
    let (mut targets, mut queue) = dsn::place(&office.engine, &to, item.item.account);
    let elsewhere = |target: &mut Target| !office.engine.holds(item.id, target.account);
    let first = targets.extract_if(.., elsewhere).next();
    if let Some(first) = first {
        // What was sent as a group goes to who has sent it, not to the group.
        let own = || office.engine.directory(|known| Some(known.account(first.account)?.address.clone()));
        let is_group = office.engine.directory(|known| known.group(&to).is_some());
        targets.clear();
        queue.push(dsn::queued(&if is_group { own().unwrap_or_else(|| to.clone()) } else { to.clone() }));
    }
    queue
        .iter_mut()
        .for_each(|report| (report.tls, report.terms) = (item.item.tls.of_report(), item.item.terms.of_report()));
    if targets.is_empty() && queue.is_empty() {
        tracing::info!(id, ?kind, sender = %to, "no report: nobody has the sender's address any more");
        return None;
    }
    // Who makes a report may hold room for a message, and waits for no more: the one that is read for a report is beside all others.
    let loaded = match message {
        Some(_) => None,
        None => {
            let alone = office.reading.lock().await;
            read(office, item).await.ok().map(|content| (content, alone))
        }
    };
    let message = message.or(loaded.as_ref().map(|(content, _)| content.bytes())).unwrap_or_default();
    // Bytes cannot stand in a report, which has lines: the header is enough then. RFC 8689 section 5: what must not cross a network openly does not
    // go back whole.
    let only_header = item.item.terms.binary || item.item.tls == TlsDemand::Required;
    let ret = if only_header { 2 } else { item.item.ret };
    let report = Report {
        kind,
        hostname: &office.hostname,
        number: office.report_number(),
        to: to.as_str(),
        envelope_id: &item.item.envelope_id,
        arrived: Some(item.created),
        terms: item.item.terms,
        until: Some(retry::end(&office.settings, item)),
        now: office.now(),
        entries,
        original: Original::of(message, ret, kind),
    };
    let bytes = dsn::write(&report, !targets.is_empty());
    match office.engine.stage(Vec::new(), bytes).await {
        Ok(staged) => {
            tracing::info!(id, ?kind, sender = %to, recipients = entries.len(), "report to the sender");
            Some(Delivery { staged, targets, queue })
        }
        Err(error) => {
            tracing::error!(id, %error, "a report could not be made");
            None
        }
    }
}
