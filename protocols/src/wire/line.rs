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

/// Reads the next line, of at most `max` bytes without its CRLF. May be dropped while it waits: nothing of a line within the
/// limit is lost.
///
/// # Errors
/// Any error of the connection.
pub async fn read_line(stream: &mut Stream, max: usize) -> io::Result<Line> {
    let mut searched = 0;
    loop {
        let buffered = stream.buffered();
        if let Some(end) = find_crlf(buffered, searched) {
            let line = if end > max { Line::TooLong } else { Line::Text(buffered[..end].to_vec()) };
            stream.consume(end + 2);
            return Ok(line);
        }
        // A CR at the very end may be the first half of a CRLF, and does not count as text yet.
        let text = buffered.len() - usize::from(buffered.ends_with(b"\r"));
        if text > max {
            return skip_line(stream).await;
        }
        searched = text;
        if stream.fill().await? == 0 {
            stream.consume(usize::MAX);
            return Ok(Line::Closed);
        }
    }
}

async fn skip_line(stream: &mut Stream) -> io::Result<Line> {
    loop {
        let buffered = stream.buffered();
        if let Some(end) = find_crlf(buffered, 0) {
            stream.consume(end + 2);
            return Ok(Line::TooLong);
        }
        let keep = usize::from(buffered.ends_with(b"\r"));
        stream.consume(buffered.len() - keep);
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
