//! The stages in their order: the whole mail flow on one screen. Each may refuse a recipient or move its copies; the first refusal counts.
use super::{Case, Copy, Counters, Letter, Origin, Refusal, Verdict, Wanted};
use super::{away, dmarc, elsewhere, filter, forward, hosts, keyword, lists, outbound, rate, scripts, senders};
use crate::base::AccountId;
use crate::directory::Address;

/// Asked when a recipient is named, before the message is there.
type AtRecipient = fn(&Case<'_>, &Counters, &Wanted<'_>, u32) -> Option<Refusal>;

const AT_RECIPIENT: [AtRecipient; 5] = [
    lists::at_recipient, // F3: the reverse-path is on a blocklist of the tenant, or of the member asked for
    hosts::at_recipient, // DNS blocklists know the host
    senders::at_recipient, // D3: who may send to a group
    outbound::at_recipient, // F5: who may send outside the tenant
    rate::at_recipient,  // F6: how much, in a period
];

/// Asked when the message has come whole.
type AtMessage = fn(&Case<'_>, &Letter<'_>, &Wanted<'_>, &mut Verdict);

const AT_MESSAGE: [AtMessage; 11] = [
    dmarc::reject,         // the domain of From asks for refusal
    senders::at_message,   // D3: again, for the reverse-path may have been found to be forged
    lists::at_message,     // F3, F4: From and the reverse-path, the tenant's list before each member's
    filter::at_message,    // rspamd's advice, for those who have not allowed the sender
    dmarc::quarantine,     // the domain of From asks for suspicion
    hosts::at_message,     // DNS blocklists suspect the host
    keyword::at_message,   // F7: the decoded subject
    scripts::at_message,   // F11: a member's script files, sends on, refuses, answers, unless the copy is suspicious
    away::at_message,      // F11: who is away answers, unless the copy is suspicious
    forward::at_message,   // F11: copies that go on, unless they are suspicious or have been here before
    elsewhere::at_message, // a group's members on other hosts, unless it is suspicious
];

/// Whether mail for this recipient is taken at all. `more`: as how many it would count, were it outside the sender's tenant.
pub fn at_recipient(case: &Case<'_>, counters: &Counters, wanted: &Wanted<'_>, more: u32) -> Option<Refusal> {
    AT_RECIPIENT.iter().find_map(|stage| stage(case, counters, wanted, more))
}

/// Asked for mail that the queue brings to an address of ours, with what was known of it when it came.
const AT_QUEUE: [AtMessage; 7] = [
    lists::at_message,
    filter::at_message, // what spoke against it
    keyword::at_message,
    scripts::at_message,
    away::at_message,
    forward::at_message,
    elsewhere::at_message,
];

/// Asked for what the system itself has sent by way of the queue, and for items of which nothing more is known.
const AT_QUEUE_PLAIN: [AtMessage; 1] = [forward::at_message];

/// What happens with the message for this recipient.
pub fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>) -> Verdict {
    let mut verdict = run(&AT_MESSAGE, case, letter, wanted);
    // A group that has had the message stands for nobody, and is not refused.
    let somebody = !wanted.local.is_empty() && wanted.external.is_empty();
    let nobody = somebody && verdict.copies.iter().all(|copy| *copy == Copy::Nowhere);
    if nobody {
        lists::refuse(&mut verdict);
    }
    verdict
}

/// The same for mail from the queue. `by` is the account that has sent it on to this address, and so asks a group to take it.
pub fn at_queue(case: &Case<'_>, letter: &Letter<'_>, by: Option<AccountId>, wanted: &Wanted<'_>) -> Verdict {
    let Case { directory, sender, now, .. } = *case;
    let asks = Case { directory, origin: by.map_or(case.origin, Origin::Member), sender, now, listed: None };
    // With what was found out about the reverse-path when it came.
    let mut verdict = undecided(wanted);
    senders::at_message(&asks, letter, wanted, &mut verdict);
    if verdict.refusal.is_some() { verdict } else { run(&AT_QUEUE, case, letter, wanted) }
}

/// The same when nothing is known of it but the addresses of ours that have sent it on.
pub fn at_queue_plain(case: &Case<'_>, passed: &[Address], wanted: &Wanted<'_>) -> Verdict {
    run(&AT_QUEUE_PLAIN, case, &Letter { passed, ..Letter::default() }, wanted)
}

/// Before any stage has been asked.
fn undecided(wanted: &Wanted<'_>) -> Verdict {
    let begin = |transfer| if transfer { Copy::Transfer } else { Copy::Inbox };
    Verdict {
        refusal: None,
        copies: wanted.local.iter().map(|recipient| begin(recipient.is_transfer)).collect(),
        filed: vec![Vec::new(); wanted.local.len()],
        external: wanted.external.to_vec(),
        suspect: None,
        forwards: Vec::new(),
        answers: Vec::new(),
        refused_by_mail: false,
        allowed: vec![false; wanted.local.len()],
    }
}

fn run(stages: &[AtMessage], case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>) -> Verdict {
    let mut verdict = undecided(wanted);
    for stage in stages {
        stage(case, letter, wanted, &mut verdict);
        if verdict.refusal.is_some() {
            break;
        }
    }
    verdict
}
