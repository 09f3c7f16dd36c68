//! Reads an APPEND from where its mailbox name ends: RFC 3501 section 6.3.11, MULTIAPPEND (RFC 3502), literal8 (RFC 3516), CATENATE (RFC
//! 4469) and UTF8 (RFC 6855 section 4). Each message is taken in bounded steps, refused before it is sent where the client waits for that,
//! and staged before the next is read.
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::Args;
use crate::imap::scan::{Literal, announced};
use crate::imap::state::Session;
use crate::imap::table::Request;
use crate::imap::{date, flags, out, parse};
use crate::limits;
use crate::session::{Ended, Room};
use posthouse_engine::Append;
use posthouse_engine::base::{AccountId, Error};
use posthouse_engine::index::Flags;

/// Bytes behind an announcement.
const LINE_END_BYTES: usize = 2;

/// Whether the literal announced at the end of these bytes is of an APPEND's or REPLACE's message, not of its mailbox name.
pub(in crate::imap) fn is_message(bytes: &[u8]) -> bool {
    let Ok(head) = parse::head(bytes) else {
        return false;
    };
    let mut args = Args::new(bytes, head.len);
    let replaces = matches!(head.name.as_str(), "REPLACE" | "UID REPLACE");
    if !replaces && head.name != "APPEND" {
        return false;
    }
    let skipped = !replaces || (args.space().is_ok() && args.set().is_ok());
    skipped && args.space().is_ok() && args.astring().is_ok() && args.space().is_ok()
}

/// Messages on their way in.
pub(in crate::imap) struct Incoming {
    /// What has been received of the command and not been looked at, without the announcement that ends it.
    text: Vec<u8>,
    /// Bytes of the command before `text`.
    at: usize,
    /// Bytes of the announcement behind it.
    announcement_bytes: usize,
    /// The literal announced at the end of `text`.
    literal: Option<Literal>,
    /// Room in memory for the messages.
    room: Room,
    /// Bytes of all messages so far.
    size_bytes: u64,
    /// Bytes that the account gets back when this is done.
    pub(in crate::imap) freed_bytes: u64,
    /// Whose quota it is.
    pub(in crate::imap) account: AccountId,
    messages: Vec<Append>,
}

/// What a message comes with.
struct Labels {
    flags: Flags,
    keywords: Vec<String>,
    internal_date: Option<i64>,
}

impl Incoming {
    /// What follows the mailbox name of a command.
    pub(in crate::imap) fn new(session: &Session, request: &Request, args: &Args<'_>) -> Incoming {
        let (text, literal) = (without_announcement(args.rest(), request.literal).to_vec(), request.literal);
        let announcement_bytes = args.rest().len() - text.len() + LINE_END_BYTES;
        let at = args.position();
        let room = Room::new(session.shared.budget.share_of(session.stream.peer().ip()));
        let account = session.account();
        let (size_bytes, freed_bytes, messages) = (0, 0, Vec::new());
        Incoming { text, at, announcement_bytes, literal, room, size_bytes, freed_bytes, account, messages }
    }

    /// Reads all messages, at most `max`; `over` is the answer to more. The room that they take is to be kept until they are committed. When it
    /// fails, what the client has sent already of the command is passed over.
    pub(in crate::imap) async fn read(
        mut self,
        session: &mut Session,
        max: usize,
        over: Answer,
    ) -> Result<(Vec<Append>, Room), Fail> {
        loop {
            if let Err(fail) = self.message(session).await {
                return Err(self.give_up(session, fail).await);
            }
            if self.text.is_empty() && self.literal.is_none() {
                return Ok((self.messages, self.room));
            }
            if self.messages.len() >= max {
                return Err(self.give_up(session, over.into()).await);
            }
        }
    }

    /// Passes over what a client that does not wait for `+` is sending.
    pub(in crate::imap) async fn give_up(self, session: &mut Session, fail: Fail) -> Fail {
        if session.ended || matches!(fail, Fail::Io(_)) {
            return fail;
        }
        let literal = self.literal;
        // What is passed over takes no room, however long that takes.
        drop(self);
        match session.skip(literal).await {
            Ok(()) => fail,
            Err(error) => error.into(),
        }
    }

