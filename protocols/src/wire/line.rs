//! Reads command lines. A line ends with CRLF, and with nothing else unless the protocol asks for leniency; a line over its limit is
//! skipped in bounded memory and reported once. It never interprets a line.

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
    /// An LF without CR ends a line too.
    lf_alone: bool,
    /// Bytes in which no line ends.
    searched: usize,
    skipping: bool,
    passed_over: usize,
}

impl LineReader {
    /// A reader of lines of at most `size_bytes_max` bytes without their CRLF.
    pub fn new(size_bytes_max: usize) -> LineReader {
        LineReader { size_bytes_max, lf_alone: false, searched: 0, skipping: false, passed_over: 0 }
    }

    /// The same for a protocol in which nothing can be smuggled by it: an LF without CR ends a line too, as people at a terminal send it.
    pub fn lenient(size_bytes_max: usize) -> LineReader {
        LineReader { lf_alone: true, ..LineReader::new(size_bytes_max) }
    }

    /// Bytes of the present line that were too many and have been thrown away: what a session bounds.
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// The next line if it is there; else wait for bytes and ask again. What it has passed over of a line that is too long is gone, and nothing
    /// else is.
    pub fn take(&mut self, stream: &mut Stream) -> Option<Line> {
        let buffered = stream.buffered();
        if let Some((end, next)) = find_end(buffered, self.searched, self.lf_alone) {
            let too_long = self.skipping || end > self.size_bytes_max;
            let line = if too_long { Line::TooLong } else { Line::Text(buffered[..end].to_vec()) };
            stream.consume(next);
            *self = LineReader { lf_alone: self.lf_alone, ..LineReader::new(self.size_bytes_max) };
            return Some(line);
        }
        // A CR at the very end may be the first half of a CRLF, and does not count as text yet.
        let text = buffered.len() - usize::from(buffered.ends_with(b"\r"));
        self.searched = text;
        if self.skipping || text > self.size_bytes_max {
            self.skipping = true;
            self.searched = 0;
            self.passed_over += text;
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

/// Where the first line ends and where the next one begins, looking from `from` on.
fn find_end(bytes: &[u8], from: usize, lf_alone: bool) -> Option<(usize, usize)> {
    let mut ends = memchr_iter(b'\n', &bytes[from..]).map(|at| {
        let lf = from + at;
        let has_cr = lf > 0 && bytes[lf - 1] == b'\r';
        (has_cr, lf - usize::from(has_cr), lf + 1)
    });
    ends.find(|(has_cr, ..)| *has_cr || lf_alone).map(|(_, end, next)| (end, next))
}
