//! A group commit on the machine's disk: one write and one sync, however many frames share it. The figures are the disk's as much as ours.
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use posthouse_engine::base::{Lsn, ShardId, SystemClock};
use posthouse_engine::disk::{Disk, StdDisk};
use posthouse_engine::log::{self, FrameKind, LogOptions, Writer};
use std::path::PathBuf;
use std::sync::Arc;

/// A payload of a usual mail, as stored.
const PAYLOAD_BYTES: usize = 4096;

fn writer(disk: Arc<dyn Disk>) -> Writer {
    let dir = PathBuf::from("shards/00000");
    let options = LogOptions { shard: ShardId(0), dir, segment_bytes_max: 64 << 20, epoch: 1, writes_ahead: true };
    let opened = log::open(disk, Arc::new(SystemClock), options, Lsn(0), &mut |_, _| Ok(()));
    opened.expect("a log in an empty directory").0
}

fn groups(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let payload: Vec<u8> = (0..PAYLOAD_BYTES).map(|at| (at as u8).wrapping_mul(31)).collect();
    let mut all = c.benchmark_group("commit");
    for frames in [1u64, 16, 256] {
        let disk = StdDisk::new(dir.path().join(frames.to_string())).expect("a directory");
        let mut writer = writer(Arc::new(disk));
        all.throughput(Throughput::Elements(frames));
        all.bench_with_input(BenchmarkId::new("group", frames), &frames, |bench, frames| {
            bench.iter(|| {
                for _ in 0..*frames {
                    writer.push(FrameKind::Message, 0, 0, &[&payload]).expect("room");
                }
                writer.commit().expect("synced")
            });
        });
    }
    all.finish();
}

criterion_group!(benches, groups);
criterion_main!(benches);
