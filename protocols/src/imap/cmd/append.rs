//! APPEND (RFC 3501 section 6.3.11) with APPENDUID (RFC 4315) and APPENDLIMIT (RFC 7889). The message is taken in bounded steps and
//! refused before it is sent where the client waits for that.
use super::copy::try_create;
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::{flags, name, out};
use crate::limits;
use crate::session::Share;
use imap_codec::imap_types::command::CommandBody;
use posthouse_engine::base::{Error, MailboxId};
use posthouse_engine::index::Flags;
use posthouse_engine::{Append, Appended};
use std::io;

/// What an APPEND asks besides its message.
struct Asked {
    mailbox: MailboxId,
    flags: Flags,
    keywords: Vec<String>,
    internal_date: Option<i64>,
}

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let Some((size, synchronizing)) = request.literal else {
            return Ok(Answer::bad("APPEND: a literal is expected"));
        };
        let asked = session.asked(&request.body).and_then(|asked| session.room_for(size).map(|()| asked));
        let asked = match asked {
            Ok(asked) => asked,
            Err(answer) => {
                if !synchronizing {
                    session.drain(u64::from(size)).await?;
                }
                return Ok(answer);
            }
        };
        if synchronizing {
            session.stream.output().extend_from_slice(b"+ OK\r\n");
        }
        // Held until the store has taken the message over.
        let mut share = session.shared.budget.share();
        let message = match session.message(size, &mut share).await? {
            Ok(message) => message,
            Err(answer) => return Ok(answer),
        };
        Ok(session.append(asked, message).await)
    })
}

impl Session {
    fn asked(&self, body: &CommandBody<'_>) -> Result<Asked, Answer> {
        let CommandBody::Append { mailbox, flags, date, .. } = body else {
            return Err(Answer::bad("APPEND: a mailbox name and a message are expected"));
        };
        let (flags, keywords) = flags::split(flags).map_err(Answer::bad)?;
        let found = name::decode(mailbox).and_then(|name| self.mailbox_named(&name));
        let mailbox = found.map_err(try_create)?.id;
        let internal_date = date.as_ref().map(|date| date.as_ref().timestamp());
        Ok(Asked { mailbox, flags, keywords, internal_date })
    }

    /// Refuses what is too large, or more than the account may hold, before it is sent.
    fn room_for(&self, size: u32) -> Result<(), Answer> {
        let size = u64::from(size);
        let max = self.shared.message_size_bytes_max;
        if size > max {
            return Err(Answer::no(format!("[TOOBIG] A message may have {} here", out::human_bytes(max))));
        }
        if size == 0 {
            return Err(Answer::no("[CANNOT] An empty message cannot be appended"));
        }
        let engine = &self.shared.engine;
        let used_bytes = engine.account(self.account())?.used_bytes;
        match engine.quota_bytes_max(self.account()) {
            Some(quota_bytes_max) if used_bytes + size > quota_bytes_max => {
                Err(Error::OverQuota { used_bytes, quota_bytes_max }.into())
            }
            _ => Ok(()),
        }
    }

    /// Reads the literal, byte for byte as it is, and the end of the command behind it.
    async fn message(&mut self, size: u32, share: &mut Share) -> io::Result<Result<Vec<u8>, Answer>> {
        let size = size as usize;
        let mut message = Vec::new();
        while message.len() < size {
            let buffered = self.stream.buffered();
            let len = buffered.len().min(size - message.len());
            if !share.hold((message.len() + len) as u64) {
                self.drain((size - message.len()) as u64).await?;
                return Ok(Err(Answer::no("[LIMIT] Too many messages are under way; try again")));
            }
            message.extend_from_slice(&buffered[..len]);
            self.stream.consume(len);
            if message.len() < size
                && let Some(over) = self.wait_for_bytes(self.input_deadline()).await?
            {
                self.goodbye(over);
                return Ok(Err(Answer::bad("APPEND broken off")));
            }
        }
        match self.next_line(limits::IMAP_LINE_BYTES_MAX).await? {
            Ok(rest) if rest.is_empty() => Ok(Ok(message)),
            Ok(_) => Ok(Err(Answer::bad("APPEND takes one message"))),
            Err(over) => {
                self.goodbye(over);
                Ok(Err(Answer::bad("APPEND broken off")))
            }
        }
    }

    async fn append(&mut self, asked: Asked, message: Vec<u8>) -> Answer {
        let engine = self.shared.engine.clone();
        let staged = match engine.stage(Vec::new(), message).await {
            Ok(staged) => staged,
            Err(error) => return error.into(),
        };
        let Asked { mailbox, flags, keywords, internal_date } = asked;
        let append = Append { staged, flags, keywords, internal_date };
        match engine.append(self.account(), mailbox, vec![append]).await {
            Ok(appended) => Answer::ok(append_uid(&appended)),
            Err(error) => try_create(error.into()),
        }
    }
}

fn append_uid(appended: &Appended) -> String {
    let mut text = format!("[APPENDUID {} ", appended.uid_validity).into_bytes();
    out::uid_set(&mut text, &appended.uids);
    text.extend_from_slice(b"] APPEND completed");
    String::from_utf8(text).unwrap_or_default()
}
