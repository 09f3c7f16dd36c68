//! A stored message as another host is to get it: without the Return-Path that was put on top for local mailboxes, with CRLF and nothing
//! else at the ends of lines, dot-stuffed; or, where it came as bytes, these bytes. Holds one copy, and changes nothing beyond that.
use super::lines::in_lines;
use crate::limits;
use crate::smtp::has_bare_line_end;
use crate::wire::{DotWriter, with_crlf};
use posthouse_engine::base::Error;
use posthouse_engine::{Bytes, Engine};
use std::sync::Arc;

/// A message to be sent. A clone copies a pointer.
#[derive(Clone)]
pub(super) struct Content {
    stored: Arc<Stored>,
    /// Where the message begins.
    from: usize,
    eight_bit: bool,
    utf8_header: bool,
    /// Its body is bytes, not lines (RFC 3030).
    binary: bool,
}

#[cfg(test)]
thread_local! {
    /// How many messages this thread has put in lines.
    pub(super) static PUT_HERE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

enum Stored {
    AsItIs(Bytes),
    /// It has fields on top, or lines ended by a bare CR or LF got a CRLF. Mail that came by LMTP or IMAP may have them; to send them on would let a second message be
    /// smuggled past hosts that take them for line ends (RFC 5321 section 2.3.8), and to refuse would lose mail that its senders had a 250 for.
    Own(Vec<u8>),
}

impl Content {
    /// From the message as it is stored, with the fields on top that only this copy gets.
    pub(super) fn new(stored: Bytes, binary: bool, fields: impl FnOnce(&[u8]) -> String) -> Content {
        let from = return_path_bytes(&stored);
        let top = fields(&stored[from..]);
        let bare = !binary && has_bare_line_end(&stored[from..]);
        let (stored, from) = match (bare, top.as_str()) {
            (true, top) => (Stored::Own(whole_lines(top, &stored[from..])), 0),
            (false, "") => (Stored::AsItIs(stored), from),
            (false, top) => (Stored::Own([top.as_bytes(), &stored[from..]].concat()), 0),
        };
        Content::looked_at(stored, from, binary)
    }

    fn looked_at(stored: Stored, from: usize, binary: bool) -> Content {
        let mut content = Content { stored: Arc::new(stored), from, eight_bit: false, utf8_header: false, binary };
        content.eight_bit = !content.bytes().is_ascii();
        content.utf8_header = content.eight_bit
            && std::str::from_utf8(crate::dsn::header_of(content.bytes())).is_ok_and(|header| !header.is_ascii());
        content
    }

    /// The same for a host that takes lines only; `None` when it cannot be put so. A large one keeps a worker busy, and no reactor.
    ///
    /// # Errors
    /// There is no worker, or it has failed.
    pub(super) async fn in_lines(&self, engine: &Engine) -> Result<Option<Content>, Error> {
        if self.bytes().len() <= limits::LINES_INLINE_BYTES_MAX {
            return Ok(self.put_in_lines());
        }
        let content = self.clone();
        engine.work(move || content.put_in_lines()).await
    }

    fn put_in_lines(&self) -> Option<Content> {
        #[cfg(test)]
        PUT_HERE.set(PUT_HERE.get() + 1);
        Some(Content::looked_at(Stored::Own(in_lines(self.bytes())?), 0, false))
    }

    /// It goes by BDAT, as bytes, or is put in lines first.
    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }

    /// The message without stuffing.
    pub(super) fn bytes(&self) -> &[u8] {
        match &*self.stored {
            Stored::AsItIs(bytes) => &bytes[self.from..],
            Stored::Own(bytes) => bytes,
        }
    }

    /// What SIZE tells (RFC 1870 section 3): stuffing does not count, the CRLF that a last line needs does.
    pub(super) fn size_bytes(&self) -> u64 {
        let bytes = self.bytes();
        let whole = self.binary || bytes.is_empty() || bytes.ends_with(b"\r\n");
        bytes.len() as u64 + if whole { 0 } else { 2 }
    }

    pub(super) fn is_eight_bit(&self) -> bool {
        self.eight_bit
    }

    pub(super) fn has_utf8_header(&self) -> bool {
        self.utf8_header
    }

    /// The message for DATA, or the bytes for BDAT, a piece at a time.
    pub(super) fn pieces(&self) -> Pieces<'_> {
        Pieces { rest: self.bytes(), dots: (!self.binary).then(DotWriter::default), ended: false }
    }
}

