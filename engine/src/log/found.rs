//! What a shard's directory holds when it is opened: the sealed segments, the last one, and what must be done before it may grow. Decides
//! nothing by guess: a file that contradicts the others is an error. Changes nothing but the remains of a segment that was never used.
use super::names::{COMPACTING, Unit, choose, segment_path};
use super::recovery::LogOptions;
use super::replay::{read_footer, sealed_len};
use super::scan::scan;
use super::segment::Segment;
use super::tail::Tail;
use crate::base::{Error, Lsn, Result, SegmentId};
use crate::disk::{Disk, File};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{SegmentHeader, TableBuilder};
use std::ops::Range;
use std::sync::Arc;

/// The last segment of the directory.
pub(super) enum Last {
    /// There is none, or only the beginning of one that a crash interrupted.
    Missing {
        id: SegmentId,
        first_lsn: Lsn,
    },
    Found {
        file: Arc<dyn File>,
        header: SegmentHeader,
        len: u64,
    },
}

impl Last {
    pub(super) fn first_lsn(&self) -> Lsn {
        match self {
            Last::Missing { first_lsn, .. } => *first_lsn,
            Last::Found { header, .. } => header.first_lsn,
        }
    }
}

/// What has to be done to the last segment before it may grow.
pub(super) struct Unsettled {
    /// Bytes whose sync may have failed before: written again.
    pub(super) rewrite: Range<u64>,
    /// The file's length now and why the bytes after the tail's end are not believed.
    pub(super) torn: Option<(u64, String)>,
}

/// A segment's file, its header and its length.
type SegmentOnDisk = (Arc<dyn File>, SegmentHeader, u64);

/// One shard's directory.
pub(super) struct Shard<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) options: &'a LogOptions,
}

