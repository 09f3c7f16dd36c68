//! An account's record in an index part: everything but its entries, which are chunks it points to. Pure bytes.
use super::account::Account;
use super::chunk::{Chunk, Source};
use super::expunged::{Expunged, Gone};
use super::mailbox::Mailbox;
use super::metadata::Metadata;
use super::part::PartFile;
use super::readers::Readers;
use super::table::EntryTable;
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::limits::{CHUNK_ENTRIES_MAX, EXPUNGED_RANGES_MAX};
use crate::base::{AccountId, MailboxId, ModSeq, SpecialUse, Uid, UidSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Part, offset and crc of a chunk.
pub(super) type Place = (u32, u64, u32);

/// Bytes of a varint.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// Bytes of annotations in a record.
pub(super) fn metadata_bytes_max(metadata: &Metadata) -> usize {
    metadata.size_bytes() + (2 * metadata.len() + 1) * VARINT_BYTES_MAX
}

/// Appends the record and its crc32. `places` holds one place for each chunk, mailbox by mailbox.
pub(super) fn encode(account: &Account, places: &[Place], out: &mut Vec<u8>) {
    let start = out.len();
    out.put_varint(account.id.0);
    out.put_varint(account.used_bytes);
    out.put_varint(account.messages);
    out.put_varint(u64::from(account.mailbox_next.0));
    out.put_varint(u64::from(account.uid_validity_next));
    out.put_varint(account.subscriptions.len() as u64);
    account.subscriptions.iter().for_each(|name| out.put_str(name));
    encode_metadata(&account.metadata, out);
    out.put_varint(account.mailboxes.len() as u64);
    let mut places = places.iter();
    for mailbox in &account.mailboxes {
        encode_mailbox(mailbox, out);
        out.put_varint(mailbox.entries.chunk_count() as u64);
        for (chunk, (part, offset, crc)) in mailbox.entries.chunks().zip(places.by_ref()) {
            out.put_varint(u64::from(chunk.base.0));
            out.put_varint(u64::from(chunk.last.0 - chunk.base.0));
            out.put_varint(u64::from(chunk.len));
            out.put_varint(chunk.modseq_max.0);
            out.put_varint(u64::from(*part));
            out.put_varint(*offset);
            out.put_u32(*crc);
        }
    }
    encode_readers(account, out);
    let crc = crc32fast::hash(&out[start..]);
    out.put_u32(crc);
}

/// Nothing at all where no mailbox has readers, as in every record before there were any.
fn encode_readers(account: &Account, out: &mut Vec<u8>) {
    let shared = || account.mailboxes.iter().filter(|mailbox| !mailbox.readers.is_empty());
    if shared().next().is_none() {
        return;
    }
    out.put_varint(shared().count() as u64);
    for mailbox in shared() {
        out.put_varint(u64::from(mailbox.id.0));
        out.put_varint(mailbox.readers.len() as u64);
        for (reader, seen) in mailbox.readers.iter() {
            out.put_varint(reader.0);
            seen.encode(out);
        }
    }
}

/// Bytes of readers in a record.
pub(super) fn readers_bytes_max(readers: &Readers) -> usize {
    if readers.is_empty() { 0 } else { (3 + 2 * readers.len() + 2 * readers.range_count()) * VARINT_BYTES_MAX }
}

fn decode_readers(reader: &mut Reader<'_>, mailboxes: &mut [Arc<Mailbox>]) -> Result<(), DecodeError> {
    if reader.is_empty() {
        return Ok(());
    }
    let mut before = 0;
    for _ in 0..reader.count()? {
        let id = reader.varint_u32()?;
        let found = mailboxes.binary_search_by_key(&id, |mailbox| mailbox.id.0).ok().filter(|_| id > before);
        let Some(at) = found else {
            return reader.error("mailboxes of the account, ascending, expected");
        };
        before = id;
        let readers = &mut Arc::make_mut(&mut mailboxes[at]).readers;
        let mut last = None;
        for _ in 0..reader.count()? {
            let who = AccountId(reader.varint()?);
            let seen = UidSet::decode(reader)?;
            if seen.is_empty() || last.is_some_and(|last| who <= last) {
                return reader.error("readers, ascending, that have seen something expected");
            }
            last = Some(who);
            readers.set(who, seen);
        }
    }
    if reader.is_empty() { Ok(()) } else { reader.error("the end of the record expected") }
}

fn encode_mailbox(mailbox: &Mailbox, out: &mut Vec<u8>) {
    out.put_varint(u64::from(mailbox.id.0));
    out.put_str(&mailbox.name);
    out.put_varint(u64::from(mailbox.uid_validity));
    out.put_varint(u64::from(mailbox.uid_next.0));
    out.put_varint(mailbox.highest_modseq.0);
    out.put_u8(SpecialUse::code(mailbox.special_use));
    out.put_varint(mailbox.keywords.len() as u64);
    mailbox.keywords.iter().for_each(|keyword| out.put_str(keyword));
    out.put_varint(u64::from(mailbox.unseen));
    out.put_varint(u64::from(mailbox.deleted));
    out.put_varint(mailbox.size_bytes);
    out.put_varint(u64::from(mailbox.recent_from.0));
    encode_expunged(&mailbox.expunged, out);
    encode_metadata(&mailbox.metadata, out);
}

fn encode_metadata(metadata: &Metadata, out: &mut Vec<u8>) {
    out.put_varint(metadata.len() as u64);
    for (name, value) in metadata.iter() {
        out.put_str(name);
        out.put_bytes(value);
    }
}

fn encode_expunged(expunged: &Expunged, out: &mut Vec<u8>) {
    out.put_varint(expunged.ranges().len() as u64);
    let mut before = 0;
    for gone in expunged.ranges() {
        out.put_varint(u64::from(gone.first - before));
        out.put_varint(u64::from(gone.last - gone.first));
        out.put_varint(gone.modseq.0);
        before = gone.last;
    }
}

/// Reads a record; `part_of` gives the part of a number.
pub(super) fn decode(bytes: &[u8], part_of: &dyn Fn(u32) -> Option<Arc<PartFile>>) -> Result<Account, String> {
    let Some((body, crc)) = bytes.split_last_chunk::<4>() else {
        return Err("a record with a crc expected".into());
    };
    let (crc, found) = (u32::from_le_bytes(*crc), crc32fast::hash(body));
    if crc != found {
        return Err(format!("record crc {crc:08x} expected, {found:08x} found"));
    }
    let mut reader = Reader::new(body);
    let account = account(&mut reader, part_of).map_err(|why| why.to_string())?;
    match account.contradiction() {
        None => Ok(account),
        Some(what) => Err(format!("account {}: {what}", account.id)),
    }
}

fn account(reader: &mut Reader<'_>, part_of: &dyn Fn(u32) -> Option<Arc<PartFile>>) -> Result<Account, DecodeError> {
    let (id, used_bytes, messages) = (AccountId(reader.varint()?), reader.varint()?, reader.varint()?);
    let (mailbox_next, uid_validity_next) = (MailboxId(reader.varint_u32()?), reader.varint_u32()?);
    let subscriptions = (0..reader.count()?).map(|_| Ok(Arc::from(reader.str()?))).collect::<Result<_, _>>()?;
    let metadata = metadata(reader)?;
    let mut mailboxes: Vec<Arc<Mailbox>> = (0..reader.count()?)
        .map(|_| {
            let mut mailbox = mailbox(reader)?;
            let chunks = (0..reader.count()?).map(|_| chunk(reader, part_of)).collect::<Result<_, _>>()?;
            match EntryTable::from_chunks(chunks) {
                Some(entries) => mailbox.entries = entries,
                None => return reader.error("fewer entries expected"),
            }
            Ok(Arc::new(mailbox))
        })
        .collect::<Result<_, _>>()?;
    decode_readers(reader, &mut mailboxes)?;
    Ok(Account {
        id,
        used_bytes,
        messages,
        mailbox_next,
        uid_validity_next,
        mailboxes,
        subscriptions: Arc::new(subscriptions),
        metadata,
    })
}

fn mailbox(reader: &mut Reader<'_>) -> Result<Mailbox, DecodeError> {
    Ok(Mailbox {
        id: MailboxId(reader.varint_u32()?),
        name: reader.str()?.into(),
        uid_validity: reader.varint_u32()?,
        uid_next: Uid(reader.varint_u32()?),
        highest_modseq: ModSeq(reader.varint()?),
        special_use: SpecialUse::decode(reader)?,
        keywords: Arc::new(
            (0..reader.count()?).map(|_| Ok(reader.str()?.to_owned())).collect::<Result<_, DecodeError>>()?,
        ),
        entries: EntryTable::default(),
        unseen: reader.varint_u32()?,
        deleted: reader.varint_u32()?,
        size_bytes: reader.varint()?,
        recent_from: Uid(reader.varint_u32()?),
        expunged: expunged(reader)?,
        metadata: metadata(reader)?,
        readers: Readers::default(),
    })
}

fn metadata(reader: &mut Reader<'_>) -> Result<Metadata, DecodeError> {
    let mut metadata = Metadata::default();
    for _ in 0..reader.count()? {
        let name = reader.str()?.to_owned();
        metadata.set(&name, Some(reader.bytes()?));
    }
    Ok(metadata)
}

fn expunged(reader: &mut Reader<'_>) -> Result<Expunged, DecodeError> {
    let count = reader.count()?;
    let mut ranges = Vec::with_capacity(count.min(EXPUNGED_RANGES_MAX));
    let mut before = 0u32;
    for _ in 0..count {
        let (gap, span, modseq) = (reader.varint_u32()?, reader.varint_u32()?, ModSeq(reader.varint()?));
        let first = before.checked_add(gap).filter(|_| gap > 0);
        let Some((first, last)) = first.and_then(|first| Some((first, first.checked_add(span)?))) else {
            return reader.error("growing ranges of expunged uids expected");
        };
        ranges.push(Gone { first, last, modseq });
        before = last;
    }
    Ok(Expunged::new(ranges))
}

fn chunk(reader: &mut Reader<'_>, part_of: &dyn Fn(u32) -> Option<Arc<PartFile>>) -> Result<Chunk, DecodeError> {
    let (base, span, len) = (reader.varint_u32()?, reader.varint_u32()?, reader.varint_u32()?);
    let (modseq_max, part) = (ModSeq(reader.varint()?), reader.varint_u32()?);
    let (offset, crc) = (reader.varint()?, reader.u32()?);
    let Some(last) = base.checked_add(span).filter(|_| len > 0 && len as usize <= CHUNK_ENTRIES_MAX) else {
        return reader.error("a chunk of 1 to CHUNK_ENTRIES_MAX entries expected");
    };
    let Some(part) = part_of(part) else {
        return reader.error("a chunk in a part of this checkpoint expected");
    };
    let source = Source::Part { part, offset, crc, checked: AtomicBool::new(false) };
    Ok(Chunk::from_record((Uid(base), Uid(last)), len, modseq_max, source))
}
