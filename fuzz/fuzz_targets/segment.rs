//! Segment headers, trailers and footers: what is read comes back as the same bytes.
#![no_main]
use posthouse_engine::base::{Lsn, SegmentId, ShardId};
use posthouse_engine::format::frame::salted_crc;
use posthouse_engine::format::segment::{SEGMENT_HEADER_BYTES, SEGMENT_VERSION, TRAILER_BYTES, at, trailer_at};
use posthouse_engine::format::{Footer, FrameHeader, FrameKind, SegmentHeader, TableBuilder, Trailer};

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let Some((what, data)) = data.split_first() else { return };
    match what % 3 {
        0 => header(data),
        1 => trailer(data),
        _ => footer(data),
    }
}

fn header(data: &[u8]) {
    let _ = SegmentHeader::decode(data);
    let Some(mut bytes) = data.first_chunk::<SEGMENT_HEADER_BYTES>().copied() else { return };
    let crc = crc(&bytes[..at::CRC]);
    bytes[at::CRC..].copy_from_slice(&crc.to_le_bytes());
    let Ok(header) = SegmentHeader::decode(&bytes) else { return };
    if header.version > SEGMENT_VERSION {
        // A newer program's, which may be read but is never written here.
        return;
    }
    // The reader's version and reserved bytes are the writer's own.
    assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
    assert_eq!(header.encode()[at::EPOCH..at::COVERED_SEGMENTS], bytes[at::EPOCH..at::COVERED_SEGMENTS]);
}

fn trailer(data: &[u8]) {
    let _ = Trailer::decode(data, 7);
    let Some(mut bytes) = data.first_chunk::<TRAILER_BYTES>().copied() else { return };
    let crc = salted_crc(7, &bytes[..trailer_at::CRC]);
    bytes[trailer_at::CRC..].copy_from_slice(&crc.to_le_bytes());
    if let Ok(trailer) = Trailer::decode(&bytes, 7) {
        assert_eq!(trailer.encode(7), bytes);
    }
}

fn footer(data: &[u8]) {
    let Ok(footer) = Footer::decode(data) else { return };
    assert_eq!(Footer::decode(&footer.encode()).as_ref(), Ok(&footer));
    // Parts, blocks and address tables are in the table and in no count.
    let uncounted = |kind: &FrameKind| matches!(kind, FrameKind::Part | FrameKind::Block | FrameKind::Addresses);
    let frames = footer.table.iter().filter(|(_, kind)| !uncounted(kind)).count();
    assert_eq!(frames, footer.messages as usize + footer.events as usize + footer.dictionaries as usize);
    assert!(footer.table.iter().is_sorted_by(|a, b| a.0 <= b.0));
}

/// A salt of zero is the crc as everybody has it.
fn crc(bytes: &[u8]) -> u32 {
    salted_crc(0, bytes)
}

fn seeds() -> Vec<Vec<u8>> {
    let header = SegmentHeader {
        version: SEGMENT_VERSION,
        shard: ShardId(7),
        epoch: 3,
        segment: SegmentId(1),
        first_lsn: Lsn(0),
        created_ms: 1000,
        salt: 0x0102_0304,
        covers: None,
    };
    let mut table = TableBuilder::default();
    for (offset, kind) in [(64, FrameKind::Message), (640, FrameKind::Events), (800, FrameKind::Dictionary)] {
        let (lsn, payload_len) = (Lsn(u64::from(offset)), 100);
        let frame = FrameHeader { kind, flags: 2, dictionary: 0, payload_len, payload_crc: 0, lsn, group_back: 0 };
        table.add(offset, &frame, 9);
    }
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    vec![
        tagged(0, &header.encode()),
        tagged(1, &Trailer { footer_offset: 64 }.encode(7)),
        tagged(2, &table.footer().encode()),
    ]
}
