//! Takes a log back to a point in time, in a directory that nobody serves from: everything after the last group that was certainly written by
//! then is cut off. Never guesses: a change that carries no time goes when nothing after it proves that it came early enough.
use super::shard::dir;
use crate::base::bytes::Reader;
use crate::base::{Clock, Error, Lsn, Result, SegmentId, ShardId};
use crate::delivery;
use crate::directory;
use crate::disk::Disk;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{Event, FrameKind, FrameRef, Mending, SegmentHeader};
use crate::log::{self, LogOptions, SegmentFile, Segments, Unit, choose_units};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// Bytes of log that are gone.
    pub bytes: u64,
    /// The last time that the log names now, seconds since 1970-01-01 UTC; `None`: it holds nothing that old.
    pub last: Option<i64>,
}

/// Cuts the log of a shard after the last group that is proven to be no later than `at` (seconds since 1970-01-01 UTC): proven by a time in
/// it or after it, or by `floor`, a length of a segment that an older copy of the log had by then. Index parts must not be there, since they may
/// know of what is cut.
///
/// # Errors
/// As opening the log; `Invalid` when there are index parts.
pub fn take_back(
    disk: &Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
    shard: ShardId,
    at: i64,
    floor: Option<(SegmentId, u64)>,
) -> Result<TakenBack> {
    let own = dir(shard);
    let listed = disk.list(&own).map_err(|why| Error::io(format!("list {}", own.display()), why))?;
    if listed.iter().any(|name| name.starts_with("idx-")) {
        return Err(Error::Invalid(format!("{}: index parts stand beside a log that is to be cut", own.display())));
    }
    before_compaction(&**disk, shard, at)?;
    let segment_bytes_max = crate::base::limits::SEGMENT_BYTES_MAX;
    let options = LogOptions { shard, dir: own, segment_bytes_max, epoch: 1, writes_ahead: false };
    let mut found = Found { at, last: None, kept: None, late: None };
    let (writer, segments, _) = log::open(disk.clone(), clock.clone(), options, Lsn(0), &mut |lsn, frame| {
        // Dictionaries come along with the events, and say nothing of time that a log's order needs.
        if frame.header.kind != FrameKind::Events {
            return Ok(());
        }
        let times = match shard {
            ShardId::CONTROL => control_times(frame.payload),
            _ => packed_times(frame),
        };
        found.see(lsn, &times?);
        Ok(())
    })?;
    drop(writer);
    let headers = headers(&**disk, shard, &segments)?;
    let mut end = match found.kept {
        Some(lsn) => group_end(&segments, lsn)?,
        None => Lsn(0),
    };
    for file in segments.files().iter().filter(|file| file.compacted) {
        // Written by then, with all that it holds.
        end = end.max(file.end_lsn);
    }
    for header in headers.iter().filter(|header| header.created_ms.div_euclid(1000) <= at) {
        // A segment that was begun by then proves everything before it.
        end = end.max(header.first_lsn);
        let begun = header.created_ms.div_euclid(1000);
        found.last = found.last.max((header.first_lsn.0 > 0).then_some(begun));
    }
    if let Some(floor) = floor.and_then(|floor| floor_of(&headers, &segments, floor)) {
        // The copy may have been made a moment after the time that it carries: what is known to be later is not in the result.
        let late = found.late.map(|lsn| group_start(&segments, lsn)).transpose()?;
        if late.is_none_or(|late| floor <= late) {
            end = end.max(floor);
        }
    }
    cut(&**disk, shard, &segments, end).map(|bytes| TakenBack { bytes, last: found.last })
}

/// What the events say of time.
struct Found {
    at: i64,
    last: Option<i64>,
    /// The last frame that is early enough.
    kept: Option<Lsn>,
    /// The first one that is too late: the log is in order, so nothing after it counts.
    late: Option<Lsn>,
}

impl Found {
    fn see(&mut self, lsn: Lsn, times: &[i64]) {
        if times.iter().any(|time| *time > self.at) {
            self.late = self.late.or(Some(lsn));
        }
        if self.late.is_none() && !times.is_empty() {
            self.kept = Some(lsn);
            self.last = self.last.max(times.iter().copied().max());
        }
    }
}

/// The times of all transactions in a frame.
fn packed_times(frame: FrameRef<'_>) -> Result<Vec<i64>> {
    let all = delivery::transactions(frame.header.lsn, frame.header.flags, frame.payload);
    let all = all.map_err(|why| Error::corrupt("shard events", frame.header.lsn.0, why))?;
    let times = all.iter().map(|(_, events)| times(events)).collect::<Result<Vec<_>>>()?;
    Ok(times.into_iter().flatten().collect())
}

