//! Tells what a search has found, and saves it (RFC 5182). What is found may be as long as the mailbox: it is sent in pieces, and the room that it
//! takes is counted. Finds nothing itself.
use super::lines::{Correlators, Cursor, Line, Names, Run};
use super::results::Wanted;
use crate::imap::answer::{Answer, Fail};
use crate::imap::cmd::search::Search;
use crate::imap::set::{self, Positions};
use crate::imap::state::Session;
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use crate::session::{Share, flush_holding};
use posthouse_engine::base::Error;
use posthouse_engine::index::UidSet;
use std::io;

impl Session {
    /// Makes sure that a search may keep so many bytes. Short answers are not counted.
    pub(in crate::imap) async fn room_for_results(&self, share: &mut Share, bytes: usize) -> Result<(), Error> {
        if bytes <= limits::IMAP_RESULTS_FREE_BYTES {
            return Ok(());
        }
        self.shared.room(share, bytes as u64).await
    }

    /// A SEARCH that should have saved its results and has failed leaves nothing saved (RFC 5182 section 2.1).
    pub(in crate::imap) fn nothing_saved(&mut self, wanted: &Wanted, fail: Fail) -> Fail {
        if let (true, Fail::Answer(Answer::No(_)), Some(selected)) = (wanted.save, &fail, &mut self.selected) {
            selected.saved = UidSet::new();
        }
        fail
    }

    /// Writes what was found, and saves it if that was asked for.
    pub(in crate::imap) async fn tell_found(
        &mut self,
        search: &Search,
        wanted: &Wanted,
        request: &Request,
        word: &str,
    ) -> Result<(), Fail> {
        self.save_found(search, wanted).await?;
        let modseq = self.modseq_of(search, wanted).await?;
        let names = Names { entries: &search.view.entries, uid: request.is_uid() };
        if !wanted.extended {
            self.write_line(Line::list(word, &search.found, names, modseq), &search.share).await?;
        } else if wanted.tells() {
            let of = Correlators { tag: &request.tag, mailbox: None };
            let line = Line::extended(wanted, of, &search.found, names, modseq)?;
            self.write_line(line, &search.share).await?;
        }
        Ok(())
    }

    /// The same for the command ESEARCH; nothing is written of a mailbox in which nothing was found (RFC 7377 section 2.1).
    pub(in crate::imap) async fn tell_found_in(
        &mut self,
        search: &Search,
        wanted: &Wanted,
        tag: &str,
        name: &str,
    ) -> Result<(), Fail> {
        self.save_found(search, wanted).await?;
        if search.found.len() == 0 || !wanted.tells() {
            return Ok(());
        }
        let modseq = self.modseq_of(search, wanted).await?;
        let of = Correlators { tag, mailbox: Some((&search.view, name, self.names_utf8())) };
        let names = Names { entries: &search.view.entries, uid: true };
        let line = Line::extended(wanted, of, &search.found, names, modseq)?;
        self.write_line(line, &search.share).await
    }

    async fn write_line(&mut self, mut line: Line<'_>, share: &Share) -> Result<(), Fail> {
        let (before, mut sent) = (self.stream.output().len(), false);
        loop {
            match line.next(self.stream.output()) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) if sent => {
                    // Half of a line cannot be taken back.
                    tracing::error!(%error, "imap: an answer to SEARCH breaks off");
                    return Err(Fail::Io(io::Error::other(error)));
                }
                Err(error) => {
                    self.stream.output().truncate(before);
                    return Err(error.into());
                }
            }
            if self.stream.output().len() >= limits::OUTPUT_BYTES {
                flush_holding(share, &mut self.stream).await?;
                sent = true;
            }
            yield_now().await;
        }
    }

    /// Sends an answer that is in memory as a whole.
    pub(in crate::imap) async fn write_whole(&mut self, answer: &[u8], share: &Share) -> io::Result<()> {
        for piece in answer.chunks(limits::OUTPUT_BYTES) {
            self.stream.output().extend_from_slice(piece);
            if self.stream.output().len() >= limits::OUTPUT_BYTES {
                flush_holding(share, &mut self.stream).await?;
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Keeps the uids that SAVE asks for (RFC 5182 section 2.4, RFC 9394 section 3.3), or none when they are too many.
    async fn save_found(&mut self, search: &Search, wanted: &Wanted) -> Result<(), Fail> {
        if !wanted.save || self.selected.is_none() {
            return Ok(());
        }
        let positions = self.positions_chosen(search, wanted).await?;
        if positions.len() > limits::IMAP_SAVED_RANGES_MAX {
            // RFC 5182 section 2.5.
            let refused = Answer::no("[NOTSAVED] The results lie too far apart to be saved; narrow the search");
            return Err(self.nothing_saved(wanted, refused.into()));
        }
        let mut saved = UidSet::new();
        for piece in positions.chunks(limits::IMAP_RESULTS_STEP) {
            for &(first, last) in set::uids_at(piece, &search.view.entries)?.ranges() {
                saved.push_range(first, last);
            }
            yield_now().await;
        }
        if let Some(selected) = &mut self.selected {
            selected.saved = saved;
        }
        Ok(())
    }

    async fn positions_chosen(&self, search: &Search, wanted: &Wanted) -> Result<Positions, Error> {
        let (mut ranges, mut order) = (Vec::new(), Vec::new());
        for page in wanted.chosen(&search.found) {
            let mut cursor = Cursor::new(&search.found, page);
            while let Some(run) = cursor.next(usize::MAX) {
                match run {
                    Run::Range(range) => ranges.push(range),
                    Run::Order(run) => order.extend_from_slice(run),
                }
            }
        }
        if order.is_empty() {
            return Ok(set::merged(ranges));
        }
        let sorted = self.shared.engine.work_for(self.account(), move || {
            order.sort_unstable();
            order.dedup();
            let mut positions = Positions::new();
            order.iter().for_each(|at| set::push(&mut positions, *at as usize));
            positions
        });
        sorted.await
    }

    /// The highest MODSEQ of what is told (RFC 4731 section 3.2); 0: none belongs to the answer.
    async fn modseq_of(&self, search: &Search, wanted: &Wanted) -> Result<u64, Error> {
        let mut highest = 0;
        if !search.modseq {
            return Ok(highest);
        }
        let selected = self.selected.as_deref().filter(|_| search.elsewhere.is_none());
        for page in wanted.chosen(&search.found) {
            let (mut cursor, mut looked_at) = (Cursor::new(&search.found, page), 0);
            while let Some(run) = cursor.next(limits::IMAP_BATCH_MESSAGES) {
                let mut look = |entry| {
                    highest = highest.max(selected.map_or(entry, |selected| selected.newest(entry)).modseq.0);
                    looked_at += 1;
                };
                match run {
                    Run::Range(range) => search.view.entries.range(range).try_for_each(|entry| entry.map(&mut look))?,
                    Run::Order(run) => {
                        run.iter().try_for_each(|at| search.view.entries.get(*at as usize).map(&mut look))?
                    }
                }
                if looked_at >= limits::IMAP_BATCH_MESSAGES {
                    looked_at = 0;
                    yield_now().await;
                }
            }
        }
        Ok(highest)
    }
}
