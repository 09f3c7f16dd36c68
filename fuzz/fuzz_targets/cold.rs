//! What only compacted segments hold: address tables, blocks, packed events. What is read comes back as the same bytes; right crcs and
//! compressed bodies are put in, so that what stands behind them is reached.
#![no_main]
use posthouse_engine::base::Lsn;
use posthouse_engine::delivery::transactions;
use posthouse_engine::format::addresses::{self, Address, AddressTable, OWN_FRAME};
use posthouse_engine::format::block::{self, BLOCK_HEAD_BYTES, BLOCK_ROW_BYTES, Block, BlockRow};
use posthouse_engine::format::frame::salted_crc;
use posthouse_engine::format::packed::{self, PACKED_HEAD_BYTES, Packer};
use posthouse_engine::format::{Event, FRAME_FLAG_ZSTD};

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let Some((what, data)) = data.split_first() else { return };
    match what % 3 {
        0 => table(data),
        1 => blocks(data),
        _ => events(data),
    }
}

fn table(data: &[u8]) {
    let Ok(table) = AddressTable::decode(data) else { return };
    let rows: Vec<Address> = table.iter(data).collect();
    assert_eq!(rows.len(), table.len());
    let mut again = Vec::new();
    addresses::encode(&table.starts, &rows, &mut again);
    assert_eq!(again, data[..again.len()]);
    assert!(data[again.len()..].iter().all(|byte| *byte == 0), "only zeros follow");
    // Out of order the search may miss rows, but never says something else.
    let sorted = rows.is_sorted_by(|a, b| a.from_start < b.from_start);
    for row in rows.iter().take(1_000) {
        let found = table.find(data, row.from_start);
        assert!(found.map_or(!sorted, |found| found.from_start == row.from_start), "{row:?}: {found:?}");
    }
}

fn blocks(data: &[u8]) {
    let _ = Block::decode(data);
    let mut fixed = data.to_vec();
    let rows = fixed.first_chunk::<4>().map_or(0, |count| u32::from_le_bytes(*count) as usize);
    let Some(end) = rows.checked_mul(BLOCK_ROW_BYTES).and_then(|len| len.checked_add(BLOCK_HEAD_BYTES)) else { return };
    let Some(crc) = fixed.get(BLOCK_HEAD_BYTES..end).map(|rows| salted_crc(0, rows)) else { return };
    fixed[8..12].copy_from_slice(&crc.to_le_bytes());
    let Ok(block) = Block::decode(&fixed) else { return };
    let mut head = Vec::new();
    block::encode_head(&block.rows, block.text_bytes, &mut head);
    assert_eq!((&head[..12], &head[16..]), (&fixed[..12], &fixed[16..end]), "all but the reserved bytes");
    let mut at = end;
    for (index, row) in block.rows.iter().enumerate() {
        let summary = block.summary(&fixed, index).expect("within the block");
        assert_eq!(block::summary_at(&fixed, index), Ok(Some((*row, summary))));
        assert_eq!(summary, &fixed[at..at + row.summary_len as usize]);
        at += summary.len();
        assert_eq!(block.range(index).expect("a message of the block").len(), row.text_len as usize);
    }
    assert_eq!(block.text(&fixed), &fixed[at..]);
    assert_eq!((block.summary(&fixed, rows), block.range(rows)), (None, None));
}

fn events(data: &[u8]) {
    let lsn = Lsn(4096);
    for flags in [0, FRAME_FLAG_ZSTD] {
        let _ = transactions(lsn, flags, data);
    }
    let Some((head, body)) = data.split_first_chunk::<PACKED_HEAD_BYTES>() else { return };
    let Ok((first, _, _)) = packed::decode_head(head) else { return };
    let Ok(all) = packed::decode(first, body) else { return };
    let mut packer = Packer::default();
    all.iter().for_each(|(lsn, events)| packer.push(*lsn, events));
    let Some((head, bytes)) = packer.finish() else { return };
    // The first one may say how far from the start it is, which the packer leaves to the start itself.
    let first = packed::decode_head(&head).expect("a head").0;
    assert_eq!(packed::decode(first, &bytes).as_ref(), Ok(&all));
    for (_, payload) in all {
        let _ = Event::decode_all(payload);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let row = |from_start, offset, index| Address { from_start, offset, index };
    let mut table = vec![0];
    addresses::encode(&[0, 4096], &[row(64, 64, OWN_FRAME), row(640, 900, 0), row(4160, 900, 1)], &mut table);
    let message = BlockRow { size_bytes: 5, text_len: 5, summary_len: 3, ..BlockRow::default() };
    let mut block = vec![1];
    block::encode_head(&[message, message], 10, &mut block);
    block.extend_from_slice(b"onetwohelloworld");
    let mut packer = Packer::default();
    packer.push(Lsn(64), &posthouse_fuzz::state::events());
    packer.push(Lsn(900), b"");
    let (head, bytes) = packer.finish().expect("two transactions");
    vec![table, block, [&[2], &head[..], &bytes].concat()]
}
