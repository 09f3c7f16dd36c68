//! The events of an account shard and their bytes (docs/format.md, "Shard events"). Pure; what an event does to a state is the index's and the queue's to say.
use super::mending::{MENDING_TAG_MIN, Mending};
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{
    AccountId, FlagMode, Flags, Guid, Keywords, Locator, MailboxId, ModSeq, QueueId, SegmentId, SpecialUse, Uid, UidSet,
};

/// Where one copy of a delivered message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredTo {
    /// The account.
    pub account: AccountId,
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// The new entry's uid.
    pub uid: Uid,
    /// The new entry's modseq.
    pub modseq: ModSeq,
    /// The new entry's flags.
    pub flags: Flags,
    /// The new entry's keywords.
    pub keywords: Keywords,
}

/// What came of one attempt for one recipient of a queue item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its place among the item's recipients.
    pub recipient: u32,
    /// 0 waits, 1 relayed, 2 failed.
    pub fate: u8,
    /// When it is to be tried again, seconds since 1970 UTC.
    pub next_try: i64,
    /// What was answered, or what went wrong.
    pub reply: String,
}

/// One fact about a shard.
#[expect(missing_docs, reason = "fields are named after their types, which say what they are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An account is used for the first time: it gets INBOX, Drafts, Sent, Junk and Trash with ids 1 to 5 and UIDVALIDITYs from `uid_validity` on.
    AccountOpened { account: AccountId, uid_validity: u32 },
    /// A mailbox was made.
    MailboxMade {
        account: AccountId,
        mailbox: MailboxId,
        uid_validity: u32,
        special_use: Option<SpecialUse>,
        name: String,
    },
    /// A mailbox has a new name.
    MailboxRenamed { account: AccountId, mailbox: MailboxId, name: String },
    /// A mailbox and all its entries are gone.
    MailboxRemoved { account: AccountId, mailbox: MailboxId },
    /// A name was subscribed to or not any more.
    Subscribed { account: AccountId, on: bool, name: String },
    /// The mailbox's keyword table has one more.
    KeywordMade { account: AccountId, mailbox: MailboxId, name: String },
    /// A message has new entries: by delivery, APPEND, COPY or MOVE.
    Delivered {
        guid: Guid,
        locator: Locator,
        size_bytes: u32,
        internal_date: i64,
        save_date: u32,
        to: Vec<DeliveredTo>,
    },
    /// Flags changed; entries that come out as they were keep their modseq.
    FlagsChanged {
        account: AccountId,
        mailbox: MailboxId,
        modseq: ModSeq,
        mode: FlagMode,
        flags: Flags,
        keywords: Keywords,
        uids: UidSet,
    },
    /// Entries are gone.
    Expunged { account: AccountId, mailbox: MailboxId, modseq: ModSeq, uids: UidSet },
    /// Entries below `uid` were shown to a session as \Recent.
    RecentClaimed { account: AccountId, mailbox: MailboxId, uid: Uid },
    /// Another member than the owner has seen entries, or wants them unseen; they get the modseq.
    SeenChanged { account: AccountId, mailbox: MailboxId, reader: AccountId, modseq: ModSeq, on: bool, uids: UidSet },
    /// An annotation was set, or taken away; mailbox 0 is the account itself.
    MetadataSet { account: AccountId, mailbox: MailboxId, name: String, value: Option<Vec<u8>> },
    /// Compaction has left an entry's `Delivered` out, since the entry is gone: only its numbers stay used.
    Skipped { account: AccountId, mailbox: MailboxId, uid: Uid, modseq: ModSeq },
    /// A message waits for other hosts; `item` is the queue's encoding.
    Queued { id: QueueId, guid: Guid, locator: Locator, size_bytes: u32, created: i64, item: Vec<u8> },
    /// A queue item's state or time changed.
    QueueChanged { id: QueueId, state: u8, next_try: i64 },
    /// A queue item is done or was removed.
    QueueRemoved { id: QueueId },
    /// An attempt for some recipients of an item is over.
    QueueTried { id: QueueId, tried: Vec<Tried> },
    /// The sender of an item has been told that some recipients are delayed.
    QueueWarned { id: QueueId, recipients: Vec<u32> },
    /// A message has come to accounts by a recipient of a queue item (item 0: from a client), and waits in the queue for others.
    Reached { origin: Guid, id: QueueId, recipient: u32, when: i64, accounts: Vec<AccountId> },
    /// Messages are in the queue for nobody any more.
    ReachedForgotten { origins: Vec<Guid> },
    /// What a repair states.
    Mending(Mending),
    /// Everything in the account is gone; it has no mailbox any more, and gets none.
    AccountPurged { account: AccountId },
}

