//! Frame headers: what is believed comes back as the same bytes; a right crc is put in so that the fields behind it are reached.
#![no_main]
use posthouse_engine::format::frame::{FRAME_HEADER_BYTES, FrameHeader, at, salted_crc};

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let Some((salt, bytes)) = data.split_first_chunk::<4>() else { return };
    let salt = u32::from_le_bytes(*salt);
    check(bytes, salt);
    if let Some(fixed) = bytes.first_chunk::<FRAME_HEADER_BYTES>() {
        let mut fixed = *fixed;
        let crc = salted_crc(salt, &fixed[..at::CRC]);
        fixed[at::CRC..].copy_from_slice(&crc.to_le_bytes());
        check(&fixed, salt);
    }
}

fn check(bytes: &[u8], salt: u32) {
    let Ok(header) = FrameHeader::decode(bytes, salt) else { return };
    assert_eq!(header.encode(salt), bytes[..FRAME_HEADER_BYTES]);
    assert!(header.frame_bytes() >= FRAME_HEADER_BYTES + header.payload_len as usize);
}

fn seeds() -> Vec<Vec<u8>> {
    use posthouse_engine::base::Lsn;
    use posthouse_engine::format::FrameKind;
    let header = FrameHeader {
        kind: FrameKind::Events,
        flags: 2,
        dictionary: 0,
        payload_len: 5,
        payload_crc: 7,
        lsn: Lsn(64),
        group_back: 0,
    };
    vec![[&9u32.to_le_bytes()[..], &header.encode(9)].concat()]
}
