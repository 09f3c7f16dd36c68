//! SEARCH (RFC 3501 section 6.4.4) with ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394), UPDATE (RFC 5267) and MODSEQ (RFC 7162
//! section 3.1.5).
//! Exact: a message that cannot be read makes the answer NO, never a silent gap.
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::Args;
use crate::imap::message_limit::Cut;
use crate::imap::near;
use crate::imap::place::Place;
use crate::imap::progress::Progress;
use crate::imap::search::charset;
use crate::imap::search::eval::Facts;
use crate::imap::search::keys::{Context, Key, Taken};
use crate::imap::search::results::{Found, Wanted};
use crate::imap::set::{self, Numbers, Positions};
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use crate::session::Share;
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
        session.tell_found(&search, &wanted, &request, "SEARCH").await?;
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
    pub(in crate::imap) elsewhere: Option<Elsewhere>,
    /// MODSEQ belongs to the answer.
    pub(in crate::imap) modseq: bool,
    pub(in crate::imap) found: Found,
    /// The room that what is found takes.
    pub(in crate::imap) share: Share,
    /// Only some messages were looked at.
    pub(super) cut: Option<Cut>,
}

/// Where a mailbox lies that is searched without being selected.
pub(in crate::imap) struct Elsewhere {
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
        let (found, share) = (Found::Ranges(Vec::new()), self.shared.reading.share_of_account(self.account()));
        Search { key: Arc::new(key), view, elsewhere, modseq, found, share, cut: None }
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
        for group in set::groups(&span, limits::IMAP_BATCH_MESSAGES) {
            self.find_in(search, &group).await?;
            let bytes = search.found.bytes();
            self.room_for_results(&mut search.share, bytes).await?;
            if wanted.first_is_enough() && search.found.len() > 0 {
                return Ok(());
            }
            yield_now().await;
            self.check_client().await?;
            progress.passed(set::count(&group));
            progress.tell(self).await?;
        }
        Ok(())
    }

    async fn find_in(&mut self, search: &mut Search, positions: &[Range<usize>]) -> Result<(), Fail> {
        let view = search.view.clone();
        let account = search.elsewhere.as_ref().map_or_else(|| self.mail_account(), |elsewhere| elsewhere.account);
        near::bring_entries(self, account, &view, positions).await;
        for (at, entry) in set::entries(positions, &view.entries) {
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
            let found = match search.key.cheap(facts) {
                Some(found) => found,
                None => {
                    self.check_client().await?;
                    match self.look_into(account, &search.key, facts).await {
                        // Nobody has been told of it.
                        Err(Error::NotFound(_)) if search.elsewhere.is_some() => false,
                        Err(Error::NotFound(_)) => {
                            return Err(Answer::no("[EXPUNGEISSUED] Some messages are gone; try again").into());
                        }
                        found => found?,
                    }
                }
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
        let message = self.shared.message(self.account(), account, &facts.entry).await?;
        if facts.entry.size_bytes.saturating_mul(key.readings()) <= limits::IMAP_SEARCH_INLINE_BYTES_MAX {
            yield_now().await;
            return Ok(key.full(facts, &message));
        }
        let key = key.clone();
        self.shared.engine.work_for(self.account(), move || key.full(facts, &message)).await
    }
}