/// Takes back what compaction did after `at`: it left out what was removed by then, so only the files before it still have all of `at`.
fn before_compaction(disk: &dyn Disk, shard: ShardId, at: i64) -> Result<()> {
    let own = dir(shard);
    let io = |path: &Path, why| Error::io(format!("read {}", disk.full_path(path).display()), why);
    loop {
        let names = disk.list(&own).map_err(|why| io(&own, why))?;
        let units: Vec<Unit> = names.iter().filter_map(|name| Unit::parse(name)).collect();
        let mut later = None;
        for unit in choose_units(units.clone()).0.into_iter().filter(|unit| unit.generation > 0) {
            let path = unit.path(&own);
            let mut bytes = [0; SEGMENT_HEADER_BYTES];
            let read = disk.open(&path).and_then(|file| file.read_exact_at(&mut bytes, 0));
            read.map_err(|why| io(&path, why))?;
            let name = || disk.full_path(&path).display().to_string();
            let header = SegmentHeader::decode(&bytes);
            let header = header.map_err(|why| Error::corrupt(name(), why.at as u64, why.what))?;
            if header.created_ms.div_euclid(1000) > at {
                later = Some((unit, path));
                break;
            }
        }
        let Some((unit, path)) = later else { return Ok(()) };
        let rest = units.into_iter().filter(|other| *other != unit && unit.covers(other)).collect();
        let covered: u32 = choose_units(rest).0.iter().map(|other| other.last.0 - other.first.0 + 1).sum();
        if covered != unit.last.0 - unit.first.0 + 1 {
            let name = disk.full_path(&path).display().to_string();
            let what = "was compacted after the time that is asked for, and what it replaced is not kept any more: mail that was \
                        removed in between is gone from it. Take an older backup, or a later time";
            return Err(Error::Invalid(format!("{name} {what}")));
        }
        disk.remove(&path).map_err(|why| io(&path, why))?;
    }
}

/// The times at which a shard's events were written.
fn times(payload: &[u8]) -> Result<Vec<i64>> {
    let events = Event::decode_all(payload).map_err(|why| Error::corrupt("shard events", 0, why.to_string()))?;
    let time = |event: &Event| match event {
        Event::Delivered { save_date, .. } => Some(i64::from(*save_date)),
        Event::Queued { created, .. } => Some(*created),
        Event::Reached { when, .. } => Some(*when),
        Event::Mending(Mending::Dated { when }) => Some(*when),
        _ => None,
    };
    Ok(events.iter().filter_map(time).collect())
}

/// The same of the directory's.
fn control_times(payload: &[u8]) -> Result<Vec<i64>> {
    let (mut reader, mut out) = (Reader::new(payload), Vec::new());
    while !reader.is_empty() {
        let event = directory::Event::decode(&mut reader)
            .map_err(|why| Error::corrupt("directory events", 0, why.to_string()))?;
        out.extend(event.time());
    }
    Ok(out)
}

/// The log position of a length of a segment, if that is still there.
fn floor_of(headers: &[SegmentHeader], segments: &Segments, (id, bytes): (SegmentId, u64)) -> Option<Lsn> {
    let len = segments.files().iter().find(|file| file.id == id)?.len_bytes;
    let header = headers.iter().find(|header| header.segment == id).filter(|_| bytes <= len)?;
    Some(Lsn(header.first_lsn.0 + bytes))
}

/// Where the group of the frame at `lsn` begins.
fn group_start(segments: &Arc<Segments>, lsn: Lsn) -> Result<Lsn> {
    let frame = segments.frames(lsn).next().transpose()?;
    Ok(frame.map_or(lsn, |(_, _, header)| Lsn(lsn.0 - u64::from(header.group_back))))
}

/// Where the group of the frame at `lsn` ends.
fn group_end(segments: &Arc<Segments>, lsn: Lsn) -> Result<Lsn> {
    let mut frames = segments.frames(lsn);
    while let Some(frame) = frames.next() {
        if frame?.2.ends_group() {
            return Ok(frames.position());
        }
    }
    Ok(segments.durable_end())
}

fn path(shard: ShardId, file: &SegmentFile) -> PathBuf {
    dir(shard).join(file.name())
}

fn headers(disk: &dyn Disk, shard: ShardId, segments: &Segments) -> Result<Vec<SegmentHeader>> {
    let mut out = Vec::new();
    for file in segments.files() {
        let path = path(shard, &file);
        let name = disk.full_path(&path).display().to_string();
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = disk.open(&path).and_then(|open| open.read_exact_at(&mut bytes, 0));
        read.map_err(|why| Error::io(format!("read {name}"), why))?;
        out.push(SegmentHeader::decode(&bytes).map_err(|why| Error::corrupt(name, why.at as u64, why.what))?);
    }
    Ok(out)
}

/// Removes the segments after `end`, newest first, so that a crash leaves a log without a gap, and shortens the one that holds it.
fn cut(disk: &dyn Disk, shard: ShardId, segments: &Segments, end: Lsn) -> Result<u64> {
    let mut gone = 0;
    let files = segments.files();
    for (at, file) in files.iter().enumerate().rev() {
        let path = path(shard, file);
        let io = |why| Error::io(format!("shorten {}", disk.full_path(&path).display()), why);
        // A log never ends with a compacted segment: the one behind it stays, empty.
        let goes_on = file.first_lsn == end && at > 0 && files[at - 1].compacted;
        if at > 0 && file.first_lsn >= end && !goes_on {
            disk.remove(&path).map_err(io)?;
            gone += file.len_bytes;
            continue;
        }
        let len = end.0.saturating_sub(file.first_lsn.0).max(SEGMENT_HEADER_BYTES as u64);
        if len < file.len_bytes {
            let open = disk.open(&path).map_err(io)?;
            open.set_len(len).and_then(|()| open.sync_data()).map_err(io)?;
            gone += file.len_bytes - len;
        }
        break;
    }
    disk.sync_dir(&dir(shard)).map_err(|why| Error::io(format!("sync shard {shard}"), why))?;
    Ok(gone)
}
