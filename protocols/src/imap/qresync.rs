//! Quick resynchronisation (RFC 7162 section 3.2): what has vanished and what has changed since a client last looked. Changes nothing.
use super::answer::{Answer, Fail};
use super::args::Args;
use super::fetch::render::{self, FlagParts};
use super::near;
use super::set::{self, Set};
use super::state::Session;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{ModSeq, Uid};
use posthouse_engine::index::{Mailbox, UidSet, Vanished};

/// What a client knows of a mailbox: `(UIDVALIDITY modseq [known-uids [(numbers uids)]])`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known {
    uid_validity: u32,
    modseq: ModSeq,
    uids: Option<UidSet>,
    /// It says what the numbers of some uids were.
    pub(super) has_numbers: bool,
}

impl Known {
    pub(super) fn parse(args: &mut Args<'_>) -> Result<Known, Answer> {
        args.need("(")?;
        let uid_validity = args.nz_number()?;
        args.space()?;
        let start = args.clone();
        let modseq = ModSeq(args.number()?);
        if modseq.0 == 0 {
            start.wrong("a modseq above 0")?;
        }
        let mut known = Known { uid_validity, modseq, uids: None, has_numbers: false };
        if args.peek() == Some(b' ') {
            args.space()?;
            if args.peek() != Some(b'(') {
                known.uids = Some(uids(args)?);
            }
        }
        // Message numbers with their uids help a server that has forgotten what was expunged; this one has not.
        if args.eat(" (") || args.eat("(") {
            known.has_numbers = true;
            uids(args)?;
            args.space()?;
            uids(args)?;
            args.need(")")?;
        }
        args.need(")")?;
        Ok(known)
    }
}

/// A set without `*` (RFC 7162 section 7, known-uids).
fn uids(args: &mut Args<'_>) -> Result<UidSet, Answer> {
    let start = args.clone();
    let Set::Ranges(ranges) = args.set()? else {
        start.wrong("uids")?;
        return Ok(UidSet::new());
    };
    let closed: Option<Vec<(u32, u32)>> = ranges.into_iter().map(|(a, b)| Some((a?, b?))).collect();
    match closed {
        Some(closed) => Ok(UidSet::from_ranges(closed)),
        None => {
            start.wrong("uids without *")?;
            Ok(UidSet::new())
        }
    }
}

impl Session {
    /// Tells a client that has selected the mailbox what it has missed.
    pub(super) async fn resync(&mut self, known: &Known) -> Result<(), Fail> {
        let selected = self.selected()?;
        let (view, reader) = (selected.view.clone(), selected.reader);
        if known.uid_validity != view.uid_validity || known.modseq >= view.highest_modseq {
            return Ok(());
        }
        let all = UidSet::range(Uid(1), Uid(u32::MAX));
        let uids = known.uids.as_ref().unwrap_or(&all);
        self.write_vanished_since(&view, known.modseq, uids).await?;
        let parts = FlagParts { uid: true, flags: true, modseq: true, uid_only: self.enabled.uid_only };
        let positions = set::uid_positions(uids, &view.entries)?;
        for (number, group) in set::groups(&positions, limits::IMAP_BATCH_MESSAGES).enumerate() {
            if number > 0 {
                yield_now().await;
            }
            near::bring_entries(self, self.mail_account(), &view, &group).await;
            for (at, entry) in set::entries(&group, &view.entries) {
                let entry = view.seen_by(entry?, reader);
                if entry.modseq > known.modseq {
                    let recent = self.is_recent(entry.uid);
                    render::flags_line(self.stream.output(), at, &entry, &view, recent, parts);
                }
            }
            self.stream.flush_if_large().await?;
        }
        Ok(())
    }

    /// `VANISHED (EARLIER)` for UID FETCH (RFC 7162 section 3.2.6).
    pub(super) async fn tell_vanished(&mut self, set: &Set, since: u64) -> Result<(), Fail> {
        let selected = self.selected()?;
        let view = selected.view.clone();
        let uids = match set {
            Set::Saved => selected.saved.clone(),
            // `*` stands for all uids given so far: the greatest of them may have vanished.
            Set::Ranges(ranges) => {
                let last = view.uid_next.0.saturating_sub(1).max(1);
                UidSet::from_ranges(ranges.iter().map(|(a, b)| (a.unwrap_or(last), b.unwrap_or(last))))
            }
        };
        self.write_vanished_since(&view, ModSeq(since), &uids).await
    }

    async fn write_vanished_since(&mut self, view: &Mailbox, since: ModSeq, uids: &UidSet) -> Result<(), Fail> {
        let (mut walk, mut found, mut more) = (Vanished::new(view, since, uids), UidSet::new(), true);
        while more {
            more = walk.next(view, limits::IMAP_BATCH_MESSAGES, &mut found)?;
            if !more || found.ranges().len() >= limits::IMAP_VANISHED_RANGES {
                self.write_vanished(b"* VANISHED (EARLIER) ", &std::mem::take(&mut found)).await?;
            }
            if more {
                yield_now().await;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_may_know() {
        let known = |text: &str| Known::parse(&mut Args::new(text.as_bytes(), 0));
        let expected = |uids, has_numbers| Ok(Known { uid_validity: 67, modseq: ModSeq(900), uids, has_numbers });
        assert_eq!(known("(67 900)"), expected(None, false));
        assert_eq!(known("(67 900 1:9,20)"), expected(Some(UidSet::from_ranges([(1, 9), (20, 20)])), false));
        assert_eq!(known("(67 900 1:9 (1,3 4:6))"), expected(Some(UidSet::range(Uid(1), Uid(9))), true));
        assert_eq!(known("(67 900 (1,3 4:6))"), expected(None, true));
        for bad in
            ["(67)", "(0 900)", "(67 0)", "(67 900 1:*)", "(67 900 $)", "(67 900 1 2)", "67 900", "(67 900 1 (2)", ""]
        {
            assert!(matches!(known(bad), Err(Answer::Bad(_))), "{bad}");
        }
    }
}
