//! Index parts: the checkpointed state of a shard in immutable, mapped files; the newest record of an account counts. Docs: format.md, "Index part". Writes through a sink, opens no file.
use super::account::Account;
use super::chunk::Source;
use super::record;
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, Error, Lsn, Result, ShardId};
use crate::disk::Map;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first bytes of an index part.
pub const PART_MAGIC: [u8; 8] = *b"PHIDX\0\0\x02";
/// The same of the layout before, which is not read: the log makes such parts anew.
pub const PART_MAGIC_BEFORE: [u8; 8] = *b"PHIDX\0\0\x01";
/// The last bytes of an index part that was written whole.
pub const PART_END: [u8; 8] = *b"PHIDXEND";
/// Bytes of the trailer: meta offset u64, meta length u32, meta crc u32, `PART_END`.
pub const TRAILER_BYTES: usize = 24;
/// Bytes of one row of the account table: id u64, record offset u64, record length u32, reserved u32.
pub(super) const ROW_BYTES: usize = 24;

/// A part's bytes and what errors call them.
pub(crate) struct PartFile {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) map: Map,
}

impl PartFile {
    /// Bytes that nothing has read since the start: a disk that cannot give them makes an error of it, and not the end of the process. None
    /// beyond the file.
    pub(super) fn first_read(&self, start: usize, len: usize) -> Option<Result<&[u8]>> {
        first_read(&self.name, &self.map, start, len)
    }
}

fn first_read<'a>(name: &str, map: &'a Map, start: usize, len: usize) -> Option<Result<&'a [u8]>> {
    let range = start..start.checked_add(len)?;
    let bytes = map.get(range.clone())?;
    Some(map.bring(range).map(|()| bytes).map_err(|why| Error::io(format!("read {name}"), why)))
}

/// One index part, mapped.
pub struct Part {
    file: Arc<PartFile>,
    meta: Meta,
    meta_crc: u32,
}

/// What a part says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Meta {
    shard: u16,
    id: u32,
    lsn: Lsn,
    table_offset: u64,
    table_len: u64,
    table_crc: u32,
    state_offset: u64,
    state_len: u64,
    state_crc: u32,
    parts: Vec<u32>,
    /// The meta crc of each of `parts` but the first; none in parts that were written before these were.
    older_crcs: Vec<u32>,
}

impl Meta {
    fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(u64::from(self.shard));
        out.put_varint(u64::from(self.id));
        out.put_varint(self.lsn.0);
        for (offset, len, crc) in
            [(self.table_offset, self.table_len, self.table_crc), (self.state_offset, self.state_len, self.state_crc)]
        {
            out.put_varint(offset);
            out.put_varint(len);
            out.put_u32(crc);
        }
        out.put_varint(self.parts.len() as u64);
        self.parts.iter().for_each(|part| out.put_varint(u64::from(*part)));
        self.older_crcs.iter().for_each(|crc| out.put_u32(*crc));
    }

    fn decode(bytes: &[u8]) -> Result<Meta, DecodeError> {
        let mut reader = Reader::new(bytes);
        let Ok(shard) = u16::try_from(reader.varint()?) else { return reader.error("a shard of 16 bits expected") };
        let (id, lsn) = (reader.varint_u32()?, Lsn(reader.varint()?));
        let (table_offset, table_len, table_crc) = (reader.varint()?, reader.varint()?, reader.u32()?);
        let (state_offset, state_len, state_crc) = (reader.varint()?, reader.varint()?, reader.u32()?);
        let parts: Vec<u32> = (0..reader.count()?).map(|_| reader.varint_u32()).collect::<Result<_, _>>()?;
        let crcs = if reader.is_empty() { 0 } else { parts.len().saturating_sub(1) };
        let older_crcs = (0..crcs).map(|_| reader.u32()).collect::<Result<_, _>>()?;
        Ok(Meta {
            shard,
            id,
            lsn,
            table_offset,
            table_len,
            table_crc,
            state_offset,
            state_len,
            state_crc,
            parts,
            older_crcs,
        })
    }
}

