//! Proves one account shard: every frame, the fold of its events, each account's totals and entries, the queue, and the checkpoint.
use super::{Verify, error_finding, who};
use crate::base::bytes::Reader;
use crate::base::{AccountId, Locator, Lsn, Result, SegmentId, ShardId};
use crate::delivery::Dictionaries;
use crate::directory::Directory;
use crate::engine::shard_dir;
use crate::format::{FrameKind, MessageHead};
use crate::index::{Account, Parts, mime};
use crate::queue::Queue;
use crate::rescue::audit::{Wrong, audit, difference, digest};
use crate::rescue::contents::{Contents, Unread, transactions};
use crate::rescue::describe::describe;
use crate::rescue::finding::{Finding, Kind, Told, Watch, Who};
use crate::rescue::fold::{Fold, Scratch};
use crate::rescue::heads::Heads;
use crate::rescue::hole::Hole;
use crate::rescue::inventory::{Log, Segment};
use crate::rescue::places::Places;
use crate::rescue::references::References;
use crate::rescue::survey::{Item, Survey};
use crate::rescue::walk::Frame;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Verify<'_> {
    pub(super) fn shard(
        &mut self,
        shard: ShardId,
        log: &Log,
        directory: &Directory,
        scratch: Scratch<'_>,
        watch: Watch<'_>,
    ) -> Result<()> {
        if log.newer.is_some() {
            return Ok(());
        }
        let parts = Arc::new(self.checkpoint(shard, log, watch)?);
        let log = &*self.log(shard, log)?;
        self.report.segments += log.segments.len() as u64;
        let contents = Contents::default();
        let survey = Survey {
            disk: self.disk,
            log,
            contents: &contents,
            covered: self.covered(&parts),
            live: self.live,
            distrusted: &Default::default(),
        };
        let (disk, mut messages, mut events) = (self.disk, 0, 0);
        let mut proof = Proof {
            shard,
            name: self.disk.full_path(&shard_dir(shard)).display().to_string(),
            fold: Fold::new(shard, "verify"),
            contents: &contents,
            references: References::new(Heads::new(self.disk, log)),
            lost: Places::default(),
            dictionaries: Dictionaries::default(),
            parts: &parts,
            compared: false,
            is_compacted: log.segments.iter().any(Segment::is_compacted),
            later: None,
            directory,
        };
        survey.run(&mut self.done, watch, &mut |item, watch| {
            match item {
                Item::Frame { at, lsn, frame } => match frame.header.kind {
                    FrameKind::Message => {
                        messages += 1;
                        proof.message(disk, log, at, frame, watch);
                    }
                    FrameKind::Events => {
                        events += 1;
                        proof.compare(lsn, watch)?;
                        proof.events(at, lsn, frame, scratch, watch)?;
                    }
                    FrameKind::Dictionary => {
                        proof.compare(lsn, watch)?;
                        proof.dictionaries.found(frame.header.dictionary, at);
                    }
                    _ => {}
                },
                Item::Block { at, frame, places } => {
                    messages += places.len() as u64;
                    proof.block(disk, log, at, frame, places, watch);
                }
                Item::Gone { places, why } => places.iter().for_each(|at| proof.lost.add_message(*at, why)),
                Item::Hole { segment, lsn, hole } => proof.hole(log, segment, Lsn(lsn.start), hole, watch)?,
            }
            Ok(())
        })?;
        proof.compare(Lsn(u64::MAX), watch)?;
        (self.report.messages, self.report.events) = (self.report.messages + messages, self.report.events + events);
        proof.accounts(self, watch)
    }
}

struct Proof<'a> {
    shard: ShardId,
    name: String,
    fold: Fold,
    contents: &'a Contents,
    references: References<'a>,
    lost: Places,
    /// Those that stand in the log before the checkpoint.
    dictionaries: Dictionaries,
    parts: &'a Arc<Parts>,
    compared: bool,
    is_compacted: bool,
    /// Accounts that did not agree where the checkpoint stands, and the checkpoint with what follows it.
    later: Option<Box<(Vec<AccountId>, Fold)>>,
    directory: &'a Directory,
}

