//! A message that the queue brings to an address of ours, read once more for the policies that are asked there. Judges nothing.
use super::away::About;
use super::header;
use super::letter::{self, Addressed, Says};
use posthouse_engine::directory::Address;
use posthouse_engine::mailflow::{Advice, Facts, HasMailbox, Letter};
use posthouse_engine::queue::TlsDemand;

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

    /// As what somebody answers who is away. `id` names it in logs.
    pub(crate) fn about<'a>(&'a self, id: u64, sender: &'a str, tls: TlsDemand) -> About<'a> {
        About { id, sender, subject: &self.says.subject, message_id: &self.says.message_id, tls }
    }

    /// For policies, with what was known of it before.
    pub(crate) fn letter<'a>(
        &'a self,
        passed: &'a [Address],
        (facts, advice): (Facts, Advice<'a>),
        has_mailbox: &'a HasMailbox<'a>,
    ) -> Letter<'a> {
        Letter {
            passed,
            has_mailbox: Some(has_mailbox),
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