impl Shard<'_> {
    /// The directory as shown to a person.
    pub(super) fn dir_name(&self) -> String {
        self.disk.full_path(&self.options.dir).display().to_string()
    }

    fn name(&self, unit: &Unit) -> String {
        self.disk.full_path(&unit.path(&self.options.dir)).display().to_string()
    }

    /// The directory, durable with all its parents.
    pub(super) fn make_dir(&self) -> Result<()> {
        let dir = &self.options.dir;
        let failed = |error| Error::io(format!("make {}", self.dir_name()), error);
        self.disk.create_dir(dir).map_err(failed)?;
        dir.ancestors().try_for_each(|dir| self.disk.sync_dir(dir)).map_err(failed)
    }

    /// Every segment but the last, and the last.
    pub(super) fn segments(&self, replay_from: Lsn) -> Result<(Vec<Arc<Segment>>, Last)> {
        let dir = &self.options.dir;
        let names = self.disk.list(dir);
        let names = names.map_err(|error| Error::io(format!("list {}", self.dir_name()), error))?;
        if names.iter().any(|name| name == COMPACTING) {
            let unfinished = dir.join(COMPACTING);
            let shown = self.disk.full_path(&unfinished).display().to_string();
            self.disk.remove(&unfinished).map_err(|error| Error::io(format!("remove {shown}"), error))?;
        }
        let units = choose(&names).0;
        let Some((last, before)) = units.split_last() else {
            return Ok((Vec::new(), Last::Missing { id: SegmentId(1), first_lsn: Lsn(0) }));
        };
        let (mut list, mut end) = (Vec::with_capacity(units.len()), None);
        for unit in before {
            let (file, header, len) = self.open(unit, end)?.ok_or_else(|| self.bad_header(unit))?;
            let sealed = sealed_len(&*file, &header, len).map_err(|error| self.unreadable(unit, error))?;
            let Some((len, _trailer)) = sealed else {
                return Err(Error::corrupt(self.name(unit), len, "a sealed segment expected, as others follow it"));
            };
            let bytes = header.covers.map_or(u64::from(len), |covers| covers.bytes);
            end = Some(Lsn(header.first_lsn.0 + bytes));
            list.push(Arc::new(Segment::compacted(self.disk, unit.path(dir), header, len)));
        }
        if last.generation > 0 {
            let what = format!("segment {} expected after it: a file is missing", last.last.0 + 1);
            return Err(Error::corrupt(self.name(last), 0, what));
        }
        match self.open(last, end)? {
            Some((file, header, len)) => Ok((list, Last::Found { file, header, len })),
            None => self.remove_unmade(last, end, replay_from).and_then(|missing| self.without_unmade(list, missing)),
        }
    }

    /// When the last segment was never used, the one before it is the last: the writer begins the next when there is something to write,
    /// so that a full disk keeps no log closed. One whose footer is damaged is no place to go on from.
    fn without_unmade(&self, mut list: Vec<Arc<Segment>>, missing: Last) -> Result<(Vec<Arc<Segment>>, Last)> {
        let Some(before) = list.pop() else { return Ok((list, missing)) };
        if before.header.covers.is_some() {
            // Nothing is ever added to what compaction has written.
            list.push(before);
            return Ok((list, missing));
        }
        let id = before.header.segment;
        let unit = &Unit { first: id, last: id, generation: 0 };
        let (file, header, len) = self.open(unit, None)?.ok_or_else(|| self.bad_header(unit))?;
        let footer = match sealed_len(&*file, &header, len).map_err(|error| self.unreadable(unit, error))? {
            Some((short, trailer)) => read_footer(&*file, &header, short, trailer),
            None => Ok(None),
        };
        if footer.map_err(|error| self.unreadable(unit, error))?.is_none() {
            list.push(before);
            return Ok((list, missing));
        }
        Ok((list, Last::Found { file, header, len }))
    }

    /// A segment's file with its header; `None` if there is no valid header.
    fn open(&self, unit: &Unit, end: Option<Lsn>) -> Result<Option<SegmentOnDisk>> {
        let (id, unreadable) = (unit.first, |error| self.unreadable(unit, error));
        let file = self.disk.open(&unit.path(&self.options.dir)).map_err(unreadable)?;
        let len = file.len().map_err(unreadable)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let whole = &mut bytes[..(SEGMENT_HEADER_BYTES as u64).min(len) as usize];
        file.read_exact_at(whole, 0).map_err(unreadable)?;
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) => header,
            Err(_) if len <= SEGMENT_HEADER_BYTES as u64 => return Ok(None),
            Err(error) => return Err(Error::corrupt(self.name(unit), error.at as u64, error.what)),
        };
        let covers = (unit.generation > 0) == header.covers.is_some() && header.last_segment() == unit.last;
        if header.shard != self.options.shard || header.segment != id || !covers {
            let what = format!(
                "segment {id} of shard {} expected, {} of {} found",
                self.options.shard, header.segment, header.shard
            );
            return Err(Error::corrupt(self.name(unit), 0, what));
        }
        match end {
            Some(end) if end != header.first_lsn => {
                let what = format!(
                    "the segment that begins at lsn {end} expected, lsn {} found: a file is missing",
                    header.first_lsn
                );
                Err(Error::corrupt(self.name(unit), 0, what))
            }
            _ => Ok(Some((file, header, len))),
        }
    }

    fn unreadable(&self, unit: &Unit, error: std::io::Error) -> Error {
        Error::io(format!("read {}", self.name(unit)), error)
    }

    fn bad_header(&self, unit: &Unit) -> Error {
        Error::corrupt(self.name(unit), 0, "a segment header expected")
    }

    /// A crash while a segment was made leaves a file without a valid header and without frames: it was never used, unless a checkpoint knows
    /// of more log.
    fn remove_unmade(&self, unit: &Unit, end: Option<Lsn>, replay_from: Lsn) -> Result<Last> {
        let id = unit.first;
        let first_lsn = match end {
            Some(end) => end,
            None if id == SegmentId(1) => Lsn(0),
            None => return Err(self.bad_header(unit)),
        };
        self.check_end(Lsn(first_lsn.0 + SEGMENT_HEADER_BYTES as u64), replay_from)?;
        let removed = self.disk.remove(&segment_path(&self.options.dir, id));
        removed.map_err(|error| Error::io(format!("remove {}", self.name(unit)), error))?;
        Ok(Last::Missing { id, first_lsn })
    }

    /// Reads the last segment, changing nothing.
    pub(super) fn read_last(
        &self,
        file: Arc<dyn File>,
        header: SegmentHeader,
        len: u64,
        replay_from: Lsn,
    ) -> Result<(Tail, Unsettled)> {
        let unit = Unit { first: header.segment, last: header.segment, generation: 0 };
        let name = self.name(&unit);
        let sealed = sealed_len(&*file, &header, len).map_err(|error| self.unreadable(&unit, error))?;
        if let Some((short, trailer)) = sealed
            && read_footer(&*file, &header, short, trailer).map_err(|error| self.unreadable(&unit, error))?.is_some()
        {
            let rewrite = u64::from(trailer.footer_offset)..len;
            let table = TableBuilder::default();
            let tail = Tail { header, file, name, len: short, table, sealed: true, zeros_end: 0, zeros_max: 0 };
            return Ok((tail, Unsettled { rewrite, torn: None }));
        }
        let view = Segment::tail(self.disk, &self.options.dir, header, Arc::clone(&file));
        let found = scan(&view, &*file, len, replay_from)?;
        let short = u32::try_from(found.last_group.end)
            .map_err(|_| Error::corrupt(&name, len, "a segment of at most 4 GiB expected"))?;
        let torn = found.torn.map(|why| (len, why));
        let table = found.table;
        let tail = Tail { header, file, name, len: short, table, sealed: false, zeros_end: 0, zeros_max: 0 };
        Ok((tail, Unsettled { rewrite: found.last_group, torn }))
    }

    /// A checkpoint is made from the log, so it never covers more than the log has.
    pub(super) fn check_end(&self, end: Lsn, replay_from: Lsn) -> Result<()> {
        if replay_from <= end {
            return Ok(());
        }
        let what =
            format!("the log ends at lsn {end}, before the checkpoint at lsn {replay_from} that was made from it");
        Err(Error::corrupt(self.dir_name(), 0, what))
    }

    pub(super) fn view(&self, tail: &Tail) -> Segment {
        match tail.sealed {
            true => Segment::sealed(self.disk, &self.options.dir, tail.header, tail.len),
            false => Segment::tail(self.disk, &self.options.dir, tail.header, Arc::clone(&tail.file)),
        }
    }
}
