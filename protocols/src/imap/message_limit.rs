//! How many messages one command works on (RFC 9738). By default only those commands are held to the announced number that keep copies in memory
//! and do all or nothing: APPEND, and COPY and MOVE to another shard (SAVELIMIT). Others work on any number, for a client that takes what it is
//! not told of for gone would lose it. With `cuts` every command is held to it (MESSAGELIMIT).
use super::answer::Answer;
use super::set::{self, Positions};
use super::state::Session;
use posthouse_engine::base::{Result, Uid};
use posthouse_engine::index::EntryTable;

/// What a command has been cut down to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    messages_max: u32,
    /// The lowest uid that it works on.
    lowest: Uid,
}

impl Session {
    /// What CAPABILITY says of it.
    pub(super) fn announced_limit(&self) -> String {
        let limit = self.shared.message_limit;
        format!("{}={}", if limit.cuts { "MESSAGELIMIT" } else { "SAVELIMIT" }, limit.messages_max)
    }

    /// Leaves of the messages that a command names those with the highest uids, if they are more than a command works on.
    pub(super) fn cut(&self, positions: &mut Positions, entries: &EntryTable) -> Result<Option<Cut>> {
        if self.shared.message_limit.cuts { self.cut_to_limit(positions, entries) } else { Ok(None) }
    }

    /// The answer to a command that is done for all its messages or for none, when they are more than that.
    pub(super) fn refuse_more(&self, mut positions: Positions, entries: &EntryTable) -> Result<Option<Answer>> {
        let cut = self.cut_to_limit(&mut positions, entries)?;
        Ok(cut.map(|cut| Answer::no(format!("{} Too many messages; take fewer at a time", cut.code()))))
    }

    fn cut_to_limit(&self, positions: &mut Positions, entries: &EntryTable) -> Result<Option<Cut>> {
        let messages_max = self.shared.message_limit.messages_max;
        if set::count(positions) <= messages_max as usize {
            return Ok(None);
        }
        set::keep_last(positions, messages_max as usize);
        let Some(first) = positions.first() else {
            return Ok(None);
        };
        Ok(Some(Cut { messages_max, lowest: entries.get(first.start)?.uid }))
    }

    /// The answer to a command that gives the number without a uid: nothing has been done.
    pub(super) fn over_limit(&self) -> Answer {
        let max = self.shared.message_limit.messages_max;
        Answer::no(format!("[MESSAGELIMIT {max}] At most {max} messages at a time; nothing was done"))
    }

    /// Tells with the answer what a command was cut down to; before it when it has another response code (RFC 9738 section 3.1).
    pub(super) fn with_cut(&mut self, cut: Option<Cut>, answer: Answer) -> Answer {
        let Some(cut) = cut else {
            return answer;
        };
        let (code, max) = (cut.code(), cut.messages_max);
        match answer {
            Answer::Ok(text) if !text.starts_with('[') => {
                Answer::ok(format!("{code} {text} for the last {max} messages"))
            }
            answer => {
                self.untagged(&format!("NO {code} Only the last {max} messages were looked at"));
                answer
            }
        }
    }
}

impl Cut {
    fn code(&self) -> String {
        format!("[MESSAGELIMIT {} {}]", self.messages_max, self.lowest.0)
    }
}
