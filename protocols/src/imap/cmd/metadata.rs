//! GETMETADATA and SETMETADATA (RFC 5464): annotations of mailboxes, and with the empty name of the account. Those who
//! share a mailbox share its shared annotations; private ones have only its owner. Nobody sets shared ones of the server.
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::{name, out};
use posthouse_engine::base::limits::{METADATA_ENTRIES_MAX, METADATA_VALUE_BYTES_MAX};
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::{Mailbox, Metadata};

/// Before the names of private entries.
const PRIVATE: &str = "/private/";
/// Before the names of shared ones.
const SHARED: &str = "/shared/";

pub(in crate::imap) fn get(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let mut options = Options::exact();
        if args.peek() == Some(b'(') {
            options = Options::parse(&mut args)?;
            args.space()?;
        }
        let wire = args.astring()?.into_owned();
        args.space()?;
        let mut entries = entries(&mut args)?;
        if !args.is_end() {
            // Clients are known to put the options behind the name, where RFC 5464's examples have them.
            options = Options::read(&entries)?;
            args.space()?;
            entries = self::entries(&mut args)?;
        }
        args.end()?;
        let (_, _, metadata) = session.annotated(&wire, Rights::READ)?;
        let longest = session.write_metadata(&session.name(&wire)?, &metadata, &checked(&entries)?, &options);
        Ok(match longest {
            Some(longest) => Answer::ok(format!("[METADATA LONGENTRIES {longest}] GETMETADATA completed")),
            None => Answer::ok("GETMETADATA completed"),
        })
    })
}

pub(in crate::imap) fn set(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let wire = args.astring()?.into_owned();
        args.space()?;
        let entries = args.list(false, |args| {
            let name = text(args)?;
            args.space()?;
            let value = if args.eat_word("NIL") { None } else { Some(args.string()?.into_owned()) };
            Ok((checked_name(&name)?, value))
        })?;
        args.end()?;
        let (account, mailbox, metadata) = session.annotated(&wire, Rights::WRITE)?;
        if account != session.account() && entries.iter().any(|(name, _)| name.starts_with(PRIVATE)) {
            return Ok(Answer::no("[METADATA NOPRIVATE] Only its owner has private annotations of a mailbox"));
        }
        if wire.is_empty() && entries.iter().any(|(name, _)| name.starts_with(SHARED)) {
            return Ok(Answer::no("[NOPERM] Shared annotations of the server are its operator's"));
        }
        if entries.iter().any(|(_, value)| value.as_ref().is_some_and(|value| value.len() > METADATA_VALUE_BYTES_MAX)) {
            return Ok(Answer::no(format!("[METADATA MAXSIZE {METADATA_VALUE_BYTES_MAX}] The value is too long")));
        }
        // The server's own entries are beside them.
        let metadata = metadata.of_clients();
        let new = entries.iter().filter(|(name, value)| value.is_some() && metadata.get(name).is_none()).count();
        if metadata.len() + new > METADATA_ENTRIES_MAX {
            return Ok(Answer::no("[METADATA TOOMANY] There are too many annotations"));
        }
        let names: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
        session.shared.engine.set_metadata(account, mailbox, entries).await?;
        session.has_annotated(&session.name(&wire)?, names.iter().map(String::as_str));
        Ok(Answer::ok("SETMETADATA completed"))
    })
}

/// The options of GETMETADATA (RFC 5464 section 4.2).
pub(super) struct Options {
    size_max: Option<u64>,
    /// Levels below the entries named; `None` = all.
    depth: Option<u8>,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Options, Answer> {
        let words = args.list(false, |args| Ok(String::from_utf8_lossy(&args.astring()?).into_owned()))?;
        Options::read(&words)
    }

    /// `MAXSIZE n DEPTH 0|1|infinity` as words.
    fn read(words: &[String]) -> Result<Options, Answer> {
        let mut options = Options { size_max: None, depth: Some(0) };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let value = words.next().unwrap_or_default();
            match (word.to_ascii_uppercase().as_str(), value.to_ascii_lowercase().as_str()) {
                ("DEPTH", "0") => options.depth = Some(0),
                ("DEPTH", "1") => options.depth = Some(1),
                ("DEPTH", "infinity") => options.depth = None,
                ("MAXSIZE", size) if size.parse::<u64>().is_ok() => options.size_max = size.parse().ok(),
                _ => return Err(Answer::bad("MAXSIZE with a number or DEPTH with 0, 1 or infinity is expected")),
            }
        }
        Ok(options)
    }

    /// Entries themselves, of any size.
    pub(super) fn exact() -> Options {
        Options { size_max: None, depth: Some(0) }
    }

    fn takes(&self, entry: &str, name: &str) -> bool {
        match name.strip_prefix(entry) {
            Some("") => true,
            Some(below) if below.starts_with('/') => match self.depth {
                None => true,
                Some(depth) => below.matches('/').count() <= usize::from(depth),
            },
            _ => false,
        }
    }
}