fn put_place(out: &mut Vec<u8>, tag: u8, account: AccountId, mailbox: MailboxId) {
    out.put_u8(tag);
    out.put_varint(account.0);
    out.put_varint(u64::from(mailbox.0));
}

fn put_message(out: &mut Vec<u8>, guid: Guid, locator: Locator, size_bytes: u32) {
    out.put(&guid.0);
    out.put_varint(u64::from(locator.segment.0));
    out.put_varint(u64::from(locator.offset));
    out.put_varint(u64::from(size_bytes));
}

impl Event {
    /// Appends the event.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Event::AccountOpened { account, uid_validity } => {
                out.put_u8(1);
                out.put_varint(account.0);
                out.put_u32(*uid_validity);
            }
            Event::MailboxMade { account, mailbox, uid_validity, special_use, name } => {
                put_place(out, 2, *account, *mailbox);
                out.put_u32(*uid_validity);
                out.put_u8(SpecialUse::code(*special_use));
                out.put_str(name);
            }
            Event::MailboxRenamed { account, mailbox, name } => {
                put_place(out, 3, *account, *mailbox);
                out.put_str(name);
            }
            Event::MailboxRemoved { account, mailbox } => put_place(out, 4, *account, *mailbox),
            Event::Subscribed { account, on, name } => {
                out.put_u8(5);
                out.put_varint(account.0);
                out.put_u8(u8::from(*on));
                out.put_str(name);
            }
            Event::KeywordMade { account, mailbox, name } => {
                put_place(out, 6, *account, *mailbox);
                out.put_str(name);
            }
            Event::Delivered { .. } => self.encode_delivered(out),
            Event::FlagsChanged { account, mailbox, modseq, mode, flags, keywords, uids } => {
                put_place(out, 8, *account, *mailbox);
                out.put_varint(modseq.0);
                out.put_u8(mode.code());
                out.put_varint(u64::from(flags.0));
                out.put_varint(keywords.0);
                uids.encode(out);
            }
            Event::Expunged { account, mailbox, modseq, uids } => {
                put_place(out, 9, *account, *mailbox);
                out.put_varint(modseq.0);
                uids.encode(out);
            }
            Event::RecentClaimed { account, mailbox, uid } => {
                put_place(out, 10, *account, *mailbox);
                out.put_varint(u64::from(uid.0));
            }
            Event::MetadataSet { account, mailbox, name, value } => {
                put_place(out, 20, *account, *mailbox);
                out.put_str(name);
                out.put_u8(u8::from(value.is_some()));
                value.iter().for_each(|value| out.put_bytes(value));
            }
            Event::Queued { .. }
            | Event::QueueChanged { .. }
            | Event::QueueRemoved { .. }
            | Event::QueueTried { .. }
            | Event::QueueWarned { .. } => self.encode_queue(out),
            Event::Reached { .. } | Event::ReachedForgotten { .. } => self.encode_reached(out),
            Event::Mending(mending) => mending.encode(out),
            Event::Skipped { account, mailbox, uid, modseq } => {
                put_place(out, 16, *account, *mailbox);
                out.put_varint(u64::from(uid.0));
                out.put_varint(modseq.0);
            }
            Event::AccountPurged { .. } | Event::SeenChanged { .. } => self.encode_seen(out),
        }
    }

    fn encode_seen(&self, out: &mut Vec<u8>) {
        if let Event::AccountPurged { account } = self {
            out.put_u8(21);
            out.put_varint(account.0);
        }
        let Event::SeenChanged { account, mailbox, reader, modseq, on, uids } = self else { return };
        put_place(out, 24, *account, *mailbox);
        out.put_varint(reader.0);
        out.put_varint(modseq.0);
        out.put_u8(u8::from(*on));
        uids.encode(out);
    }

    fn encode_reached(&self, out: &mut Vec<u8>) {
        match self {
            Event::Reached { origin, id, recipient, when, accounts } => {
                out.put_u8(17);
                out.put(&origin.0);
                out.put_varint(id.0);
                out.put_varint(u64::from(*recipient));
                out.put_i64(*when);
                out.put_varint(accounts.len() as u64);
                accounts.iter().for_each(|account| out.put_varint(account.0));
            }
            Event::ReachedForgotten { origins } => {
                out.put_u8(18);
                out.put_varint(origins.len() as u64);
                origins.iter().for_each(|origin| out.put(&origin.0));
            }
            _ => {}
        }
    }

    fn encode_delivered(&self, out: &mut Vec<u8>) {
        let Event::Delivered { guid, locator, size_bytes, internal_date, save_date, to } = self else { return };
        out.put_u8(7);
        put_message(out, *guid, *locator, *size_bytes);
        out.put_i64(*internal_date);
        out.put_u32(*save_date);
        out.put_varint(to.len() as u64);
        for copy in to {
            out.put_varint(copy.account.0);
            out.put_varint(u64::from(copy.mailbox.0));
            out.put_varint(u64::from(copy.uid.0));
            out.put_varint(copy.modseq.0);
            out.put_varint(u64::from(copy.flags.0));
            out.put_varint(copy.keywords.0);
        }
    }

    fn encode_queue(&self, out: &mut Vec<u8>) {
        match self {
            Event::Queued { id, guid, locator, size_bytes, created, item } => {
                out.put_u8(11);
                out.put_varint(id.0);
                put_message(out, *guid, *locator, *size_bytes);
                out.put_i64(*created);
                out.put_bytes(item);
            }
            Event::QueueChanged { id, state, next_try } => {
                out.put_u8(12);
                out.put_varint(id.0);
                out.put_u8(*state);
                out.put_i64(*next_try);
            }
            Event::QueueRemoved { id } => {
                out.put_u8(13);
                out.put_varint(id.0);
            }
            Event::QueueTried { id, tried } => {
                out.put_u8(14);
                out.put_varint(id.0);
                out.put_varint(tried.len() as u64);
                for one in tried {
                    out.put_varint(u64::from(one.recipient));
                    out.put_u8(one.fate);
                    out.put_i64(one.next_try);
                    out.put_str(&one.reply);
                }
            }
            Event::QueueWarned { id, recipients } => {
                out.put_u8(15);
                out.put_varint(id.0);
                out.put_varint(recipients.len() as u64);
                recipients.iter().for_each(|recipient| out.put_varint(u64::from(*recipient)));
            }
            _ => {}
        }
    }

    /// Reads one event.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
        let tag = reader.u8()?;
        Ok(match tag {
            1 => Event::AccountOpened { account: account(reader)?, uid_validity: reader.u32()? },
            2 => Event::MailboxMade {
                account: account(reader)?,
                mailbox: mailbox(reader)?,
                uid_validity: reader.u32()?,
                special_use: SpecialUse::decode(reader)?,
                name: reader.str()?.to_owned(),
            },
            3 => Event::MailboxRenamed {
                account: account(reader)?,
                mailbox: mailbox(reader)?,
                name: reader.str()?.to_owned(),
            },
            4 => Event::MailboxRemoved { account: account(reader)?, mailbox: mailbox(reader)? },
            5 => Event::Subscribed { account: account(reader)?, on: reader.u8()? != 0, name: reader.str()?.to_owned() },
            6 => Event::KeywordMade {
                account: account(reader)?,
                mailbox: mailbox(reader)?,
                name: reader.str()?.to_owned(),
            },
            7 => delivered(reader)?,
            8 => Event::FlagsChanged {
                account: account(reader)?,
                mailbox: mailbox(reader)?,
                modseq: ModSeq(reader.varint()?),
                mode: FlagMode::decode(reader)?,
                flags: flags(reader)?,
                keywords: Keywords(reader.varint()?),
                uids: UidSet::decode(reader)?,
            },
            9 => Event::Expunged {
                account: account(reader)?,
                mailbox: mailbox(reader)?,
                modseq: ModSeq(reader.varint()?),
                uids: UidSet::decode(reader)?,
            },
            10 => Event::RecentClaimed {
                account: account(reader)?,
                mailbox: mailbox(reader)?,
                uid: Uid(reader.varint_u32()?),
            },
            11 => queued(reader)?,
            12 => Event::QueueChanged { id: QueueId(reader.varint()?), state: reader.u8()?, next_try: reader.i64()? },
            13 => Event::QueueRemoved { id: QueueId(reader.varint()?) },
            14 => Event::QueueTried { id: QueueId(reader.varint()?), tried: tried(reader)? },
            15 => Event::QueueWarned {
                id: QueueId(reader.varint()?),
                recipients: (0..reader.count()?).map(|_| reader.varint_u32()).collect::<Result<_, _>>()?,
            },
            16 => Event::Skipped {
                account: account(reader)?,
                mailbox: mailbox(reader)?,
                uid: Uid(reader.varint_u32()?),
                modseq: ModSeq(reader.varint()?),
            },
            17 | 18 => reached(tag, reader)?,
            20 => metadata_set(reader)?,
            21 => Event::AccountPurged { account: account(reader)? },
            24 => seen_changed(reader)?,
            tag if tag >= MENDING_TAG_MIN => Event::Mending(Mending::decode(tag, reader)?),
            _ => return reader.error("the tag of a shard event expected before this byte"),
        })
    }

    /// All events of a transaction's payload, in order.
    pub fn decode_all(payload: &[u8]) -> Result<Vec<Event>, DecodeError> {
        let mut reader = Reader::new(payload);
        let mut events = Vec::new();
        while !reader.is_empty() {
            events.push(Event::decode(&mut reader)?);
        }
        Ok(events)
    }
}

