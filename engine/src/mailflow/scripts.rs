//! Members' Sieve scripts (F11): what one says becomes copies, forwards, answers, a refusal. A script that is wrong or goes wrong changes nothing: the mail
//! is in INBOX, and the server's log says why.
use super::sieve::{self, Effects, Refused, Script, Vacation};
use super::{Answering, Case, Copy, Letter, Verdict, Wanted, away, forward};
use crate::base::limits::{
    SIEVE_COST_ADDRESS_MAX, SIEVE_COST_MAX, SIEVE_COST_MIN, SIEVE_KNOWN_BYTES_MAX, SIEVE_REJECT_CHARS_MAX,
};
use crate::directory::{Account, Address, Away, Rule, Scope};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// What a refusal by a script bears.
pub(super) const STAGE: &str = "sieve";

/// Each account's script for its copy. What is suspicious is in Junk by now, and no script sees it.
pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>, verdict: &mut Verdict) {
    for (at, recipient) in wanted.local.iter().enumerate() {
        let mut rules = case.directory.rules(&Scope::Account(recipient.account)).iter();
        let script = rules.find_map(|rule| if let Rule::Sieve(script) = rule { Some(script) } else { None });
        let Some(script) = script else { continue };
        let account = case.directory.account(recipient.account);
        let Some(account) = account.filter(|_| verdict.copies[at] == Copy::Inbox) else { continue };
        match run(case, letter, wanted, account, script) {
            Ok(effects) => apply(case, letter, (wanted, account, at), effects, verdict),
            Err(why) => tracing::warn!(account = %account.address, %why, "a Sieve script failed; the mail is in INBOX"),
        }
    }
}

fn run(
    case: &Case<'_>,
    letter: &Letter<'_>,
    wanted: &Wanted<'_>,
    account: &Account,
    script: &str,
) -> Result<Effects, String> {
    let script = read(script)?;
    let has_mailbox = |name: &str| letter.has_mailbox.is_some_and(|has| has(account.id, name));
    let facts = sieve::Facts {
        fields: letter.fields,
        sender: case.sender.map_or("", Address::as_str),
        recipient: wanted.address.as_str(),
        size: letter.size_bytes,
        has_mailbox: &has_mailbox,
    };
    let share = SIEVE_COST_ADDRESS_MAX / wanted.local.len().max(1) as u64;
    sieve::run(&script, &facts, share.clamp(SIEVE_COST_MIN, SIEVE_COST_MAX))
}

/// Scripts that were read, by their text.
#[derive(Default)]
struct Known {
    scripts: HashMap<Box<str>, Result<Rc<Script>, String>>,
    bytes: usize,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// A script that this thread has read not long ago is not read again: to read it costs many times what it costs to run it.
fn read(text: &str) -> Result<Rc<Script>, String> {
    KNOWN.with_borrow_mut(|known| {
        if let Some(script) = known.scripts.get(text) {
            return script.clone();
        }
        let script = Script::parse(text).map(Rc::new).map_err(|wrong| wrong.to_string());
        if known.bytes + text.len() > SIEVE_KNOWN_BYTES_MAX {
            *known = Known::default();
        }
        known.bytes += text.len();
        known.scripts.insert(text.into(), script.clone());
        script
    })
}

fn apply(
    case: &Case<'_>,
    letter: &Letter<'_>,
    (wanted, account, at): (&Wanted<'_>, &Account, usize),
    effects: Effects,
    verdict: &mut Verdict,
) {
    let Effects { filed, redirects, refused, vacation } = effects;
    if let Some(Refused { words, by_mail }) = refused {
        // One of several behind an address cannot refuse for all: it has the mail.
        if wanted.local.len() == 1 && wanted.external.is_empty() {
            verdict.refuse(STAGE, "5.7.1", format!("the recipient refuses it: {}", on_one_line(&words)));
            verdict.refused_by_mail = by_mail;
        }
        return;
    }
    let may = |to: &str| forward::onward(case, letter, (account, wanted.address), &Address::parse(to).ok()?);
    let onward: Vec<_> = redirects.iter().filter_map(|onward| may(&onward.to)).collect();
    let is_lost = filed.is_empty() && onward.len() < redirects.len();
    verdict.copies[at] = match filed.as_slice() {
        // What was to go on and may not stays here.
        [] if is_lost => Copy::Inbox,
        [] if onward.is_empty() => Copy::Discarded,
        [] => Copy::Forwarded,
        [one] if one.mailbox.is_none() && one.flags.is_empty() => Copy::Inbox,
        _ => Copy::Filed,
    };
    if verdict.copies[at] == Copy::Filed {
        verdict.filed[at] = filed;
    }
    verdict.forwards.extend(onward);
    if let Some(Vacation { days, subject, addresses, handle, from, mime, reason }) = vacation {
        let more: Vec<Address> = addresses.iter().filter_map(|address| Address::parse(address).ok()).collect();
        if away::may_answer(case, letter, account.id, &more) {
            let handle = if handle.is_empty() { format!("{subject}\n{reason}") } else { handle };
            let away = Away { days, from: 0, until: 0, subject: subject.into(), text: reason.into() };
            let from = from.and_then(|from| Address::parse(&from).ok());
            let from = from.filter(|from| case.directory.may_send_as(account.id, from));
            verdict.answers.push(Answering { account: account.id, away, handle, from, mime });
        }
    }
}

/// All of its lines as one, and not too much of it.
fn on_one_line(words: &str) -> String {
    let words: Vec<&str> =
        words.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(SIEVE_REJECT_CHARS_MAX).collect()
}
