//! Opens a log made of whole frames, frames that lie, damage and plain bytes. It opens or is refused as corrupt; once open it takes a
//! group, and opens again with what it had and that group.
#![no_main]
use posthouse_engine::base::{Error, Lsn, Result, SegmentId, ShardId, SimClock};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::format::frame::{FRAME_FLAG_GROUP_END, frame_bytes, salted_crc};
use posthouse_engine::format::segment::{SEGMENT_HEADER_BYTES, SEGMENT_VERSION};
use posthouse_engine::format::{FrameHeader, FrameKind, SegmentHeader, TableBuilder, Trailer};
use posthouse_engine::log::{self, LogOptions, Recovered, Segments, Writer};
use posthouse_fuzz::Take;
use std::path::{Path, PathBuf};
use std::sync::Arc;

posthouse_fuzz::target!(run, seeds: seeds());

const SALT: u32 = 0x5a17;
const DIR: &str = "shards/00007";

/// The segment that is being made.
struct Making {
    header: SegmentHeader,
    bytes: Vec<u8>,
    group_at: usize,
    table: TableBuilder,
    table_end: usize,
}

impl Making {
    fn new(segment: u32, first_lsn: u64) -> Making {
        let (segment, first_lsn) = (SegmentId(segment), Lsn(first_lsn));
        let (version, shard) = (SEGMENT_VERSION, ShardId(7));
        let header =
            SegmentHeader { version, shard, epoch: 3, segment, first_lsn, created_ms: 0, salt: SALT, covers: None };
        Making {
            header,
            bytes: header.encode().to_vec(),
            group_at: SEGMENT_HEADER_BYTES,
            table: TableBuilder::default(),
            table_end: 0,
        }
    }

    fn end(&self) -> u64 {
        self.header.first_lsn.0 + self.bytes.len() as u64
    }

    fn frame(&mut self, kind: FrameKind, ends: bool, payload: &[u8]) {
        let at = self.bytes.len();
        let header = FrameHeader {
            kind,
            flags: if ends { FRAME_FLAG_GROUP_END } else { 0 },
            dictionary: 0,
            payload_len: payload.len() as u32,
            payload_crc: salted_crc(0, payload),
            lsn: Lsn(self.end()),
            group_back: at.saturating_sub(self.group_at) as u32,
        };
        self.put(&header, payload);
        if ends {
            self.group_at = self.bytes.len();
        }
    }

    fn put(&mut self, header: &FrameHeader, payload: &[u8]) {
        let at = self.bytes.len();
        let encoded = header.encode(SALT);
        let crc = u32::from_le_bytes([encoded[28], encoded[29], encoded[30], encoded[31]]);
        // After a cut the table says what once was there.
        if at >= self.table_end {
            self.table.add(at as u32, header, crc);
            self.table_end = at;
        }
        self.bytes.extend_from_slice(&encoded);
        self.bytes.extend_from_slice(payload);
        self.bytes.resize(at + frame_bytes(payload.len()), 0);
    }

    fn seal(&mut self) {
        let footer_offset = self.bytes.len() as u32;
        let payload = self.table.footer().encode();
        self.group_at = self.bytes.len();
        self.frame(FrameKind::Footer, true, &payload);
        self.bytes.extend_from_slice(&Trailer { footer_offset }.encode(SALT));
    }

    /// A header with a right crc whose fields come from the input.
    fn lie(&mut self, take: &mut Take<'_>) {
        let kind = FrameKind::from_u8(1 + take.u8() % 4).unwrap_or(FrameKind::Events);
        let header = FrameHeader {
            kind,
            flags: take.u8() % 4,
            dictionary: take.u16(),
            payload_len: u32::from(take.u16()),
            payload_crc: take.u32(),
            lsn: Lsn(self.end().wrapping_add(u64::from(take.u8() % 4) * 8)),
            group_back: if take.u8() % 2 == 0 {
                self.bytes.len().saturating_sub(self.group_at) as u32
            } else {
                take.u32()
            },
        };
        let len = usize::from(take.u8() % 32);
        let payload = take.bytes(len);
        self.put(&header, payload);
    }

