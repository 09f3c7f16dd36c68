//! Mail of the queue for addresses of ours: groups within groups, domains that have become ours while mail waited. Connects to nobody.
use super::office::{Held, Office};
use super::session::{load, note_unreadable};
use super::settle::{self, Way};
use crate::dsn::Reply;
use crate::passed;
use crate::smtp::place;
use crate::wire::write_date_time;
use posthouse_engine::base::{AccountId, Error, Flags};
use posthouse_engine::delivery::{Delivery, Outcome, Target};
use posthouse_engine::directory::{Address, Resolution};
use posthouse_engine::mailflow::{Case, Forward, Letter, Origin, Verdict, Wanted, at_queue};
use posthouse_engine::queue::{NewQueueItem, QueueItem, QueueRecipient, QueueState};
use posthouse_engine::trace::{MailRecord, Step};
use std::sync::Arc;

/// Delivers a job's message and notes what came of it.
pub(super) async fn deliver(office: &Arc<Office>, held: Held) {
    let Some(item) = office.engine.queue_item(held.job.id) else { return };
    if item.state == QueueState::Hold {
        return;
    }
    let (content, _share) = match load(office, &item).await {
        Ok(loaded) => loaded,
        Err(error) => return note_unreadable(office, held, item, &error).await,
    };
    let mut replies = Vec::with_capacity(held.job.recipients.len());
    for at in &held.job.recipients {
        let Some(recipient) = item.item.recipients.get(*at as usize) else { continue };
        replies.push(to_one(office, &item, recipient, content.bytes()).await);
    }
    let way = Way { sends_notices: true, ..Way::default() };
    settle::settle(office, vec![settle::Outcome { held, item, replies, way, content: Some(content) }]).await;
}

async fn to_one(office: &Office, item: &QueueItem, recipient: &QueueRecipient, message: &[u8]) -> Reply {
    let Ok(address) = Address::parse(&recipient.address) else {
        return Reply::own("5.1.3", "that is no address");
    };
    let (local, external) = match office.engine.resolve(&address) {
        Resolution::Recipients { local, external } => (local, external),
        Resolution::Unknown => return Reply::own("5.1.1", "no such mailbox here"),
        Resolution::Disabled => return Reply::own("5.2.1", "that mailbox is disabled"),
        Resolution::NotLocal => return Reply::own("4.3.0", "the domain is not served here any more"),
    };
    // One account's own address ends in its mailbox, and nothing goes on that has been there before.
    let goes_on = !external.is_empty() || local.len() > 1;
    let passed = passed(office, item, message);
    if goes_on && passed.contains(&address) {
        // Who is behind the address has it; a report would reach somebody who can do nothing about it.
        tracing::warn!(id = item.id.0, %address, "a message goes in circles and ends here: the address has had it before");
        return Reply::own("2.1.5", format!("the message has been at {address} before, and everybody there has it"));
    }
    let (local, external) = match office.engine.directory(|known| known.representatives(&address)) {
        // A report about what was sent as a group is for those who may send as it.
        Some(representatives) if item.item.sender.is_empty() && !representatives.is_empty() => {
            (representatives, Vec::new())
        }
        _ => (local, external),
    };
    let verdict = judge(office, item, &passed, &Wanted { address: &address, local: &local, external: &external });
    let kept = local.into_iter().zip(&verdict.copies).filter_map(|(one, copy)| {
        let (account, bound) = (one.account, one.bound);
        Some(Target { account, place: place(*copy)?, flags: Flags::NONE, bound })
    });
    let targets: Vec<Target> = kept.collect();
    let onward = |address: Address| QueueRecipient { address: address.to_string(), ..recipient.clone() };
    let onward: Vec<QueueRecipient> = external.into_iter().map(onward).collect();
    let mut queue = match onward.is_empty() {
        true => Vec::new(),
        false => vec![NewQueueItem { recipients: onward, passed: with(item, &address), ..item.item.clone() }],
    };
    queue.extend(verdict.forwards.iter().map(|forward| forwarded(item, forward)));
    put(office, item, recipient, (targets, queue), (trace(office, item, &address), message)).await
}

/// Members' own rules.
fn judge(office: &Office, item: &QueueItem, passed: &[Address], wanted: &Wanted<'_>) -> Verdict {
    let sender = Address::parse(&item.item.sender).ok();
    let letter = Letter { passed, ..Letter::default() };
    office.engine.directory(|directory| {
        let case =
            Case { directory, origin: Origin::Outside, sender: sender.as_ref(), now: office.now(), listed: None };
        at_queue(&case, &letter, wanted)
    })
}

fn forwarded(item: &QueueItem, forward: &Forward) -> NewQueueItem {
    let notify = u8::from(forward.sender.is_empty());
    let recipients = vec![QueueRecipient { address: forward.to.to_string(), notify, orcpt: String::new() }];
    let passed = with(item, &forward.by);
    let utf8 = item.item.utf8 || !forward.to.as_str().is_ascii() || passed.iter().any(|by| !by.is_ascii());
    let tls = item.item.tls;
    NewQueueItem { sender: forward.sender.clone(), recipients, utf8, passed, tls, ..NewQueueItem::default() }
}

