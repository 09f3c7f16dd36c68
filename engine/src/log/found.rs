//! What a shard's directory holds when it is opened: the sealed segments, the last one, and what must be done before it may grow. Decides
//! nothing by guess: a file that contradicts the others is an error. Changes nothing but the remains of a segment that was never used.
use super::recovery::LogOptions;
use super::replay::{read_footer, sealed_len};
use super::scan::scan;
use super::segments::Segment;
use super::tail::{Tail, segment_id, segment_path};
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

    fn name(&self, id: SegmentId) -> String {
        self.disk.full_path(&segment_path(&self.options.dir, id)).display().to_string()
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
        let ids: Vec<SegmentId> = names.iter().filter_map(|name| segment_id(name)).collect();
        let Some((last, before)) = ids.split_last() else {
            return Ok((Vec::new(), Last::Missing { id: SegmentId(1), first_lsn: Lsn(0) }));
        };
        let (mut list, mut end) = (Vec::with_capacity(ids.len()), None);
        for id in before {
            let (file, header, len) = self.open(*id, end)?.ok_or_else(|| self.bad_header(*id))?;
            let sealed = sealed_len(&*file, &header, len).map_err(|error| self.unreadable(*id, error))?;
            let Some((len, _trailer)) = sealed else {
                return Err(Error::corrupt(self.name(*id), len, "a sealed segment expected, as others follow it"));
            };
            end = Some(Lsn(header.first_lsn.0 + u64::from(len)));
            list.push(Arc::new(Segment::sealed(self.disk, dir, header, len)));
        }
        match self.open(*last, end)? {
            Some((file, header, len)) => Ok((list, Last::Found { file, header, len })),
            None => self.remove_unmade(*last, end, replay_from).and_then(|missing| self.without_unmade(list, missing)),
        }
    }

    /// When the last segment was never used, the one before it is the last: the writer begins the next when there is something to write,
    /// so that a full disk keeps no log closed. One whose footer is damaged is no place to go on from.
    fn without_unmade(&self, mut list: Vec<Arc<Segment>>, missing: Last) -> Result<(Vec<Arc<Segment>>, Last)> {
        let Some(before) = list.pop() else { return Ok((list, missing)) };
        let id = before.header.segment;
        let (file, header, len) = self.open(id, None)?.ok_or_else(|| self.bad_header(id))?;
        let footer = match sealed_len(&*file, &header, len).map_err(|error| self.unreadable(id, error))? {
            Some((short, trailer)) => read_footer(&*file, &header, short, trailer),
            None => Ok(None),
        };
        if footer.map_err(|error| self.unreadable(id, error))?.is_none() {
            list.push(before);
            return Ok((list, missing));
        }
        Ok((list, Last::Found { file, header, len }))
    }

    /// A segment's file with its header; `None` if there is no valid header.
    fn open(&self, id: SegmentId, end: Option<Lsn>) -> Result<Option<SegmentOnDisk>> {
        let unreadable = |error| self.unreadable(id, error);
        let file = self.disk.open(&segment_path(&self.options.dir, id)).map_err(unreadable)?;
        let len = file.len().map_err(unreadable)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let whole = &mut bytes[..(SEGMENT_HEADER_BYTES as u64).min(len) as usize];
        file.read_exact_at(whole, 0).map_err(unreadable)?;
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) => header,
            Err(_) if len <= SEGMENT_HEADER_BYTES as u64 => return Ok(None),
            Err(error) => return Err(Error::corrupt(self.name(id), error.at as u64, error.what)),
        };
        if header.shard != self.options.shard || header.segment != id {
            let what = format!(
                "segment {id} of shard {} expected, {} of {} found",
                self.options.shard, header.segment, header.shard
            );
            return Err(Error::corrupt(self.name(id), 0, what));
        }
        match end {
            Some(end) if end != header.first_lsn => {
                let what = format!(
                    "the segment that begins at lsn {end} expected, lsn {} found: a file is missing",
                    header.first_lsn
                );
                Err(Error::corrupt(self.name(id), 0, what))
            }
            _ => Ok(Some((file, header, len))),
        }
    }

    fn unreadable(&self, id: SegmentId, error: std::io::Error) -> Error {
        Error::io(format!("read {}", self.name(id)), error)
    }

    fn bad_header(&self, id: SegmentId) -> Error {
        Error::corrupt(self.name(id), 0, "a segment header expected")
    }

    /// A crash while a segment was made leaves a file without a valid header and without frames: it was never used, unless a checkpoint knows
    /// of more log.
    fn remove_unmade(&self, id: SegmentId, end: Option<Lsn>, replay_from: Lsn) -> Result<Last> {
        let first_lsn = match end {
            Some(end) => end,
            None if id == SegmentId(1) => Lsn(0),
            None => return Err(self.bad_header(id)),
        };
        self.check_end(Lsn(first_lsn.0 + SEGMENT_HEADER_BYTES as u64), replay_from)?;
        let removed = self.disk.remove(&segment_path(&self.options.dir, id));
        removed.map_err(|error| Error::io(format!("remove {}", self.name(id)), error))?;
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
        let name = self.name(header.segment);
        let sealed = sealed_len(&*file, &header, len).map_err(|error| self.unreadable(header.segment, error))?;
        if let Some((short, trailer)) = sealed
            && read_footer(&*file, &header, short, trailer)
                .map_err(|error| self.unreadable(header.segment, error))?
                .is_some()
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
