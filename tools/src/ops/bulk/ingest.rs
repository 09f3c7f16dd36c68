//! The way in: messages are staged on the caller's thread while earlier ones are on their way to the disk, and many share one sync.
use super::known::Known;
use super::{Batch, Incoming};
use crate::limits::{BULK_BATCHES_UNDER_WAY_MAX, BULK_BYTES_UNDER_WAY_MAX};
use crate::ops::{Failure, Kind};
use posthouse_engine::base::{AccountId, Error, MailboxId, Result as EngineResult, Uid};
use posthouse_engine::index::{Flags, Mailbox, SpecialUse};
use posthouse_engine::{Append, Engine, Ingested, Ticket};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

type Committing = Ticket<EngineResult<Vec<EngineResult<Ingested>>>>;

/// A mailbox that messages go to.
struct Place {
    mailbox: MailboxId,
    /// As it was when the first message came.
    view: Arc<Mailbox>,
    known: Known,
}

/// A batch that is staged.
struct UnderWay {
    bytes: usize,
    ticket: Committing,
    /// Positions in the request of what was sent to the store, and the unique-ids by POP3 that came with it.
    positions: Vec<(u64, Option<String>)>,
    /// Where it goes.
    to: (AccountId, MailboxId),
    batch: Batch,
}

/// Takes messages in.
pub(super) struct Intake {
    engine: Arc<Engine>,
    places: HashMap<(AccountId, String), Place>,
    under_way: VecDeque<UnderWay>,
    done: Vec<Batch>,
}

impl Intake {
    pub(super) fn new(engine: Arc<Engine>) -> Intake {
        Intake { engine, places: HashMap::new(), under_way: VecDeque::new(), done: Vec::new() }
    }