/// See [`Content::pieces`].
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    dots: Option<DotWriter>,
    ended: bool,
}

impl Pieces<'_> {
    /// Appends the next piece; false when all has been given out, the final dot included.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> bool {
        if self.ended {
            return false;
        }
        let (piece, rest) = self.rest.split_at(self.rest.len().min(limits::OUTBOUND_PIECE_BYTES));
        match &mut self.dots {
            Some(dots) => dots.write(piece, out),
            None => out.extend_from_slice(piece),
        }
        self.rest = rest;
        self.ended = rest.is_empty();
        if self.ended
            && let Some(dots) = self.dots.take()
        {
            dots.finish(out);
        }
        true
    }
}

fn whole_lines(top: &str, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(top.len() + message.len() + message.len() / 16);
    out.extend_from_slice(top.as_bytes());
    with_crlf(message, &mut out);
    out
}

/// Bytes of the Return-Path on top, which final delivery has put there and which is no part of the message (RFC 5321 section 4.4).
fn return_path_bytes(stored: &[u8]) -> usize {
    let name = b"return-path:";
    let is_there = stored.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if !is_there {
        return 0;
    }
    memchr::memmem::find(stored, b"\r\n").map_or(0, |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SMUGGLED;
    use crate::wire::DotReader;
    use proptest::prelude::*;

    fn sent(message: &[u8]) -> Vec<u8> {
        let content = Content::new(Bytes::from(message.to_vec()), false, |_| String::new());
        let (mut out, mut pieces) = (Vec::new(), content.pieces());
        while pieces.next(&mut out) {}
        out
    }

    #[test]
    fn the_top_return_path_goes_and_no_other() {
        let message = b"Return-Path: <a@b>\r\nReceived: x\r\nReturn-Path: <c>\r\n\r\n.b\r\n";
        assert_eq!(sent(message), b"Received: x\r\nReturn-Path: <c>\r\n\r\n..b\r\n.\r\n");
        assert_eq!(sent(b"A: b\r\n\r\nx"), b"A: b\r\n\r\nx\r\n.\r\n");
        assert_eq!(sent(b""), b".\r\n");
    }

    #[test]
    fn bare_line_ends_become_whole_ones() {
        assert_eq!(sent(b"a\nb\rc\r\nd\r\r\n\n.\n.\r\n"), b"a\r\nb\r\nc\r\nd\r\n\r\n\r\n..\r\n..\r\n.\r\n");
    }

    /// What a host that is laxer than RFC 5321 could take for the end of a message: none of it leaves us, but the end.
    #[test]
    fn nothing_that_leaves_looks_like_an_end_but_the_end() {
        for end in SMUGGLED.into_iter().chain(["\r\n.\r\n"]) {
            let message = format!("Subject: x\r\n\r\nx{end}MAIL FROM:<evil@b.test>\r\n");
            let sent = sent(message.as_bytes());
            assert!(!has_bare_line_end(&sent), "{end:?}");
            let ends = memchr::memmem::find_iter(&sent, b"\r\n.\r\n").count();
            assert!(ends == 1 && sent.ends_with(b"\r\n.\r\n"), "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_ends_where_it_should_and_holds_the_same_lines(message: Vec<u8>, long in 0usize..3) {
            let message = [vec![b'x'; long * limits::OUTBOUND_PIECE_BYTES], message].concat();
            let sent = sent(&message);
            let (mut reader, mut got) = (DotReader::new(u64::MAX), Vec::new());
            let step = reader.step(&sent, &mut got);
            prop_assert_eq!(step.consumed, sent.len());
            prop_assert!(step.end.is_some_and(|end| !end.bare_line_end));
            let mut whole = whole_lines("", &message);
            if !whole.is_empty() && !whole.ends_with(b"\r\n") {
                whole.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(got, whole);
        }
    }
}