fn account(reader: &mut Reader<'_>) -> Result<AccountId, DecodeError> {
    Ok(AccountId(reader.varint()?))
}

fn mailbox(reader: &mut Reader<'_>) -> Result<MailboxId, DecodeError> {
    Ok(MailboxId(reader.varint_u32()?))
}

fn flags(reader: &mut Reader<'_>) -> Result<Flags, DecodeError> {
    match u16::try_from(reader.varint()?) {
        Ok(bits) => Ok(Flags(bits)),
        Err(_) => reader.error("flags of 16 bits expected"),
    }
}

fn locator(reader: &mut Reader<'_>) -> Result<Locator, DecodeError> {
    Ok(Locator { segment: SegmentId(reader.varint_u32()?), offset: reader.varint_u32()? })
}

fn delivered(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let guid = Guid(reader.array()?);
    let (locator, size_bytes) = (locator(reader)?, reader.varint_u32()?);
    let (internal_date, save_date) = (reader.i64()?, reader.u32()?);
    let count = reader.count()?;
    let mut to = Vec::with_capacity(count);
    for _ in 0..count {
        to.push(DeliveredTo {
            account: account(reader)?,
            mailbox: mailbox(reader)?,
            uid: Uid(reader.varint_u32()?),
            modseq: ModSeq(reader.varint()?),
            flags: flags(reader)?,
            keywords: Keywords(reader.varint()?),
        });
    }
    Ok(Event::Delivered { guid, locator, size_bytes, internal_date, save_date, to })
}

