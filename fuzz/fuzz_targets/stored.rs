//! Stored messages: whatever the bytes, reading gives a message that its crc proves, or an error; heads and recipes come back as the
//! same bytes.
#![no_main]
use posthouse_engine::delivery::{Dictionary, PartAt, summary, unstage};
use posthouse_engine::format::frame::salted_crc;
use posthouse_engine::format::{
    DictionaryHead, FRAME_FLAG_RECIPE, MESSAGE_HEAD_BYTES, MessageHead, PART_HEAD_BYTES, PartHead, recipe,
};
use posthouse_fuzz::Take;

posthouse_fuzz::target!(run, seeds: seeds());

const NO_PARTS: PartAt<'_> = &|_| Err("no part frames here".into());

fn run(data: &[u8]) {
    let mut take = Take(data);
    let flags = take.u8() & 31;
    let payload = take.0;
    let _ = unstage(payload, flags, None, NO_PARTS);
    let _ = summary(payload, flags, None);
    let _ = Dictionary::decode(payload, flags);
    heads(payload);
    if let Ok((pieces, rest)) = recipe::decode(payload) {
        let mut again = Vec::new();
        recipe::encode(&pieces, &mut again);
        assert_eq!(again, payload[..payload.len() - rest.len()]);
    }
    plain(payload);
}

fn heads(payload: &[u8]) {
    let mut out = Vec::new();
    if let Ok(head) = MessageHead::decode(payload) {
        head.encode(&mut out);
        assert_eq!(out, payload[..MESSAGE_HEAD_BYTES]);
    }
    out.clear();
    if let Ok(head) = PartHead::decode(payload) {
        head.encode(&mut out);
        assert_eq!(out, payload[..PART_HEAD_BYTES]);
    }
    out.clear();
    if let Ok(head) = DictionaryHead::decode(payload) {
        head.encode(&mut out);
        assert_eq!(out, payload[..out.len()]);
    }
}

/// With the size and the crc that the body has, it is the message.
fn plain(payload: &[u8]) {
    let Ok(head) = MessageHead::decode(payload) else { return };
    let Some(body) = payload.get(head.body_start()..) else { return };
    let head = MessageHead { size_bytes: body.len() as u32, crc: salted_crc(0, body), ..head };
    let mut fixed = Vec::new();
    head.encode(&mut fixed);
    fixed.extend_from_slice(&payload[MESSAGE_HEAD_BYTES..]);
    assert_eq!(unstage(&fixed, 0, None, NO_PARTS).as_deref(), Ok(body));
}

fn seeds() -> Vec<Vec<u8>> {
    let mut message = vec![0];
    MessageHead { size_bytes: 5, summary_len: 3, crc: salted_crc(0, b"hello"), ..MessageHead::default() }
        .encode(&mut message);
    message.extend_from_slice(b"sumhello");
    let piece = |kept| recipe::Piece { gap_bytes: 4, line_chars: 76, size_bytes: 60, kept };
    let mut recipes = vec![FRAME_FLAG_RECIPE];
    recipe::encode(&[piece(recipe::Kept::Inline), piece(recipe::Kept::Apart(64))], &mut recipes);
    let mut inside = vec![FRAME_FLAG_RECIPE];
    MessageHead { size_bytes: 90, ..MessageHead::default() }.encode(&mut inside);
    inside.extend_from_slice(&recipes[1..]);
    inside.extend_from_slice(&[7; 70]);
    vec![message, recipes, inside]
}
