//! SEARCH (RFC 3501 section 6.4.4) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394), UPDATE (RFC 5267) and MODSEQ (RFC 7162
//! section 3.1.5).
//! Exact: a message that cannot be read makes the answer NO, never a silent gap.
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::Args;
use crate::imap::search::charset;
use crate::imap::search::eval::Facts;
use crate::imap::search::keys::{Context, Key, Taken};
use crate::imap::search::results::{Found, Names, Wanted};
use crate::imap::set;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::Error;
use posthouse_engine::directory::Rights;
use posthouse_engine::index::{Mailbox, UidSet};
use std::ops::Range;
use std::sync::Arc;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let wanted = Wanted::parse(&mut args, session.enabled.rev2)?;
        session.check_tag(&wanted, &request)?;
        let charset = session.charset(&mut args);
        let search = match charset.and_then(|charset| session.search_for(charset, &mut args)) {
            Ok(mut search) => match session.find(&mut search, &request, &wanted).await {
                Ok(()) => Ok(search),
                Err(fail) => Err(fail),
            },
            Err(answer) => Err(answer.into()),
        };
        let search = match search {
            Ok(search) => search,
            Err(fail) => return Err(session.nothing_saved(&wanted, fail)),
        };
        session.tell_found(&search, &wanted, &request, "SEARCH")?;
        session.keep_context(search, &wanted, &request, None)?;
        Ok(Answer::ok("SEARCH completed"))
    })
}

/// A SEARCH under way.
pub(in crate::imap) struct Search {
    pub(in crate::imap) key: Arc<Key>,
    pub(in crate::imap) view: Arc<Mailbox>,
    /// MODSEQ belongs to the answer.
    modseq: bool,
    pub(in crate::imap) found: Found,
}

impl Session {
    /// Reads `CHARSET name ` if it stands here.
    fn charset<'a>(&self, args: &mut Args<'a>) -> Result<Option<&'a str>, Answer> {
        if !args.eat_word("CHARSET") {
            return Ok(None);
        }
        args.space()?;
        let start = args.clone();
        let charset = match args.peek() {
            Some(b'"') => {
                args.need("\"")?;
                let name = args.word("a charset", |byte| byte.is_ascii_graphic() && byte != b'"')?;
                args.need("\"")?;
                name
            }
            _ => args.atom("a charset")?,
        };
        args.space()?;
        if self.enabled.utf8 {
            // RFC 6855 section 3.
            start.wrong("no CHARSET after ENABLE UTF8=ACCEPT; search keys")?;
        }
        if !charset::is_known(charset) {
            return Err(Answer::no(format!("[BADCHARSET ({})] That charset is not known here", charset::NAMES)));
        }
        Ok(Some(charset))
    }

    /// Reads the charset and keys of SORT and THREAD, where a charset must be given.
    pub(super) fn search_with_charset(&mut self, args: &mut Args<'_>) -> Result<Search, Answer> {
        let charset = match args.peek() {
            Some(b'"') => std::str::from_utf8(&args.string()?).unwrap_or_default().to_owned(),
            _ => args.atom("a charset")?.to_owned(),
        };
        args.space()?;
        if !charset::is_known(&charset) {
            return Err(Answer::no(format!("[BADCHARSET ({})] That charset is not known here", charset::NAMES)));
        }
        self.search_for(Some(&charset), args)
    }

    /// Reads the keys.
    fn search_for(&mut self, charset: Option<&str>, args: &mut Args<'_>) -> Result<Search, Answer> {
        self.need_selected(Rights::READ)?;
        let selected = self.selected()?;
        let (view, newest) = (selected.view.clone(), selected.data().clone());
        let mut context = Context {
            numbers: selected.numbers(),
            mailbox: &newest,
            charset,
            now: self.shared.clock.now(),
            uid_only: self.enabled.uid_only,
            modseq: false,
            taken: Taken::default(),
        };
        let key = Arc::new(context.all(args)?);
        let modseq = context.modseq;
        if modseq {
            self.enable_condstore();
        }
        Ok(Search { key, view, modseq, found: Found::Ranges(Vec::new()) })
    }

    /// Asks every message.
    pub(super) async fn find(&mut self, search: &mut Search, request: &Request, wanted: &Wanted) -> Result<(), Fail> {
        let len = search.view.entries.len();
        let mut progress = self.progress(request, len);
        for piece in set::pieces(std::slice::from_ref(&(0..len)), limits::IMAP_BATCH_MESSAGES) {
            let done = piece.end;
            match self.find_in(search, piece).await {
                Ok(()) => {}
                Err(Error::NotFound(_)) => {
                    return Err(Answer::no("[EXPUNGEISSUED] Some messages are gone; try again").into());
                }
                Err(error) => return Err(error.into()),
            }
            if wanted.first_is_enough() && search.found.len() > 0 {
                return Ok(());
            }
            yield_now().await;
            progress.tell(self, done).await?;
        }
        Ok(())
    }

    async fn find_in(&mut self, search: &mut Search, piece: Range<usize>) -> Result<(), Error> {
        let view = search.view.clone();
        for (at, entry) in piece.clone().zip(view.entries.range(piece)) {
            let Some(selected) = &self.selected else {
                return Ok(());
            };
            let entry = selected.newest(entry?);
            let facts = Facts { at, entry, recent: selected.recent.contains(entry.uid) };
            let found = match search.key.cheap(facts) {
                Some(found) => found,
                None => self.look_into(&search.key, facts).await?,
            };
            if found {
                search.found.push(at);
            }
        }
        Ok(())
    }

    /// Asks a key of the message itself. Decoding its text is work that other sessions should not wait for.
    pub(in crate::imap) async fn look_into(&self, key: &Arc<Key>, facts: Facts) -> Result<bool, Error> {
        let message = self.shared.message(self.mail_account(), &facts.entry).await?;
        if facts.entry.size_bytes <= limits::IMAP_SEARCH_INLINE_BYTES_MAX {
            yield_now().await;
            return Ok(key.full(facts, &message));
        }
        let key = key.clone();
        self.shared.engine.work(move || key.full(facts, &message)).await
    }

    /// A SEARCH that should have saved its results and has failed leaves nothing saved (RFC 5182 section 2.1).
    pub(super) fn nothing_saved(&mut self, wanted: &Wanted, fail: Fail) -> Fail {
        if let (true, Fail::Answer(Answer::No(_)), Some(selected)) = (wanted.save, &fail, &mut self.selected) {
            selected.saved = UidSet::new();
        }
        fail
    }

    /// Writes what was found, and saves it if that was asked for.
    pub(super) fn tell_found(
        &mut self,
        search: &Search,
        wanted: &Wanted,
        request: &Request,
        word: &str,
    ) -> Result<(), Answer> {
        let entries = &search.view.entries;
        if wanted.save
            && let Some(selected) = &mut self.selected
        {
            selected.saved = wanted.saved(&search.found, entries)?;
        }
        let selected = self.selected()?;
        let modseq = match search.modseq {
            true => wanted.modseq(&search.found, |at| Ok(selected.newest(entries.get(at)?).modseq.0))?,
            false => 0,
        };
        let names = Names { entries, uid: request.is_uid() };
        let mut line = Vec::new();
        if !wanted.extended {
            names.write_list(&mut line, word, &search.found, modseq)?;
        } else if wanted.min || wanted.max || wanted.all || wanted.count || wanted.update || wanted.partial.is_some() {
            wanted.write(&mut line, &request.tag, &search.found, names, modseq)?;
        }
        self.stream.output().append(&mut line);
        Ok(())
    }
}
