//! docs/format.md says what the code does: offsets, lengths and an example to the byte; and no bytes make a decoder panic.
use posthouse_engine::base::{Guid, Lsn, SegmentId, ShardId};
use posthouse_engine::format::dictionary::{DICTIONARY_HEAD_BYTES, DictionaryHead};
use posthouse_engine::format::frame::{self, FRAME_FLAG_GROUP_END, FRAME_HEADER_BYTES};
use posthouse_engine::format::recipe::{self, Kept, Piece};
use posthouse_engine::format::segment::{self, SEGMENT_HEADER_BYTES, TRAILER_BYTES, trailer_at};
use posthouse_engine::format::{
    Footer, FrameHeader, FrameKind, FrameRef, SegmentHeader, TableBuilder, Trailer, footer,
};
use posthouse_engine::format::{PART_HEAD_BYTES, PartHead};
use proptest::prelude::*;

const PAGE: &str = include_str!("../../../docs/format.md");

/// Offset, bytes (0: the rest) and field of every row of the table below a heading.
fn rows(heading: &str) -> Vec<(usize, usize, String)> {
    let section = PAGE.split("\n## ").find(|section| section.starts_with(&format!("{heading}\n"))).expect(heading);
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[1].parse().expect(line), cells[2].parse().unwrap_or(0), cells[3].to_owned())
    })
    .collect()
}

fn check(heading: &str, offsets: &[(&str, usize)], end: usize) {
    let rows = rows(heading);
    let named: Vec<(&str, usize)> = rows.iter().map(|(at, _, field)| (field.as_str(), *at)).collect();
    assert_eq!(named, offsets, "{heading}");
    for (row, next) in rows.iter().zip(rows.iter().skip(1).map(|(at, _, _)| *at).chain([end])) {
        assert_eq!(row.0 + row.1, next, "{heading}: {} fills the room up to the next field", row.2);
    }
}

#[test]
fn the_tables_are_those_of_the_code() {
    use {footer::at as o, frame::at as f, segment::at as s, trailer_at as t};
    let header =
        [("magic", s::MAGIC), ("version", s::VERSION), ("reader version", s::READER_VERSION), ("shard", s::SHARD)];
    let header =
        [&header[..], &[("reserved", s::RESERVED_1), ("epoch", s::EPOCH), ("first lsn", s::FIRST_LSN)]].concat();
    let header = [&header[..], &[("created", s::CREATED_MS), ("segment", s::SEGMENT), ("salt", s::SALT)]].concat();
    let header = [
        &header[..],
        &[("covered segments", s::COVERED_SEGMENTS), ("covered bytes", s::COVERED_BYTES), ("crc", s::CRC)],
    ]
    .concat();
    check("Segment header", &header, SEGMENT_HEADER_BYTES);
    let frame = [("magic", f::MAGIC), ("kind", f::KIND), ("flags", f::FLAGS), ("dictionary", f::DICTIONARY)];
    let frame =
        [&frame[..], &[("payload length", f::PAYLOAD_LEN), ("payload crc", f::PAYLOAD_CRC), ("lsn", f::LSN)]].concat();
    let frame = [&frame[..], &[("group back", f::GROUP_BACK), ("crc", f::CRC)]].concat();
    check("Frame header", &frame, FRAME_HEADER_BYTES);
    let foot = [
        ("messages", o::MESSAGES),
        ("events", o::EVENTS),
        ("dictionaries", o::DICTIONARIES),
        ("hash kind", o::HASH_KIND),
    ];
    let foot =
        [&foot[..], &[("reserved", o::RESERVED), ("message bytes", o::MESSAGE_BYTES), ("event bytes", o::EVENT_BYTES)]]
            .concat();
    let foot = [&foot[..], &[("hash", o::HASH), ("table length", o::TABLE_LEN), ("frame table", o::TABLE)]].concat();
    check("Footer", &foot, footer::FOOTER_FIXED_BYTES);
    let trailer = [("footer offset", t::FOOTER_OFFSET), ("magic", t::MAGIC), ("crc", t::CRC)];
    check("Trailer", &trailer, TRAILER_BYTES);
}

#[test]
fn a_dictionary_head_lies_as_the_table_says() {
    let name = Guid([4; 16]);
    let head = DictionaryHead { size_bytes: 0x0101_0101, crc: 0x0202_0202, created_ms: 0x0303_0303_0303_0303, name };
    let mut bytes = Vec::new();
    head.encode(&mut bytes);
    assert_eq!(bytes.len(), DICTIONARY_HEAD_BYTES);
    assert_eq!(DictionaryHead::decode(&bytes), Ok(head));
    let rows = rows("Dictionary payload");
    let fields: Vec<&str> = rows.iter().map(|(_, _, field)| field.as_str()).collect();
    assert_eq!(fields, ["size", "crc", "created", "name", "body"]);
    for (number, (at, len, field)) in rows.iter().enumerate() {
        assert!(bytes[*at..at + len].iter().all(|byte| usize::from(*byte) == number + 1), "{field}");
    }
    assert_eq!(rows[4].0, DICTIONARY_HEAD_BYTES);
}

