//! Writes and finds checkpoints: index parts in a shard's directory. A checkpoint saves replay; without any, the log alone rebuilds all.
use crate::base::{Error, Lsn, Result, ShardId};
use crate::disk::{Disk, File};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::index::{Account, Accounts, PART_MAGIC_BEFORE, Part, PartWriter, Parts};
use crate::queue::Queue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// About what a part takes that holds nothing.
const PART_FRAME_BYTES: u64 = 256;
/// Bytes gathered before a write.
const BUFFER_BYTES: usize = 1 << 20;

fn path(dir: &Path, id: u32) -> PathBuf {
    dir.join(format!("idx-{id:010}.phi"))
}

pub(crate) fn part_number(name: &str) -> Option<u32> {
    name.strip_prefix("idx-")?.strip_suffix(".phi")?.parse().ok()
}

/// The newest checkpoint whose parts are all whole, and a line for each that is not.
pub(crate) fn load(disk: &dyn Disk, shard: ShardId, dir: &Path) -> Result<(Parts, Vec<String>)> {
    let names = names(disk, dir)?;
    for name in names.iter().filter(|name| name.starts_with("idx-") && name.ends_with(".tmp")) {
        let stray = dir.join(name);
        disk.remove(&stray).map_err(|why| Error::io(format!("remove {}", disk.full_path(&stray).display()), why))?;
    }
    let (parts, bad) = find(disk, shard, dir)?;
    Ok((parts, bad.iter().map(passed_over).collect()))
}

pub(crate) fn passed_over(why: &Error) -> String {
    format!("a checkpoint is passed over: {why}")
}

fn names(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>> {
    match disk.list(dir) {
        // A shard that is just being made.
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|why| Error::io(format!("list {}", disk.full_path(dir).display()), why)),
    }
}

/// The same without changing anything; with an error for each newer checkpoint that is not whole.
pub(crate) fn find(disk: &dyn Disk, shard: ShardId, dir: &Path) -> Result<(Parts, Vec<Error>)> {
    find_below(disk, shard, dir, u32::MAX)
}

/// The newest one before the part of that number.
pub(crate) fn find_below(disk: &dyn Disk, shard: ShardId, dir: &Path, below: u32) -> Result<(Parts, Vec<Error>)> {
    let mut numbers: Vec<u32> = names(disk, dir)?.iter().filter_map(|name| part_number(name)).collect();
    numbers.retain(|number| *number < below);
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let mut bad = Vec::new();
    for number in numbers {
        match open(disk, shard, dir, number) {
            Ok(parts) => return Ok((parts, bad)),
            // The program before laid its parts out in another way; they are no damage, and the log stands in for them.
            Err(_) if is_of_program_before(disk, &path(dir, number)) => {}
            Err(why) => bad.push(why),
        }
    }
    Ok((Parts::default(), bad))
}

fn is_of_program_before(disk: &dyn Disk, part: &Path) -> bool {
    disk.map(part).is_ok_and(|map| map.starts_with(&PART_MAGIC_BEFORE))
}

fn open(disk: &dyn Disk, shard: ShardId, dir: &Path, number: u32) -> Result<Parts> {
    let newest = open_part(disk, shard, dir, number)?;
    let older: Vec<u32> = newest.needs().iter().copied().filter(|part| *part != number).collect();
    let newest = Arc::new(newest);
    let mut parts = vec![newest.clone()];
    for number in older {
        let part = open_part(disk, shard, dir, number)?;
        if !newest.is_over(&part) {
            let what = format!("it needs a part {number} that is not the one which is there now");
            return Err(Error::corrupt(newest.file_name(), 0, what));
        }
        parts.push(Arc::new(part));
    }
    Ok(Parts::new(parts))
}

fn open_part(disk: &dyn Disk, shard: ShardId, dir: &Path, number: u32) -> Result<Part> {
    let path = path(dir, number);
    let name = disk.full_path(&path).display().to_string();
    probe(disk, &path).map_err(|why| Error::io(format!("read {name}"), why))?;
    let map = disk.map(&path).map_err(|why| Error::io(format!("map {name}"), why))?;
    let part = Part::open(&name, map)?;
    if part.id() != number || part.shard() != shard {
        let what = format!("part {number} of shard {shard} expected, {} of {} found", part.id(), part.shard());
        return Err(Error::corrupt(name, 0, what));
    }
    Ok(part)
}

