//! Events that repair writes: what stands where something was taken out, and whole accounts as they were (docs/format.md, "Mending events").
//! Pure; what they do to a state is the index's to say.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, MailboxId, ModSeq, Uid};

/// Tags below this are ordinary events.
pub const MENDING_TAG_MIN: u8 = 64;
const VOID: u8 = 64;
const EVENTS_LOST: u8 = 65;
const EVENTS_WHOLE: u8 = 66;
const UIDS_RAISED: u8 = 67;
const ACCOUNT_PUT: u8 = 68;
const ENTRIES_PUT: u8 = 69;
const DATED: u8 = 71;

/// A fact that a repair states.
#[expect(missing_docs, reason = "fields are named after their types, which say what they are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mending {
    /// `len` zero bytes where a message, or other events of this frame, stood.
    Void { len: u32 },
    /// The same where events were lost: from here on the fold makes up for what later events need of them.
    EventsLost { len: u32 },
    /// Everything before this was written by the state that the log has now: the fold is strict again.
    EventsWhole,
    /// A mailbox's counters are at least these: what was given out and lost is never given out again.
    UidsRaised { account: AccountId, mailbox: MailboxId, uid_next: Uid, modseq: ModSeq },
    /// An account is as this record says (that of an index part, its mailboxes without entries), whatever it was before.
    AccountPut { record: Vec<u8> },
    /// Entries of 64 bytes each, as they were, added to a mailbox behind those it has; its counters stay.
    EntriesPut { account: AccountId, mailbox: MailboxId, entries: Vec<u8> },
    /// Everything before this in the log was written by `when`, seconds since 1970 UTC. Changes nothing.
    Dated { when: i64 },
}

impl Mending {
    /// Appends the event.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Mending::Void { len } => put_filler(out, VOID, *len),
            Mending::EventsLost { len } => put_filler(out, EVENTS_LOST, *len),
            Mending::EventsWhole => out.put_u8(EVENTS_WHOLE),
            Mending::UidsRaised { account, mailbox, uid_next, modseq } => {
                out.put_u8(UIDS_RAISED);
                out.put_varint(account.0);
                out.put_varint(u64::from(mailbox.0));
                out.put_varint(u64::from(uid_next.0));
                out.put_varint(modseq.0);
            }
            Mending::AccountPut { record } => {
                out.put_u8(ACCOUNT_PUT);
                out.put_bytes(record);
            }
            Mending::EntriesPut { account, mailbox, entries } => {
                out.put_u8(ENTRIES_PUT);
                out.put_varint(account.0);
                out.put_varint(u64::from(mailbox.0));
                out.put_bytes(entries);
            }
            Mending::Dated { when } => {
                out.put_u8(DATED);
                out.put_i64(*when);
            }
        }
    }

    /// Reads the event behind its tag.
    pub fn decode(tag: u8, reader: &mut Reader<'_>) -> Result<Mending, DecodeError> {
        Ok(match tag {
            VOID => Mending::Void { len: filler(reader)? },
            EVENTS_LOST => Mending::EventsLost { len: filler(reader)? },
            EVENTS_WHOLE => Mending::EventsWhole,
            UIDS_RAISED => Mending::UidsRaised {
                account: AccountId(reader.varint()?),
                mailbox: MailboxId(reader.varint_u32()?),
                uid_next: Uid(reader.varint_u32()?),
                modseq: ModSeq(reader.varint()?),
            },
            ACCOUNT_PUT => Mending::AccountPut { record: reader.bytes()?.to_vec() },
            ENTRIES_PUT => Mending::EntriesPut {
                account: AccountId(reader.varint()?),
                mailbox: MailboxId(reader.varint_u32()?),
                entries: reader.bytes()?.to_vec(),
            },
            DATED => Mending::Dated { when: reader.i64()? },
            _ => return reader.error("a mending event's tag of 64 to 69 or 71 expected before this byte"),
        })
    }
}

fn put_filler(out: &mut Vec<u8>, tag: u8, len: u32) {
    out.put_u8(tag);
    out.put_varint(u64::from(len));
    out.resize(out.len() + len as usize, 0);
}

fn filler(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let at = reader.position();
    let bytes = reader.bytes()?;
    if bytes.iter().any(|byte| *byte != 0) {
        return Err(DecodeError { at, what: "zero bytes in place of what was lost expected" });
    }
    u32::try_from(bytes.len()).map_err(|_| DecodeError { at, what: "a length of 32 bits expected" })
}

/// Whether a tag means the same in the control shard's log.
pub fn is_common(tag: u8) -> bool {
    (MENDING_TAG_MIN..=EVENTS_WHOLE).contains(&tag) || tag == DATED
}

/// The control shard's event of a whole directory.
pub const DIRECTORY_PUT: u8 = 70;

/// A payload of exactly `len` bytes (none, or two and more) that stands where something was: with `lost`, where events may have been.
pub fn filler_payload(len: usize, lost: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    let tag = if lost { EVENTS_LOST } else { VOID };
    while out.len() < len {
        let rest = len - out.len();
        // One filler takes all that is left unless its length's own length would jump over it; two bytes are always left for the next.
        let fits = (rest.saturating_sub(11)..rest).rev().find(|inner| 1 + varint_len(*inner) + inner == rest);
        let inner = fits.unwrap_or_else(|| rest - 1 - varint_len(rest) - 2);
        put_filler(&mut out, tag, inner as u32);
    }
    out
}

fn varint_len(value: usize) -> usize {
    (64 - (value as u64 | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Event;

    #[test]
    fn fillers_of_every_length() {
        for len in (0..20_000).filter(|len| *len != 1).chain([1 << 21, (1 << 21) + 3, (1 << 21) + 4, (1 << 21) + 5]) {
            for lost in [false, true] {
                let payload = filler_payload(len, lost);
                assert_eq!(payload.len(), len);
                let events = Event::decode_all(&payload).unwrap_or_else(|why| panic!("{len}: {why}"));
                let fits = |event: &Event| match event {
                    Event::Mending(Mending::EventsLost { .. }) => lost,
                    Event::Mending(Mending::Void { .. }) => !lost,
                    _ => false,
                };
                assert!(events.iter().all(fits) && events.len() <= 2, "{len}: {events:?}");
            }
        }
    }
}
