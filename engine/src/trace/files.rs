//! Files of records of what happened: written one after the other, bounded in bytes and days. Written without a sync and never on a reactor
//! thread; a disk that fails costs records and nothing else. Knows of a record only its bytes and its time.
use crate::base::bytes::{DecodeError, Reader};
use crate::base::{Error, Result};
use crate::disk::{Disk, File};
use std::io;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MAGIC_BYTES: usize = 8;
/// Where the first record's time stands: behind magic, length and crc.
const FIRST_TIME: u64 = 8 + 2 + 4;

/// Records stand in the order in which they were noted, which is that of their times but for a clock that is set back.
pub(super) const SLACK_MS: i64 = DAY_MS;

/// A file has the records of one day at most, and days are what is kept.
const DAY_MS: i64 = 86_400_000;

/// Bytes before a record's fields: their length u16 and their crc u32.
const HEAD_BYTES: usize = 6;

/// One kind of record, and where and how much of it is kept.
pub trait Record: Sized {
    /// The folder of its files.
    const DIR: &'static str;
    /// What is said of one whose crc is wrong.
    const DAMAGED: &'static str;
    /// What each file begins with; its length is that of all.
    const MAGIC: &'static [u8; MAGIC_BYTES];
    /// Bytes of one file.
    const FILE_BYTES_MAX: u64;
    /// Bytes of all files, unless set otherwise.
    const BYTES_MAX: u64;
    /// Days, unless set otherwise.
    const DAYS_MAX: u64;
    /// Bytes that may wait to be written.
    const WAITING_BYTES_MAX: usize;

    /// Milliseconds since 1970-01-01 UTC; the first field of its bytes.
    fn when_ms(&self) -> i64;

    /// Appends its fields.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads its fields, whose crc is right.
    ///
    /// # Errors
    /// They are not what this version writes.
    fn get(body: &mut Reader<'_>) -> std::result::Result<Self, DecodeError>;

    /// Appends the record: length u16, crc u32, fields.
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        self.put(out);
        let fields = start + HEAD_BYTES;
        let (len, crc) = (out.len() - fields, crc32fast::hash(&out[fields..]));
        out[start..start + 2].copy_from_slice(&(len as u16).to_le_bytes());
        out[start + 2..fields].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads one record.
    ///
    /// # Errors
    /// It is not whole.
    fn decode(reader: &mut Reader<'_>) -> std::result::Result<Self, DecodeError> {
        let len = reader.u16()?;
        let crc = reader.u32()?;
        let body = reader.take(usize::from(len))?;
        if crc32fast::hash(body) != crc {
            return reader.error(Self::DAMAGED);
        }
        Self::get(&mut Reader::new(body))
    }

    /// What is written first when a log is gone on with after `last`.
    fn resumed(_last: Option<&Self>, _now_ms: i64) -> Option<Self> {
        None
    }

    /// What tells of records that could not be written.
    fn lost(_count: u64, _now_ms: i64) -> Option<Self> {
        None
    }
}

/// The files of one kind of record.
pub struct Files<R> {
    disk: Arc<dyn Disk>,
    file_bytes_max: u64,
    bytes_max: AtomicU64,
    days_max: AtomicU64,
    waiting: Mutex<Waiting>,
    writer: Mutex<Option<Writer>>,
    of: PhantomData<fn() -> R>,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// Records in them.
    count: u64,
    /// Records that found no room, or that the disk did not take.
    lost: u64,
    /// Milliseconds of the newest record.
    now_ms: i64,
}

struct Writer {
    id: u64,
    file: Arc<dyn File>,
    len: u64,
    /// When its first record is from; none before it has one.
    first_ms: Option<i64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R: Record> Files<R> {
    /// The files on a disk; touches nothing yet.
    pub fn new(disk: Arc<dyn Disk>) -> Files<R> {
        Files::bounded(disk, R::FILE_BYTES_MAX, R::BYTES_MAX)
    }

    /// The same with other bounds.
    pub(super) fn bounded(disk: Arc<dyn Disk>, file_bytes_max: u64, bytes_max: u64) -> Files<R> {
        let (waiting, writer) = (Mutex::default(), Mutex::default());
        let (bytes_max, days_max) = (AtomicU64::new(bytes_max), AtomicU64::new(R::DAYS_MAX));
        Files { disk, file_bytes_max, bytes_max, days_max, waiting, writer, of: PhantomData }
    }

    /// How much is kept from now on.
    pub fn keep(&self, bytes_max: u64, days_max: u64) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
        self.days_max.store(days_max, Ordering::Relaxed);
    }

