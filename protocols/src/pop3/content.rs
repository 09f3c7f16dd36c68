//! Sends what is long: a message or its top, and the lists of LIST and UIDL. One message is fetched at a time; what is written is sent
//! before more is, and other sessions are served in between.
use super::answer::Answer;
use super::maildrop::Maildrop;
use super::state::Session;
use crate::limits;
use crate::runtime::yield_now;
use crate::session::{Reading, Work};
use crate::wire::DotWriter;
use memchr::memchr;
use posthouse_engine::base::{AccountId, Error, MailboxId};
use posthouse_engine::index::{Entry, Mailbox};
use std::io;
use std::ops::Range;

/// Writes the line of a message, whose number comes first, without its line end.
pub(super) type WriteLine = fn(&mut Vec<u8>, u64, &Maildrop, &Entry);

impl Session {
    /// The bytes of the message with that number, or why not. Sends what is answered already before it waits for room for a large one.
    pub(super) async fn message(&mut self, number: u64) -> io::Result<Result<Reading, Answer>> {
        let (account, entry) = match self.find(number).await {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if u64::from(entry.size_bytes) > limits::MESSAGE_SMALL_BYTES {
            self.stream.flush().await?;
        }
        let bytes = match self.shared.message(account, account, &entry).await {
            Ok(bytes) => bytes,
            Err(Error::NotFound(_)) => {
                return Ok(Err(Answer::no("The message is gone: it was removed by other means")));
            }
            Err(error) => return Ok(Err(error.into())),
        };
        // RFC 6856 section 5.
        if self.policy.refuses_utf8 && !self.utf8 && has_utf8_header(&bytes).await {
            return Ok(Err(Answer::no("[UTF8] The message's header is in UTF-8; say UTF8 before you log in")));
        }
        Ok(Ok(bytes))
    }

    async fn find(&self, number: u64) -> Result<(AccountId, Entry), Answer> {
        self.bring_number(number).await;
        let Some(maildrop) = &self.maildrop else {
            return Err(Answer::bad("Log in first"));
        };
        let (at, entry) = maildrop.find(number)?;
        // As it is now: since the login its bytes may have been moved to another segment.
        let Ok(now) = self.shared.engine.mailbox(maildrop.account(), MailboxId::INBOX) else {
            return Ok((maildrop.account(), entry));
        };
        // Others may have removed messages before it, but hardly so many that it is far from there.
        self.bring(maildrop.account(), &now, at..at + 1).await;
        let newest = now.entries.position(entry.uid).ok().flatten().and_then(|at| now.entries.get(at).ok());
        Ok((maildrop.account(), newest.unwrap_or(entry)))
    }

    /// Brings the entry of the message with that number into memory, before it is looked up.
    pub(super) async fn bring_number(&self, number: u64) {
        if let (Some(maildrop), Ok(number)) = (&self.maildrop, usize::try_from(number)) {
            self.bring(maildrop.account(), maildrop.view(), number.saturating_sub(1)..number).await;
        }
    }

    /// Has a worker read the entries at these positions if the disk would have to be waited for.
    async fn bring(&self, account: AccountId, view: &Mailbox, positions: Range<usize>) {
        if let Some(brought) = self.shared.engine.bring_entries(account, view, std::slice::from_ref(&positions)) {
            brought.await;
        }
    }

    /// Sends the first line of the answer, then the first `size_bytes` of the message dot-stuffed and their end (RFC 1939 section 3). A
    /// message whose last line has no line end gets one: POP3 cannot say it otherwise.
    pub(super) async fn send(&mut self, first: &str, mut message: Reading, size_bytes: usize) -> io::Result<Answer> {
        self.say(first);
        let mut writer = DotWriter::lenient();
        let (mut sent, mut work) = (0, Work::default());
        while sent < size_bytes {
            let piece = sent..size_bytes.min(sent + limits::POP3_PIECE_BYTES);
            let bytes = message.get(piece.clone()).ok_or_else(|| io::Error::other("a message has become shorter"))?;
            writer.write(bytes, self.stream.output());
            work.did(piece.len()).await;
            sent = piece.end;
            let is_large = self.stream.output().len() >= limits::OUTPUT_BYTES;
            if is_large && !message.flush(&mut self.stream).await? {
                message.wait(&self.shared, &mut self.stream).await?;
            }
        }
        writer.finish(self.stream.output());
        yield_now().await;
        Ok(Answer::Written)
    }

    /// Sends a line for each message that is not deleted.
    pub(super) async fn list(&mut self, first: &str, write: WriteLine) -> io::Result<Answer> {
        self.say(first);
        let mut at = 0;
        loop {
            let Some(maildrop) = &self.maildrop else {
                return Ok(Answer::bad("Log in first"));
            };
            let end = maildrop.view().entries.len().min(at + limits::POP3_BATCH_MESSAGES);
            self.bring(maildrop.account(), maildrop.view(), at..end).await;
            let out = self.stream.output();
            for (at, entry) in (at..end).zip(maildrop.view().entries.range(at..end)) {
                // The answer has begun as +OK: what cannot be read ends the connection, never the list as if it were whole.
                let entry = entry.map_err(|error| {
                    tracing::error!(%error, "pop3 list broken off");
                    io::Error::other(error)
                })?;
                if !maildrop.is_deleted(at) {
                    write(out, at as u64 + 1, maildrop, &entry);
                    out.extend_from_slice(b"\r\n");
                }
            }
            at = end;
            if at == maildrop.view().entries.len() {
                break;
            }
            self.stream.flush_if_large().await?;
            yield_now().await;
        }
        self.stream.output().extend_from_slice(b".\r\n");
        Ok(Answer::Written)
    }
}

/// Whether a message's header is not ASCII.
async fn has_utf8_header(message: &[u8]) -> bool {
    let (mut at, mut work) = (0, Work::default());
    while at < message.len() {
        // A line, or a piece of one that is long.
        let rest = &message[at..message.len().min(at + limits::POP3_PIECE_BYTES)];
        let line = &rest[..memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1)];
        let begins = at == 0 || message[at - 1] == b'\n';
        if begins && matches!(line, b"\n" | b"\r\n") {
            return false;
        }
        if !line.is_ascii() {
            return true;
        }
        at += line.len();
        work.did(line.len()).await;
    }
    false
}
