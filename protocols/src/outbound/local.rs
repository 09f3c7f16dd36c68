//! Mail of the queue for addresses of ours: groups within groups, domains that have become ours while mail waited. Connects to nobody.
use super::notice;
use super::office::{Held, Office};
use super::retry;
use super::route::Destination;
use super::session::{load, put_off};
use super::settle::{self, Way};
use crate::dsn::{Kind, Reply};
use crate::smtp::{Answerer, Reread, answer, moved};
use crate::spending::Charged;
use crate::wire::write_date_time;
use crate::{passed, placing};
use posthouse_engine::base::{AccountId, Error};
use posthouse_engine::delivery::{Delivered, Delivery};
use posthouse_engine::directory::{Address, Recipient, Resolution};
use posthouse_engine::mailflow::{
    self, Advice, Answering, Case, Dmarc, Facts, Forward, Origin, Outcome as Proof, Refusal, Verdict, Wanted, at_queue,
    at_queue_plain,
};
use posthouse_engine::queue::{Arrival, By, Folder, NewQueueItem, Placed, QueueItem, QueueRecipient, QueueState};
use posthouse_engine::trace::{MailRecord, Step};
use posthouse_engine::{Copies, HandOver, Later};
use std::sync::Arc;

/// What is said of a recipient in whose mailbox it is.
const DELIVERED: &str = "delivered here";
/// And of one whose item an operator has removed meanwhile: nothing was done.
const GONE: &str = "it was taken off the queue meanwhile";
/// And of one whose rules have sent it on, or who stands for others.
const SENT_ON: &str = "sent on";

/// Delivers a job's message and notes what came of it.
pub(super) async fn deliver(office: &Arc<Office>, held: Held) {
    let Some(item) = office.engine.queue_item(held.job.id) else { return };
    if item.state == QueueState::Hold || !held.job.is_current(&item, office.now(), office.settings.wait_max()) {
        return;
    }
    let _turn = office.turn(item.origin()).await;
    let (content, _place) = match load(office, &Destination::Local, &item).await {
        Ok(loaded) => loaded,
        Err(why) => return put_off(office, held, item, why).await,
    };
    let arrived = Arrived::of(&item, content.bytes());
    let mut replies = Vec::with_capacity(held.job.recipients.len());
    for at in &held.job.recipients {
        let Some(recipient) = item.item.recipients.get(*at as usize) else { continue };
        replies.push(Some(match retry::is_over(&item, office.now()) {
            true => settle::out_of_time(None),
            false => to_one(office, &item, (*at, recipient), (content.bytes(), &arrived)).await,
        }));
    }
    let way = Way { sends_notices: true, keeps_time: true, ..Way::default() };
    settle::settle(office, vec![settle::Outcome { held, item, replies, way, content: Some(content) }]).await;
}

/// What the message says and what was known of it when it came: for every one of its recipients.
struct Arrived {
    origin: Origin,
    facts: Facts,
    advice: Advice<'static>,
    /// `None`: nothing was known of it, so no policy is asked about it.
    read: Option<Reread>,
}

impl Arrived {
    fn of(item: &QueueItem, message: &[u8]) -> Arrived {
        let read = item.item.arrival.as_ref().map(|_| Reread::of(message));
        let arrival = item.item.arrival.as_deref().cloned().unwrap_or_default();
        let (origin, facts, advice) = mailflow::known(&arrival, item.item.account);
        Arrived { origin, facts, advice, read }
    }
}

