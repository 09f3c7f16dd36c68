//! SEARCH (RFC 3501 section 6.4.4) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394), UPDATE (RFC 5267) and MODSEQ (RFC 7162
//! section 3.1.5).
//! Exact: a message that cannot be read makes the answer NO, never a silent gap.
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::Args;
use crate::imap::message_limit::Cut;
use crate::imap::place::Place;
use crate::imap::progress::Progress;
use crate::imap::search::charset;
use crate::imap::search::eval::Facts;
use crate::imap::search::keys::{Context, Key, Taken};
use crate::imap::search::results::{Correlators, Found, Names, Wanted};
use crate::imap::set::{self, Numbers, Positions};
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{AccountId, Error};
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
            Ok(mut search) => {
                let mut progress = session.progress(&request, search.view.entries.len());
                session.find(&mut search, &mut progress, &wanted).await.map(|()| search)
            }
            Err(answer) => Err(answer.into()),
        };
        let search = match search {
            Ok(search) => search,
            Err(fail) => return Err(session.nothing_saved(&wanted, fail)),
        };
        session.tell_found(&search, &wanted, &request, "SEARCH")?;
        let cut = search.cut;
        session.keep_context(search, &wanted, &request, None).await?;
        Ok(session.with_cut(cut, Answer::ok("SEARCH completed")))
    })
}

/// A SEARCH under way.
pub(in crate::imap) struct Search {
    pub(in crate::imap) key: Arc<Key>,
    pub(in crate::imap) view: Arc<Mailbox>,
    /// Not in the selected mailbox.
    elsewhere: Option<Elsewhere>,
    /// MODSEQ belongs to the answer.
    modseq: bool,
    pub(in crate::imap) found: Found,
    /// Only some messages were looked at.
    pub(super) cut: Option<Cut>,
}

/// Where a mailbox lies that is searched without being selected.
struct Elsewhere {
    account: AccountId,
    /// The session's account if it is not the owner's.
    reader: Option<AccountId>,
}