    async fn message(&mut self, session: &mut Session) -> Result<(), Fail> {
        let (labels, used) = labels(self.args())?;
        self.used(used);
        let mut message = Vec::new();
        if self.eats("CATENATE (") {
            self.catenate(session, &mut message).await?;
        } else {
            let utf8 = self.eats("UTF8 (~");
            if !utf8 {
                self.eats("~");
            }
            if !self.text.is_empty() || self.literal.is_none() {
                return self.wrong("the message as a literal");
            }
            if self.literal.is_some_and(|literal| literal.size == 0) {
                // RFC 3502 section 6.3.11: so a client takes back what it has begun.
                return Err(Answer::no("[CANNOT] An empty message cannot be appended").into());
            }
            self.take_literal(session, &mut message).await?;
            if utf8 && !self.eats(")") {
                return self.wrong(")");
            }
        }
        if message.is_empty() {
            return Err(Answer::no("[CANNOT] An empty message cannot be appended").into());
        }
        self.size_bytes += message.len() as u64;
        let whose = session.account().0;
        let staged = session.shared.engine.clone().stage_from(whose, Vec::new(), message).await?;
        let Labels { flags, keywords, internal_date } = labels;
        self.messages.push(Append { staged, flags, keywords, internal_date });
        Ok(())
    }

    /// Takes this text if the unread text begins with it.
    pub(super) fn eats(&mut self, text: &str) -> bool {
        let found = self.text.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()));
        if found {
            self.used(text.len());
        }
        found
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn used(&mut self, len: usize) {
        self.text.drain(..len);
        self.at += len;
    }

    /// The unread text.
    pub(super) fn args(&self) -> Args<'_> {
        Args::of_piece(&self.text, self.at)
    }

    /// Something else was expected here.
    pub(super) fn wrong<T>(&self, expected: &'static str) -> Result<T, Fail> {
        Ok(self.args().wrong(expected)?)
    }

    pub(super) fn has_literal(&self) -> bool {
        self.literal.is_some()
    }

    /// Bytes of the announced literal; 0 without one.
    pub(super) fn literal_bytes(&self) -> usize {
        self.literal.map_or(0, |literal| literal.size as usize)
    }

    /// Adds the announced literal to a message and reads on to the next literal or the end of the command.
    pub(super) async fn take_literal(&mut self, session: &mut Session, message: &mut Vec<u8>) -> Result<(), Fail> {
        let Some(Literal { size, synchronizing, .. }) = self.literal else {
            return self.wrong("a literal");
        };
        self.at += self.announcement_bytes + size as usize;
        self.room_for(session, message.len() as u64 + u64::from(size))?;
        if synchronizing {
            session.stream.output().extend_from_slice(b"+ OK\r\n");
        }
        let mut left = size as usize;
        while left > 0 {
            let buffered = session.stream.buffered();
            let len = buffered.len().min(left);
            message.extend_from_slice(&buffered[..len]);
            session.stream.consume(len);
            left -= len;
            // What is left of the literal is passed over if this fails.
            self.literal = Some(Literal { size: left as u32, synchronizing: false, binary: false });
            self.hold(message.len() as u64)?;
            if left > 0 {
                self.wait(session).await?;
            }
        }
        // The line that goes on behind it is passed over if this fails.
        self.literal = Some(Literal { size: 0, synchronizing: false, binary: false });
        self.wait_for_line(session).await?;
        self.literal = None;
        match session.next_line(limits::IMAP_LINE_BYTES_MAX).await? {
            Ok(line) => {
                self.literal = announced(&line);
                self.text = without_announcement(&line, self.literal).to_vec();
                self.announcement_bytes = line.len() - self.text.len() + LINE_END_BYTES;
                Ok(())
            }
            Err(over) => {
                session.goodbye(over);
                Err(Answer::bad("APPEND broken off").into())
            }
        }
    }

    /// Waits for more of the messages, which must not come too slowly while memory is short.
    async fn wait(&mut self, session: &mut Session) -> Result<(), Fail> {
        let deadline = session.input_deadline();
        match self.room.wait(&mut session.stream, deadline).await? {
            None => Ok(()),
            Some(Ended::Over(over)) => {
                session.goodbye(over.into());
                Err(Answer::bad("APPEND broken off").into())
            }
            Some(Ended::TooSlow) => {
                let why = "[LIMIT] Too many messages are under way and this one comes in too slowly; try again";
                Err(Answer::no(why).into())
            }
        }
    }

    /// Waits until a line is there, or more than one may have.
    async fn wait_for_line(&mut self, session: &mut Session) -> Result<(), Fail> {
        loop {
            let buffered = session.stream.buffered();
            if buffered.len() > limits::IMAP_LINE_BYTES_MAX || buffered.contains(&b'\n') {
                return Ok(());
            }
            self.wait(session).await?;
        }
    }

    /// Takes room in memory for the message being put together, beside those before it.
    pub(super) fn hold(&mut self, size_bytes: u64) -> Result<(), Answer> {
        let others_bytes = self.size_bytes + self.messages.len() as u64 * limits::IMAP_MESSAGE_OVERHEAD_BYTES;
        if self.room.hold(others_bytes + size_bytes) {
            return Ok(());
        }
        Err(Answer::no("[LIMIT] Too many messages are under way; try again"))
    }

    /// Refuses what is too large, or more than the account may hold, before it is sent.
    pub(super) fn room_for(&self, session: &Session, size_bytes: u64) -> Result<(), Answer> {
        let max = session.shared.message_size_bytes_max;
        if size_bytes > max {
            return Err(Answer::no(format!("[TOOBIG] A message may have {} here", out::human_bytes(max))));
        }
        let engine = &session.shared.engine;
        let used_bytes = engine.account(self.account)?.used_bytes;
        match engine.quota_bytes_max(self.account) {
            Some(max) if used_bytes + self.size_bytes + size_bytes > max.saturating_add(self.freed_bytes) => {
                Err(Error::OverQuota { used_bytes, quota_bytes_max: max }.into())
            }
            _ => Ok(()),
        }
    }
}