async fn to_one(
    office: &Office,
    item: &QueueItem,
    (at, recipient): (u32, &QueueRecipient),
    (message, arrived): (&[u8], &Arrived),
) -> Reply {
    let Ok(address) = Address::parse(&recipient.address) else {
        return Reply::own("5.1.3", "that is no address");
    };
    let (local, external) = match office.engine.resolve(&address) {
        Resolution::Recipients { local, external } => (local, external),
        Resolution::Unknown => return Reply::own("5.1.1", "no such mailbox here"),
        Resolution::Disabled => return Reply::own("5.2.1", "that mailbox is disabled"),
        Resolution::NotLocal => return Reply::own("4.3.0", "the domain is not served here any more"),
    };
    let top = trace(office, item, &address);
    if let ([one], true, Some(placed)) = (local.as_slice(), external.is_empty(), decided(item)) {
        let copies = placed.iter().map(|placed| (one.clone(), placed.clone())).collect();
        let handed = Handed { copies, believed: arrived.facts.believes_path(), ..Handed::default() };
        return put(office, item, (at, recipient), handed, (top, message)).await;
    }
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
    let all = local.len();
    let local = not_reached(office, item, at, local);
    let wanted = Wanted { address: &address, local: &local, external: &external };
    let (verdict, mut charged) = judge(office, item, (&passed, arrived), &wanted);
    if let Some(refusal) = &verdict.refusal {
        if refusal.stage == "elsewhere" && local.is_empty() && all > 0 {
            // Others behind the address have it: as if they had it by this way.
            note_unwanted(office, item, &wanted, &verdict);
            return Reply::own("2.1.5", "everybody here has it");
        }
        return not_wanted(office, (item, arrived), &address, (&verdict, refusal));
    }
    note_unwanted(office, item, &wanted, &verdict);
    charged.note_kept(&office.engine, &dropped_of(office, item));
    let answers = verdict.answers;
    let content = local.iter().zip(&verdict.copies).filter(|(_, copy)| copy.is_none());
    let dealt = content.map(|(one, _)| one.account).collect();
    let kept = local.into_iter().zip(verdict.copies.iter().zip(&verdict.filed)).flat_map(|(one, (copy, filed))| {
        placing::placed(*copy, filed).into_iter().map(move |placed| (one.clone(), placed))
    });
    let copies: Vec<(Recipient, Placed)> = kept.collect();
    let mut queue = onward((item, recipient), &address, verdict.external);
    queue.extend(verdict.forwards.iter().map(|forward| forwarded(item, forward)));
    let handed = Handed { copies, queue, dealt, believed: arrived.facts.believes_path() };
    let reply = put(office, item, (at, recipient), handed, (top, message)).await;
    if reply.is_positive() && reply.text != GONE {
        charged.keep_forwards();
        answer_all(office, item, (arrived, &answers), &mut charged).await;
    }
    reply
}

/// What goes on from a group to members who are not here, or are groups themselves.
fn onward(
    (item, recipient): (&QueueItem, &QueueRecipient),
    address: &Address,
    external: Vec<Address>,
) -> Vec<NewQueueItem> {
    let onward = |address: Address| QueueRecipient { address: address.to_string(), ..recipient.clone() };
    let recipients: Vec<QueueRecipient> = external.into_iter().map(onward).collect();
    if recipients.is_empty() {
        return Vec::new();
    }
    let (passed, arrival, origin) = (with(item, address), arrival(item, Vec::new()), Some(item.origin()));
    vec![NewQueueItem { recipients, passed, arrival, origin, ..NewQueueItem::clone(&item.item) }]
}

/// All who are away answer.
async fn answer_all(
    office: &Office,
    item: &QueueItem,
    (arrived, answers): (&Arrived, &[Answering]),
    charged: &mut Charged,
) {
    let Some(read) = &arrived.read else { return };
    for answering in answers {
        if answer_for(office, item, read, answering).await {
            charged.keep_answer(answering.account);
        }
    }
}

/// Who is away answers; whether it did.
async fn answer_for(office: &Office, item: &QueueItem, read: &Reread, answering: &Answering) -> bool {
    let (engine, hostname, number, now) = (&office.engine, &office.hostname, office.report_number(), office.now());
    let means = Answerer { engine, verifier: office.verifier.as_ref(), hostname, number, now };
    let about = read.about(item.id.0, &item.item.sender, item.item.tls);
    let answered = answer(&means, &about, answering).await;
    if let Some((by, queue)) = &answered {
        office.engine.note_mail(&MailRecord {
            when_ms: office.clock.now_ms(),
            step: Step::Answered,
            queue: queue.0,
            from_queue: item.id.0,
            recipient: item.item.sender.clone(),
            policy: "away".to_owned(),
            text: format!("for {by}"),
            ..MailRecord::default()
        });
    }
    answered.is_some()
}