    fn write(&self, disk: &dyn Disk) {
        let path = Path::new(DIR).join(format!("seg-{:010}.phl", self.header.segment.0));
        disk.create_dir(Path::new(DIR)).expect("a directory");
        let file = disk.create(&path).expect("a new file");
        file.write_at(&self.bytes, 0).expect("room");
        file.sync_data().expect("synced");
    }
}

struct Opened {
    writer: Writer,
    segments: Arc<Segments>,
    recovered: Recovered,
    events: Vec<Vec<u8>>,
}

fn open(disk: &Arc<dyn Disk>, from: Lsn) -> Result<Opened> {
    let mut events = Vec::new();
    let mut apply = |_, frame: log::FrameRef<'_>| {
        events.push(frame.payload.to_vec());
        Ok(())
    };
    let options = LogOptions {
        shard: ShardId(7),
        dir: PathBuf::from(DIR),
        segment_bytes_max: 4096,
        epoch: 3,
        writes_ahead: true,
    };
    let clock = Arc::new(SimClock::at_ms(1_000));
    let (writer, segments, recovered) = log::open(disk.clone(), clock, options, from, &mut apply)?;
    Ok(Opened { writer, segments, recovered, events })
}

fn run(data: &[u8]) {
    let mut take = Take(data);
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let from = Lsn(u64::from(take.u16()) * u64::from(take.u8() % 2));
    let mut making = Making::new(1, 0);
    while !take.is_empty() {
        match take.u8() % 10 {
            tag @ 0..=4 => {
                let kind = if tag % 2 == 0 { FrameKind::Events } else { FrameKind::Message };
                let len = usize::from(take.u8() % 64);
                let payload = take.bytes(len);
                making.frame(kind, tag < 3, payload);
            }
            5 => {
                let len = usize::from(take.u8() % 64);
                making.bytes.extend_from_slice(take.bytes(len));
            }
            6 => making.lie(&mut take),
            7 => {
                let (at, bits) = (usize::from(take.u16()) % making.bytes.len(), take.u8());
                making.bytes[at] ^= bits;
            }
            8 => making.bytes.truncate(SEGMENT_HEADER_BYTES.max(making.bytes.len().saturating_sub(take.u8().into()))),
            _ => {
                making.seal();
                making.write(&*disk);
                making = Making::new(making.header.segment.0 + 1, making.end());
            }
        }
    }
    making.write(&*disk);
    match open(&disk, from) {
        Ok(log) => goes_on(&disk, log, from),
        Err(Error::Corrupt { .. }) => {}
        Err(other) => panic!("corrupt or nothing expected: {other}"),
    }
}

/// An open log takes a group, and opens again as it was.
fn goes_on(disk: &Arc<dyn Disk>, mut log: Opened, from: Lsn) {
    let read = log.segments.frames(Lsn(0)).take_while(|frame| frame.is_ok()).count();
    log.writer.push(FrameKind::Message, 0, 0, &[b"a message"]).expect("room");
    log.writer.push(FrameKind::Events, 0, 0, &[b"the last event"]).expect("room");
    log.writer.commit().expect("a healthy disk");
    let end = log.writer.end();
    assert!(log.recovered.end < end);
    let again = open(disk, from).expect("what was opened once opens again");
    assert_eq!(again.recovered.cut, None);
    assert_eq!(again.writer.end(), end);
    log.events.push(b"the last event".to_vec());
    assert!(again.events == log.events, "the same events, and the last");
    let frames = again.segments.frames(Lsn(0)).take_while(|frame| frame.is_ok()).count();
    // Sealed messages are not read when a log is opened, so damage in one may end both walks.
    assert!(frames == read || frames == read + 2, "{read} frames, then {frames}");
    assert!(open(disk, end).expect("a checkpoint of all of it").events.is_empty());
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        b"\0\0\0\x00\x05hello\x03\x05world\x01\x02ab\x00\x01x".to_vec(),
        b"\0\0\0\x00\x05hello\x09\x04\x03abc\x00\x02yz\x09\x01\x01q".to_vec(),
        b"\x40\0\x01\x00\x05hello\x05\x20PHF1garbage-that-is-thirty-two-b".to_vec(),
        b"\0\0\0\x00\x05hello\x06\x01\x02\0\0\x05\0\0\0\0\0\0\0\x05hello\x07\x50\0\x01".to_vec(),
    ]
}
