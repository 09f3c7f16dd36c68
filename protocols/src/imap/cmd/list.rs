//! LIST (RFC 3501 section 6.3.8) with CHILDREN (RFC 3348), LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819), special uses
//! (RFC 6154), LIST-METADATA (RFC 9590) and LIST-MYRIGHTS (RFC 8440).
use super::{metadata, status};
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::Args;
use crate::imap::listing::{Listed, Names, Selection};
use crate::imap::name;
use crate::imap::pattern::Pattern;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::session::Work;
use posthouse_engine::directory::Rights;
use posthouse_engine::index::Account;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let asked = Asked::parse(&request)?;
        let patterns = session.patterns(&asked.reference, &asked.patterns)?;
        if !asked.extended && asked.patterns.iter().all(Vec::is_empty) {
            // Asks for the separator and the root only (RFC 3501 section 6.3.8).
            session.untagged("LIST (\\Noselect) \"/\" \"\"");
            return Ok(Answer::ok("LIST completed"));
        }
        let account = session.shared.engine.account(session.account())?;
        session.list(&account, &patterns, &asked).await?;
        Ok(Answer::ok("LIST completed"))
    })
}

/// What a LIST asks.
struct Asked {
    reference: Vec<u8>,
    patterns: Vec<Vec<u8>>,
    selection: Selection,
    /// \Subscribed is to be shown.
    subscribed: bool,
    status: Vec<status::Item>,
    /// Names of annotations (RFC 9590).
    metadata: Vec<String>,
    /// The session's rights (RFC 8440).
    rights: bool,
    /// It is written as RFC 5258 has it.
    extended: bool,
}

impl Asked {
    fn parse(request: &Request) -> Result<Asked, Answer> {
        let mut args = request.args();
        args.space()?;
        let mut selection = Selection::default();
        let mut extended = args.peek() == Some(b'(');
        if extended {
            args.list(true, |args| selection.option(args))?;
            selection.check()?;
            args.space()?;
        }
        let reference = args.astring()?.into_owned();
        args.space()?;
        let patterns = match args.peek() {
            Some(b'(') => {
                extended = true;
                args.list(false, |args| Ok(args.list_mailbox()?.into_owned()))?
            }
            _ => vec![args.list_mailbox()?.into_owned()],
        };
        let subscribed = selection.subscribed;
        let mut asked = Asked {
            reference,
            patterns,
            selection,
            subscribed,
            status: Vec::new(),
            metadata: Vec::new(),
            rights: false,
            extended,
        };
        if !args.is_end() {
            asked.extended = true;
            args.space()?;
            args.need("RETURN")?;
            args.space()?;
            args.list(true, |args| asked.returned(args))?;
        }
        args.end()?;
        Ok(asked)
    }

    fn returned(&mut self, args: &mut Args<'_>) -> Result<(), Answer> {
        if args.eat_word("SUBSCRIBED") {
            self.subscribed = true;
        } else if args.eat_word("STATUS") {
            args.space()?;
            self.status = status::items(args)?;
        } else if args.eat_word("METADATA") {
            args.space()?;
            self.metadata = metadata::checked(&metadata::entries(args)?)?;
        } else if args.eat_word("MYRIGHTS") {
            self.rights = true;
        } else if !args.eat_word("CHILDREN") && !args.eat_word("SPECIAL-USE") {
            args.wrong("a return option of LIST")?;
        }
        Ok(())
    }
}

impl Session {
    /// Patterns with the reference before them, in UTF-8 and ready to be matched.
    pub(super) fn patterns(&self, reference: &[u8], patterns: &[Vec<u8>]) -> Result<Vec<Pattern>, Answer> {
        if patterns.len() > limits::IMAP_PATTERNS_MAX {
            return Err(Answer::no("[LIMIT] There are too many patterns"));
        }
        let reference = self.name(reference)?;
        let mut bytes = 0;
        let mut ready = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            let pattern = self.name(pattern)?;
            bytes += reference.len() + pattern.len();
            if bytes > limits::IMAP_PATTERN_BYTES_MAX {
                return Err(Answer::no("[LIMIT] The pattern is too long"));
            }
            ready.push(Pattern::new(&reference, &pattern));
        }
        Ok(ready)
    }

    /// What else was asked of a mailbox, as far as it may be told.
    async fn write_returned(&mut self, name: &str, listed: Listed<'_>, asked: &Asked) -> Result<(), Fail> {
        let Listed { mailbox, account, rights, .. } = listed;
        let reads = rights.contains(Rights::READ);
        if reads && !asked.status.is_empty() {
            self.write_status(name, account, mailbox, &asked.status).await?;
        }
        if reads && !asked.metadata.is_empty() {
            self.write_listed_metadata(name, account, mailbox, &asked.metadata);
        }
        if asked.rights {
            self.write_my_rights(name, rights);
        }
        Ok(())
    }

    async fn list(&mut self, account: &Account, patterns: &[Pattern], asked: &Asked) -> Result<(), Fail> {
        let others = self.visible(account).await?;
        let mut work = Work::default();
        let names = Names::of(account, &others, &asked.selection, &mut work).await;
        let utf8 = self.names_utf8();
        for name in names.inbox_first() {
            let steps: usize = patterns.iter().map(|pattern| pattern.steps(name)).sum();
            work.did(limits::IMAP_LOOK_UP_WORK_BYTES + steps).await;
            if !patterns.iter().any(|pattern| pattern.matches(name)) {
                continue;
            }
            let Some(shown) = names.shown(account, name, &asked.selection, &mut work) else {
                continue;
            };
            let out = self.stream.output();
            shown.write_attributes(out, asked.subscribed, asked.extended, false);
            name::write(out, name, utf8);
            if shown.has_selected_below {
                shown.write_child_info(out, &asked.selection);
            }
            out.extend_from_slice(b"\r\n");
            if let Some(listed) = shown.mailbox {
                self.write_returned(name, listed, asked).await?;
            }
            self.stream.flush_if_large().await?;
        }
        Ok(())
    }
}
