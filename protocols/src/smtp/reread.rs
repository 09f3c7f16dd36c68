//! A message that the queue brings to an address of ours, read once more for the policies that are asked there. Judges nothing.
use super::letter::{self, Addressed, Says};
use super::header;
use posthouse_engine::mailflow::{Advice, Facts, Letter};

/// What it says.
pub(crate) struct Reread {
    says: Says,
    more: Addressed,
}

impl Reread {
    /// Reads its header.
    pub(crate) fn of(message: &[u8]) -> Reread {
        let header_bytes = header::read(message).size_bytes;
        Reread { says: letter::read(message, header_bytes), more: letter::addressed(message, header_bytes) }
    }

    /// For policies, with what was known of it before.
    pub(crate) fn letter<'a>(&'a self, facts: Facts, advice: Advice<'a>) -> Letter<'a> {
        Letter {
            from: &self.says.from,
            subject: &self.says.subject,
            facts,
            to: &self.more.to,
            automatic: self.more.automatic,
            fields: &self.more.fields,
            size_bytes: self.more.size_bytes,
            advice,
            ..Letter::default()
        }
    }
}