/// The places of the copies, where they were decided when the message came.
fn decided(item: &QueueItem) -> Option<&[Placed]> {
    item.item.arrival.as_ref().map(|arrival| arrival.placed.as_slice()).filter(|placed| !placed.is_empty())
}

/// What was known of the message when it came, for a new item with its copies that are decided.
fn arrival(item: &QueueItem, placed: Vec<Placed>) -> Option<Box<Arrival>> {
    let known = item.item.arrival.as_deref().map(|known| Arrival { placed: Vec::new(), ..known.clone() });
    match placed.is_empty() {
        true => known.map(Box::new),
        false => Some(Box::new(Arrival { placed, ..known.unwrap_or_default() })),
    }
}

/// What the policies say, with what was known when it came, and what that costs of members' rates.
fn judge(
    office: &Office,
    item: &QueueItem,
    (passed, arrived): (&[Address], &Arrived),
    wanted: &Wanted<'_>,
) -> (Verdict, Charged) {
    let sender = Address::parse(&item.item.sender).ok();
    let has_mailbox = |account, name: &str| placing::has_mailbox(&office.engine, account, name);
    let (known, advice) = (arrived.facts, arrived.advice);
    let letter = arrived.read.as_ref().map(|read| read.letter(passed, (known, advice), &has_mailbox));
    office.engine.directory(|directory| {
        let (origin, sender, now) = (arrived.origin, sender.as_ref(), office.now());
        let case = Case { directory, origin, sender, now, listed: None };
        let last = item.item.passed.last().and_then(|address| Address::parse(address).ok());
        let by = last.and_then(|address| directory.account_at(&address)).map(|account| account.id);
        let mut verdict = match &letter {
            Some(letter) => at_queue(&case, letter, by, wanted),
            None => at_queue_plain(&case, passed, wanted),
        };
        let mut charged = Charged::default();
        if verdict.sends_onward() {
            charged.add(&office.engine, verdict.charge(&case, &mut office.engine.rates(), wanted, &[]));
        }
        (verdict, charged)
    })
}

/// A policy has refused what the system has taken. Who sent it hears of it when its address is known to be its own, or a script says that it shall.
fn not_wanted(
    office: &Office,
    (item, arrived): (&QueueItem, &Arrived),
    address: &Address,
    (verdict, refusal): (&Verdict, &Refusal),
) -> Reply {
    let Refusal { stage, status, text, .. } = refusal;
    tracing::info!(id = item.id.0, %address, policy = stage, "mail of the queue is not wanted");
    let Facts { spf, dmarc, .. } = arrived.facts;
    let is_proven =
        arrived.origin != Origin::Outside || spf == Proof::Pass || dmarc == Dmarc::Pass || is_sent_on(office, item);
    if verdict.asks_for_report(arrived.facts) || is_proven && *stage != "blocklist" {
        return Reply::own(status, text.clone());
    }
    dropped(office, item, address, (stage, text));
    Reply::own("2.1.5", format!("not delivered, and nobody is told: {text}"))
}

/// Whether one of ours has sent it on under its own name: a report goes back there, and to no stranger.
fn is_sent_on(office: &Office, item: &QueueItem) -> bool {
    let by = item.item.passed.last().and_then(|by| Address::parse(by).ok());
    let (Some(by), Ok(sender)) = (by, Address::parse(&item.item.sender)) else { return false };
    let plain = sender.without_tag().unwrap_or(sender);
    office.engine.directory(|known| known.account_at(&by).is_some_and(|account| account.has_address(&plain)))
}

