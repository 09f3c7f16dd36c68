//! Reads NOTIFY's arguments (RFC 5465 section 8) and refuses what its rules forbid. Pure.
use super::filter::{Events, Filter, Which};
use super::{Notify, OfSelected};
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::fetch::plan::Plan;
use crate::imap::name;
use crate::limits;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a NOTIFY SET asks.
#[derive(Debug)]
pub(in crate::imap) struct Asked {
    /// How the watched mailboxes stand is to be told at once.
    pub(in crate::imap) status: bool,
    pub(in crate::imap) notify: Notify,
}

/// The events that are known, as the BADEVENT response code lists them. Messages have no annotations here (RFC 5257).
const KNOWN: &str = "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange \
                     ServerMetadataChange";

/// The events of one group as they are read.
#[derive(Default)]
struct Group {
    events: Events,
    new: bool,
    expunge: bool,
    fetch: Option<Arc<Plan>>,
    unknown: bool,
}

impl Asked {
    /// Reads what follows `SET`. `utf8`: how names are written.
    pub(in crate::imap) fn parse(args: &mut Args<'_>, utf8: bool) -> Result<Asked, Answer> {
        args.space()?;
        let status = args.eat_word("STATUS");
        if status {
            args.space()?;
        }
        let (mut filter, mut selected, mut unknown, mut names) = (Filter::default(), None, false, 0);
        loop {
            args.need("(")?;
            let which = Which::parse(args, utf8, &mut names)?;
            args.space()?;
            let group = Group::parse(args)?;
            args.need(")")?;
            group.check(which.is_err())?;
            unknown |= group.unknown;
            match which {
                Ok(_) if filter.0.len() == limits::IMAP_NOTIFY_GROUPS_MAX => {
                    let max = limits::IMAP_NOTIFY_GROUPS_MAX;
                    return Err(Answer::no(format!("[LIMIT] At most {max} groups of mailboxes can be watched")));
                }
                Ok(which) => filter.0.push((which, group.events)),
                Err(delayed) => {
                    let (counts, flags) = (group.new, group.events.contains(Events::FLAGS));
                    let of = OfSelected { counts, flags, delayed, fetch: group.fetch };
                    if selected.replace(of).is_some() {
                        return Err(Answer::bad("SELECTED and SELECTED-DELAYED can be given once"));
                    }
                }
            }
            if args.is_end() {
                break;
            }
            args.space()?;
        }
        if unknown {
            return Err(Answer::no(format!("[BADEVENT ({KNOWN})] Other events cannot be told here")));
        }
        if names > limits::IMAP_NOTIFY_NAMES_MAX {
            return Err(overflow());
        }
        Ok(Asked { status, notify: Notify { selected: selected.unwrap_or_default(), filter, ..Notify::default() } })
    }
}

/// The answer to who asks for more than is watched here.
pub(in crate::imap) fn overflow() -> Answer {
    Answer::no("[NOTIFICATIONOVERFLOW] That is more than can be watched here; name fewer mailboxes")
}

impl Which {
    /// The error is the selected mailbox, and whether EXPUNGE is to be delayed. Counts the names.
    fn parse(args: &mut Args<'_>, utf8: bool, names: &mut usize) -> Result<Result<Which, bool>, Answer> {
        let start = args.clone();
        let word = args.atom("which mailboxes")?.to_ascii_uppercase();
        Ok(Ok(match word.as_str() {
            "SELECTED" => return Ok(Err(false)),
            "SELECTED-DELAYED" => return Ok(Err(true)),
            "PERSONAL" | "INBOXES" => Which::Personal,
            "SUBSCRIBED" => Which::Subscribed,
            "SUBTREE" => Which::Subtree(named(args, utf8, names)?),
            "MAILBOXES" => Which::Mailboxes(named(args, utf8, names)?),
            _ => {
                return Ok(
                    start.wrong("selected, selected-delayed, inboxes, personal, subscribed, subtree or mailboxes")?
                );
            }
        }))
    }
}

/// ` name` or ` (name name)`
fn named(args: &mut Args<'_>, utf8: bool, count: &mut usize) -> Result<BTreeSet<String>, Answer> {
    args.space()?;
    let one = |args: &mut Args<'_>| {
        let name = name::from_wire(&args.astring()?, utf8)?;
        Ok(name.strip_suffix('/').unwrap_or(&name).to_owned())
    };
    let names = if args.peek() == Some(b'(') { args.list(false, one)? } else { vec![one(args)?] };
    *count += names.len();
    Ok(names.into_iter().collect())
}

