//! Index parts: whatever the bytes, opening and reading one gives accounts or an error; with right crcs put in, so that what stands
//! behind them is reached. An account that is read can be changed.
#![no_main]
use posthouse_engine::base::bytes::{DecodeError, Reader};
use posthouse_engine::base::{AccountId, MailboxId, ModSeq, Uid, UidSet};
use posthouse_engine::disk::Map;
use posthouse_engine::format::Event;
use posthouse_engine::format::frame::salted_crc;
use posthouse_engine::index::{Accounts, Part, Parts};
use posthouse_engine::queue::Queue;
use posthouse_fuzz::state;
use std::ops::Range;
use std::sync::Arc;

posthouse_fuzz::target!(run, seeds: vec![state::part()]);

const TRAILER_BYTES: usize = 24;
const ROW_BYTES: usize = 24;

fn run(data: &[u8]) {
    read(data.to_vec());
    let mut fixed = data.to_vec();
    if fix(&mut fixed).is_some() {
        read(fixed);
    }
}

fn read(bytes: Vec<u8>) {
    let Ok(part) = Part::open("part", Map::owned(bytes)) else { return };
    let _ = Queue::decode(&mut Reader::new(part.state()));
    let ids: Vec<AccountId> = part.accounts().take(100).collect();
    let parts = Arc::new(Parts::new(vec![Arc::new(part)]));
    for id in ids {
        let Ok(Some(account)) = parts.load(id) else { continue };
        for mailbox in &account.mailboxes {
            let entries = &mailbox.entries;
            let readable = entries.range(0..entries.len()).take(2_000).all(|entry| entry.is_ok());
            let _ = (readable, entries.position(Uid(3)), entries.lower_bound(Uid(u32::MAX)));
            change(Accounts::new(parts.clone()), account.id, mailbox.id);
        }
        let _ =
            Accounts::new(parts.clone()).apply(&Event::MailboxRemoved { account: account.id, mailbox: MailboxId(1) });
    }
}

fn change(mut accounts: Accounts, account: AccountId, mailbox: MailboxId) {
    let modseq = ModSeq(u64::MAX / 2);
    let uids = UidSet::range(Uid(1), Uid(u32::MAX));
    if accounts.apply(&Event::Expunged { account, mailbox, modseq, uids }).is_ok() {
        let _ = accounts.apply(&Event::MailboxRemoved { account, mailbox });
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

fn range(bytes: &[u8], start: usize, len: usize) -> Option<Range<usize>> {
    let end = start.checked_add(len)?;
    bytes.get(start..end).map(|_| start..end)
}

fn put_crc(bytes: &mut [u8], of: Range<usize>, at: usize) -> Option<()> {
    let crc = salted_crc(0, bytes.get(of)?);
    bytes.get_mut(at..at + 4)?.copy_from_slice(&crc.to_le_bytes());
    Some(())
}

/// Puts right crcs to the records, the table, the state and the meta that the trailer leads to.
fn fix(bytes: &mut [u8]) -> Option<()> {
    let trailer = bytes.len().checked_sub(TRAILER_BYTES)?;
    let meta_len = u32::from_le_bytes(*bytes.get(trailer + 8..)?.first_chunk()?) as usize;
    let meta = range(bytes, u64_at(bytes, trailer)?, meta_len)?;
    let [(table, table_crc_at), (state, state_crc_at)] = sections(&bytes[meta.clone()]).ok()?;
    let table = range(bytes, table.0, table.1)?;
    for row in table.clone().step_by(ROW_BYTES) {
        let Some(offset) = u64_at(bytes, row + 8) else { continue };
        let Some(len) = bytes.get(row + 16..).and_then(|rest| rest.first_chunk()) else { continue };
        let len = u32::from_le_bytes(*len) as usize;
        if let Some(record) = range(bytes, offset, len).filter(|record| record.len() > 4) {
            put_crc(bytes, record.start..record.end - 4, record.end - 4);
        }
    }
    put_crc(bytes, table, meta.start + table_crc_at);
    let state = range(bytes, state.0, state.1)?;
    put_crc(bytes, state, meta.start + state_crc_at);
    put_crc(bytes, meta, trailer + 12)
}

type Section = ((usize, usize), usize);

/// Offset and length of table and state, and where in the meta their crcs stand.
fn sections(meta: &[u8]) -> Result<[Section; 2], DecodeError> {
    let mut reader = Reader::new(meta);
    // Shard, part and Lsn.
    (reader.varint()?, reader.varint()?, reader.varint()?);
    let mut section = || {
        let (offset, len) = (reader.varint()? as usize, reader.varint()? as usize);
        let at = reader.position();
        reader.u32()?;
        Ok(((offset, len), at))
    };
    Ok([section()?, section()?])
}
