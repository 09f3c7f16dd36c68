//! How a message is put together again whose base64 parts are stored decoded (docs/format.md, "Recipe"). Pure; decodes no base64.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::limits::{MESSAGE_BYTES_MAX, MIME_PARTS_MAX};

/// Where a piece's decoded bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// After the text and the kept pieces before, in the body.
    Inline,
    /// In the part frame whose header stands at that offset of the same segment.
    Apart(u32),
}

/// One base64 part, or the lines of it that are regular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of text between the piece before and this one.
    pub gap_bytes: u32,
    /// Characters of each line but the last, which has 1 to so many; 0: all in one line.
    pub line_chars: u32,
    /// Bytes, decoded.
    pub size_bytes: u32,
    /// Where they are.
    pub kept: Kept,
}

impl Piece {
    /// Bytes as they stand in the message: characters and the CRLF between lines.
    pub fn encoded_bytes(&self) -> u64 {
        let chars = u64::from(self.size_bytes).div_ceil(3) * 4;
        let lines = if self.line_chars == 0 { 1 } else { chars.div_ceil(u64::from(self.line_chars)) };
        chars + 2 * lines.saturating_sub(1)
    }
}

/// Appends the recipe with its length in front.
pub fn encode(pieces: &[Piece], out: &mut Vec<u8>) {
    let start = out.len();
    out.put_u32(0);
    out.put_varint(pieces.len() as u64);
    for piece in pieces {
        out.put_varint(u64::from(piece.gap_bytes));
        out.put_varint(u64::from(piece.line_chars));
        out.put_varint(u64::from(piece.size_bytes));
        out.put_u8(u8::from(piece.kept != Kept::Inline));
        if let Kept::Apart(offset) = piece.kept {
            out.put_u32(offset);
        }
    }
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}

/// Reads a recipe at the front of `bytes`; gives it with the bytes after it.
pub fn decode(bytes: &[u8]) -> Result<(Vec<Piece>, &[u8]), DecodeError> {
    let mut reader = Reader::new(bytes);
    let len = reader.u32()? as usize;
    let mut recipe = Reader::new(reader.take(len)?);
    let count = recipe.count()?;
    if count == 0 || count > MIME_PARTS_MAX {
        return recipe.error("a recipe of 1 to MIME_PARTS_MAX pieces expected before this byte");
    }
    let pieces = (0..count).map(|_| piece(&mut recipe)).collect::<Result<Vec<_>, _>>()?;
    if !recipe.is_empty() {
        return recipe.error("the end of the recipe expected");
    }
    let whole: u64 = pieces.iter().map(|piece| u64::from(piece.gap_bytes) + piece.encoded_bytes()).sum();
    if whole > MESSAGE_BYTES_MAX as u64 {
        return recipe.error("a message within MESSAGE_BYTES_MAX expected");
    }
    Ok((pieces, reader.take(reader.remaining())?))
}

fn piece(recipe: &mut Reader<'_>) -> Result<Piece, DecodeError> {
    let (gap_bytes, line_chars, size_bytes) = (recipe.varint_u32()?, recipe.varint_u32()?, recipe.varint_u32()?);
    if !line_chars.is_multiple_of(4) {
        return recipe.error("a line of a multiple of four characters expected before this byte");
    }
    let kept = match recipe.u8()? {
        0 => Kept::Inline,
        1 => Kept::Apart(recipe.u32()?),
        _ => return recipe.error("0 or 1 expected before this byte"),
    };
    Ok(Piece { gap_bytes, line_chars, size_bytes, kept })
}