/// Who has sent it on, with one more.
fn with(item: &QueueItem, by: &Address) -> Vec<String> {
    let mut passed = item.item.passed.clone();
    passed.push(by.to_string());
    passed
}

/// Into mailboxes and the queue; who cannot have it now gets it later.
async fn put(
    office: &Office,
    item: &QueueItem,
    recipient: &QueueRecipient,
    (targets, queue): (Vec<Target>, Vec<NewQueueItem>),
    (top, message): (Vec<u8>, &[u8]),
) -> Reply {
    let accounts: Vec<AccountId> = targets.iter().map(|target| target.account).collect();
    let staged = match office.engine.stage(top.clone(), message.to_vec()).await {
        Ok(staged) => staged,
        Err(error) => return refused(&error),
    };
    let all = accounts.len() + queue.len();
    let outcome = office.engine.deliver(Delivery { staged, targets, queue: queue.clone() }).await;
    note(office, item, &accounts, &queue, &outcome);
    let (mut failed, mut missing, mut failure) = (0, Vec::new(), None);
    if let Err(error) = outcome.queued {
        (failed, missing, failure) = (queue.len(), queue, Some(error));
    }
    for (account, answer) in accounts.into_iter().zip(outcome.targets) {
        let Err(error) = answer else { continue };
        failed += 1;
        missing.extend(own_item(office, item, recipient, account));
        failure = failure.or(Some(error));
    }
    match failure {
        None => Reply::own("2.1.5", "delivered here, or sent on"),
        Some(error) if failed == all => refused(&error),
        Some(_) => later(office, top, message, missing).await,
    }
}

/// The steps of the mail log.
fn note(office: &Office, item: &QueueItem, accounts: &[AccountId], queue: &[NewQueueItem], outcome: &Outcome) {
    let (when_ms, from_queue) = (office.clock.now_ms(), item.id.0);
    let record = |step| MailRecord { when_ms, step, from_queue, ..MailRecord::default() };
    for (account, copy) in accounts.iter().zip(&outcome.targets) {
        let Ok(copy) = copy else { continue };
        let (mailbox, uid) = (copy.mailbox.0, copy.uid.0);
        let known = office.engine.directory(|known| known.account(*account).map(|known| known.address.to_string()));
        office.engine.note_mail(&MailRecord {
            queue: from_queue,
            from_queue: 0,
            account: account.0,
            mailbox,
            uid,
            recipient: known.unwrap_or_default(),
            ..record(Step::Delivered)
        });
    }
    for (id, new) in outcome.queue_ids.iter().zip(queue) {
        let recipients: Vec<&str> = new.recipients.iter().map(|recipient| recipient.address.as_str()).collect();
        let (queue, sender, recipient) = (id.0, new.sender.clone(), recipients.join(","));
        office.engine.note_mail(&MailRecord { queue, sender, recipient, ..record(Step::Queued) });
    }
}

/// The item for one of several accounts behind an address, under its own address.
fn own_item(office: &Office, item: &QueueItem, recipient: &QueueRecipient, account: AccountId) -> Option<NewQueueItem> {
    let address = office.engine.directory(|known| Some(known.account(account)?.address.to_string()))?;
    Some(NewQueueItem { recipients: vec![QueueRecipient { address, ..recipient.clone() }], ..item.item.clone() })
}

/// Queues the message for those of a group who could not have it now: who has it must not get it again.
async fn later(office: &Office, trace: Vec<u8>, message: &[u8], missing: Vec<NewQueueItem>) -> Reply {
    let staged = match office.engine.stage(trace, message.to_vec()).await {
        Ok(staged) => staged,
        Err(error) => return refused(&error),
    };
    match office.engine.deliver(Delivery { staged, targets: Vec::new(), queue: missing }).await.queued {
        Ok(()) => Reply::own("2.1.5", "delivered here; who could not have it now gets it later"),
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> Reply {
    match error {
        Error::OverQuota { .. } | Error::TooManyMessages { .. } => Reply::own("4.2.2", error.to_string()),
        Error::Limit(_) => Reply::own("5.3.4", error.to_string()),
        error => {
            tracing::error!(%error, "a delivery from the queue failed");
            Reply::own("4.3.0", "internal error; the server's log tells more")
        }
    }
}

/// The addresses that have sent it on before: within this system, and those whose marks came back with it.
fn passed(office: &Office, item: &QueueItem, message: &[u8]) -> Vec<Address> {
    let own = item.item.passed.iter().filter_map(|address| Address::parse(address).ok());
    own.chain(passed::proven(&office.engine, message)).collect()
}

/// What final delivery puts on top.
fn trace(office: &Office, item: &QueueItem, address: &Address) -> Vec<u8> {
    let mut out = format!("Return-Path: <{}>\r\nDelivered-To: {address}\r\n", item.item.sender).into_bytes();
    out.extend_from_slice(format!("Received: by {} (queue) id {};\r\n\t", office.hostname, item.id).as_bytes());
    write_date_time(&mut out, office.now());
    out.extend_from_slice(b"\r\n");
    out
}
