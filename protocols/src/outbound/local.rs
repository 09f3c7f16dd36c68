//! Mail of the queue for addresses of ours: groups within groups, domains that have become ours while mail waited. Connects to nobody.
use super::office::{Held, Office};
use super::session::{load, note_unreadable};
use super::settle::{Outcome, Way, settle};
use crate::dsn::{Reply, header_of};
use crate::smtp::place;
use crate::wire::write_date_time;
use posthouse_engine::base::{AccountId, Error, Flags};
use posthouse_engine::delivery::{Delivery, Target};
use posthouse_engine::directory::{Address, Recipient, Resolution};
use posthouse_engine::mailflow::Copy;
use posthouse_engine::queue::{NewQueueItem, QueueItem, QueueRecipient, QueueState};
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
    settle(office, vec![Outcome { held, item, replies, way, content: Some(content) }]).await;
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
    if has_passed(message, &address) {
        return Reply::own("5.4.6", format!("the message has been at {address} before: it goes in circles"));
    }
    let target = |one: Recipient| {
        let place = place(if one.is_transfer { Copy::Transfer } else { Copy::Inbox })?;
        Some(Target { account: one.account, place, flags: Flags::NONE, quota_bytes_max: one.quota_bytes_max })
    };
    let targets: Vec<Target> = local.into_iter().filter_map(target).collect();
    let accounts: Vec<AccountId> = targets.iter().map(|target| target.account).collect();
    let onward = |address: Address| QueueRecipient { address: address.to_string(), ..recipient.clone() };
    let onward: Vec<QueueRecipient> = external.into_iter().map(onward).collect();
    let queue = match onward.is_empty() {
        true => Vec::new(),
        false => vec![NewQueueItem { recipients: onward, ..item.item.clone() }],
    };
    let staged = match office.engine.stage(trace(office, item, &address), message.to_vec()).await {
        Ok(staged) => staged,
        Err(error) => return refused(&error),
    };
    let all = accounts.len() + queue.len();
    let outcome = office.engine.deliver(Delivery { staged, targets, queue: queue.clone() }).await;
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
        Some(_) => later(office, trace(office, item, &address), message, missing).await,
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
        Error::OverQuota { .. } => Reply::own("4.2.2", error.to_string()),
        Error::Limit(_) => Reply::own("5.3.4", error.to_string()),
        error => {
            tracing::error!(%error, "a delivery from the queue failed");
            Reply::own("4.3.0", "internal error; the server's log tells more")
        }
    }
}

/// Whether the message says that it was delivered to this address before.
fn has_passed(message: &[u8], address: &Address) -> bool {
    let name = b"delivered-to:";
    header_of(message).split(|byte| *byte == b'\n').any(|line| {
        let (field, value) = line.split_at(name.len().min(line.len()));
        field.eq_ignore_ascii_case(name) && value.trim_ascii() == address.as_str().as_bytes()
    })
}

/// What final delivery puts on top, and by which circles are found.
fn trace(office: &Office, item: &QueueItem, address: &Address) -> Vec<u8> {
    let mut out = format!("Return-Path: <{}>\r\nDelivered-To: {address}\r\n", item.item.sender).into_bytes();
    out.extend_from_slice(format!("Received: by {} (queue) id {};\r\n\t", office.hostname, item.id).as_bytes());
    write_date_time(&mut out, office.now());
    out.extend_from_slice(b"\r\n");
    out
}
