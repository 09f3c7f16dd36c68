//! Where what stood at a place of the log stands in the file of a compacted segment (docs/format.md, "Address table"). Pure; reads no file.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::format::frame::FRAME_ALIGN;

/// Bytes of one row.
pub const ADDRESS_ROW_BYTES: usize = 12;
/// Index of what is a frame of its own, not a message in a block.
pub const OWN_FRAME: u32 = u32::MAX;

/// One place of the log and where that stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Bytes from the first covered segment's start in the log, a multiple of 8.
    pub from_start: u64,
    /// Offset of the frame's header in the file.
    pub offset: u32,
    /// Which message of the block; `OWN_FRAME`: the frame itself.
    pub index: u32,
}

/// Where the covered segments begin in the log, and where the rows stand in the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressTable {
    /// For each covered segment, bytes from the first one's start.
    pub starts: Vec<u64>,
    rows_at: usize,
    rows: usize,
}

/// Appends a table; `addresses` are sorted.
pub fn encode(starts: &[u64], addresses: &[Address], out: &mut Vec<u8>) {
    out.put_u32(starts.len() as u32);
    out.put_u32(addresses.len() as u32);
    starts.iter().for_each(|start| out.put_u64(*start));
    for address in addresses {
        out.put_u32((address.from_start / FRAME_ALIGN as u64) as u32);
        out.put_u32(address.offset);
        out.put_u32(address.index);
    }
}

impl AddressTable {
    /// Reads what stands before the rows; there are as many as it says.
    pub fn decode(payload: &[u8]) -> Result<AddressTable, DecodeError> {
        let mut reader = Reader::new(payload);
        let (covered, rows) = (reader.u32()? as usize, reader.u32()? as usize);
        if covered == 0 || covered > reader.remaining() / 8 {
            return reader.error("the starts of the covered segments expected");
        }
        let starts = (0..covered).map(|_| reader.u64()).collect::<Result<Vec<u64>, _>>()?;
        let rows_at = reader.position();
        let room = reader.remaining();
        if rows > room / ADDRESS_ROW_BYTES
            || payload[rows_at + rows * ADDRESS_ROW_BYTES..].iter().any(|byte| *byte != 0)
        {
            return reader.error("as many rows as counted, and zeros behind them, expected");
        }
        if starts[0] != 0 || starts.windows(2).any(|pair| pair[0] >= pair[1]) {
            return reader.error("growing starts, from zero, expected before this byte");
        }
        Ok(AddressTable { starts, rows_at, rows })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The row at `at` of the payload that the table was read from.
    pub fn row(&self, payload: &[u8], at: usize) -> Option<Address> {
        let start = self.rows_at + at * ADDRESS_ROW_BYTES;
        let mut reader = Reader::new(payload.get(start..start + ADDRESS_ROW_BYTES)?);
        let from_start = u64::from(reader.u32().ok()?) * FRAME_ALIGN as u64;
        Some(Address { from_start, offset: reader.u32().ok()?, index: reader.u32().ok()? })
    }

    /// All rows.
    pub fn iter<'a>(&'a self, payload: &'a [u8]) -> impl Iterator<Item = Address> + 'a {
        (0..self.rows).filter_map(move |at| self.row(payload, at))
    }

    /// Where what stood `from_start` bytes after the first covered segment's start stands now.
    pub fn find(&self, payload: &[u8], from_start: u64) -> Option<Address> {
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = (low + high) / 2;
            let row = self.row(payload, middle)?;
            match row.from_start.cmp(&from_start) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(row),
            }
        }
        None
    }
}
