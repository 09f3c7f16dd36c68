//! The login log's files: written one after the other, bounded in bytes and days, read from the newest record backwards. Written without
//! a sync and never on a reactor thread; a disk that fails costs records and nothing else.
use super::{LoginFilter, LoginPage, LoginRecord, LoginRow};
use crate::base::bytes::Reader;
use crate::base::limits::{
    LOGIN_LOG_BYTES_MAX, LOGIN_LOG_DAYS_MAX, LOGIN_LOG_FILE_BYTES_MAX, LOGIN_LOG_WAITING_BYTES_MAX,
};
use crate::base::{Error, Result};
use crate::disk::{Disk, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const DIR: &str = "logins";
const MAGIC: &[u8; 8] = b"PHLOGIN1";
/// Where the first record's time stands: behind magic, length and crc.
const FIRST_TIME: u64 = 8 + 2 + 4;

/// The login log of a store.
pub struct LoginLog {
    disk: Arc<dyn Disk>,
    file_bytes_max: u64,
    bytes_max: u64,
    waiting: Mutex<Waiting>,
    writer: Mutex<Option<Writer>>,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    lost: u64,
    /// Milliseconds of the newest record.
    now_ms: i64,
}

struct Writer {
    id: u64,
    file: Arc<dyn File>,
    len: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn path(id: u64) -> PathBuf {
    Path::new(DIR).join(format!("log-{id:010}.phr"))
}

impl LoginLog {
    /// The log on a disk; touches nothing yet.
    pub fn new(disk: Arc<dyn Disk>) -> LoginLog {
        LoginLog::bounded(disk, LOGIN_LOG_FILE_BYTES_MAX, LOGIN_LOG_BYTES_MAX)
    }

    /// The same with other bounds.
    pub(super) fn bounded(disk: Arc<dyn Disk>, file_bytes_max: u64, bytes_max: u64) -> LoginLog {
        let (waiting, writer) = (Mutex::default(), Mutex::default());
        LoginLog { disk, file_bytes_max, bytes_max, waiting, writer }
    }

    /// Takes a record; whether somebody must now call [`LoginLog::write`]. Does no I/O.
    pub fn note(&self, record: &LoginRecord) -> bool {
        let mut waiting = locked(&self.waiting);
        if waiting.bytes.len() >= LOGIN_LOG_WAITING_BYTES_MAX {
            waiting.lost += 1;
            return false;
        }
        let first = waiting.bytes.is_empty();
        waiting.now_ms = record.when_ms;
        record.encode(&mut waiting.bytes);
        first
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The disk's; what waited is lost then.
    pub fn write(&self) -> Result<()> {
        // The writer first, so that two calls keep the records' order.
        let mut writer = locked(&self.writer);
        let Waiting { bytes, lost, now_ms } = std::mem::take(&mut *locked(&self.waiting));
        if lost > 0 {
            tracing::warn!(lost, "the disk does not keep up with the login log");
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let written = self.append(&mut writer, &bytes, now_ms);
        if written.is_err() {
            *writer = None;
        }
        written.map_err(|why| Error::io(format!("write {}", self.disk.full_path(Path::new(DIR)).display()), why))
    }

    fn append(&self, writer: &mut Option<Writer>, bytes: &[u8], now_ms: i64) -> io::Result<()> {
        let open = match writer.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let full = open.len > MAGIC.len() as u64 && open.len + bytes.len() as u64 > self.file_bytes_max;
        let open = if full {
            open.file.sync_data()?;
            let next = self.begin(open.id + 1)?;
            self.remove_old(now_ms)?;
            next
        } else {
            open
        };
        open.file.write_at(bytes, open.len)?;
        *writer = Some(Writer { len: open.len + bytes.len() as u64, ..open });
        Ok(())
    }

    /// The newest file, without what a power loss left half written at its end; or a first one.
    fn open(&self) -> io::Result<Writer> {
        self.disk.create_dir(Path::new(DIR))?;
        let Some(id) = self.ids()?.pop() else { return self.begin(1) };
        let (file, bytes) = self.read(id)?;
        if !bytes.starts_with(MAGIC) {
            return self.begin(id + 1);
        }
        let len = records(&bytes).last().map_or(MAGIC.len(), |(_, end, _)| end) as u64;
        file.set_len(len)?;
        Ok(Writer { id, file, len })
    }

    fn begin(&self, id: u64) -> io::Result<Writer> {
        let file = self.disk.create(&path(id))?;
        file.write_at(MAGIC, 0)?;
        Ok(Writer { id, file, len: MAGIC.len() as u64 })
    }

    /// Ids of our files, ascending.
    fn ids(&self) -> io::Result<Vec<u64>> {
        let names = match self.disk.list(Path::new(DIR)) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names?,
        };
        let id = |name: &String| name.strip_prefix("log-")?.strip_suffix(".phr")?.parse().ok();
        let mut ids: Vec<u64> = names.iter().filter_map(id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn read(&self, id: u64) -> io::Result<(Arc<dyn File>, Vec<u8>)> {
        let file = self.disk.open(&path(id))?;
        // A file may be a little longer than the bound: one write goes into one file.
        let len = file.len()?.min(self.file_bytes_max + 2 * LOGIN_LOG_WAITING_BYTES_MAX as u64);
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok((file, bytes))
    }

    /// Removes the oldest files, as far as there are too many bytes or their records are too old.
    fn remove_old(&self, now_ms: i64) -> io::Result<()> {
        let ids = self.ids()?;
        let mut lens = Vec::with_capacity(ids.len());
        for id in &ids {
            lens.push(self.disk.open(&path(*id))?.len()?);
        }
        let mut total: u64 = lens.iter().sum();
        for (pair, len) in ids.windows(2).zip(lens) {
            if total <= self.bytes_max && !self.begins_before(pair[1], now_ms - LOGIN_LOG_DAYS_MAX * 86_400_000) {
                break;
            }
            self.disk.remove(&path(pair[0]))?;
            total -= len;
        }
        Ok(())
    }

    /// Whether the file's first record is from before `when_ms`: then all of the file before it are.
    fn begins_before(&self, id: u64, when_ms: i64) -> bool {
        let mut time = [0; 8];
        let read = self.disk.open(&path(id)).and_then(|file| file.read_exact_at(&mut time, FIRST_TIME));
        read.is_ok() && i64::from_le_bytes(time) < when_ms
    }

    /// Up to `rows_max` logins that the filter takes, the newest first, older than `before`. Reads files; not for reactor threads.
    ///
    /// # Errors
    /// The disk's.
    pub fn page(&self, filter: &LoginFilter, before: Option<u64>, rows_max: usize) -> Result<LoginPage> {
        self.write()?;
        let failed = |why| Error::io(format!("read {}", self.disk.full_path(Path::new(DIR)).display()), why);
        let before = before.unwrap_or(u64::MAX);
        let mut page = LoginPage::default();
        for id in self.ids().map_err(failed)?.into_iter().rev().filter(|id| id << 32 < before) {
            let bytes = match self.read(id) {
                Ok((_, bytes)) => bytes,
                // Removed meanwhile, being old.
                Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                Err(why) => return Err(failed(why)),
            };
            if !bytes.starts_with(MAGIC) {
                continue;
            }
            let mut found: Vec<LoginRow> = records(&bytes)
                .map(|(at, _, record)| LoginRow { position: (id << 32) | at as u64, record })
                .filter(|row| row.position < before && filter.takes(&row.record))
                .collect();
            while let Some(row) = found.pop() {
                if page.rows.len() == rows_max {
                    page.next = page.rows.last().map(|last| last.position);
                    return Ok(page);
                }
                page.rows.push(row);
            }
            let first = records(&bytes).next();
            if first.is_some_and(|(_, _, first)| filter.since_ms.is_some_and(|since| first.when_ms < since - SLACK_MS))
            {
                break;
            }
        }
        Ok(page)
    }
}

/// Records stand in the order in which they were noted, which is that of their times but for a clock that is set back.
const SLACK_MS: i64 = 86_400_000;

/// Each whole record with where it begins and ends.
fn records(bytes: &[u8]) -> impl Iterator<Item = (usize, usize, LoginRecord)> {
    let mut reader = Reader::new(bytes);
    let _ = reader.take(MAGIC.len());
    std::iter::from_fn(move || {
        let at = reader.position();
        let record = LoginRecord::decode(&mut reader).ok()?;
        Some((at, reader.position(), record))
    })
}