impl Part {
    /// Opens a mapped part; its table and state are proven by crc, records and chunks when they are first read.
    pub fn open(file: &str, map: Map) -> Result<Part> {
        let whole = |what: &str| Error::corrupt(file, map.len() as u64, what.to_owned());
        let trailer = map.len().checked_sub(TRAILER_BYTES).filter(|_| map.starts_with(&PART_MAGIC));
        let trailer = trailer.and_then(|at| map.get(at..)).filter(|bytes| bytes.ends_with(&PART_END));
        let mut reader = Reader::new(trailer.ok_or_else(|| whole("a whole index part expected"))?);
        let decode = |why: DecodeError| whole(&why.to_string());
        let (offset, len) = (reader.u64().map_err(decode)?, reader.u32().map_err(decode)?);
        let crc = reader.u32().map_err(decode)?;
        let meta = section(file, &map, offset, u64::from(len), crc)?;
        let meta = Meta::decode(meta).map_err(|why| Error::corrupt(file, offset, why.to_string()))?;
        section(file, &map, meta.table_offset, meta.table_len, meta.table_crc)?;
        section(file, &map, meta.state_offset, meta.state_len, meta.state_crc)?;
        Ok(Part { file: Arc::new(PartFile { id: meta.id, name: file.to_owned(), map }), meta, meta_crc: crc })
    }

    /// The part's number; numbers only grow.
    pub fn id(&self) -> u32 {
        self.file.id
    }

    /// Its path, as shown to a person.
    pub fn file_name(&self) -> &str {
        &self.file.name
    }

    /// The shard whose state it holds.
    pub fn shard(&self) -> ShardId {
        ShardId(self.meta.shard)
    }

    /// Everything before this position of the log is in the parts.
    pub fn lsn(&self) -> Lsn {
        self.meta.lsn
    }

    /// This part and the older ones that its records refer to, newest first.
    pub fn needs(&self) -> &[u32] {
        &self.meta.parts
    }

    /// Whether `older` is the part that this one was written over, and not another one of its number: the crc of its meta says so, in parts
    /// that do not have that yet its place in the log.
    pub(crate) fn is_over(&self, older: &Part) -> bool {
        let at = self.meta.parts.iter().skip(1).position(|part| *part == older.id());
        let same = |at: usize| self.meta.older_crcs.get(at).is_none_or(|crc| *crc == older.meta_crc);
        at.is_some_and(same) && older.lsn() <= self.lsn()
    }

    /// The state that is no account: the queue, or in the control shard the directory.
    pub fn state(&self) -> &[u8] {
        let start = self.meta.state_offset as usize;
        self.file.map.get(start..start + self.meta.state_len as usize).unwrap_or_default()
    }

    /// Bytes of the file.
    pub fn len_bytes(&self) -> u64 {
        self.file.map.len() as u64
    }

    /// An account's record here in words: its place, and a line for each mailbox. Looks at no other part.
    pub fn describe(&self, id: AccountId) -> (u64, Result<Vec<String>, String>) {
        let Some((offset, len)) = self.find(id) else { return (0, Err("no record".into())) };
        let start = offset as usize;
        let bytes = start.checked_add(len as usize).and_then(|end| self.file.map.get(start..end));
        let Some(bytes) = bytes else { return (offset, Err("a record beyond the part's end".into())) };
        // Chunks of other parts are not looked at, so any part will do.
        let decoded = record::decode(bytes, &|_| Some(self.file.clone()));
        (offset, decoded.map(|account| account_words(&account)))
    }

    fn rows(&self) -> usize {
        self.meta.table_len as usize / ROW_BYTES
    }

    fn row(&self, at: usize) -> Result<(AccountId, u64, u32), DecodeError> {
        let start = self.meta.table_offset as usize + at * ROW_BYTES;
        let mut reader = Reader::new(self.file.map.get(start..start + ROW_BYTES).unwrap_or_default());
        Ok((AccountId(reader.u64()?), reader.u64()?, reader.u32()?))
    }

