//! What only compacted segments have: blocks, address tables and packed events. Whatever the bytes, each is read or refused; with the right crc put
//! in, so that what stands behind it is reached; and what is read says the same in every way of asking.
#![no_main]
use posthouse_engine::base::{Guid, Lsn};
use posthouse_engine::delivery::transactions;
use posthouse_engine::format::addresses::{self, Address, AddressTable};
use posthouse_engine::format::block::{self, BLOCK_HEAD_BYTES, BLOCK_ROW_BYTES, Block, BlockRow};
use posthouse_engine::format::frame::salted_crc;
use posthouse_engine::format::packed;

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    blocks(data);
    let mut fixed = data.to_vec();
    if fix(&mut fixed).is_some() {
        blocks(&fixed);
    }
    table(data);
    for flags in [0, 1] {
        let _ = transactions(Lsn(8), flags, data);
    }
    if let Ok(all) = packed::decode(Lsn(8), data) {
        assert!(all.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }
}

/// The crc that the rows have.
fn fix(bytes: &mut [u8]) -> Option<()> {
    let count = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let end = count.checked_mul(BLOCK_ROW_BYTES)?.checked_add(BLOCK_HEAD_BYTES)?;
    let crc = salted_crc(0, bytes.get(BLOCK_HEAD_BYTES..end)?);
    bytes.get_mut(8..12)?.copy_from_slice(&crc.to_le_bytes());
    Some(())
}

fn blocks(payload: &[u8]) {
    let Ok(block) = Block::decode(payload) else { return };
    let mut end = 0;
    for (index, row) in block.rows.iter().enumerate() {
        let summary = block.summary(payload, index).expect("within the payload");
        assert_eq!(block::summary_at(payload, index), Ok(Some((*row, summary))));
        let range = block.range(index).expect("a row");
        assert_eq!(range.start, end);
        end = range.end;
    }
    assert_eq!(end, block.text_bytes as usize);
    assert_eq!(block::summary_at(payload, block.rows.len()), Ok(None));
    let mut head = Vec::new();
    block::encode_head(&block.rows, block.text_bytes, &mut head);
    // Four bytes of the head are reserved.
    assert!(head[..12] == payload[..12] && head[16..] == payload[16..head.len()]);
}

fn table(payload: &[u8]) {
    let Ok(table) = AddressTable::decode(payload) else { return };
    let rows: Vec<Address> = table.iter(payload).collect();
    assert_eq!(rows.len(), table.len());
    if rows.windows(2).all(|pair| pair[0].from_start < pair[1].from_start) {
        rows.iter().for_each(|row| assert_eq!(table.find(payload, row.from_start), Some(*row)));
    }
    let mut again = Vec::new();
    addresses::encode(&table.starts, &rows, &mut again);
    assert_eq!(again, payload[..again.len()]);
}

fn seeds() -> Vec<Vec<u8>> {
    let rows: Vec<BlockRow> = (1..4u32)
        .map(|number| BlockRow { guid: Guid([number as u8; 16]), text_len: number, summary_len: number, stood: number * 9, ..BlockRow::default() })
        .collect();
    let mut block = Vec::new();
    block::encode_head(&rows, 6, &mut block);
    block.extend_from_slice(b"122333the text");
    let mut table = Vec::new();
    let all: Vec<Address> = (1..5).map(|number| Address { from_start: number * 64, offset: 64, index: number as u32 }).collect();
    addresses::encode(&[0, 4096], &all, &mut table);
    let mut packer = packed::Packer::default();
    packer.push(Lsn(8), b"one");
    packer.push(Lsn(800), b"another");
    let events = packer.finish().map(|(_, bytes)| bytes).unwrap_or_default();
    vec![block, table, events]
}
