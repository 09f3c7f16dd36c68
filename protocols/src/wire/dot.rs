//! Reads and writes mail data between DATA (or RETR) and its dot. Only CRLF.CRLF ends the data; a bare CR or LF never does and is
//! reported, so that a session can refuse what smuggles mail. Past the size limit it goes on reading in constant memory.

use std::io;

use memchr::{memchr_iter, memchr2};

use crate::runtime::Stream;

/// Undoes dot-stuffing (RFC 5321 section 4.5.2) while mail data comes in.
pub struct DotReader {
    state: State,
    size_bytes_max: u64,
    size_bytes: u64,
    bare_line_end: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    /// A dot began the line.
    Dot,
    /// A line of `.` CR so far.
    DotCr,
    Text,
    /// A CR after text, passed on already.
    Cr,
}

/// How the data ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DotEnd {
    /// Size without the stuffing and without the final dot, also when it was over the limit.
    pub size_bytes: u64,
    /// A CR without LF or an LF without CR was in the data.
    pub bare_line_end: bool,
    /// The limit was passed; only the bytes up to it were handed out.
    pub too_big: bool,
}

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotStatus {
    /// Some data, appended to the caller's buffer; more will come.
    More,
    /// The rest of the data, appended to the caller's buffer, and its end.
    Done(DotEnd),
    /// The peer closed before the end: the mail must be dropped.
    Closed,
}

/// What one pure step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DotStep {
    /// Bytes of the input that are used up.
    pub consumed: usize,
    /// Given when the final dot was seen; input behind it is not touched.
    pub end: Option<DotEnd>,
}

impl DotReader {
    /// A reader that hands out at most `size_bytes_max` bytes.
    pub fn new(size_bytes_max: u64) -> DotReader {
        DotReader { state: State::LineStart, size_bytes_max, size_bytes: 0, bare_line_end: false }
    }

    /// Whether the limit is passed already.
    pub fn too_big(&self) -> bool {
        self.size_bytes > self.size_bytes_max
    }

    /// Waits for data and appends it, unstuffed, to `into`; one call brings at most what the stream had buffered, so a caller that
    /// empties `into` between calls uses bounded memory.
    ///
    /// # Errors
    /// Any error of the connection.
    pub async fn read(&mut self, stream: &mut Stream, into: &mut Vec<u8>) -> io::Result<DotStatus> {
        let before = into.len();
        loop {
            let step = self.step(stream.buffered(), into);
            stream.consume(step.consumed);
            if let Some(end) = step.end {
                return Ok(DotStatus::Done(end));
            }
            if into.len() > before {
                return Ok(DotStatus::More);
            }
            if stream.fill().await? == 0 {
                return Ok(DotStatus::Closed);
            }
        }
    }

    /// The pure step below [`DotReader::read`]: takes all of `input`, or up to and with the final dot.
    pub fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> DotStep {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match (self.state, byte) {
                (State::Text, _) => at = self.text(input, at, out),
                (State::LineStart, b'.') => {
                    self.state = State::Dot;
                    at += 1;
                }
                (State::LineStart, _) => self.state = State::Text,
                (State::Dot, b'\r') => {
                    self.state = State::DotCr;
                    at += 1;
                }
                // Other characters follow: the dot was stuffing and is gone.
                (State::Dot, _) => self.state = State::Text,
                (State::DotCr, b'\n') => {
                    return DotStep { consumed: at + 1, end: Some(self.end()) };
                }
                (State::DotCr, _) => {
                    self.hand_out(b"\r", out);
                    self.state = State::Cr;
                }
                (State::Cr, b'\n') => {
                    self.hand_out(b"\n", out);
                    self.state = State::LineStart;
                    at += 1;
                }
                (State::Cr, _) => {
                    self.bare_line_end = true;
                    self.state = State::Text;
                }
            }
        }
        DotStep { consumed: at, end: None }
    }

    /// Passes text on up to the next CR (then it may be a line end) or bare LF; returns where it stopped.
    fn text(&mut self, input: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
        let Some(stop) = memchr2(b'\r', b'\n', &input[at..]) else {
            self.hand_out(&input[at..], out);
            return input.len();
        };
        let next = at + stop + 1;
        self.hand_out(&input[at..next], out);
        if input[next - 1] == b'\r' {
            self.state = State::Cr;
        } else {
            self.bare_line_end = true;
        }
        next
    }

    fn hand_out(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let room = self.size_bytes_max.saturating_sub(self.size_bytes);
        let fitting = usize::try_from(room).map_or(bytes.len(), |room| bytes.len().min(room));
        out.extend_from_slice(&bytes[..fitting]);
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
    }

    fn end(&self) -> DotEnd {
        DotEnd { size_bytes: self.size_bytes, bare_line_end: self.bare_line_end, too_big: self.too_big() }
    }
}

/// Adds dot-stuffing and the final dot (RFC 1939 section 3) to data that comes in pieces.
pub struct DotWriter {
    /// An LF without CR ends a line too.
    lf_alone: bool,
    line_start: bool,
    /// The data ends with CRLF so far, or is empty.
    whole: bool,
    after_cr: bool,
}

impl Default for DotWriter {
    fn default() -> Self {
        DotWriter { lf_alone: false, line_start: true, whole: true, after_cr: false }
    }
}

impl DotWriter {
    /// For readers to some of which an LF alone ends a line too: a dot behind one is stuffed as well. Otherwise a message with LF, dot, LF
    /// in it would end early for them, and what follows would pass for our next answer. Readers that go by the book see one dot more
    /// there, in a message that is not by the book.
    pub fn lenient() -> DotWriter {
        DotWriter { lf_alone: true, ..DotWriter::default() }
    }

    /// Appends `data`, stuffed, to `out`.
    pub fn write(&mut self, mut data: &[u8], out: &mut Vec<u8>) {
        while !data.is_empty() {
            if self.line_start && data[0] == b'.' {
                out.push(b'.');
            }
            let line = self.line_of(data);
            out.extend_from_slice(&data[..line]);
            data = &data[line..];
        }
    }

    /// Length of the line that `data` begins with, as far as it is there; notes whether the next byte begins a line.
    fn line_of(&mut self, data: &[u8]) -> usize {
        let cr_before = |lf: usize| match lf.checked_sub(1) {
            Some(before) => data[before] == b'\r',
            None => self.after_cr,
        };
        let end = memchr_iter(b'\n', data).find(|lf| self.lf_alone || cr_before(*lf));
        self.line_start = end.is_some();
        self.whole = end.is_some_and(cr_before);
        let line = end.map_or(data.len(), |lf| lf + 1);
        self.after_cr = data[line - 1] == b'\r';
        line
    }

    /// Ends the data: a CRLF when the last line has none, and the dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        if !self.whole {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

/// Appends a whole message, stuffed and with its final dot, to `out`.
pub fn write_dot_stuffed(message: &[u8], out: &mut Vec<u8>) {
    let mut writer = DotWriter::default();
    writer.write(message, out);
    writer.finish(out);
}