impl Group {
    /// `NONE`, or events in parentheses; without them, as RFC 5465's first examples have it.
    fn parse(args: &mut Args<'_>) -> Result<Group, Answer> {
        let mut group = Group::default();
        if args.peek() == Some(b'(') {
            args.list(false, |args| group.event(args))?;
        } else if !args.eat_word("NONE") {
            group.event(args)?;
            while args.eat(" ") {
                group.event(args)?;
            }
        }
        Ok(group)
    }

    fn event(&mut self, args: &mut Args<'_>) -> Result<(), Answer> {
        let event = match args.atom("an event")?.to_ascii_uppercase().as_str() {
            "MESSAGENEW" => {
                self.new = true;
                self.fetch = Plan::parse_optional(args)?;
                Events::COUNTS
            }
            "MESSAGEEXPUNGE" => {
                self.expunge = true;
                Events::COUNTS
            }
            "FLAGCHANGE" => Events::FLAGS,
            "MAILBOXNAME" => Events::NAME,
            "SUBSCRIPTIONCHANGE" => Events::SUBSCRIPTION,
            "MAILBOXMETADATACHANGE" => Events::METADATA,
            "SERVERMETADATACHANGE" => Events::SERVER_METADATA,
            _ => {
                self.unknown = true;
                Events::NONE
            }
        };
        self.events = self.events.union(event);
        Ok(())
    }

    /// RFC 5465 sections 5 and 6.1.
    fn check(&self, of_selected: bool) -> Result<(), Answer> {
        let of_messages = Events::COUNTS.union(Events::FLAGS);
        if self.new != self.expunge {
            return Err(Answer::bad("MessageNew and MessageExpunge go together"));
        }
        if self.events.contains(Events::FLAGS) && !self.new {
            return Err(Answer::bad("FlagChange needs MessageNew and MessageExpunge beside it"));
        }
        if of_selected && self.events.union(of_messages) != of_messages {
            return Err(Answer::bad("Of the selected mailbox only message events can be asked for"));
        }
        if !of_selected && self.fetch.is_some() {
            return Err(Answer::bad("What FETCH tells can be asked for of the selected mailbox only"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Asked, Answer> {
        Asked::parse(&mut Args::new(text.as_bytes(), 0), false)
    }

    #[test]
    fn what_can_be_asked() {
        let read = asked(
            " STATUS (selected-delayed (MessageNew (uid body.peek[header.fields (from to)]) MessageExpunge FlagChange)) \
             (subtree (Lists \"a b\") (MailboxName)) (inboxes NONE) (personal (messagenew messageexpunge))",
        );
        let Asked { status, notify } = read.expect("it is understood");
        assert!(status && notify.selected.counts && notify.selected.flags && notify.selected.delayed);
        assert!(notify.selected.fetch.is_some_and(|plan| plan.items.len() == 2));
        assert_eq!(notify.filter.0.len(), 3);
        // As in section 3.1 of the RFC.
        let read = asked(" (selected MessageNew (uid) MessageExpunge) (mailboxes misc MessageNew MessageExpunge)");
        assert!(read.is_ok_and(|read| read.notify.selected.counts && read.notify.filter.asks(Events::COUNTS)));
        assert!(asked(" (selected NONE)").is_ok_and(|read| !read.notify.selected.counts));
    }

    #[test]
    fn what_cannot() {
        for text in [
            "",
            " ",
            " STATUS",
            " (selected)",
            " (selected ())",
            " (selected (MessageNew))",
            " (personal (MessageExpunge))",
            " (personal (FlagChange))",
            " (selected (MailboxName))",
            " (selected NONE) (selected-delayed NONE)",
            " (personal (MessageNew (uid) MessageExpunge))",
            " (nowhere (MailboxName))",
            " (subtree (MailboxName))",
            " (mailboxes () (MailboxName))",
            " (selected (MessageNew () MessageExpunge))",
            " (personal (MailboxName)) x",
            " (personal (MailboxName)",
        ] {
            assert!(matches!(asked(text), Err(Answer::Bad(_))), "{text}");
        }
        assert!(asked(&" (personal (MailboxName))".repeat(64)).is_ok());
        let many = asked(&" (personal (MailboxName))".repeat(65));
        assert!(matches!(&many, Err(Answer::No(why)) if why.starts_with("[LIMIT]")), "{many:?}");
        for text in [" (personal (Novelty))", " (selected (MessageNew MessageExpunge AnnotationChange))"] {
            assert!(matches!(asked(text), Err(Answer::No(why)) if why.starts_with("[BADEVENT (MessageNew ")), "{text}");
        }
    }
}