impl Proof<'_> {
    fn hole(&mut self, log: &Log, segment: SegmentId, lsn: Lsn, hole: &Hole, watch: Watch<'_>) -> Result<()> {
        if !log.segment(segment).is_some_and(Segment::is_compacted) {
            self.lost.add(segment, hole.range.clone(), &hole.why);
        }
        if hole.loses_events() {
            self.compare(lsn, watch)?;
            self.fold.replay.forced = true;
        }
        Ok(())
    }

    fn message(&mut self, disk: &dyn crate::disk::Disk, log: &Log, at: Locator, frame: &Frame, watch: Watch<'_>) {
        let (header, payload) = (&frame.header, frame.payload.as_slice());
        if let Ok(head) = MessageHead::decode(payload) {
            self.references.saw(at, head.guid, head.size_bytes);
        }
        let name = || log.name_of(disk, at.segment);
        let range = frame.offset..frame.end();
        let read = self.contents.message(header, payload);
        if let Err(why) = &read {
            self.lost.add(at.segment, range.clone(), &why.to_string());
            // What it leans on is told where it stood; entries that lose by it are told for their owners.
            let finding = match why {
                Unread::Damaged(why) => Finding::damage(Kind::Message, name(), why.clone()),
                Unread::Needs(why) => Finding::note(Kind::Message, name(), format!("{why}; its own bytes are whole")),
            };
            watch(Told::Finding(&finding.range(&range)));
        } else if let Err(why) = self.contents.summary(header, payload) {
            let what = format!("{why}; the message itself is whole");
            watch(Told::Finding(&Finding::damage(Kind::Message, name(), what).range(&range)));
        }
    }

    /// Each message of a block as it would be by itself.
    fn block(
        &mut self,
        disk: &dyn crate::disk::Disk,
        log: &Log,
        at: Locator,
        frame: &Frame,
        places: &[Option<Locator>],
        watch: Watch<'_>,
    ) {
        let range = frame.offset..frame.end();
        let mut tell = |finding: Finding| watch(Told::Finding(&finding.range(&range)));
        let name = log.name_of(disk, at.segment);
        for (index, place) in places.iter().enumerate() {
            let message = format!("message {index} of the block");
            match self.contents.block_message(&frame.header, &frame.payload, index) {
                Ok((guid, bytes)) => {
                    if let Some(at) = place {
                        self.references.saw(*at, guid, bytes.len() as u32);
                    }
                    if let Err(why) = self.contents.block_summary(&frame.header, &frame.payload, index) {
                        let what = format!("{message}: {why}; the message itself is whole");
                        tell(Finding::damage(Kind::Message, &name, what));
                    }
                }
                Err(why) => {
                    place.iter().for_each(|at| self.lost.add_message(*at, &why.to_string()));
                    tell(match why {
                        Unread::Damaged(why) => Finding::damage(Kind::Message, &name, format!("{message}: {why}")),
                        Unread::Needs(why) => {
                            let what = format!("{message}: {why}; its own bytes are whole");
                            Finding::note(Kind::Message, &name, what)
                        }
                    });
                }
            }
        }
        if places.is_empty() {
            tell(Finding::damage(Kind::Message, &name, "the rows of a block expected"));
        }
    }

    fn events(&mut self, at: Locator, lsn: Lsn, frame: &Frame, scratch: Scratch<'_>, watch: Watch<'_>) -> Result<()> {
        let all = match transactions(lsn, &frame.header, &frame.payload) {
            Ok(all) => all,
            Err(why) => {
                self.bad_events(at, &why, watch);
                return Ok(());
            }
        };
        let bytes = frame.payload.len() / all.len().max(1);
        for (lsn, events) in all {
            // The checkpoint may be as of a place between two transactions that compaction has packed.
            self.compare(lsn, watch)?;
            self.references.check(&events, &mut self.lost);
            if let Some(later) = &mut self.later {
                // What does not fit is told below.
                let _ = later.1.events(lsn, &events, bytes, &mut *scratch)?;
            }
            if let Err(why) = self.fold.events(lsn, &events, bytes, scratch)? {
                self.bad_events(at, &why, watch);
            }
        }
        Ok(())
    }

    fn bad_events(&mut self, at: Locator, why: &str, watch: Watch<'_>) {
        let what = format!("segment {}: the events cannot be folded in: {why}", at.segment);
        watch(Told::Finding(&Finding::damage(Kind::Events, &self.name, what).at(u64::from(at.offset))));
        self.fold.replay.forced = true;
    }

    /// Once the fold has come to the checkpoint, both say the same of every account and of the queue.
    fn compare(&mut self, next: Lsn, watch: Watch<'_>) -> Result<()> {
        if self.compared || next < self.parts.lsn() {
            return Ok(());
        }
        self.compared = true;
        let Some(part) = self.parts.list().first() else { return Ok(()) };
        let lost = self.fold.replay.is_lenient();
        let mut state = Reader::new(part.state());
        let queue = Queue::decode(&mut state);
        if queue.is_ok() && !lost && !state.is_empty() {
            let mut wanted = Vec::new();
            self.dictionaries.encode(&mut wanted);
            if part.state().get(state.position()..) != Some(&wanted[..]) {
                let what =
                    "the places of dictionaries in this checkpoint are not those in the log; rebuild makes it anew";
                watch(Told::Finding(&Finding::damage(Kind::Checkpoint, part.file_name(), what)));
            }
        }
        match queue {
            Ok(queue) if lost || queue == self.fold.queue => {}
            Ok(_) => {
                let what = "the queue in this checkpoint is not what the log adds up to; rebuild makes it anew";
                watch(Told::Finding(&Finding::damage(Kind::Checkpoint, part.file_name(), what)));
            }
            Err(why) => {
                let what = format!("the queue: {why}");
                watch(Told::Finding(&Finding::damage(Kind::Checkpoint, part.file_name(), what)));
            }
        }
        let mut ids = self.fold.accounts.ids();
        ids.extend(self.parts.list().iter().flat_map(|part| part.accounts()));
        let mut postponed = Vec::new();
        for id in ids {
            if !self.compare_account(id, lost, part.file_name(), watch)? {
                postponed.push(id);
            }
        }
        if !postponed.is_empty() {
            let checkpoint = Fold::from(self.shard, "checkpoint", self.parts.clone(), self.fold.queue.clone());
            self.later = Some(Box::new((postponed, checkpoint)));
        }
        Ok(())
    }

    /// A message that was expunged after a checkpoint and then compacted away is in the checkpoint and not in the log: both agree only where
    /// the log ends.
    fn compare_later(&mut self, watch: Watch<'_>) -> Result<()> {
        let Some(later) = self.later.take() else { return Ok(()) };
        let (postponed, checkpoint) = *later;
        let Some(part) = self.parts.list().first() else { return Ok(()) };
        for id in postponed {
            if let Some(differs) = differs(checkpoint.accounts.load(id)?, self.fold.accounts.load(id)?)? {
                self.contradicts(id, part.file_name(), &differs, watch);
            }
        }
        Ok(())
    }

    fn contradicts(&self, id: AccountId, file: &str, differs: &str, watch: Watch<'_>) {
        let what =
            format!("the account in this checkpoint is not what the log adds up to ({differs}); rebuild makes it anew");
        watch(Told::Finding(&Finding::damage(Kind::Checkpoint, file, what).of(who(self.directory, id))));
    }

    /// False: what they differ in may be what compaction has taken out of the log since.
    fn compare_account(&mut self, id: AccountId, lost: bool, file: &str, watch: Watch<'_>) -> Result<bool> {
        let checkpointed = match self.parts.load(id) {
            Ok(checkpointed) => checkpointed.map(Arc::new),
            Err(why) => {
                watch(Told::Finding(&error_finding(Kind::Checkpoint, &why).of(who(self.directory, id))));
                return Ok(true);
            }
        };
        let differs = match differs(checkpointed, if lost { None } else { self.fold.accounts.load(id)? }) {
            Ok(differs) => differs,
            Err(why) => {
                watch(Told::Finding(&error_finding(Kind::Checkpoint, &why).of(who(self.directory, id))));
                return Ok(true);
            }
        };
        // What the log has lost the checkpoint has still.
        let Some(differs) = differs.filter(|_| !lost) else { return Ok(true) };
        if !self.is_compacted {
            self.contradicts(id, file, &differs, watch);
        }
        Ok(!self.is_compacted)
    }

    /// Every account and the queue, as of the log's end.
    fn accounts(&mut self, verify: &mut Verify<'_>, watch: Watch<'_>) -> Result<()> {
        self.compare_later(watch)?;
        let ids: BTreeSet<AccountId> = self.fold.accounts.ids();
        for id in ids {
            let Some(account) = self.fold.accounts.load(id)? else { continue };
            verify.report.accounts += 1;
            verify.report.mailboxes += account.mailboxes.len() as u64;
            verify.report.used_bytes += account.used_bytes;
            self.owner(verify, &account, watch);
            let mut wrong = Vec::new();
            let sums = audit(&account, &self.lost, &mut |one| wrong.push(one))?;
            verify.report.entries += sums.entries;
            for wrong in wrong {
                let finding = self.finding(&account, wrong);
                watch(Told::Finding(&finding));
            }
        }
        verify.report.queued += self.fold.queue.len() as u64;
        for item in self.fold.queue.iter() {
            if let Some(why) = self.lost.why(item.locator) {
                let to = item.item.recipients.first().map_or("nobody", |recipient| &recipient.address);
                let what =
                    format!("queue item {} to {to}: its message, at {}, cannot be read: {why}", item.id, item.locator);
                watch(Told::Finding(&Finding::damage(Kind::Reference, &self.name, what)));
            }
        }
        Ok(())
    }

    /// The account belongs into this shard, and the directory knows it.
    fn owner(&self, verify: &Verify<'_>, account: &Account, watch: Watch<'_>) {
        let who = who(self.directory, account.id);
        if let Ok(shards) = verify.inventory.shards
            && account.id.0 % u64::from(shards) != u64::from(self.shard.0)
        {
            let what = format!("an account of another shard: with {shards} shards it is not looked for here");
            watch(Told::Finding(&Finding::damage(Kind::Store, &self.name, what).of(who.clone())));
        }
        let known =
            self.directory.account(account.id).is_some() || self.directory.removed_account(account.id).is_some();
        // One that was purged is an empty shell, so that its number is never used again.
        if known || account.is_purged() || verify.live {
            return;
        }
        let (bytes, count) = (account.used_bytes, account.messages);
        if account.id < self.directory.account_next() {
            let what = format!("the account was removed; {count} messages of it, {bytes} bytes, are still here");
            watch(Told::Finding(&Finding::note(Kind::Directory, &self.name, what).of(who)));
        } else {
            let what = format!("the directory never had this account, which holds {count} messages, {bytes} bytes");
            watch(Told::Finding(&Finding::damage(Kind::Directory, &self.name, what).of(who)));
        }
    }

    fn finding(&mut self, account: &Account, wrong: Wrong) -> Finding {
        let mailbox = wrong.mailbox.and_then(|id| account.mailbox(id)).map(|mailbox| mailbox.name.to_string());
        let message = wrong.entry.and_then(|entry| self.describe(entry.locator));
        let uid = wrong.entry.map(|entry| entry.uid);
        let who = Who { mailbox, uid, message, ..who(self.directory, account.id) };
        Finding::damage(wrong.kind, &self.name, wrong.what).of(who)
    }

    /// Message-ID and Subject, if the summary can still be read.
    fn describe(&mut self, at: Locator) -> Option<String> {
        let summary = self.references.heads.summary(at, self.contents)?;
        describe(mime::envelope(&summary).ok()?)
    }
}

/// In what an account of a checkpoint and that of the log differ; all of the checkpoint's is read.
fn differs(checkpointed: Option<Arc<Account>>, folded: Option<Arc<Account>>) -> Result<Option<String>> {
    let digest_of = |account: &Option<Arc<Account>>| account.as_deref().map(digest).transpose();
    if digest_of(&checkpointed)? == digest_of(&folded)? {
        return Ok(None);
    }
    Ok(Some(match (checkpointed, folded) {
        (Some(checkpointed), Some(folded)) => difference(&checkpointed, &folded)?,
        (Some(_), None) => "only the checkpoint has it".into(),
        (None, _) => "only the log has it".into(),
    }))
}
