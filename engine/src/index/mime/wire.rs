//! The texts of the summary encoding: none, a word of a dictionary, or bytes. Layout in docs/format.md, "Summary".
//! Reading never panics and never reads past the bytes given.
use super::quote::string;
use crate::base::bytes::{DecodeError, Put, Reader};

macro_rules! words {
    ($($word:literal),* $(,)?) => {
        /// Texts stored as one byte. Indexes are part of the format: append only, at most 64.
        pub(super) const DICTIONARY: [&[u8]; 60] = [$($word.as_bytes()),*];
        /// The same as they stand in a response.
        static QUOTED: [Word; 60] = [$(Word::of(concat!(" \"", $word, "\""))),*];
    };
}

words![
    "text",
    "plain",
    "html",
    "charset",
    "us-ascii",
    "US-ASCII",
    "utf-8",
    "UTF-8",
    "iso-8859-1",
    "ISO-8859-1",
    "windows-1252",
    "gb2312",
    "GB2312",
    "gbk",
    "GBK",
    "gb18030",
    "GB18030",
    "big5",
    "7bit",
    "7BIT",
    "8bit",
    "8BIT",
    "quoted-printable",
    "Quoted-Printable",
    "QUOTED-PRINTABLE",
    "base64",
    "BASE64",
    "binary",
    "multipart",
    "mixed",
    "alternative",
    "related",
    "signed",
    "report",
    "boundary",
    "format",
    "flowed",
    "delsp",
    "yes",
    "no",
    "name",
    "filename",
    "filename*",
    "name*",
    "attachment",
    "inline",
    "application",
    "octet-stream",
    "pdf",
    "zip",
    "pgp-signature",
    "pkcs7-signature",
    "image",
    "jpeg",
    "png",
    "gif",
    "message",
    "rfc822",
    "calendar",
    "type",
];

/// A word in quotes behind a byte of any kind. Of one size, so that it is copied by a few moves and without a call.
#[derive(Debug)]
pub(super) struct Word {
    quoted: [u8; 23],
    len: u8,
}

/// What a part has that names no encoding.
pub(super) static SEVEN_BIT: Word = Word::of(" \"7bit\"");

impl Word {
    const fn of(quoted: &str) -> Word {
        let (bytes, mut word) = (quoted.as_bytes(), Word { quoted: [0; 23], len: quoted.len() as u8 });
        let mut at = 0;
        while at < bytes.len() {
            word.quoted[at] = bytes[at];
            at += 1;
        }
        word
    }

    fn bytes(&self) -> &[u8] {
        &self.quoted[2..usize::from(self.len) - 1]
    }

    fn write(&self, before: u8, out: &mut Vec<u8>) {
        let len = out.len() + usize::from(self.len);
        let mut quoted = self.quoted;
        quoted[0] = before;
        out.extend_from_slice(&quoted);
        out.truncate(len);
    }
}

/// A text that was read: nearly all of a body structure are words, whose quoted form is at hand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// In quotes.
    Word(&'static Word),
    /// As it lies in the summary.
    Own(&'a [u8]),
}

impl<'a> Text<'a> {
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Text::Word(word) => word.bytes(),
            Text::Own(bytes) => bytes,
        }
    }

    /// Writes it as an IMAP string behind a byte.
    pub(super) fn write(self, before: u8, out: &mut Vec<u8>) {
        match self {
            Text::Word(word) => word.write(before, out),
            Text::Own(bytes) => {
                out.push(before);
                string(out, bytes);
            }
        }
    }
}

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
pub(super) fn text<'a>(reader: &mut Reader<'a>) -> Result<Option<Text<'a>>, DecodeError> {
    let code = reader.varint_u32()? as usize;
    if code == 0 {
        return Ok(None);
    }
    if code % 2 == 1 {
        return match QUOTED.get(code / 2) {
            Some(word) => Ok(Some(Text::Word(word))),
            None => reader.error("a word of the dictionary expected"),
        };
    }
    reader.take(code / 2 - 1).map(|bytes| Some(Text::Own(bytes)))
}