    /// The accounts with a record here, ascending.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        (0..self.rows()).filter_map(|at| Some(self.row(at).ok()?.0))
    }

    fn find(&self, id: AccountId) -> Option<(u64, u32)> {
        let (mut low, mut high) = (0, self.rows());
        while low < high {
            let middle = (low + high) / 2;
            let (found, offset, len) = self.row(middle).ok()?;
            match found.cmp(&id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some((offset, len)),
            }
        }
        None
    }
}

fn account_words(account: &Account) -> Vec<String> {
    let total = format!("{} bytes, {} messages", account.used_bytes, account.messages);
    let mailboxes = account.mailboxes.iter().map(|mailbox| {
        format!(
            "mailbox {} {:?}: {} entries in {} chunks, {} bytes, unseen {}, deleted {}, UIDVALIDITY {}, UIDNEXT {}, highest modseq {}",
            mailbox.id,
            mailbox.name,
            mailbox.entries.len(),
            mailbox.entries.chunk_count(),
            mailbox.size_bytes,
            mailbox.unseen,
            mailbox.deleted,
            mailbox.uid_validity,
            mailbox.uid_next,
            mailbox.highest_modseq
        )
    });
    std::iter::once(total).chain(mailboxes).collect()
}

fn section<'a>(file: &str, map: &'a Map, offset: u64, len: u64, crc: u32) -> Result<&'a [u8]> {
    let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
    let bytes = range.and_then(|(start, len)| first_read(file, map, start, len));
    let bytes = bytes.ok_or_else(|| Error::corrupt(file, offset, "a section beyond the file's end"))??;
    let found = crc32fast::hash(bytes);
    if found != crc {
        return Err(Error::corrupt(file, offset, format!("section crc {crc:08x} expected, {found:08x} found")));
    }
    Ok(bytes)
}

/// The parts that make up a checkpoint, newest first.
#[derive(Default)]
pub struct Parts(Vec<Arc<Part>>);

impl Parts {
    /// The parts, newest first.
    pub fn new(parts: Vec<Arc<Part>>) -> Parts {
        Parts(parts)
    }

    /// Newest first.
    pub fn list(&self) -> &[Arc<Part>] {
        &self.0
    }

    /// Whether the part of that number is one of them.
    pub(crate) fn has(&self, id: u32) -> bool {
        self.0.iter().any(|part| part.id() == id)
    }

    /// Everything before this position of the log is in the parts.
    pub fn lsn(&self) -> Lsn {
        self.0.first().map_or(Lsn(0), |part| part.lsn())
    }

    /// The account's newest record.
    pub fn load(&self, id: AccountId) -> Result<Option<Account>> {
        let Some((part, (offset, len))) = self.0.iter().find_map(|part| Some((part, part.find(id)?))) else {
            return Ok(None);
        };
        let bytes = part.file.first_read(offset as usize, len as usize);
        let bytes =
            bytes.ok_or_else(|| Error::corrupt(&part.file.name, offset, "a record beyond the part's end"))??;
        let part_of = |wanted: u32| self.0.iter().find(|part| part.id() == wanted).map(|part| part.file.clone());
        record::decode(bytes, &part_of).map(Some).map_err(|why| Error::corrupt(&part.file.name, offset, why))
    }

    /// Whether the account's record has left memory, or never was in it. A hint.
    pub(crate) fn is_cold(&self, id: AccountId) -> bool {
        let found = self.0.iter().find_map(|part| Some((part, part.find(id)?)));
        found.is_some_and(|(part, (offset, len))| {
            let start = offset as usize;
            !part.file.map.is_resident(start..start.saturating_add(len as usize))
        })
    }