    /// The batches that are durable and were not told yet.
    pub(super) fn done(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.done)
    }

    /// Makes the mailbox with its parents, if it is not there.
    pub(super) fn make(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        subscribed: bool,
    ) -> Result<MailboxId, Failure> {
        self.must_be(account)?;
        let view = self.engine.open_account(account).wait()?;
        let special_use = special_use.filter(|special_use| view.mailbox_for(*special_use).is_none());
        let id = match view.mailbox_named(name) {
            Some(found) => found.id,
            None => self.engine.create_mailbox(account, name, special_use).wait()?,
        };
        if subscribed && !view.subscriptions.contains(name) {
            self.engine.subscribe(account, name, true).wait()?;
        }
        Ok(id)
    }

    /// Numbers come from the other side: only those of accounts that exist may make anything.
    pub(super) fn must_be(&self, account: AccountId) -> Result<(), Failure> {
        if self.engine.directory(|directory| directory.account(account).is_some()) {
            return Ok(());
        }
        Err(Failure::not_found(format_args!("account {account}")))
    }

    /// Stages the messages and sends them to the store; waits when too much is under way.
    pub(super) fn take(
        &mut self,
        account: AccountId,
        mailbox: &str,
        messages: &[Incoming],
        payload: Vec<u8>,
    ) -> Result<(), Failure> {
        let bytes = payload.len();
        if !self.places.contains_key(&(account, mailbox.to_owned())) {
            let there = self.engine.account(account).ok().and_then(|view| Some(view.mailbox_named(mailbox)?.id));
            // What an import makes, its owner shall see.
            let id = there.map_or_else(|| self.make(account, mailbox, None, true), Ok)?;
            let view = self.engine.mailbox(account, id)?;
            let known = Known::of(&self.engine, account, &view)?;
            self.places.insert((account, mailbox.to_owned()), Place { mailbox: id, view, known });
        }
        self.make_room(bytes);
        let Some(place) = self.places.get_mut(&(account, mailbox.to_owned())) else {
            return Err(Failure::new(Kind::Failed, "the mailbox was not kept"));
        };
        let (mut batch, mut positions, mut appends) = (Batch::default(), Vec::new(), Vec::new());
        let to = (account, place.mailbox);
        let mut ids = Vec::new();
        for (position, (incoming, message)) in messages.iter().zip(split(messages, payload)).enumerate() {
            if let Some(uid) = place.known.take(&self.engine, account, &place.view, &message) {
                batch.known += 1;
                // An import that was cut off between the two brings it now.
                ids.extend(incoming.pop3_uidl.clone().map(|id| (uid, id)));
                continue;
            }
            match self.engine.stage_here(message) {
                Ok(staged) => {
                    let (flags, keywords) = flags_of(&incoming.flags);
                    appends.push(Append { staged, flags, keywords, internal_date: incoming.date });
                    positions.push((position as u64, incoming.pop3_uidl.clone()));
                }
                Err(why) => batch.refused.push((position as u64, why.into())),
            }
        }
        self.note(to, ids)?;
        if appends.is_empty() {
            // In order: nothing may be told before what came earlier.
            self.settle();
            self.done.push(batch);
            return Ok(());
        }
        let ticket = self.engine.ingest(to.0, to.1, appends);
        self.under_way.push_back(UnderWay { bytes, ticket, positions, to, batch });
        Ok(())
    }

    fn make_room(&mut self, bytes: usize) {
        let waiting = |all: &VecDeque<UnderWay>| all.iter().map(|one| one.bytes).sum::<usize>();
        while self.under_way.len() >= BULK_BATCHES_UNDER_WAY_MAX
            || (!self.under_way.is_empty() && waiting(&self.under_way) + bytes > BULK_BYTES_UNDER_WAY_MAX)
        {
            self.settle_one();
        }
    }

    /// Waits for everything that is under way.
    pub(super) fn settle(&mut self) {
        while !self.under_way.is_empty() {
            self.settle_one();
        }
    }

    fn settle_one(&mut self) {
        let Some(UnderWay { ticket, positions, to, mut batch, .. }) = self.under_way.pop_front() else { return };
        let mut ids = Vec::new();
        match ticket.wait() {
            Ok(answers) => positions.into_iter().zip(answers).for_each(|((position, id), answer)| match answer {
                Ok(ingested) => {
                    batch.taken += 1;
                    ids.extend(id.map(|id| (ingested.uid, id)));
                    batch.keywords_left_out += ingested.keywords_left_out as u64;
                }
                Err(why) => {
                    if matches!(why, Error::OverQuota { .. } | Error::TooManyMessages { .. }) {
                        batch.over_quota = Some(why.to_string());
                    }
                    batch.refused.push((position, why.into()));
                }
            }),
            Err(why) => batch.failed = Some(why.into()),
        }
        if let Err(why) = self.note(to, ids) {
            batch.failed.get_or_insert(why);
        }
        self.done.push(batch);
    }

    /// Keeps unique-ids by POP3, which has no mailbox but INBOX.
    fn note(&self, (account, mailbox): (AccountId, MailboxId), ids: Vec<(Uid, String)>) -> Result<(), Failure> {
        if !ids.is_empty() && mailbox == MailboxId::INBOX {
            self.engine.note_pop3_uidls(account, mailbox, ids).wait()?;
        }
        Ok(())
    }
}

/// The messages one after the other; a single one without a copy.
fn split(messages: &[Incoming], payload: Vec<u8>) -> Box<dyn Iterator<Item = Vec<u8>> + '_> {
    if messages.len() == 1 {
        return Box::new(std::iter::once(payload));
    }
    let mut at = 0;
    Box::new(messages.iter().map(move |one| {
        let end = at + one.size as usize;
        let message = payload.get(at..end).unwrap_or_default().to_vec();
        at = end;
        message
    }))
}

/// System flags and keywords from names; unknown system flags are left out.
pub(super) fn flags_of(names: &[String]) -> (Flags, Vec<String>) {
    let (mut flags, mut keywords) = (Flags::NONE, Vec::new());
    for name in names {
        if name.starts_with('\\') {
            let known = Flags::NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            flags = known.map_or(flags, |(flag, _)| flags.union(*flag));
        } else {
            keywords.push(name.clone());
        }
    }
    (flags, keywords)
}