    fn path(id: u64) -> PathBuf {
        Path::new(R::DIR).join(format!("log-{id:010}.phr"))
    }

    /// Takes a record; whether somebody must now call [`Files::write`]. Does no I/O.
    pub fn note(&self, record: &R) -> bool {
        let mut waiting = locked(&self.waiting);
        if waiting.bytes.len() >= R::WAITING_BYTES_MAX {
            waiting.lost += 1;
            return false;
        }
        let first = waiting.bytes.is_empty();
        waiting.now_ms = record.when_ms();
        waiting.count += 1;
        record.encode(&mut waiting.bytes);
        first
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The disk's; what waited is lost then, and the next write says so where there are words for it.
    pub fn write(&self) -> Result<()> {
        // The writer first, so that two calls keep the records' order.
        let mut writer = locked(&self.writer);
        let Waiting { mut bytes, count, lost, now_ms } = std::mem::take(&mut *locked(&self.waiting));
        if bytes.is_empty() {
            return Ok(());
        }
        if lost > 0 {
            tracing::warn!(lost, log = R::DIR, "the disk does not keep up; records are lost");
            if let Some(told) = R::lost(lost, now_ms) {
                told.encode(&mut bytes);
            }
        }
        let written = self.append(&mut writer, &bytes, now_ms);
        if written.is_err() {
            *writer = None;
            locked(&self.waiting).lost += lost + count;
        }
        written.map_err(|why| self.failed("write", why))
    }

    /// Writes what waits and makes all of it durable, with `last` as the last record; nothing if this process has written nothing.
    ///
    /// # Errors
    /// The disk's.
    pub fn end(&self, last: &R) -> Result<()> {
        self.write()?;
        if locked(&self.writer).is_none() {
            return Ok(());
        }
        self.note(last);
        self.write()?;
        match locked(&self.writer).take() {
            Some(writer) => writer.file.sync_data().map_err(|why| self.failed("sync", why)),
            None => Ok(()),
        }
    }

    pub(super) fn failed(&self, what: &str, why: io::Error) -> Error {
        Error::io(format!("{what} {}", self.disk.full_path(Path::new(R::DIR)).display()), why)
    }

    fn append(&self, writer: &mut Option<Writer>, bytes: &[u8], now_ms: i64) -> io::Result<()> {
        let was_open = writer.is_some();
        let mut open = match writer.take() {
            Some(open) => open,
            None => self.open(now_ms)?,
        };
        let full = open.len > MAGIC_BYTES as u64 && open.len + bytes.len() as u64 > self.file_bytes_max;
        let over = full || open.first_ms.is_some_and(|first_ms| now_ms.saturating_sub(first_ms) > DAY_MS);
        if over {
            open.file.sync_data()?;
            open = self.begin(open.id + 1)?;
        }
        if (over || !was_open)
            && let Err(error) = self.remove_old(now_ms)
        {
            tracing::warn!(log = R::DIR, %error, "old records could not be removed");
        }
        open.file.write_at(bytes, open.len)?;
        let first_ms = open.first_ms.or(Some(now_ms));
        *writer = Some(Writer { len: open.len + bytes.len() as u64, first_ms, ..open });
        Ok(())
    }

    /// The newest file, without what a power loss left half written at its end; or a first one.
    fn open(&self, now_ms: i64) -> io::Result<Writer> {
        self.disk.create_dir(Path::new(R::DIR))?;
        let Some(id) = self.ids()?.pop() else { return self.begin(1) };
        let (file, bytes) = self.read(id)?;
        if !bytes.starts_with(R::MAGIC) {
            return self.begin(id + 1);
        }
        let last = records::<R>(&bytes).last();
        let len = last.as_ref().map_or(MAGIC_BYTES, |(_, end, _)| *end) as u64;
        file.set_len(len)?;
        let mut first = Vec::new();
        if let Some(record) = R::resumed(last.as_ref().map(|(_, _, record)| record), now_ms) {
            record.encode(&mut first);
            file.write_at(&first, len)?;
        }
        Ok(Writer { id, file, len: len + first.len() as u64, first_ms: self.first_ms(id) })
    }

    fn begin(&self, id: u64) -> io::Result<Writer> {
        let file = self.disk.create(&Self::path(id))?;
        file.write_at(R::MAGIC, 0)?;
        Ok(Writer { id, file, len: MAGIC_BYTES as u64, first_ms: None })
    }

    /// Ids of our files, ascending.
    pub(super) fn ids(&self) -> io::Result<Vec<u64>> {
        let names = match self.disk.list(Path::new(R::DIR)) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names?,
        };
        let id = |name: &String| name.strip_prefix("log-")?.strip_suffix(".phr")?.parse().ok();
        let mut ids: Vec<u64> = names.iter().filter_map(id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    pub(super) fn read(&self, id: u64) -> io::Result<(Arc<dyn File>, Vec<u8>)> {
        let file = self.disk.open(&Self::path(id))?;
        // A file may be a little longer than the bound: one write goes into one file.
        let len = file.len()?.min(self.file_bytes_max + 2 * R::WAITING_BYTES_MAX as u64);
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok((file, bytes))
    }

    /// Removes the oldest files, as far as there are too many bytes or their records are too old.
    fn remove_old(&self, now_ms: i64) -> io::Result<()> {
        let ids = self.ids()?;
        let mut lens = Vec::with_capacity(ids.len());
        for id in &ids {
            lens.push(self.disk.open(&Self::path(*id))?.len()?);
        }
        let mut total: u64 = lens.iter().sum();
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        let days_max = i64::try_from(self.days_max.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        let oldest_ms = now_ms.saturating_sub(days_max.saturating_mul(DAY_MS));
        for (at, len) in lens.iter().enumerate().take(ids.len().saturating_sub(1)) {
            // A file without a whole record, as a full disk leaves it, says nothing of what is before it.
            let next_ms = ids[at + 1..].iter().find_map(|id| self.first_ms(*id));
            if total <= bytes_max && next_ms.is_none_or(|next_ms| next_ms >= oldest_ms) {
                break;
            }
            self.disk.remove(&Self::path(ids[at]))?;
            total -= len;
        }
        Ok(())
    }

    /// When the file's first record is from; none if it has none.
    fn first_ms(&self, id: u64) -> Option<i64> {
        let mut time = [0; 8];
        let file = self.disk.open(&Self::path(id)).ok()?;
        file.read_exact_at(&mut time, FIRST_TIME).ok().map(|()| i64::from_le_bytes(time))
    }

    /// Goes over the records after `after`, as far as files may hold some from `since_ms` on, the oldest first.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn walk(
        &self,
        since_ms: Option<i64>,
        after: u64,
        mut each: impl FnMut(u64, R) -> ControlFlow<()>,
    ) -> Result<()> {
        let failed = |why| self.failed("read", why);
        let since = since_ms.map(|since| since.saturating_sub(SLACK_MS));
        let ids = self.ids().map_err(failed)?;
        for (at, id) in ids.iter().enumerate() {
            let is_passed = (id + 1) << 32 <= after;
            let too_old = || ids.get(at + 1).zip(since).is_some_and(|(next, since)| self.begins_before(*next, since));
            if is_passed || too_old() {
                continue;
            }
            let bytes = match self.read(*id) {
                Ok((_, bytes)) => bytes,
                // Removed meanwhile, being old.
                Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                Err(why) => return Err(failed(why)),
            };
            if !bytes.starts_with(R::MAGIC) {
                continue;
            }
            for (start, _, record) in records::<R>(&bytes) {
                let position = id << 32 | start as u64;
                if position > after && each(position, record).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether the file's first record is from before `when_ms`: then all of the file before it are.
    fn begins_before(&self, id: u64, when_ms: i64) -> bool {
        self.first_ms(id).is_some_and(|first_ms| first_ms < when_ms)
    }
}

/// Each whole record with where it begins and ends.
pub(super) fn records<R: Record>(bytes: &[u8]) -> impl Iterator<Item = (usize, usize, R)> {
    let mut reader = Reader::new(bytes);
    let _ = reader.take(MAGIC_BYTES);
    std::iter::from_fn(move || {
        let at = reader.position();
        let record = R::decode(&mut reader).ok()?;
        Some((at, reader.position(), record))
    })
}
