//! LIST (RFC 3501 section 6.3.8) with CHILDREN (RFC 3348) and special uses (RFC 6154). Levels without a mailbox are listed as
//! \Noselect while they have children.
use crate::imap::answer::Answer;
use crate::imap::name;
use crate::imap::pattern::Pattern;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::core::IString;
use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox as Reference};
use posthouse_engine::index::{Account, Mailbox};
use std::collections::BTreeMap;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let CommandBody::List { reference, mailbox_wildcard } = &request.body else {
            return Ok(Answer::bad("LIST: a reference and a pattern are expected"));
        };
        let (reference, pattern) = match texts(reference, mailbox_wildcard) {
            Ok(texts) => texts,
            Err(answer) => return Ok(answer),
        };
        if pattern.is_empty() {
            // Asks for the separator and the root only (RFC 3501 section 6.3.8).
            session.untagged("LIST (\\Noselect) \"/\" \"\"");
            return Ok(Answer::ok("LIST completed"));
        }
        let account = match session.shared.engine.account(session.account()) {
            Ok(account) => account,
            Err(error) => return Ok(error.into()),
        };
        let pattern = Pattern::new(&reference, &pattern);
        let names = Names::of(&account);
        for (name, mailbox) in names.inbox_first() {
            if pattern.matches(name) {
                write(session.stream.output(), name, mailbox, names.has_children(name));
                session.flush_if_large().await?;
            }
        }
        Ok(Answer::ok("LIST completed"))
    })
}

/// Reference and pattern in UTF-8.
pub(super) fn texts(reference: &Reference<'_>, pattern: &ListMailbox<'_>) -> Result<(String, String), Answer> {
    let reference = name::decode(reference)?;
    let pattern = match pattern {
        ListMailbox::Token(token) => name::from_wire(token.as_ref())?,
        ListMailbox::String(IString::Literal(literal)) => name::from_wire(literal.as_ref())?,
        ListMailbox::String(IString::Quoted(quoted)) => name::from_wire(quoted.as_ref().as_bytes())?,
    };
    if reference.len() + pattern.len() > limits::IMAP_PATTERN_BYTES_MAX {
        return Err(Answer::no("[LIMIT] The pattern is too long"));
    }
    Ok((reference, pattern))
}

/// The names of an account with the levels above them that have no mailbox.
struct Names<'a>(BTreeMap<&'a str, Option<&'a Mailbox>>);

impl<'a> Names<'a> {
    fn of(account: &'a Account) -> Names<'a> {
        let mut names: BTreeMap<&str, Option<&Mailbox>> = BTreeMap::new();
        for mailbox in &account.mailboxes {
            names.insert(&mailbox.name, Some(mailbox));
            for (at, _) in mailbox.name.match_indices('/') {
                names.entry(&mailbox.name[..at]).or_insert(None);
            }
        }
        Names(names)
    }

    fn inbox_first(&self) -> impl Iterator<Item = (&'a str, Option<&'a Mailbox>)> + '_ {
        let inbox = self.0.get_key_value("INBOX").into_iter();
        let others = self.0.iter().filter(|(name, _)| **name != "INBOX");
        inbox.chain(others).map(|(name, mailbox)| (*name, *mailbox))
    }

    fn has_children(&self, name: &str) -> bool {
        let prefix = format!("{name}/");
        self.0.range(prefix.as_str()..).next().is_some_and(|(next, _)| next.starts_with(&prefix))
    }
}

fn write(out: &mut Vec<u8>, name: &str, mailbox: Option<&Mailbox>, has_children: bool) {
    out.extend_from_slice(b"* LIST (");
    out.extend_from_slice(if has_children { b"\\HasChildren" } else { b"\\HasNoChildren" });
    match mailbox {
        None => out.extend_from_slice(b" \\Noselect"),
        Some(mailbox) => {
            if let Some(special_use) = mailbox.special_use {
                out.push(b' ');
                out.extend_from_slice(special_use.attribute().as_bytes());
            }
        }
    }
    out.extend_from_slice(b") \"/\" ");
    name::write(out, name);
    out.extend_from_slice(b"\r\n");
}
