//! Segment headers, trailers, footers and the heads of messages: what is read comes back as the same bytes.
#![no_main]
use posthouse_engine::base::{Lsn, SegmentId, ShardId};
use posthouse_engine::delivery::unstage;
use posthouse_engine::format::segment::{SEGMENT_HEADER_BYTES, TRAILER_BYTES, at, trailer_at};
use posthouse_engine::format::{Footer, FrameHeader, FrameKind, MessageHead, SegmentHeader, TableBuilder, Trailer};
use posthouse_engine::format::{MESSAGE_HEAD_BYTES, frame::salted_crc};

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let Some((what, data)) = data.split_first() else { return };
    match what % 5 {
        0 => header(data),
        1 => trailer(data),
        2 => footer(data),
        3 => message(data),
        _ => {
            let _ = unstage(data, true);
        }
    }
}

fn header(data: &[u8]) {
    let _ = SegmentHeader::decode(data);
    let Some(mut bytes) = data.first_chunk::<SEGMENT_HEADER_BYTES>().copied() else { return };
    let crc = crc(&bytes[..at::CRC]);
    bytes[at::CRC..].copy_from_slice(&crc.to_le_bytes());
    let Ok(header) = SegmentHeader::decode(&bytes) else { return };
    // Versions and reserved bytes are the writer's own.
    assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
    assert_eq!(header.encode()[at::EPOCH..at::RESERVED_2], bytes[at::EPOCH..at::RESERVED_2]);
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
    let frames = footer.table.iter().count();
    assert_eq!(frames, footer.messages as usize + footer.events as usize + footer.dictionaries as usize);
    assert!(footer.table.iter().is_sorted_by(|a, b| a.0 <= b.0));
}

fn message(data: &[u8]) {
    let _ = unstage(data, false);
    let Ok(head) = MessageHead::decode(data) else { return };
    let mut out = Vec::new();
    head.encode(&mut out);
    assert_eq!(out, data[..MESSAGE_HEAD_BYTES]);
    assert!(head.body_start() >= MESSAGE_HEAD_BYTES);
    // With the size and the crc that the body has, it is the message.
    let body = data.get(head.body_start()..).unwrap_or_default();
    let head = MessageHead { size_bytes: body.len() as u32, crc: crc(body), ..head };
    let mut payload = Vec::new();
    head.encode(&mut payload);
    payload.extend_from_slice(&data[MESSAGE_HEAD_BYTES..]);
    if data.len() >= head.body_start() {
        assert_eq!(unstage(&payload, false).as_deref(), Ok(body));
    }
}

/// A salt of zero is the crc as everybody has it.
fn crc(bytes: &[u8]) -> u32 {
    salted_crc(0, bytes)
}

fn seeds() -> Vec<Vec<u8>> {
    let header = SegmentHeader {
        shard: ShardId(7),
        epoch: 3,
        segment: SegmentId(1),
        first_lsn: Lsn(0),
        created_ms: 1000,
        salt: 0x0102_0304,
    };
    let mut table = TableBuilder::default();
    for (offset, kind) in [(64, FrameKind::Message), (640, FrameKind::Events), (800, FrameKind::Dictionary)] {
        let (lsn, payload_len) = (Lsn(u64::from(offset)), 100);
        let frame = FrameHeader { kind, flags: 2, dictionary: 0, payload_len, payload_crc: 0, lsn, group_back: 0 };
        table.add(offset, &frame, 9);
    }
    let mut message = Vec::new();
    MessageHead { size_bytes: 5, summary_len: 3, ..MessageHead::default() }.encode(&mut message);
    message.extend_from_slice(b"sumhello");
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    vec![
        tagged(0, &header.encode()),
        tagged(1, &Trailer { footer_offset: 64 }.encode(7)),
        tagged(2, &table.footer().encode()),
        tagged(3, &message),
        tagged(4, &message),
    ]
}