impl Session {
    /// Reads `CHARSET name ` if it stands here.
    pub(super) fn charset<'a>(&self, args: &mut Args<'a>) -> Result<Option<&'a str>, Answer> {
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

    /// Reads the keys for the selected mailbox.
    pub(super) fn search_for(&mut self, charset: Option<&str>, args: &mut Args<'_>) -> Result<Search, Answer> {
        self.need_selected(Rights::READ)?;
        let selected = self.selected()?;
        let (view, newest) = (selected.view.clone(), selected.data().clone());
        let keys = self.keys(charset, args, selected.numbers(), &newest)?;
        Ok(self.search_with(keys, view, None))
    }

    /// Reads the keys for a mailbox that need not be selected. `$` is none of its messages.
    pub(super) fn search_in(
        &mut self,
        charset: Option<&str>,
        args: &mut Args<'_>,
        place: &Place,
    ) -> Result<Search, Answer> {
        let view = place.mailbox.clone();
        let numbers = Numbers { entries: &view.entries, saved: &UidSet::new() };
        let keys = self.keys(charset, args, numbers, &view)?;
        Ok(self.search_with(keys, view, Some(Elsewhere { account: place.account, reader: place.reader })))
    }

    /// The keys, and whether MODSEQ is among them.
    fn keys(
        &self,
        charset: Option<&str>,
        args: &mut Args<'_>,
        numbers: Numbers<'_>,
        mailbox: &Mailbox,
    ) -> Result<(Key, bool), Answer> {
        let now = self.shared.clock.now();
        let (uid_only, taken) = (self.enabled.uid_only, Taken::default());
        let mut context = Context { numbers, mailbox, charset, now, uid_only, modseq: false, taken };
        Ok((context.all(args)?, context.modseq))
    }

    fn search_with(&mut self, (key, modseq): (Key, bool), view: Arc<Mailbox>, elsewhere: Option<Elsewhere>) -> Search {
        if modseq {
            self.enable_condstore();
        }
        Search { key: Arc::new(key), view, elsewhere, modseq, found: Found::Ranges(Vec::new()), cut: None }
    }

    /// The messages that can match; of the selected mailbox those that a command works on.
    fn span(&self, search: &Search) -> Result<(Positions, Option<Cut>), Error> {
        let entries = &search.view.entries;
        let all = std::iter::once(0..entries.len()).collect();
        let mut span = search.key.span(all, entries)?;
        let cut = if search.elsewhere.is_none() { self.cut(&mut span, entries)? } else { None };
        Ok((span, cut))
    }

    /// Asks every message for SORT and THREAD, which give no part of their answer (RFC 9738 section 3.3).
    pub(super) async fn find_whole(&mut self, search: &mut Search, request: &Request) -> Result<(), Fail> {
        if self.span(search)?.1.is_some() {
            return Err(self.over_limit().into());
        }
        let mut progress = self.progress(request, search.view.entries.len());
        self.find(search, &mut progress, &Wanted::default()).await
    }

    /// Asks every message that can match.
    pub(super) async fn find(
        &mut self,
        search: &mut Search,
        progress: &mut Progress,
        wanted: &Wanted,
    ) -> Result<(), Fail> {
        let (span, cut) = self.span(search)?;
        search.cut = cut;
        progress.passed(search.view.entries.len() - set::count(&span));
        for piece in set::pieces(&span, limits::IMAP_BATCH_MESSAGES) {
            let messages = piece.len();
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
            progress.passed(messages);
            progress.tell(self).await?;
        }
        Ok(())
    }

    async fn find_in(&mut self, search: &mut Search, piece: Range<usize>) -> Result<(), Error> {
        let view = search.view.clone();
        for (at, entry) in piece.clone().zip(view.entries.range(piece)) {
            let entry = entry?;
            let facts = match (&search.elsewhere, &self.selected) {
                (Some(elsewhere), _) => {
                    let entry = view.seen_by(entry, elsewhere.reader);
                    Facts { at, entry, recent: entry.uid >= view.recent_from }
                }
                (None, Some(selected)) => {
                    let entry = selected.newest(entry);
                    Facts { at, entry, recent: selected.recent.contains(entry.uid) }
                }
                (None, None) => return Ok(()),
            };
            let account = search.elsewhere.as_ref().map_or_else(|| self.mail_account(), |elsewhere| elsewhere.account);
            let found = match search.key.cheap(facts) {
                Some(found) => found,
                None => match self.look_into(account, &search.key, facts).await {
                    // Nobody has been told of it.
                    Err(Error::NotFound(_)) if search.elsewhere.is_some() => false,
                    found => found?,
                },
            };
            if found {
                search.found.push(at);
            }
        }
        Ok(())
    }

    /// Asks a key of the message itself. Decoding its text is work that other sessions should not wait for.
    pub(in crate::imap) async fn look_into(
        &self,
        account: AccountId,
        key: &Arc<Key>,
        facts: Facts,
    ) -> Result<bool, Error> {
        let message = self.shared.message(account, &facts.entry).await?;
        if facts.entry.size_bytes <= limits::IMAP_SEARCH_INLINE_BYTES_MAX {
            yield_now().await;
            return Ok(key.full(facts, &message));
        }
        let key = key.clone();
        self.shared.engine.work_for(account.0, move || key.full(facts, &message)).await
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
        self.save_found(search, wanted)?;
        let modseq = self.modseq_of(search, wanted)?;
        let names = Names { entries: &search.view.entries, uid: request.is_uid() };
        let mut line = Vec::new();
        if !wanted.extended {
            names.write_list(&mut line, word, &search.found, modseq)?;
        } else if wanted.tells() {
            let of = Correlators { tag: &request.tag, mailbox: None };
            wanted.write(&mut line, of, &search.found, names, modseq)?;
        }
        self.stream.output().append(&mut line);
        Ok(())
    }

    /// The same for the command ESEARCH; nothing is written of a mailbox in which nothing was found (RFC 7377 section 2.1).
    pub(super) fn tell_found_in(
        &mut self,
        search: &Search,
        wanted: &Wanted,
        tag: &str,
        name: &str,
    ) -> Result<(), Answer> {
        self.save_found(search, wanted)?;
        if search.found.len() == 0 || !wanted.tells() {
            return Ok(());
        }
        let modseq = self.modseq_of(search, wanted)?;
        let of = Correlators { tag, mailbox: Some((&search.view, name, self.names_utf8())) };
        let names = Names { entries: &search.view.entries, uid: true };
        let mut line = Vec::new();
        wanted.write(&mut line, of, &search.found, names, modseq)?;
        self.stream.output().append(&mut line);
        Ok(())
    }

    fn save_found(&mut self, search: &Search, wanted: &Wanted) -> Result<(), Error> {
        if wanted.save
            && let Some(selected) = &mut self.selected
        {
            selected.saved = wanted.saved(&search.found, &search.view.entries)?;
        }
        Ok(())
    }

    /// The MODSEQ that belongs to the answer; 0: none.
    fn modseq_of(&self, search: &Search, wanted: &Wanted) -> Result<u64, Error> {
        if !search.modseq {
            return Ok(0);
        }
        let selected = self.selected.as_deref().filter(|_| search.elsewhere.is_none());
        wanted.modseq(&search.found, |at| {
            let entry = search.view.entries.get(at)?;
            Ok(selected.map_or(entry, |selected| selected.newest(entry)).modseq.0)
        })
    }
}