/// Reads a file once from end to end: a bad sector is an error here, where touching it in a map would end the process.
fn probe(disk: &dyn Disk, path: &Path) -> std::io::Result<()> {
    let file = disk.open(path)?;
    let (len, mut at) = (file.len()?, 0);
    let mut bytes = vec![0; BUFFER_BYTES.min(usize::try_from(len).unwrap_or(BUFFER_BYTES))];
    while at < len {
        let step = (bytes.len() as u64).min(len - at);
        file.read_exact_at(&mut bytes[..step as usize], at)?;
        at += step;
    }
    Ok(())
}

/// Whether a checkpoint at the log's end would say nothing. That of a log that nobody has written to would say that the store is in use,
/// which is not true of one whose making has failed before STORE was there.
pub(crate) fn is_needless(end: Lsn, checkpoint: Lsn) -> bool {
    end == checkpoint || checkpoint == Lsn(0) && end.0 <= SEGMENT_HEADER_BYTES as u64
}

/// What a checkpoint holds beside its accounts.
pub(crate) enum State {
    /// As it is written.
    Bytes(Vec<u8>),
    /// A queue, which is encoded while it is written: it may be large, and no commit waits for that. Other state follows it.
    Queue(Queue, Vec<u8>),
}

impl State {
    fn pieces(&self) -> Box<dyn Iterator<Item = Cow<'_, [u8]>> + '_> {
        match self {
            State::Bytes(bytes) => Box::new(std::iter::once(Cow::Borrowed(&**bytes))),
            State::Queue(queue, rest) => {
                Box::new(queue.pieces().map(Cow::Owned).chain(std::iter::once(Cow::Borrowed(&**rest))))
            }
        }
    }

    /// Bytes of the pieces together.
    pub(crate) fn len_bytes(&self) -> u64 {
        match self {
            State::Bytes(bytes) => bytes.len() as u64,
            State::Queue(queue, rest) => queue.encoded_bytes() + rest.len() as u64,
        }
    }
}

/// What a checkpoint is made of, as of one position of the log.
pub(crate) struct Snapshot {
    /// Whose state it is.
    pub(crate) shard: ShardId,
    /// Replay begins here.
    pub(crate) lsn: Lsn,
    /// The accounts that differ from `parts`.
    pub(crate) accounts: Vec<Arc<Account>>,
    /// The queue or the directory.
    pub(crate) state: State,
    /// The parts so far.
    pub(crate) parts: Arc<Parts>,
    /// Number of the new part.
    pub(crate) number: u32,
    /// The new part's file with room in it, if there is one.
    pub(crate) room: Option<Arc<dyn File>>,
}

/// Where the part of that number is written before it gets its name.
pub(crate) fn temporary(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("idx-{number:010}.tmp"))
}

/// The number of the next part: above all that there are, whole or not, so that no part ever stands where an older one needs another.
pub(crate) fn next_number(disk: &dyn Disk, dir: &Path) -> Result<u32> {
    let last = names(disk, dir)?.iter().filter_map(|name| part_number(name)).max().unwrap_or(0);
    last.checked_add(1).ok_or_else(|| Error::Limit(format!("index parts of {}", disk.full_path(dir).display())))
}

