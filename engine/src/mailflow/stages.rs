//! The stages in their order: the whole mail flow on one screen. Each may refuse a recipient or move its copies; the first refusal counts.
use super::{Case, Copy, Counters, Letter, Refusal, Verdict, Wanted};
use super::{away, dmarc, filter, forward, hosts, keyword, lists, outbound, rate, scripts, senders};

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

const AT_MESSAGE: [AtMessage; 10] = [
    dmarc::reject,       // the domain of From asks for refusal
    senders::at_message, // D3: again, for the reverse-path may have been found to be forged
    lists::at_message,   // F3, F4: From and the reverse-path, the tenant's list before each member's
    filter::at_message,  // rspamd's advice, for those who have not allowed the sender
    dmarc::quarantine,   // the domain of From asks for suspicion
    hosts::at_message,   // DNS blocklists suspect the host
    keyword::at_message, // F7: the decoded subject
    scripts::at_message, // F11: a member's script files, sends on, refuses, answers, unless the copy is suspicious
    away::at_message,    // F11: who is away answers, unless the copy is suspicious
    forward::at_message, // F11: copies that go on, unless they are suspicious or have been here before
];

/// Whether mail for this recipient is taken at all. `pending` counts recipients outside the tenant that were taken before in the same message.
pub fn at_recipient(case: &Case<'_>, counters: &Counters, wanted: &Wanted<'_>, pending: u32) -> Option<Refusal> {
    AT_RECIPIENT.iter().find_map(|stage| stage(case, counters, wanted, pending))
}

/// Asked for mail that the queue brings to an address of ours: it was judged when it came, and only its way goes on.
const AT_QUEUE: [AtMessage; 1] = [
    forward::at_message, // F11
];

/// What happens with the message for this recipient.
pub fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>) -> Verdict {
    let mut verdict = run(&AT_MESSAGE, case, letter, wanted);
    let nobody = wanted.external.is_empty() && verdict.copies.iter().all(|copy| *copy == Copy::Nowhere);
    if nobody {
        lists::refuse(&mut verdict);
    }
    verdict
}

/// The same for mail from the queue.
pub fn at_queue(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>) -> Verdict {
    run(&AT_QUEUE, case, letter, wanted)
}

fn run(stages: &[AtMessage], case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>) -> Verdict {
    let begin = |transfer| if transfer { Copy::Transfer } else { Copy::Inbox };
    let mut verdict = Verdict {
        refusal: None,
        copies: wanted.local.iter().map(|recipient| begin(recipient.is_transfer)).collect(),
        filed: vec![Vec::new(); wanted.local.len()],
        forwards: Vec::new(),
        answers: Vec::new(),
        refused_by_mail: false,
        allowed: vec![false; wanted.local.len()],
    };
    for stage in stages {
        stage(case, letter, wanted, &mut verdict);
        if verdict.refusal.is_some() {
            break;
        }
    }
    verdict
}
