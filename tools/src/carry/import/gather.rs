//! One message while it is read: bounded, with CRLF line ends. Memory for large messages is taken one message at a time.
use crate::limits::{BULK_BYTES, IMPORT_AHEAD_BYTES};
use crate::room::{Held, Room};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// Bytes read at once.
const READ_BYTES: usize = 128 << 10;

thread_local! {
    /// What the reading thread reads into: a fresh one for each file would be cleared for each file.
    static CHUNK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A message that is being read.
pub(in crate::carry) struct Gather {
    bytes: Vec<u8>,
    held: Option<Held>,
    room: Arc<Room>,
    bytes_max: usize,
    too_large: bool,
}

/// A message that was read.
pub(in crate::carry) struct Gathered {
    pub(super) bytes: Vec<u8>,
    /// For a large one: its room.
    pub(super) held: Option<Held>,
}

impl Gather {
    pub(super) fn new(room: Arc<Room>, bytes_max: usize) -> Gather {
        Gather { bytes: Vec::new(), held: None, room, bytes_max, too_large: false }
    }

    /// The next bytes as they are. What is too large is counted and not kept.
    pub(in crate::carry) fn raw(&mut self, bytes: &[u8]) {
        if self.too_large || self.bytes.len() + bytes.len() > self.bytes_max {
            self.too_large = true;
            self.bytes = Vec::new();
            return;
        }
        if self.held.is_none() && self.bytes.len() + bytes.len() > BULK_BYTES {
            self.held = Some(self.room.hold(IMPORT_AHEAD_BYTES));
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next bytes; each LF gets a CR before it that has none.
    pub(super) fn text(&mut self, bytes: &[u8]) {
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', bytes) {
            let has_cr = if at == 0 { self.bytes.ends_with(b"\r") } else { bytes[at - 1] == b'\r' };
            if !has_cr {
                self.raw(&bytes[from..at]);
                self.raw(b"\r");
                from = at;
            }
        }
        self.raw(&bytes[from..]);
    }

    /// All of a file, as `text` or as it is.
    pub(super) fn file(&mut self, file: &mut File, raw: bool) -> io::Result<()> {
        CHUNK.with_borrow_mut(|chunk| {
            chunk.resize(READ_BYTES, 0);
            loop {
                match file.read(chunk) {
                    Ok(0) => return Ok(()),
                    Ok(got) if raw => self.raw(&chunk[..got]),
                    Ok(got) => self.text(&chunk[..got]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                if self.too_large {
                    return Ok(());
                }
            }
        })
    }

    /// The message, or why it is not taken.
    pub(in crate::carry) fn done(self) -> Result<Gathered, String> {
        if self.too_large {
            return Err(format!("is larger than {} bytes; --message-bytes-max allows more", self.bytes_max));
        }
        Ok(Gathered { bytes: self.bytes, held: self.held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(pieces: &[&[u8]], max: usize) -> Result<Vec<u8>, String> {
        let mut gather = Gather::new(Room::new(1), max);
        pieces.iter().for_each(|piece| gather.text(piece));
        gather.done().map(|gathered| gathered.bytes)
    }

    #[test]
    fn line_ends_become_crlf_wherever_the_pieces_are_cut() {
        let text = b"a\nb\r\n\n\r\nc\rd\r\r\n\n";
        let expected = b"a\r\nb\r\n\r\n\r\nc\rd\r\r\n\r\n".to_vec();
        for cut in 0..text.len() {
            assert_eq!(gathered(&[&text[..cut], &text[cut..]], 100), Ok(expected.clone()), "cut at {cut}");
        }
        assert_eq!(gathered(&[text], expected.len()), Ok(expected.clone()));
        assert!(gathered(&[text, b"more"], expected.len()).is_err_and(|why| why.contains("--message-bytes-max")));
    }
}