impl Snapshot {
    /// Writes and syncs the next part, then removes the files that no part of the new checkpoint needs.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<Parts> {
        let old = self.parts.list();
        let number = self.number;
        let accounts_bytes: u64 = self.accounts.iter().map(|account| account.fresh_bytes()).sum();
        // The state is written whole each time; were it not counted, a control shard's parts would never be folded.
        let fresh_bytes = accounts_bytes + self.state.len_bytes() + PART_FRAME_BYTES;
        let mut folded = self.parts.mergeable(fresh_bytes);
        let temporary = temporary(dir, number);
        let written = self.write_part(disk, &temporary, folded).or_else(|why| match why {
            // Room is held for what is new, not for what older parts hold; they stay then.
            Error::NoSpace if folded > 0 => {
                folded = 0;
                self.write_part(disk, &temporary, 0)
            }
            why => Err(why),
        });
        written.inspect_err(|_| {
            // On a full disk its room is wanted for mail. What stays behind all the same, the next start removes.
            let _ = disk.remove(&temporary);
        })?;
        let done = path(dir, number);
        let io = |why| Error::io(format!("rename {}", disk.full_path(&temporary).display()), why);
        disk.rename(&temporary, &done).map_err(io)?;
        let sync = |why| Error::io(format!("sync {}", disk.full_path(dir).display()), why);
        disk.sync_dir(dir).map_err(sync)?;
        let mut parts = vec![Arc::new(open_part(disk, self.shard, dir, number)?)];
        parts.extend(old[folded..].iter().cloned());
        remove_others(disk, dir, &parts);
        Ok(Parts::new(parts))
    }

    fn write_part(&self, disk: &dyn Disk, at: &Path, folded: usize) -> Result<()> {
        let (fold, keep) = self.parts.list().split_at(folded);
        let kept: BTreeSet<u32> = keep.iter().map(|part| part.id()).collect();
        write_file(disk, at, self.room.as_ref(), &mut |sink| {
            let mut writer = PartWriter::new(self.shard, self.number, kept.clone(), sink)?;
            let mut written = BTreeSet::new();
            // By id: the same history makes the same part.
            let mut accounts: Vec<&Arc<Account>> = self.accounts.iter().collect();
            accounts.sort_unstable_by_key(|account| account.id);
            for account in accounts {
                writer.account(account)?;
                written.insert(account.id);
            }
            for part in fold {
                for id in part.accounts() {
                    if written.insert(id)
                        && let Some(account) = self.parts.load(id)?
                    {
                        writer.account(&account)?;
                    }
                }
            }
            writer.finish(self.lsn, self.state.pieces(), keep)
        })
    }
}

/// Removes every part that is none of the new checkpoint's, also what was passed over. What stays behind is only room.
fn remove_others(disk: &dyn Disk, dir: &Path, parts: &[Arc<Part>]) {
    let numbers = names(disk, dir).unwrap_or_default();
    for number in numbers.iter().filter_map(|name| part_number(name)) {
        if !parts.iter().any(|part| part.id() == number) {
            let _ = disk.remove(&path(dir, number));
        }
    }
}

/// A checkpoint of one part that needs no other, behind those that are there; its number. The others stay.
pub(crate) fn write_whole(disk: &dyn Disk, shard: ShardId, lsn: Lsn, accounts: &Accounts, state: &[u8]) -> Result<u32> {
    let dir = super::shard::dir(shard);
    let number = next_number(disk, &dir)?;
    let temporary = temporary(&dir, number);
    write_file(disk, &temporary, None, &mut |sink| {
        let mut writer = PartWriter::new(shard, number, BTreeSet::new(), sink)?;
        for id in accounts.ids() {
            if let Some(account) = accounts.load(id)? {
                writer.account(&account)?;
            }
        }
        writer.finish(lsn, [state], &[])
    })?;
    let done = disk.rename(&temporary, &path(&dir, number)).and_then(|()| disk.sync_dir(&dir));
    done.map_err(|why| Error::io(format!("rename {}", disk.full_path(&temporary).display()), why))?;
    open_part(disk, shard, &dir, number).map(|part| part.id())
}

/// What a part is written through.
type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// Writes a file through a buffer and syncs it: a new one, or `room`, which has that name already and is written over.
fn write_file(
    disk: &dyn Disk,
    at: &Path,
    room: Option<&Arc<dyn File>>,
    fill: &mut dyn FnMut(Sink<'_>) -> Result<()>,
) -> Result<()> {
    let name = disk.full_path(at).display().to_string();
    let io = |why| Error::io(format!("write {name}"), why);
    let file = match room {
        Some(file) => file.clone(),
        None => new_file(disk, at).map_err(io)?,
    };
    let (mut buffer, mut offset) = (Vec::with_capacity(BUFFER_BYTES), 0u64);
    fill(&mut |bytes: &[u8]| {
        buffer.extend_from_slice(bytes);
        if buffer.len() >= BUFFER_BYTES {
            file.write_at(&buffer, offset).map_err(io)?;
            offset += buffer.len() as u64;
            buffer.clear();
        }
        Ok(())
    })?;
    file.write_at(&buffer, offset).map_err(io)?;
    if room.is_some() {
        file.set_len(offset + buffer.len() as u64).map_err(io)?;
    }
    file.sync_data().map_err(io)
}

/// A new file in the place of whatever a failed attempt has left there.
fn new_file(disk: &dyn Disk, at: &Path) -> std::io::Result<Arc<dyn File>> {
    match disk.remove(at) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    disk.create(at)
}