#[test]
fn a_part_head_and_a_recipe_lie_as_the_page_says() {
    let mut bytes = Vec::new();
    PartHead { size_bytes: 0x0101_0101, crc: 0x0202_0202, hash: [3; 32] }.encode(&mut bytes);
    assert_eq!(bytes.len(), PART_HEAD_BYTES);
    let rows = rows("Part payload");
    assert_eq!(rows.iter().map(|(_, _, field)| field.as_str()).collect::<Vec<_>>(), ["size", "crc", "hash", "body"]);
    for (number, (at, len, field)) in rows.iter().enumerate() {
        assert!(bytes[*at..at + len].iter().all(|byte| usize::from(*byte) == number + 1), "{field}");
    }
    let inline = Piece { gap_bytes: 200, line_chars: 76, size_bytes: 600, kept: Kept::Inline };
    let apart = Piece { gap_bytes: 1, line_chars: 0, size_bytes: 5, kept: Kept::Apart(0x0102_0304) };
    let mut bytes = Vec::new();
    recipe::encode(&[inline, apart], &mut bytes);
    assert_eq!(bytes, [15, 0, 0, 0, 2, 200, 1, 76, 216, 4, 0, 1, 0, 5, 1, 4, 3, 2, 1]);
    assert_eq!(recipe::decode(&[&bytes[..], b"body"].concat()), Ok((vec![inline, apart], &b"body"[..])));
    assert_eq!((inline.encoded_bytes(), apart.encoded_bytes()), (800 + 2 * 10, 8));
    assert!(recipe::decode(&bytes[..18]).is_err() && recipe::decode(&[1, 0, 0, 0, 0]).is_err());
}

/// The segment that the page describes.
fn example() -> Vec<u8> {
    let segment = SegmentHeader {
        version: segment::SEGMENT_VERSION,
        shard: ShardId(7),
        epoch: 3,
        segment: SegmentId(1),
        first_lsn: Lsn(0),
        created_ms: 1_000,
        salt: 0x0102_0304,
        covers: None,
    };
    let mut bytes = segment.encode().to_vec();
    let mut table = TableBuilder::default();
    let first = append(&mut bytes, &segment, FrameKind::Events, b"hello");
    table.add(64, &first.0, first.1);
    let footer_offset = bytes.len() as u32;
    append(&mut bytes, &segment, FrameKind::Footer, &table.footer().encode());
    bytes.extend(Trailer { footer_offset }.encode(segment.salt));
    bytes
}

fn append(bytes: &mut Vec<u8>, segment: &SegmentHeader, kind: FrameKind, payload: &[u8]) -> (FrameHeader, u32) {
    let header = FrameHeader {
        kind,
        flags: FRAME_FLAG_GROUP_END,
        dictionary: 0,
        payload_len: payload.len() as u32,
        payload_crc: crc32fast::hash(payload),
        lsn: Lsn(bytes.len() as u64),
        group_back: 0,
    };
    let encoded = header.encode(segment.salt);
    let end = bytes.len() + header.frame_bytes();
    bytes.extend(encoded);
    bytes.extend(payload);
    bytes.resize(end, 0);
    (header, u32::from_le_bytes([encoded[28], encoded[29], encoded[30], encoded[31]]))
}

fn hex(bytes: &[u8]) -> String {
    let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    bytes.chunks(16).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_what_the_code_writes_and_reads() {
    let bytes = example();
    let page = PAGE.split("```hex\n").nth(1).and_then(|rest| rest.split("\n```").next()).expect("an example");
    assert_eq!(page, hex(&bytes), "the page's example; the code writes\n{}", hex(&bytes));
    let segment = SegmentHeader::decode(&bytes).unwrap();
    assert_eq!((segment.shard, segment.epoch, segment.salt), (ShardId(7), 3, 0x0102_0304));
    let trailer = Trailer::decode(&bytes[bytes.len() - TRAILER_BYTES..], segment.salt).unwrap();
    let frame = FrameHeader::decode(&bytes[64..], segment.salt).unwrap();
    assert!(FrameRef { header: frame, payload: b"hello" }.payload_is_whole() && frame.ends_group());
    let footer = FrameHeader::decode(&bytes[trailer.footer_offset as usize..], segment.salt).unwrap();
    let at = trailer.footer_offset as usize + FRAME_HEADER_BYTES;
    let footer = Footer::decode(&bytes[at..at + footer.payload_len as usize]).unwrap();
    assert_eq!((footer.events, footer.messages, footer.event_bytes), (1, 0, 5));
    assert_eq!(footer.table.iter().collect::<Vec<_>>(), [(64, FrameKind::Events)]);
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), salt: u32) {
        let _ = FrameHeader::decode(&bytes, salt);
        let _ = SegmentHeader::decode(&bytes);
        let _ = Trailer::decode(&bytes, salt);
        let _ = Footer::decode(&bytes);
        let _ = DictionaryHead::decode(&bytes);
        let _ = PartHead::decode(&bytes);
        let _ = recipe::decode(&bytes);
    }

    #[test]
    fn a_changed_example_is_refused_or_means_the_same(at in 0usize..64 + 32, bits in 1u8..) {
        let mut bytes = example();
        bytes[at] ^= bits;
        if at < 64 {
            prop_assert!(SegmentHeader::decode(&bytes).is_err());
        } else {
            prop_assert!(FrameHeader::decode(&bytes[64..], 0x0102_0304).is_err());
        }
    }

    #[test]
    fn frame_tables_come_back(frames in proptest::collection::vec((0u32..100_000, 0usize..3), 0..200)) {
        let mut builder = TableBuilder::default();
        let mut wanted = Vec::new();
        let mut offset = 64;
        for (payload_len, kind) in frames {
            let kind = [FrameKind::Message, FrameKind::Events, FrameKind::Dictionary][kind];
            let header = FrameHeader { kind, flags: 0, dictionary: 0, payload_len, payload_crc: 0, lsn: Lsn(u64::from(offset)), group_back: 0 };
            builder.add(offset, &header, payload_len);
            wanted.push((offset, kind));
            offset += header.frame_bytes() as u32;
        }
        let footer = builder.footer();
        let back = Footer::decode(&footer.encode()).unwrap();
        prop_assert_eq!(&back, &footer);
        prop_assert_eq!(back.table.iter().collect::<Vec<_>>(), wanted);
    }
}
