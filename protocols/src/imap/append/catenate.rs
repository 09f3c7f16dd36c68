//! CATENATE (RFC 4469): a message put together from literals and from what stands in other messages.
use super::reader::Incoming;
use crate::imap::answer::{Answer, Fail};
use crate::imap::fetch::plan::Content;
use crate::imap::fetch::section::Selected;
use crate::imap::out;
use crate::imap::state::Session;
use crate::imap::url::Url;
use crate::imap::url_auth::Resolved;
use crate::limits;
use posthouse_engine::base::{AccountId, Error};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::Entry;
use posthouse_engine::index::mime::SummaryRef;

impl Incoming {
    /// Reads `TEXT {n}` and `URL "..."` up to the closing parenthesis.
    pub(super) async fn catenate(&mut self, session: &mut Session, message: &mut Vec<u8>) -> Result<(), Fail> {
        loop {
            if self.eats("TEXT ") {
                self.eats("~");
                if !self.text().is_empty() || !self.has_literal() {
                    return self.wrong("a literal");
                }
                self.take_literal(session, message).await?;
            } else if self.eats("URL ") {
                let url = self.url(session).await?;
                self.add(session, &url, message).await?;
            } else {
                return self.wrong("TEXT or URL");
            }
            if self.eats(")") {
                return Ok(());
            }
            if !self.eats(" ") {
                return self.wrong("a space or )");
            }
        }
    }

    async fn url(&mut self, session: &mut Session) -> Result<Vec<u8>, Fail> {
        if self.text().is_empty() {
            // It is said back in the answer.
            if self.literal_bytes() > limits::IMAP_URL_BYTES_MAX {
                return Err(too_long());
            }
            let mut url = Vec::new();
            self.take_literal(session, &mut url).await?;
            return Ok(url);
        }
        let mut args = self.args();
        let url = args.astring()?.into_owned();
        if url.len() > limits::IMAP_URL_BYTES_MAX {
            return Err(too_long());
        }
        let used = args.position();
        self.used(used);
        Ok(url)
    }

    /// Adds what a URL names.
    async fn add(&mut self, session: &Session, url: &[u8], message: &mut Vec<u8>) -> Result<(), Fail> {
        let bad = || {
            let mut code = b"[BADURL ".to_vec();
            out::string(&mut code, &url.iter().copied().filter(u8::is_ascii_graphic).collect::<Vec<u8>>());
            code.extend_from_slice(b"] Nothing here has that URL");
            Fail::Answer(Answer::no(String::from_utf8_lossy(&code).into_owned()))
        };
        let parsed = Url::parse(url).ok_or_else(&bad)?;
        if parsed.user.is_some() {
            // An absolute URL is good for whom it is authorised for.
            let Resolved { account, entry, content } = session.resolve(url).ok_or_else(&bad)?;
            return self.add_content(session, (account, entry, &content), &bad, message).await;
        }
        let source = parsed.source;
        let (account, mailbox) = match &source.mailbox {
            Some(name) => {
                let place = session.place_for(name, Rights::READ).map_err(|_| bad())?;
                (place.account, place.mailbox)
            }
            None => {
                session.need_selected(Rights::READ).map_err(|_| bad())?;
                let selected = session.selected().map_err(|_| bad())?;
                (selected.account, selected.data().clone())
            }
        };
        if source.uid_validity.is_some_and(|uid_validity| uid_validity != mailbox.uid_validity) {
            return Err(bad());
        }
        let at = mailbox.entries.position(source.uid)?.ok_or_else(&bad)?;
        let entry = mailbox.entries.get(at)?;
        self.add_content(session, (account, entry, &source.content), &bad, message).await
    }

    async fn add_content(
        &mut self,
        session: &Session,
        (account, entry, content): (AccountId, Entry, &Content),
        bad: impl Fn() -> Fail,
        message: &mut Vec<u8>,
    ) -> Result<(), Fail> {
        let engine = &session.shared.engine;
        let found = session.shared.message(session.account(), account, &entry).await.map_err(|_: Error| bad())?;
        let summary = engine.summary(account, &entry)?;
        let summary = SummaryRef::decode(&summary).map_err(|_| bad())?;
        let selected = Selected::find(content, Some(&summary), found.len()).ok_or_else(&bad)?;
        let taken = selected.each(&found, |bytes| {
            let size_bytes = (message.len() + bytes.len()) as u64;
            self.room_for(session, size_bytes)?;
            self.hold(size_bytes)?;
            message.extend_from_slice(bytes);
            Ok::<(), Answer>(())
        });
        Ok(taken.await?)
    }
}

fn too_long() -> Fail {
    let max = out::human_bytes(limits::IMAP_URL_BYTES_MAX as u64);
    Answer::no(format!("[LIMIT] A URL may have {max} here")).into()
}
