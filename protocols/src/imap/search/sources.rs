//! Which mailboxes an ESEARCH goes through: `IN (...)` (RFC 7377 section 2.2) with the filters of NOTIFY (RFC 5465 section 6). Looks nothing up.
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::name;
use crate::imap::place::may_be_of_others;
use std::collections::BTreeSet;

/// What `IN (...)` names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::imap) struct Sources {
    /// The selected mailbox.
    pub(in crate::imap) selected: bool,
    /// All of the session's own; `inboxes` too, since mail may be filed into any of them (RFC 5465 section 6.3).
    pub(in crate::imap) personal: bool,
    /// What is subscribed.
    pub(in crate::imap) subscribed: bool,
    /// By name.
    pub(in crate::imap) mailboxes: BTreeSet<String>,
    /// With all that is below.
    subtrees: BTreeSet<String>,
    /// With what is one level below.
    children: BTreeSet<String>,
}

impl Sources {
    /// Reads `IN (...) ` if it stands here; else it is the selected mailbox.
    pub(in crate::imap) fn parse(args: &mut Args<'_>, utf8: bool) -> Result<Sources, Answer> {
        let mut sources = Sources::default();
        if !args.eat_word("IN") {
            sources.selected = true;
            return Ok(sources);
        }
        args.space()?;
        args.list(false, |args| sources.filter(args, utf8))?;
        args.space()?;
        Ok(sources)
    }

    fn filter(&mut self, args: &mut Args<'_>, utf8: bool) -> Result<(), Answer> {
        let start = args.clone();
        match args.atom("a source of ESEARCH")?.to_ascii_uppercase().as_str() {
            "SELECTED" => self.selected = true,
            "PERSONAL" | "INBOXES" => self.personal = true,
            "SUBSCRIBED" => self.subscribed = true,
            "MAILBOXES" => names(args, utf8, &mut self.mailboxes)?,
            "SUBTREE" => names(args, utf8, &mut self.subtrees)?,
            "SUBTREE-ONE" => names(args, utf8, &mut self.children)?,
            _ => start.wrong("selected, personal, inboxes, subscribed, mailboxes, subtree or subtree-one")?,
        }
        Ok(())
    }

    /// Whether the selected mailbox is the only one.
    pub(in crate::imap) fn is_selected_alone(&self) -> bool {
        *self == Sources { selected: true, ..Sources::default() }
    }

    /// Whether a mailbox is one whose subtree is named, or in such a subtree. The empty name stands for the root.
    pub(in crate::imap) fn in_subtree(&self, name: &str) -> bool {
        let mut above = name.rmatch_indices('/').map(|(at, _)| &name[..at]).chain([""]);
        let parent = above.next().unwrap_or_default();
        self.children.contains(name)
            || self.children.contains(parent)
            || [name, parent].into_iter().chain(above).any(|above| self.subtrees.contains(above))
    }

    /// Whether a subtree may hold mailboxes of others.
    pub(in crate::imap) fn subtrees_of_others(&self) -> bool {
        self.subtrees.iter().chain(&self.children).any(|root| root.is_empty() || may_be_of_others(root))
    }
}

/// ` name` or ` (name name)`
fn names<'a>(args: &mut Args<'a>, utf8: bool, found: &mut BTreeSet<String>) -> Result<(), Answer> {
    args.space()?;
    let mut name = |args: &mut Args<'a>| -> Result<(), Answer> {
        // A separator at the end only says that others may follow.
        found.insert(name::from_wire(&args.astring()?, utf8)?.trim_end_matches('/').to_owned());
        Ok(())
    };
    if args.peek() == Some(b'(') {
        args.list(false, name)?;
        return Ok(());
    }
    name(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Result<Sources, Answer> {
        Sources::parse(&mut Args::new(text.as_bytes(), 0), false)
    }

    #[test]
    fn filters() {
        assert!(sources("UNSEEN").is_ok_and(|sources| sources.is_selected_alone()));
        assert!(sources("IN (selected) UNSEEN").is_ok_and(|sources| sources.is_selected_alone()));
        assert!(
            sources("IN (selected inboxes) x").is_ok_and(|sources| sources.personal && !sources.is_selected_alone())
        );
        let many = sources("in (MAILBOXES (inbox \"a b\") subscribed subtree x subtree-one (y z)) x").expect("sources");
        assert_eq!(many.mailboxes.iter().collect::<Vec<_>>(), ["INBOX", "a b"]);
        assert!(many.subscribed && !many.selected && !many.personal);
        for bad in ["IN () x", "IN (nonsense) x", "IN (selected-delayed) x", "IN selected x", "IN (mailboxes) x"] {
            assert!(matches!(sources(bad), Err(Answer::Bad(_))), "{bad}");
        }
        for bad in ["IN (mailboxes ()) x", "IN (selected (scope)) x", "IN (subtree a", "IN (personal)"] {
            assert!(matches!(sources(bad), Err(Answer::Bad(_))), "{bad}");
        }
    }

    #[test]
    fn subtrees() {
        let named = |text: &str, name: &str| sources(text).is_ok_and(|sources| sources.in_subtree(name));
        for (name, all, one) in [("a", true, true), ("a/b", true, true), ("a/b/c", true, false), ("ab", false, false)] {
            assert_eq!(named("IN (subtree a) x", name), all, "{name}");
            assert_eq!(named("IN (subtree-one a) x", name), one, "{name}");
        }
        assert!(named("IN (subtree \"\") x", "a/b") && named("IN (subtree-one \"\") x", "a"));
        assert!(!named("IN (subtree-one \"\") x", "a/b"));
        assert!(sources("IN (subtree Shared/x) x").is_ok_and(|sources| sources.subtrees_of_others()));
        assert!(sources("IN (subtree (a b)) x").is_ok_and(|sources| !sources.subtrees_of_others()));
    }
}
