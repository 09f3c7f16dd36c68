//! Which reports an attempt calls for, and to whom (RFC 3461 section 5.2, RFC 3464). Sends none: they are committed with the results.
use super::office::Office;
use super::session::load;
use super::settle::{Judged, Outcome};
use crate::dsn::{self, Entry, Kind, Original, Report};
use posthouse_engine::delivery::{Delivery, Target};
use posthouse_engine::directory::Address;
use posthouse_engine::queue::{Fate, TlsDemand};

/// The reports to be committed with the results. One for a mailbox in another shard goes there by way of the queue, so that it is neither
/// lost nor sent again when the results cannot be noted at once.
pub(super) async fn make(office: &Office, outcome: &Outcome, judged: &[Judged]) -> Vec<Delivery> {
    let mut notices = Vec::new();
    for kind in [Kind::Failed, Kind::Delayed, Kind::Relayed] {
        let entries = entries(outcome, judged, kind);
        if entries.is_empty() {
            continue;
        }
        notices.extend(one(office, outcome, kind, &entries).await);
    }
    notices
}

/// The recipients that a report of this kind is about.
fn entries(outcome: &Outcome, judged: &[Judged], kind: Kind) -> Vec<Entry> {
    let is_about = |one: &&Judged| match kind {
        Kind::Failed => one.fate == Fate::Failed,
        Kind::Delayed => one.warned,
        Kind::Relayed => one.fate == Fate::Relayed && !outcome.way.sends_notices,
    };
    let all = judged.iter().filter(is_about);
    all.filter_map(|one| {
        let recipient = outcome.item.item.recipients.get(one.recipient as usize)?;
        kind.is_wanted(recipient.notify).then(|| Entry {
            address: recipient.address.clone(),
            orcpt: recipient.orcpt.clone(),
            reply: one.reply.clone(),
            remote: outcome.way.remote.as_ref().map(|remote| remote.name.clone()),
        })
    })
    .collect()
}

async fn one(office: &Office, outcome: &Outcome, kind: Kind, entries: &[Entry]) -> Option<Delivery> {
    let item = &outcome.item;
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
    queue.iter_mut().for_each(|report| report.tls = item.item.tls.of_report());
    if targets.is_empty() && queue.is_empty() {
        tracing::info!(id, ?kind, sender = %to, "no report: nobody has the sender's address any more");
        return None;
    }
    let loaded = match &outcome.content {
        Some(_) => None,
        None => load(office, item).await.ok(),
    };
    let content = outcome.content.as_ref().or(loaded.as_ref().map(|(content, _)| content));
    let message = content.map_or(&[][..], |content| content.bytes());
    // RFC 8689 section 5: what must not cross a network openly does not go back whole.
    let ret = if item.item.tls == TlsDemand::Required { 2 } else { item.item.ret };
    let report = Report {
        kind,
        hostname: &office.hostname,
        number: office.report_number(),
        to: to.as_str(),
        envelope_id: &item.item.envelope_id,
        arrived: Some(item.created),
        until: Some(item.created + i64::from(office.settings.lifetime_seconds)),
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