fn reached(tag: u8, reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    if tag == 18 {
        let origins = (0..reader.count()?).map(|_| reader.array().map(Guid)).collect::<Result<_, _>>()?;
        return Ok(Event::ReachedForgotten { origins });
    }
    Ok(Event::Reached {
        origin: Guid(reader.array()?),
        id: QueueId(reader.varint()?),
        recipient: reader.varint_u32()?,
        when: reader.i64()?,
        accounts: (0..reader.count()?).map(|_| account(reader)).collect::<Result<_, _>>()?,
    })
}

fn seen_changed(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let (account, mailbox, who) = (account(reader)?, mailbox(reader)?, account(reader)?);
    let modseq = ModSeq(reader.varint()?);
    let on = match reader.u8()? {
        0 => false,
        1 => true,
        _ => return reader.error("0 or 1 expected before this byte"),
    };
    Ok(Event::SeenChanged { account, mailbox, reader: who, modseq, on, uids: UidSet::decode(reader)? })
}

fn metadata_set(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let (account, mailbox, name) = (account(reader)?, mailbox(reader)?, reader.str()?.to_owned());
    let value = match reader.u8()? {
        0 => None,
        1 => Some(reader.bytes()?.to_vec()),
        _ => return reader.error("whether a value follows expected before this byte"),
    };
    Ok(Event::MetadataSet { account, mailbox, name, value })
}

fn queued(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    Ok(Event::Queued {
        id: QueueId(reader.varint()?),
        guid: Guid(reader.array()?),
        locator: locator(reader)?,
        size_bytes: reader.varint_u32()?,
        created: reader.i64()?,
        item: reader.bytes()?.to_vec(),
    })
}

fn tried(reader: &mut Reader<'_>) -> Result<Vec<Tried>, DecodeError> {
    let one = |reader: &mut Reader<'_>| {
        Ok(Tried {
            recipient: reader.varint_u32()?,
            fate: reader.u8()?,
            next_try: reader.i64()?,
            reply: reader.str()?.to_owned(),
        })
    };
    (0..reader.count()?).map(|_| one(reader)).collect()
}
