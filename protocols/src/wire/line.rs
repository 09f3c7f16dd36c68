//! Reads command lines. A line ends with CRLF and with nothing else; a line over its limit is skipped in bounded memory and reported
//! once. It never interprets a line.

use std::io;

use memchr::memchr_iter;

use crate::runtime::Stream;

/// What came instead of, or as, the next line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its CRLF. Bare CR, bare LF and NUL may be in it; the session refuses what its grammar does not allow.
    Text(Vec<u8>),
    /// A line over the limit was there; it is skipped up to and with its CRLF.
    TooLong,
    /// The peer closed; an unfinished line is dropped, since a command without its end may be cut short.
    Closed,
}

/// Takes lines out of what a stream has received; for a session that waits for more in its own way.
#[derive(Debug)]
pub struct LineReader {
    size_bytes_max: usize,
    /// Bytes in which there is no CRLF.
    searched: usize,
    skipping: bool,
}

impl LineReader {
    /// A reader of lines of at most `size_bytes_max` bytes without their CRLF.
    pub fn new(size_bytes_max: usize) -> LineReader {
        LineReader { size_bytes_max, searched: 0, skipping: false }
    }

    /// The next line if it is there; else wait for bytes and ask again. What it has passed over of a line that is too long is gone, and nothing
    /// else is.
    pub fn take(&mut self, stream: &mut Stream) -> Option<Line> {
        let buffered = stream.buffered();
        if let Some(end) = find_crlf(buffered, self.searched) {
            let too_long = self.skipping || end > self.size_bytes_max;
            let line = if too_long { Line::TooLong } else { Line::Text(buffered[..end].to_vec()) };
            stream.consume(end + 2);
            *self = LineReader::new(self.size_bytes_max);
            return Some(line);
        }
        // A CR at the very end may be the first half of a CRLF, and does not count as text yet.
        let text = buffered.len() - usize::from(buffered.ends_with(b"\r"));
        self.searched = text;
        if self.skipping || text > self.size_bytes_max {
            self.skipping = true;
            self.searched = 0;
            stream.consume(text);
        }
        None
    }
}

/// Reads the next line, of at most `max` bytes without its CRLF. May be dropped while it waits: nothing of a line within the
/// limit is lost.
///
/// # Errors
/// Any error of the connection.
pub async fn read_line(stream: &mut Stream, max: usize) -> io::Result<Line> {
    let mut reader = LineReader::new(max);
    loop {
        if let Some(line) = reader.take(stream) {
            return Ok(line);
        }
        if stream.fill().await? == 0 {
            stream.consume(usize::MAX);
            return Ok(Line::Closed);
        }
    }
}

/// Where the first CRLF begins, looking from `from` on.
fn find_crlf(bytes: &[u8], from: usize) -> Option<usize> {
    let lfs = memchr_iter(b'\n', &bytes[from..]);
    lfs.map(|at| from + at).find(|lf| *lf > 0 && bytes[lf - 1] == b'\r').map(|lf| lf - 1)
}
