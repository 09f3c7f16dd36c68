//! The events that bring a mended log to the state that it should have, and a step for each of them that concerns somebody. Pure, but for
//! reading summaries of messages that are still there.
use super::requeue;
use super::shard::ShardPlan;
use super::step::{Act, Step};
use crate::base::{AccountId, MailboxId, ModSeq, Result, Uid, UidSet};
use crate::directory::Directory;
use crate::format::{Event, Mending};
use crate::index::{Account, put_account};
use crate::queue::{QueueItem, QueueState};
use crate::rescue::audit::{audit, digest};
use crate::rescue::finding::{Kind, Who};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries of one mailbox that a step each is made for; more are one step together.
const NAMED_MAX: usize = 10_000;

/// Events that belong together: all of them or none survive a crash.
pub(super) type Group = Vec<Event>;

/// In words, what is known of a message at a place.
pub(super) type Describe<'a> = &'a mut dyn FnMut(crate::base::Locator) -> Option<String>;

/// Who is told.
pub(super) struct Words<'a> {
    pub(super) name: &'a str,
    pub(super) directory: &'a Directory,
    pub(super) describe: Describe<'a>,
    pub(super) steps: &'a mut Vec<Step>,
}

/// Everything that the shard's state needs, group by group.
pub(super) fn changes(
    plan: &ShardPlan,
    words: &mut Words<'_>,
    give: &mut dyn FnMut(Group) -> Result<()>,
) -> Result<()> {
    for id in plan.accounts() {
        let group = account(plan, id, words)?;
        if !group.is_empty() {
            give(group)?;
        }
    }
    if let Some((uids, _)) = plan.raise {
        let what = format!(
            "uids and modseqs of all its mailboxes go on {uids} and more higher: what was given out in the lost part of the log is not known"
        );
        words.steps.push(Step::new(Act::Raise, words.name, what));
    }
    let group = queue(plan, words);
    if !group.is_empty() {
        give(group)?;
    }
    if plan.lenient {
        give(vec![Event::Mending(Mending::EventsWhole)])?;
    }
    Ok(())
}

fn who(words: &Words<'_>, account: AccountId) -> Who {
    let address = words.directory.account(account).map(|account| account.address.to_string());
    Who { account, address, ..Who::default() }
}

fn account(plan: &ShardPlan, id: AccountId, words: &mut Words<'_>) -> Result<Group> {
    let folded = plan.fold.accounts.load(id)?;
    let wanted = match &plan.target {
        Some(target) => target.accounts.load(id)?,
        None => None,
    };
    let mut group = Group::new();
    let digest_of = |account: &Option<Arc<Account>>| account.as_deref().map(digest).transpose();
    if let Some(account) = &wanted
        && digest_of(&wanted)? != digest_of(&folded)?
    {
        group.extend(put_account(account)?);
        let what = format!(
            "as the checkpoint knows it: {} messages in {} mailboxes",
            account.messages,
            account.mailboxes.len()
        );
        let who = who(words, id);
        words.steps.push(Step::new(Act::Restore, words.name, what).of(who));
    }
    let Some(account) = wanted.or(folded) else { return Ok(group) };
    if let Some((uids, modseqs)) = plan.raise {
        for mailbox in &account.mailboxes {
            let uid_next = Uid(mailbox.uid_next.0.saturating_add(uids).min(u32::MAX - 1));
            let modseq = ModSeq(mailbox.highest_modseq.0.saturating_add(modseqs));
            let raised = Mending::UidsRaised { account: id, mailbox: mailbox.id, uid_next, modseq };
            group.push(Event::Mending(raised));
        }
    }
    remove_lost(plan, &account, words, &mut group)?;
    Ok(group)
}

/// An EXPUNGE for each entry whose message is gone.
fn remove_lost(plan: &ShardPlan, account: &Account, words: &mut Words<'_>, group: &mut Group) -> Result<()> {
    let mut gone: BTreeMap<MailboxId, Vec<(Uid, crate::base::Locator)>> = BTreeMap::new();
    audit(account, &plan.lost, &mut |wrong| {
        if let (Kind::Reference, Some(mailbox), Some(entry)) = (wrong.kind, wrong.mailbox, wrong.entry) {
            gone.entry(mailbox).or_default().push((entry.uid, entry.locator));
        }
    })?;
    for (id, entries) in gone {
        let Some(mailbox) = account.mailbox(id) else { continue };
        for (uid, at) in entries.iter().take(NAMED_MAX) {
            let message = (words.describe)(*at);
            let uid = Some(*uid);
            let who = Who { mailbox: Some(mailbox.name.to_string()), uid, message, ..who(words, account.id) };
            let what = format!("its message, at {at}, is lost: the entry is removed, as by EXPUNGE");
            words.steps.push(Step::new(Act::Remove, words.name, what).of(who));
        }
        if let Some(more) = entries.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            let who = Who { mailbox: Some(mailbox.name.to_string()), ..who(words, account.id) };
            let what = format!("{more} more entries whose messages are lost are removed");
            words.steps.push(Step::new(Act::Remove, words.name, what).of(who));
        }
        let raised = plan.raise.map_or(0, |(_, modseqs)| modseqs);
        let modseq = ModSeq(mailbox.highest_modseq.0.saturating_add(raised).saturating_add(1));
        let uids: UidSet = entries.into_iter().map(|(uid, _)| uid).collect();
        group.push(Event::Expunged { account: account.id, mailbox: id, modseq, uids });
    }
    Ok(())
}

fn queue(plan: &ShardPlan, words: &mut Words<'_>) -> Group {
    let mut group = Group::new();
    let step = |words: &mut Words<'_>, item: &QueueItem, what: &str| {
        let to = item.item.recipients.first().map_or("nobody", |recipient| &recipient.address);
        let what = format!("item {} from <{}> to <{to}>: {what}", item.id, item.item.sender);
        words.steps.push(Step::new(Act::Queue, words.name, what));
    };
    let wanted = plan.target.as_ref().map_or(&plan.fold.queue, |target| &target.queue);
    for item in plan.fold.queue.iter().filter(|item| wanted.get(item.id).is_none()) {
        step(words, &item, "removed, as the checkpoint knows it");
        group.push(Event::QueueRemoved { id: item.id });
    }
    for item in wanted.iter() {
        let there = plan.fold.queue.get(item.id);
        if let Some(why) = plan.lost.why(item.locator) {
            step(words, &item, &format!("its message is lost ({why}): removed, and never sent"));
            if there.is_some() {
                group.push(Event::QueueRemoved { id: item.id });
            }
            continue;
        }
        let mut target = QueueItem::clone(&item);
        if plan.raise.is_some() && item.state != QueueState::Hold {
            target.state = QueueState::Hold;
        }
        let events = requeue::events(there.as_ref(), &target);
        if there.is_none() {
            step(words, &item, "put back, as the checkpoint knows it");
        } else if !events.is_empty() && target.state == item.state {
            step(words, &item, "what became of its recipients is put back, as the checkpoint knows it");
        }
        if target.state != item.state {
            step(words, &item, "held: whether it was sent in the lost part of the log is not known");
        }
        group.extend(events);
    }
    group
}