    /// How many of the newest parts to fold into the next one, so that a checkpoint's cost stays in proportion to what changed.
    pub fn mergeable(&self, new_bytes: u64) -> usize {
        let mut gathered = new_bytes;
        let small = self.0.iter().take_while(|part| {
            let fold = part.len_bytes() <= gathered.saturating_mul(2);
            gathered += part.len_bytes();
            fold
        });
        small.count()
    }
}

/// Writes one part through a sink.
pub struct PartWriter<'a> {
    sink: &'a mut dyn FnMut(&[u8]) -> Result<()>,
    at: u64,
    shard: ShardId,
    id: u32,
    kept: BTreeSet<u32>,
    rows: Vec<(AccountId, u64, u32)>,
}

impl<'a> PartWriter<'a> {
    /// Begins part `id` of `shard`; chunks that lie in a part of `kept` are referred to, all others copied: an account in memory may still hold
    /// chunks of parts that an earlier checkpoint has folded.
    pub fn new(
        shard: ShardId,
        id: u32,
        kept: BTreeSet<u32>,
        sink: &'a mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<PartWriter<'a>> {
        let mut writer = PartWriter { sink, at: 0, shard, id, kept, rows: Vec::new() };
        writer.write(&PART_MAGIC)?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<u64> {
        let at = self.at;
        (self.sink)(bytes)?;
        self.at += bytes.len() as u64;
        Ok(at)
    }

    /// Adds an account's record with the chunks it needs.
    pub fn account(&mut self, account: &Account) -> Result<()> {
        let mut chunks = Vec::new();
        let mut bytes = Vec::new();
        for mailbox in &account.mailboxes {
            for chunk in mailbox.entries.chunks() {
                let place = match &chunk.source {
                    Source::Part { part, offset, crc, .. } if self.kept.contains(&part.id) => (part.id, *offset, *crc),
                    _ => {
                        bytes.clear();
                        chunk.to_vec()?.iter().for_each(|entry| entry.encode(&mut bytes));
                        (self.id, self.write(&bytes)?, crc32fast::hash(&bytes))
                    }
                };
                chunks.push(place);
            }
        }
        let mut out = Vec::new();
        record::encode(account, &chunks, &mut out);
        let at = self.write(&out)?;
        self.rows.push((account.id, at, out.len() as u32));
        Ok(())
    }

    /// Ends the part: `state` comes in pieces, `older` are the parts it still needs, newest first.
    pub fn finish<S: AsRef<[u8]>>(
        mut self,
        lsn: Lsn,
        state: impl IntoIterator<Item = S>,
        older: &[Arc<Part>],
    ) -> Result<()> {
        self.rows.sort_unstable();
        let mut table = Vec::with_capacity(self.rows.len() * ROW_BYTES);
        for (id, offset, len) in &self.rows {
            table.put_u64(id.0);
            table.put_u64(*offset);
            table.put_u32(*len);
            table.put_u32(0);
        }
        let mut meta = Meta { shard: self.shard.0, id: self.id, lsn, parts: vec![self.id], ..Meta::default() };
        meta.parts.extend(older.iter().map(|part| part.id()));
        meta.older_crcs.extend(older.iter().map(|part| part.meta_crc));
        (meta.table_offset, meta.table_len, meta.table_crc) =
            (self.write(&table)?, table.len() as u64, crc32fast::hash(&table));
        meta.state_offset = self.at;
        let mut crc = crc32fast::Hasher::new();
        for piece in state {
            crc.update(piece.as_ref());
            self.write(piece.as_ref())?;
        }
        (meta.state_len, meta.state_crc) = (self.at - meta.state_offset, crc.finalize());
        let mut bytes = Vec::new();
        meta.encode(&mut bytes);
        let mut trailer = Vec::with_capacity(TRAILER_BYTES);
        trailer.put_u64(self.write(&bytes)?);
        trailer.put_u32(bytes.len() as u32);
        trailer.put_u32(crc32fast::hash(&bytes));
        trailer.put(&PART_END);
        self.write(&trailer)?;
        Ok(())
    }
}