/// Whoever gets no copy, with the policy.
fn note_unwanted(office: &Office, item: &QueueItem, wanted: &Wanted<'_>, verdict: &Verdict) {
    for (one, copy) in wanted.local.iter().zip(&verdict.copies).filter(|(_, copy)| copy.is_none()) {
        dropped(office, item, &one.address, (moved(*copy), ""));
    }
    for address in wanted.external.iter().filter(|address| !verdict.external.contains(address)) {
        dropped(office, item, address, ("suspicious", ""));
    }
}

fn dropped_of(office: &Office, item: &QueueItem) -> MailRecord {
    let (when_ms, from_queue) = (office.clock.now_ms(), item.id.0);
    MailRecord { when_ms, step: Step::Dropped, from_queue, ..MailRecord::default() }
}

fn dropped(office: &Office, item: &QueueItem, address: &Address, (policy, text): (&str, &str)) {
    office.engine.note_mail(&MailRecord {
        recipient: address.to_string(),
        policy: policy.to_owned(),
        text: text.to_owned(),
        ..dropped_of(office, item)
    });
}

fn forwarded(item: &QueueItem, forward: &Forward) -> NewQueueItem {
    let notify = u8::from(forward.sender.is_empty());
    let recipients = vec![QueueRecipient { address: forward.to.to_string(), notify, orcpt: String::new() }];
    let passed = with(item, &forward.by);
    let utf8 = item.item.utf8 || !forward.to.as_str().is_ascii() || passed.iter().any(|by| !by.is_ascii());
    let (terms, tls, arrival) = (item.item.terms.of_content(), item.item.tls, arrival(item, Vec::new()));
    let sender = forward.sender.clone();
    NewQueueItem { sender, recipients, utf8, passed, terms, tls, arrival, ..NewQueueItem::default() }
}

/// Who has sent it on, with one more.
fn with(item: &QueueItem, by: &Address) -> Vec<String> {
    let mut passed = item.item.passed.clone();
    passed.push(by.to_string());
    passed
}

/// Whether it is in the mailbox of the only one who gets it, and does not look like junk.
fn is_in_mailbox(copies: &[(Recipient, Placed)]) -> bool {
    matches!(copies, [(first, placed), rest @ ..]
        if placed.folder != Folder::Junk && rest.iter().all(|(other, _)| other.account == first.account))
}

/// Those of an address who have not got the message by another way, so that neither copies nor what their rules send on come twice. Who was reached
/// by an attempt of this recipient that a crash has cut off is asked again.
fn not_reached(office: &Office, item: &QueueItem, at: u32, local: Vec<Recipient>) -> Vec<Recipient> {
    let own = By { id: item.id, recipient: at };
    let is_new = |one: &Recipient| office.engine.reached_by(item, one.account).is_none_or(|by| by == own);
    let (new, had): (Vec<Recipient>, Vec<Recipient>) = local.into_iter().partition(is_new);
    had.iter().for_each(|one| dropped(office, item, &one.address, ("copy", "it has come by another address")));
    new
}

/// What an address comes to.
#[derive(Default)]
struct Handed {
    /// Those of an account beside each other.
    copies: Vec<(Recipient, Placed)>,
    queue: Vec<NewQueueItem>,
    /// Who wants no copy.
    dealt: Vec<AccountId>,
    /// The sender is not known to be somebody else: a receipt goes to nobody who has sent nothing.
    believed: bool,
}

