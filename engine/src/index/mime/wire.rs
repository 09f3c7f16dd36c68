//! The texts of the summary encoding: none, a word of a dictionary, or bytes. Layout in docs/format.md, "Summary".
//! Reading never panics and never reads past the bytes given.
use crate::base::bytes::{DecodeError, Put, Reader};

/// Texts stored as one byte. Indexes are part of the format: append only, at most 64.
pub(super) const DICTIONARY: [&[u8]; 60] = [
    b"text",
    b"plain",
    b"html",
    b"charset",
    b"us-ascii",
    b"US-ASCII",
    b"utf-8",
    b"UTF-8",
    b"iso-8859-1",
    b"ISO-8859-1",
    b"windows-1252",
    b"gb2312",
    b"GB2312",
    b"gbk",
    b"GBK",
    b"gb18030",
    b"GB18030",
    b"big5",
    b"7bit",
    b"7BIT",
    b"8bit",
    b"8BIT",
    b"quoted-printable",
    b"Quoted-Printable",
    b"QUOTED-PRINTABLE",
    b"base64",
    b"BASE64",
    b"binary",
    b"multipart",
    b"mixed",
    b"alternative",
    b"related",
    b"signed",
    b"report",
    b"boundary",
    b"format",
    b"flowed",
    b"delsp",
    b"yes",
    b"no",
    b"name",
    b"filename",
    b"filename*",
    b"name*",
    b"attachment",
    b"inline",
    b"application",
    b"octet-stream",
    b"pdf",
    b"zip",
    b"pgp-signature",
    b"pkcs7-signature",
    b"image",
    b"jpeg",
    b"png",
    b"gif",
    b"message",
    b"rfc822",
    b"calendar",
    b"type",
];

/// Writes a text: 0 for none, an odd number for a word of the dictionary, else the length and the bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: Option<&[u8]>) {
    let Some(text) = text else {
        return out.push(0);
    };
    match DICTIONARY.iter().position(|word| *word == text) {
        Some(index) => out.put_varint(index as u64 * 2 + 1),
        None => {
            out.put_varint((text.len() as u64 + 1) * 2);
            out.put(text);
        }
    }
}

/// Reads what `put_text` wrote.
pub(super) fn text<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DecodeError> {
    let code = reader.varint_u32()? as usize;
    if code == 0 {
        return Ok(None);
    }
    if code % 2 == 1 {
        return match DICTIONARY.get(code / 2) {
            Some(word) => Ok(Some(*word)),
            None => reader.error("a word of the dictionary expected"),
        };
    }
    reader.take(code / 2 - 1).map(Some)
}
