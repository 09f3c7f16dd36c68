//! BDAT (RFC 3030): the message in chunks of announced sizes. A chunk that is refused is read and thrown away, so that its bytes are never
//! taken for commands.
use crate::session::Over;
use crate::smtp::driver::{data_deadline, message_end};
use crate::smtp::message::{self, Taken};
use crate::smtp::reply::Reply;
use crate::smtp::state::{Answer, Coming, Running, Session};
use smtp_proto::Request;
use std::io;

pub(in crate::smtp) fn run(session: &mut Session, request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        let Request::Bdat { chunk_size, is_last } = request else {
            return Ok(Answer::new(501, "5.5.4 BDAT size [LAST] is expected"));
        };
        let mut chunks = match session.chunks() {
            Ok(chunks) => chunks,
            Err(refusal) => return session.pass_over(chunk_size, refusal).await,
        };
        if let Some(over) = session.take_chunk(chunk_size, &mut chunks).await? {
            session.goodbye(over);
            return Ok(Answer::Written);
        }
        let taken = Reply::new(250, format!("2.0.0 {chunk_size} bytes taken"));
        Ok(session.chunk_ends(chunks, is_last, taken).await)
    })
}

impl Session {
    /// What has come of the message in chunks so far, or why no chunk may come.
    pub(super) fn chunks(&mut self) -> Result<Box<Coming>, Reply> {
        let begins = self.message_begins();
        match &mut self.transaction {
            Some(transaction) if !transaction.recipients.is_empty() => {
                transaction.begun = true;
                Ok(transaction.chunks.take().unwrap_or_else(|| Box::new(begins)))
            }
            _ => Err(Reply::new(503, "5.5.1 MAIL and an accepted RCPT first")),
        }
    }

    /// Answers a chunk: with `taken`, or after the last one as the message is taken; with why it will be refused, if it will.
    pub(super) async fn chunk_ends(&mut self, chunks: Box<Coming>, is_last: bool, taken: Reply) -> Answer {
        if !is_last {
            let answer = chunks.refusal.clone().unwrap_or(taken);
            if let Some(transaction) = &mut self.transaction {
                transaction.chunks = Some(chunks);
            }
            return answer.into();
        }
        let Coming { message, room, refusal } = *chunks;
        let expected = self.shared.engine.expect();
        // RFC 3030 section 3: with BINARYMIME a CR or LF alone in the body is a byte like others.
        let binary = self.transaction.as_ref().is_some_and(|transaction| transaction.terms.binary);
        let lines = if binary { message::header(&message) } else { &message };
        let bare = self.role.refuses_bare_line_ends() && message::has_bare_line_end(lines);
        match refusal.or_else(|| bare.then(message::bare_line_end)) {
            Some(reply) => self.refuse(reply),
            None => self.finish(Taken { message, room, expected }).await,
        }
    }

    /// Reads the chunk's bytes; keeps them unless the message is refused by now.
    async fn take_chunk(&mut self, size: usize, chunks: &mut Coming) -> io::Result<Option<Over>> {
        let max = self.shared.message_size_bytes_max;
        if (chunks.message.len() as u64).saturating_add(size as u64) > max {
            chunks.refuse(message::too_big(max));
        }
        let (mut left, end) = (size, message_end());
        loop {
            let buffered = self.stream.buffered();
            let used = buffered.len().min(left);
            chunks.make_room(used);
            if chunks.refusal.is_none() {
                chunks.message.extend_from_slice(&buffered[..used]);
            }
            self.stream.consume(used);
            left -= used;
            if left == 0 {
                return Ok(None);
            }
            if let Some(over) = chunks.wait(&mut self.stream, data_deadline(end)).await? {
                return Ok(Some(over));
            }
        }
    }

    async fn pass_over(&mut self, size: usize, refusal: Reply) -> io::Result<Answer> {
        let mut chunks = self.message_begins();
        chunks.refuse(refusal.clone());
        Ok(match self.take_chunk(size, &mut chunks).await? {
            None => refusal.into(),
            Some(over) => {
                self.goodbye(over);
                Answer::Written
            }
        })
    }
}
