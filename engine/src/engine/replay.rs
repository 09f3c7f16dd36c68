//! Folds a log's event frames into a state: strictly, but for stretches where repair has marked that events were lost. There the fold makes
//! up what later events need, always in the same way, so that every start comes to the same state. Reads no file.
use crate::base::bytes::{DecodeError, Reader};
use crate::base::{Error, Lsn, Result};
use crate::delivery;
use crate::directory::{self, Directory};
use crate::format::{Event, FrameRef, Mending};
use crate::index::Accounts;
use crate::queue::Queue;

/// Why an event frame cannot be folded in.
#[derive(Debug)]
pub(crate) enum DecodeOrState {
    Decode(DecodeError),
    State(Error),
}

impl std::fmt::Display for DecodeOrState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DecodeOrState::Decode(why) => why.fmt(f),
            DecodeOrState::State(why) => why.fmt(f),
        }
    }
}

/// The fold of one shard's log on its way.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// Between a mark that events were lost and the mark that all is whole again.
    lenient: bool,
    /// Who folds a damaged log knows that events are lost where there is no mark yet.
    pub(crate) forced: bool,
    /// Events that were made up, and events that made no sense without lost ones.
    pub(crate) made_up: u64,
    pub(crate) skipped: u64,
    /// Where the last transaction of the last frame stood.
    pub(crate) last: Lsn,
    /// Pieces of a directory snapshot so far.
    pieces: Vec<u8>,
}

impl Replay {
    /// Whether events were lost and the fold makes up for them.
    pub(crate) fn is_lenient(&self) -> bool {
        self.lenient || self.forced
    }

    /// One event frame of an account shard that stands at `lsn`: its transaction, or of a compacted segment all that it holds from `from` on.
    pub(crate) fn shard(
        &mut self,
        accounts: &mut Accounts,
        queue: &mut Queue,
        (from, lsn): (Lsn, Lsn),
        frame: FrameRef<'_>,
    ) -> Result<(), DecodeOrState> {
        self.last = lsn;
        if !frame.header.is_zstd() {
            return self.transaction(accounts, queue, frame.payload);
        }
        let all = delivery::transactions(lsn, frame.header.flags, frame.payload);
        let all = all.map_err(|why| DecodeOrState::State(Error::corrupt("event frame", lsn.0, why)))?;
        self.last = all.last().map_or(lsn, |(lsn, _)| *lsn);
        let due = all.iter().filter(|(lsn, _)| *lsn >= from);
        due.map(|(_, events)| events).try_for_each(|events| self.transaction(accounts, queue, events))
    }

    /// The events of one transaction.
    pub(crate) fn transaction(
        &mut self,
        accounts: &mut Accounts,
        queue: &mut Queue,
        events: &[u8],
    ) -> Result<(), DecodeOrState> {
        let events = Event::decode_all(events).map_err(DecodeOrState::Decode)?;
        self.events(accounts, queue, &events).map_err(DecodeOrState::State)
    }

    /// The same for who has read them already.
    pub(crate) fn events(&mut self, accounts: &mut Accounts, queue: &mut Queue, events: &[Event]) -> Result<()> {
        events.iter().try_for_each(|event| self.shard_event(accounts, queue, event))
    }

    fn shard_event(&mut self, accounts: &mut Accounts, queue: &mut Queue, event: &Event) -> Result<()> {
        match event {
            Event::Mending(Mending::EventsLost { .. }) => self.lenient = true,
            Event::Mending(Mending::EventsWhole) => self.lenient = false,
            _ => {}
        }
        if !self.is_lenient() {
            return accounts.apply(event).and_then(|()| queue.apply(event));
        }
        self.made_up += accounts.missing_before(event)?.len() as u64;
        accounts.apply(event)?;
        // An item that was queued in a lost event is unknown; what became of it changes nothing.
        self.skipped += u64::from(queue.apply(event).is_err());
        Ok(())
    }

    /// One event frame of the control shard.
    pub(crate) fn control(&mut self, directory: &mut Directory, payload: &[u8]) -> Result<(), DecodeOrState> {
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            let event = directory::Event::decode(&mut reader).map_err(DecodeOrState::Decode)?;
            self.control_event(directory, &event).map_err(DecodeOrState::State)?;
        }
        Ok(())
    }

    fn control_event(&mut self, directory: &mut Directory, event: &directory::Event) -> Result<()> {
        match event {
            directory::Event::Mending(Mending::EventsLost { .. }) => self.lenient = true,
            directory::Event::Mending(Mending::EventsWhole) => self.lenient = false,
            directory::Event::DirectoryPut { last, bytes } => {
                self.pieces.extend_from_slice(bytes);
                if *last {
                    *directory = Directory::decode_snapshot(&std::mem::take(&mut self.pieces))?;
                }
            }
            event if self.is_lenient() => {
                self.made_up += directory.make_up_before(event).len() as u64;
                // What still contradicts the state is of something that was lost with it.
                self.skipped += u64::from(directory.apply(event).is_err());
            }
            event => directory.apply(event)?,
        }
        Ok(())
    }
}