/// Into mailboxes and the queue, with the note that it is done; who cannot have it now gets it later.
async fn put(
    office: &Office,
    item: &QueueItem,
    (at, recipient): (u32, &QueueRecipient),
    handed: Handed,
    (top, message): (Vec<u8>, &[u8]),
) -> Reply {
    let Handed { copies, queue, dealt, believed } = handed;
    let nobody = copies.is_empty() && queue.is_empty();
    // With notes of whom the message has reached it is ended by a hand-over all the same, so that they are forgotten in time.
    if nobody && !office.engine.queues().iter().any(|queue| queue.notes(item.origin())) {
        return Reply::own("2.1.5", "nobody here wants a copy");
    }
    let staged = match office.engine.stage(top, message.to_vec()).await {
        Ok(staged) => staged,
        Err(error) => return refused(&error),
    };
    let targets = copies.iter().map(|(one, placed)| placing::target(one, placed)).collect();
    let text = match (nobody, is_in_mailbox(&copies)) {
        (true, _) => "nobody here wants a copy",
        (_, true) => DELIVERED,
        (_, false) => SENT_ON,
    };
    let reply = Reply::own("2.1.5", text);
    let delivery = Delivery { staged, targets, queue: queue.clone() };
    let later = own_items(item, recipient, &copies);
    let is_told = believed && text == DELIVERED && Kind::Delivered.is_wanted(recipient.notify);
    let notice = if is_told { notice::delivered(office, item, recipient, (&reply, message)).await } else { None };
    let asked = HandOver { id: item.id, recipient: at, reply: reply.to_string(), delivery, dealt, later, notice };
    match office.engine.queue_hand_over(asked).await {
        Ok(None) => Reply::own("2.1.5", GONE),
        Ok(Some(done)) => {
            done.reports.iter().for_each(|id| settle::note_report(office, item, *id));
            for ((one, placed), copy) in copies.iter().zip(&done.copies) {
                if let Ok(Some(copy)) = copy {
                    placing::set_keywords(&office.engine, one.account, &placed.keywords, copy).await;
                }
            }
            note_copies(office, item, &copies, &done.copies);
            for (id, new) in done.queue_ids.iter().zip(&queue) {
                let recipients: Vec<&str> = new.recipients.iter().map(|one| one.address.as_str()).collect();
                note_queued(office, item, id.0, (&new.sender, recipients.join(",")));
            }
            for (account, id) in &done.later {
                let one = copies.iter().find(|(one, _)| one.account == *account);
                let address = one.map_or_else(String::new, |(one, _)| one.address.to_string());
                note_queued(office, item, id.0, (&item.item.sender, address));
            }
            reply
        }
        Err(error) => refused(&error),
    }
}

/// The steps of the mail log.
fn note_copies(office: &Office, item: &QueueItem, copies: &[(Recipient, Placed)], done: &Copies) {
    for ((one, _), copy) in copies.iter().zip(done) {
        let Ok(Some(Delivered { mailbox, uid })) = copy else { continue };
        office.engine.note_mail(&MailRecord {
            when_ms: office.clock.now_ms(),
            step: Step::Delivered,
            queue: item.id.0,
            account: one.account.0,
            mailbox: mailbox.0,
            uid: uid.0,
            recipient: one.address.to_string(),
            ..MailRecord::default()
        });
    }
}

fn note_queued(office: &Office, item: &QueueItem, queue: u64, (sender, recipient): (&str, String)) {
    office.engine.note_mail(&MailRecord {
        when_ms: office.clock.now_ms(),
        step: Step::Queued,
        queue,
        from_queue: item.id.0,
        sender: sender.to_owned(),
        recipient,
        ..MailRecord::default()
    });
}

/// What is queued for an account that cannot have its copies now: an item under its own address. Their places stay: its rules have had effect already.
fn own_items(item: &QueueItem, recipient: &QueueRecipient, copies: &[(Recipient, Placed)]) -> Later {
    let (item, recipient, copies) = (item.clone(), recipient.clone(), copies.to_vec());
    Box::new(move |account| {
        let own = || copies.iter().filter(|(one, _)| one.account == account);
        let address = own().next().map_or_else(|| recipient.address.clone(), |(one, _)| one.address.to_string());
        let recipients = vec![QueueRecipient { address, ..recipient.clone() }];
        let arrival = arrival(&item, own().map(|(_, placed)| placed.clone()).collect());
        NewQueueItem { recipients, arrival, origin: Some(item.origin()), ..NewQueueItem::clone(&item.item) }
    })
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
