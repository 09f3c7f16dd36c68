//! SEARCH (RFC 3501 section 6.4.4) with MODSEQ (RFC 7162 section 3.1.5). Exact: a message that cannot be read makes the answer NO, never
//! a silent gap.
use crate::imap::answer::Answer;
use crate::imap::out;
use crate::imap::search::charset;
use crate::imap::search::compile::{Compiler, Key};
use crate::imap::search::eval::Facts;
use crate::imap::set;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::core::Charset;
use posthouse_engine::base::Error;
use posthouse_engine::index::Mailbox;
use std::io;
use std::ops::Range;
use std::sync::Arc;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let uid = request.is_uid();
        let CommandBody::Search { charset, criteria, .. } = &request.body else {
            return Ok(Answer::bad("SEARCH: search keys are expected"));
        };
        let charset = charset.as_ref().map(charset_name);
        if charset.is_some_and(|charset| !charset::is_known(charset)) {
            return Ok(Answer::no(format!("[BADCHARSET ({})] That charset is not known here", charset::NAMES)));
        }
        let Some(selected) = &session.selected else {
            return Ok(Answer::bad("No mailbox is selected"));
        };
        let (view, data) = (selected.view.clone(), selected.data().clone());
        let mut compiler = Compiler { view: &view, keywords: &data, charset, modseq: false };
        let key = match compiler.all(criteria.as_ref()) {
            Ok(key) => key,
            Err(answer) => return Ok(answer),
        };
        let modseq = compiler.modseq;
        if modseq {
            session.enable_condstore();
        }
        let mut search = Search { key, view, uid, modseq: 0, found: b"* SEARCH".to_vec() };
        let whole = 0..search.view.entries.len();
        for piece in set::pieces(&[whole], limits::IMAP_BATCH_MESSAGES) {
            match session.search(&mut search, piece).await? {
                Ok(()) => yield_now().await,
                Err(error) => return Ok(unread(error)),
            }
        }
        if modseq && search.modseq > 0 {
            search.found.extend_from_slice(format!(" (MODSEQ {})", search.modseq).as_bytes());
        }
        search.found.extend_from_slice(b"\r\n");
        session.stream.output().append(&mut search.found);
        Ok(Answer::ok("SEARCH completed"))
    })
}

fn charset_name<'a>(charset: &'a Charset<'_>) -> &'a str {
    match charset {
        Charset::Atom(atom) => atom.as_ref(),
        Charset::Quoted(quoted) => quoted.as_ref(),
    }
}

fn unread(error: Error) -> Answer {
    match error {
        Error::NotFound(_) => Answer::no("[EXPUNGEISSUED] Some messages are gone; try again"),
        error => error.into(),
    }
}

/// A SEARCH under way. `found` is the response line: at most eleven bytes for each message of the mailbox.
struct Search {
    key: Key,
    view: Arc<Mailbox>,
    uid: bool,
    /// The highest MODSEQ of the messages found.
    modseq: u64,
    found: Vec<u8>,
}

impl Session {
    async fn search(&mut self, search: &mut Search, piece: Range<usize>) -> io::Result<Result<(), Error>> {
        let view = search.view.clone();
        for (at, entry) in piece.clone().zip(view.entries.range(piece)) {
            let Some(selected) = &self.selected else {
                return Ok(Ok(()));
            };
            let entry = match entry {
                Ok(entry) => selected.newest(entry),
                Err(error) => return Ok(Err(error)),
            };
            let facts = Facts { at, entry: &entry, recent: &selected.recent };
            let found = match search.key.cheap(facts) {
                Some(found) => found,
                None => {
                    let message = match self.shared.engine.message(self.account(), &entry).await {
                        Ok(message) => message,
                        Err(error) => return Ok(Err(error)),
                    };
                    // Decoding a message's text is work that other sessions should not wait for in a row.
                    yield_now().await;
                    search.key.full(facts, &message)
                }
            };
            if found {
                search.modseq = search.modseq.max(entry.modseq.0);
                search.found.push(b' ');
                out::number(&mut search.found, if search.uid { entry.uid.0.into() } else { at as u64 + 1 });
            }
        }
        Ok(Ok(()))
    }
}
