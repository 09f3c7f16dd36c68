//! Opens a shard's log: finds its end, cuts a torn tail and says so, replays events. Never cuts what was once durable.
use super::found::{Last, Shard};
use super::replay::replay;
use super::tail::Tail;
use super::writer::segment_header;
use super::{Segments, Writer};
use crate::base::{Clock, Error, Lsn, Result, ShardId};
use crate::disk::Disk;
use crate::format::FrameRef;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a shard's log is and how it grows.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Written into every segment; another shard's segment is refused.
    pub shard: ShardId,
    /// The shard's directory, relative to the disk's root.
    pub dir: PathBuf,
    /// A segment that has reached this is sealed before the next group.
    pub segment_bytes_max: u32,
    /// Written into new segments.
    pub epoch: u64,
    /// Whether zeros are written in front of the log, so that most syncs change no length.
    pub writes_ahead: bool,
}

/// What opening found and did.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The torn tail that was cut, if there was one.
    pub cut: Option<Cut>,
    /// Segments of the log, the tail included.
    pub segments: usize,
    /// Event frames given to `apply`.
    pub replayed: u64,
    /// The log's end.
    pub end: Lsn,
}

/// A torn tail: bytes of a group that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment's path, as shown to a person.
    pub file: String,
    /// Where it was cut, in bytes from the file's start.
    pub offset: u64,
    /// Bytes cut off.
    pub bytes: u64,
    /// Why the bytes there were not believed.
    pub reason: String,
    /// The copy of these bytes; none if they were all zero or there was no room.
    pub copy: Option<PathBuf>,
}

/// Opens or creates the log in `options.dir` and gives every event and dictionary frame with `lsn >= replay_from` to `apply`, in order.
///
/// # Errors
/// `Corrupt`: a sealed segment, or something before the last group, is not what was written; or `replay_from` lies beyond the log's end
/// (the checkpoint is newer than the log). Nothing is cut then. `Io`, `NoSpace`, and whatever `apply` returns.
pub fn open(
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    options: LogOptions,
    replay_from: Lsn,
    apply: &mut dyn FnMut(Lsn, FrameRef<'_>) -> Result<()>,
) -> Result<(Writer, Arc<Segments>, Recovered)> {
    open_covered(disk, clock, options, replay_from, replay_from, apply)
}

/// The same when a checkpoint at `covered`, which lies behind `replay_from`, proves that the log was whole up to there, but is of no use
/// by itself: nothing before `covered` is taken for a torn tail. Errors as `open`.
pub fn open_covered(
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    options: LogOptions,
    replay_from: Lsn,
    covered: Lsn,
    apply: &mut dyn FnMut(Lsn, FrameRef<'_>) -> Result<()>,
) -> Result<(Writer, Arc<Segments>, Recovered)> {
    let covered = covered.max(replay_from);
    let shard = Shard { disk: &*disk, options: &options };
    shard.make_dir()?;
    let (mut list, last) = shard.segments(covered)?;
    let first = list.first().map_or(last.first_lsn(), |segment| segment.header.first_lsn);
    if first > replay_from {
        let what =
            format!("the log begins at lsn {first}, after the checkpoint at lsn {replay_from}: files are missing");
        return Err(Error::corrupt(shard.dir_name(), 0, what));
    }
    let (mut tail, unsettled) = match last {
        Last::Missing { id, first_lsn } => {
            shard.check_end(Lsn(first_lsn.0 + SEGMENT_HEADER_BYTES as u64), covered)?;
            let header = segment_header(&options, &*clock, id, first_lsn);
            (Tail::create(&*disk, &options.dir, header)?, None)
        }
        Last::Found { file, header, len } => {
            let (tail, unsettled) = shard.read_last(file, header, len, covered)?;
            shard.check_end(tail.end(), covered)?;
            (tail, Some(unsettled))
        }
    };
    list.push(Arc::new(shard.view(&tail)));
    let mut recovered = Recovered { cut: None, segments: list.len(), replayed: 0, end: tail.end() };
    let segments = Arc::new(Segments::new(Arc::clone(&disk), list, tail.end()));
    recovered.replayed = replay(&segments, &tail, replay_from, apply)?;
    if let Some(unsettled) = unsettled {
        recovered.cut = shard.settle(&mut tail, unsettled, &*clock)?;
    }
    let writer = Writer::new(disk, clock, options, Arc::clone(&segments), tail);
    Ok((writer, segments, recovered))
}
