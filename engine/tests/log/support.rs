//! What the log's tests share: a shard's options, a log that is opened and read whole, a directory that goes away. No test is here.
use posthouse_engine::base::{Error, Locator, Lsn, Result, ShardId, SimClock};
use posthouse_engine::disk::{Disk, StdDisk};
use posthouse_engine::log::{FrameKind, LogOptions, Recovered, Segments, Writer};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Segments of `segment_bytes_max` in shard 7.
pub fn options(segment_bytes_max: u32) -> LogOptions {
    LogOptions {
        shard: ShardId(7),
        dir: PathBuf::from("shards/00007"),
        segment_bytes_max,
        epoch: 3,
        writes_ahead: true,
    }
}

/// An opened log and the payloads of the events that were replayed.
pub struct Opened {
    pub writer: Writer,
    pub segments: Arc<Segments>,
    pub recovered: Recovered,
    pub replayed: Vec<(Lsn, Vec<u8>)>,
}

pub fn open(disk: &Arc<dyn Disk>, segment_bytes_max: u32, from: Lsn) -> Result<Opened> {
    open_with(disk, options(segment_bytes_max), from)
}

pub fn open_with(disk: &Arc<dyn Disk>, options: LogOptions, from: Lsn) -> Result<Opened> {
    let mut replayed = Vec::new();
    let mut apply = |lsn, frame: posthouse_engine::log::FrameRef<'_>| {
        replayed.push((lsn, frame.payload.to_vec()));
        Ok(())
    };
    let clock = Arc::new(SimClock::at_ms(1_000));
    let (writer, segments, recovered) =
        posthouse_engine::log::open(Arc::clone(disk), clock, options, from, &mut apply)?;
    Ok(Opened { writer, segments, recovered, replayed })
}

/// One frame of a group as a test wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub kind: FrameKind,
    pub payload: Vec<u8>,
}

/// A group of 1 to 4 frames with payloads that name the group, so that no two groups are alike.
pub fn group(number: u32, seed: u64) -> Vec<Wanted> {
    let mut random = posthouse_engine::disk::sim::Random::new(seed ^ (u64::from(number) << 32));
    let frames = 1 + random.below(4);
    let frame = |at| {
        let kind = if at + 1 == frames { FrameKind::Events } else { FrameKind::Message };
        let mut payload = format!("group {number} frame {at} ").into_bytes();
        let longer = [0, 7, 300, 900, 2500][random.below(5) as usize] as usize;
        payload.extend((0..longer).map(|_| random.below(256) as u8));
        Wanted { kind, payload }
    };
    (0..frames).map(frame).collect()
}

/// Pushes and commits one group.
pub fn commit(writer: &mut Writer, group: &[Wanted]) -> Result<Vec<Locator>> {
    let pushed: Result<Vec<Locator>> = group
        .iter()
        .map(|frame| {
            let (front, back) = frame.payload.split_at(frame.payload.len() / 2);
            writer.push(frame.kind, 0, 0, &[front, back])
        })
        .collect();
    let pushed = pushed.inspect_err(|_| writer.abort())?;
    writer.commit()?;
    Ok(pushed)
}

/// Every frame of the log, payloads checked.
pub fn frames(segments: &Arc<Segments>) -> Result<Vec<Wanted>> {
    segments
        .frames(Lsn(0))
        .map(|frame| {
            let (_, _, frame) = frame?;
            frame.check()?;
            Ok(Wanted { kind: frame.kind, payload: frame.payload().to_vec() })
        })
        .collect()
}

/// Whether the error names a segment's file.
pub fn names_a_segment(error: &Error) -> bool {
    matches!(error, Error::Corrupt { file, .. } if file.contains("seg-00000"))
}

/// A directory of its own for one test, removed at the end.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new(name: &str) -> TempDir {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("posthouse-{name}-{}-{number}", std::process::id()));
        TempDir(dir)
    }

    pub fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(StdDisk::new(&self.0).unwrap())
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
