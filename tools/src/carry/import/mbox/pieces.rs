//! Lines of a file in pieces of bounded size: a short line comes whole, a long one in several.
use std::io::{self, Read};

/// Bytes in memory.
const BUFFER_BYTES: usize = 256 << 10;
/// The first piece of a line has at least so many bytes, or the whole line.
const FIRST_BYTES: usize = 1024;

/// A line or a part of one, its end included.
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) begins: bool,
    pub(super) ends: bool,
}

pub(super) struct Pieces<R> {
    from: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
    begins: bool,
}

impl<R: Read> Pieces<R> {
    pub(super) fn new(from: R) -> Pieces<R> {
        Pieces { from, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0, eof: false, begins: true }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        loop {
            let have = &self.buffer[self.start..self.end];
            let line = memchr::memchr(b'\n', have).map(|at| at + 1);
            let enough = if self.begins { FIRST_BYTES } else { 1 };
            if let Some(len) = line.or((have.len() >= enough || (self.eof && !have.is_empty())).then_some(have.len())) {
                let (start, begins) = (self.start, self.begins);
                self.start += len;
                self.begins = line.is_some();
                let bytes = &self.buffer[start..start + len];
                return Ok(Some(Piece { bytes, begins, ends: line.is_some() }));
            }
            if self.eof {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(got) => {
                    self.end += got;
                    self.eof = got == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let step = self.0.len().min(into.len()).min(1);
            into[..step].copy_from_slice(&self.0[..step]);
            self.0 = &self.0[step..];
            Ok(step)
        }
    }

    fn all(from: impl Read) -> Vec<(Vec<u8>, bool, bool)> {
        let mut pieces = Pieces::new(from);
        let mut out = Vec::new();
        while let Some(piece) = pieces.next().expect("read") {
            out.push((piece.bytes.to_vec(), piece.begins, piece.ends));
        }
        out
    }

    #[test]
    fn pieces_make_up_the_file_and_say_where_lines_begin_and_end() {
        let long = vec![b'x'; 700_000];
        let text = [b"a\n\nbc\r\n", &long[..], b"\nend"].concat();
        for found in [all(&text[..]), all(Drip(&text))] {
            assert_eq!(found.iter().flat_map(|piece| piece.0.clone()).collect::<Vec<_>>(), text);
            assert_eq!(
                found[..3],
                [(b"a\n".to_vec(), true, true), (b"\n".to_vec(), true, true), (b"bc\r\n".to_vec(), true, true)]
            );
            assert!(found.iter().all(|piece| piece.0.len() <= BUFFER_BYTES));
            let begun: Vec<&[u8]> = found.iter().filter(|piece| piece.1).map(|piece| &piece.0[..1]).collect();
            assert_eq!(begun, [&b"a"[..], b"\n", b"b", b"x", b"e"]);
            assert!(found[3].0.len() >= FIRST_BYTES);
        }
    }
}