/// ` (\Seen) "date" ` with how many bytes they take.
fn labels(mut args: Args<'_>) -> Result<(Labels, usize), Answer> {
    args.space()?;
    let mut labels = Labels { flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
    if args.peek() == Some(b'(') {
        (labels.flags, labels.keywords) = flags::named(&args.flags()?)?;
        args.space()?;
    }
    if args.peek() == Some(b'"') {
        let start = args.clone();
        match date::parse_time(&args.string()?) {
            Some(seconds) => labels.internal_date = Some(seconds),
            None => start.wrong("a date like \" 1-Feb-2026 03:04:05 +0000\"")?,
        }
        args.space()?;
    }
    Ok((labels, args.position()))
}

/// Text that ends with `{n}`, without that.
fn without_announcement(text: &[u8], literal: Option<Literal>) -> &[u8] {
    match literal.and_then(|_| text.iter().rposition(|&byte| byte == b'{')) {
        Some(at) => &text[..at],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_from_mailbox_literals() {
        for (bytes, expected) in [
            (&b"a APPEND {5}\r\n"[..], false),
            (b"a APPEND {5}\r\nINBOX (\\Seen) {310+}\r\n", true),
            (b"a APPEND x \"24-Nov-2026 03:50:48 +0100\" {310}\r\n", true),
            (b"a APPEND x CATENATE (URL {3}\r\n", true),
            (b"a APPEND x UTF8 (~{3}\r\n", true),
            (b"a REPLACE 4 x {3}\r\n", true),
            (b"a UID REPLACE 4 {3}\r\n", false),
            (b"a LOGIN x {310}\r\n", false),
        ] {
            assert_eq!(is_message(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