/// One entry name, or several in parentheses.
pub(super) fn entries(args: &mut Args<'_>) -> Result<Vec<String>, Answer> {
    if args.peek() == Some(b'(') { args.list(false, text) } else { Ok(vec![text(args)?]) }
}

fn text(args: &mut Args<'_>) -> Result<String, Answer> {
    Ok(String::from_utf8_lossy(&args.astring()?).into_owned())
}

/// Each name once.
pub(super) fn checked(names: &[String]) -> Result<Vec<String>, Answer> {
    let mut checked = Vec::new();
    for name in names {
        // What is above all private or all shared ones has no value, but DEPTH may ask for what is below it.
        let root = [PRIVATE, SHARED].into_iter().map(|root| &root[..root.len() - 1]);
        let name = match root.into_iter().find(|root| root.eq_ignore_ascii_case(name)) {
            Some(root) => root.to_owned(),
            None => checked_name(name)?,
        };
        if !checked.contains(&name) {
            checked.push(name);
        }
        if checked.len() > METADATA_ENTRIES_MAX {
            return Err(Answer::no(format!("[LIMIT] At most {METADATA_ENTRIES_MAX} entries can be named at a time")));
        }
    }
    Ok(checked)
}

/// `/private/...` or `/shared/...` in small letters (RFC 5464 section 3.2).
fn checked_name(name: &str) -> Result<String, Answer> {
    let name = name.to_ascii_lowercase();
    let is_good = (name.starts_with(PRIVATE) || name.starts_with(SHARED))
        && !name.ends_with('/')
        && !name.contains("//")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*' && byte != b'%');
    if is_good { Ok(name) } else { Err(Answer::bad("An entry is named /private/... or /shared/...")) }
}

impl Session {
    /// The annotations of a mailbox, or with the empty name of the account.
    fn annotated(&self, wire: &[u8], wanted: Rights) -> Result<(AccountId, Option<MailboxId>, Metadata), Answer> {
        if wire.is_empty() {
            let account = self.account();
            return Ok((account, None, self.shared.engine.account(account)?.metadata.clone()));
        }
        let place = self.place_for(&self.name(wire)?, wanted)?;
        Ok((place.account, Some(place.mailbox.id), self.annotations(place.account, &place.mailbox)))
    }

    /// What the session may see of a mailbox's annotations: private ones are the owner's.
    fn annotations(&self, account: AccountId, mailbox: &Mailbox) -> Metadata {
        if account == self.account() { mailbox.metadata.clone() } else { mailbox.metadata.without(PRIVATE) }
    }

    /// The METADATA response; answers the size of the longest value that was left out for its size.
    fn write_metadata(
        &mut self,
        name: &str,
        metadata: &Metadata,
        entries: &[String],
        options: &Options,
    ) -> Option<u64> {
        let mut line = b"* METADATA ".to_vec();
        name::write(&mut line, name, self.names_utf8());
        line.extend_from_slice(b" (");
        let start = line.len();
        let mut longest = None;
        let put = |line: &mut Vec<u8>, name: &str, value: Option<&[u8]>| {
            line.extend_from_slice(if line.len() > start { b" " } else { b"" });
            out::astring(line, name.as_bytes());
            line.push(b' ');
            match value {
                Some(value) => {
                    line.extend_from_slice(if value.contains(&0) { b"~" } else { b"" });
                    out::string(line, value);
                }
                None => line.extend_from_slice(b"NIL"),
            }
        };
        for (at, entry) in entries.iter().enumerate() {
            if metadata.get(entry).is_none() && options.depth == Some(0) {
                put(&mut line, entry, None);
            }
            // Each value once, however many of the entries named take it in.
            let is_told = |name: &str| entries[..at].iter().any(|before| options.takes(before, name));
            for (name, value) in metadata.iter().filter(|(name, _)| options.takes(entry, name) && !is_told(name)) {
                let size = value.len() as u64;
                if options.size_max.is_some_and(|max| size > max) {
                    longest = longest.max(Some(size));
                } else {
                    put(&mut line, name, Some(value));
                }
            }
        }
        if line.len() > start {
            line.extend_from_slice(b")\r\n");
            self.stream.output().append(&mut line);
        }
        longest
    }

    /// The METADATA response that follows a LIST response (RFC 9590).
    pub(super) fn write_listed_metadata(
        &mut self,
        name: &str,
        account: AccountId,
        mailbox: &Mailbox,
        entries: &[String],
    ) {
        self.write_metadata(name, &self.annotations(account, mailbox), entries, &Options::exact());
    }
}
