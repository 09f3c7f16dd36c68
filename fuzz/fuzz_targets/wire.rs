//! Lines and mail data from the network: where the input is cut makes no difference, only CRLF ends a line, only CRLF.CRLF ends data,
//! and what is stuffed comes back whole.
#![no_main]
use posthouse_fuzz::Take;
use posthouse_protocols::runtime::proxy::{self, Parsed};
use posthouse_protocols::runtime::sim;
use posthouse_protocols::wire::{DotEnd, DotReader, DotWriter, Line, read_line, write_dot_stuffed};

posthouse_fuzz::target!(run);

fn run(data: &[u8]) {
    let mut take = Take(data);
    let (segment, max) = (usize::from(take.u8() % 32) + 1, usize::from(take.u8()));
    let input = take.0;
    lines(input, segment, max);
    for max in [max as u64, u64::MAX] {
        let whole = dot_read(input, input.len().max(1), max);
        assert_eq!(dot_read(input, segment, max), whole);
    }
    assert_eq!(dot_read(input, segment, u64::MAX), by_the_book(input));
    stuffed(input, segment);
    introduced(input, segment);
}

/// A header of the PROXY protocol: it ends where it ends, whatever follows, and is not there before.
fn introduced(input: &[u8], segment: usize) {
    for begin in [&b""[..], b"PROXY TCP", b"\r\n\r\n\0\r\nQUIT\n"] {
        let bytes = [begin, input].concat();
        let Parsed::Whole(used, ends) = proxy::parse(&bytes) else { continue };
        assert_eq!(proxy::parse(&bytes[..used]), Parsed::Whole(used, ends));
        assert_eq!(proxy::parse(&bytes[..used.saturating_sub(segment)]), Parsed::More);
    }
}

fn lines(input: &[u8], segment: usize, max: usize) {
    let bytes = input.to_vec();
    let found = sim::run_alone(move |net| async move {
        net.segment(segment);
        let (mut stream, mut client) = net.pair();
        client.write(&bytes).await;
        client.close();
        let mut lines = Vec::new();
        loop {
            match read_line(&mut stream, max).await.expect("a simulated read") {
                Line::Closed => return lines,
                line => lines.push(line),
            }
        }
    });
    let mut expected = Vec::new();
    let mut rest = input;
    while let Some(end) = rest.windows(2).position(|at| at == b"\r\n") {
        let line = &rest[..end];
        expected.push(if end > max { Line::TooLong } else { Line::Text(line.to_vec()) });
        rest = &rest[end + 2..];
    }
    assert_eq!(found, expected);
}

/// Data, its end, and how many bytes of the input were used.
type Read = (Vec<u8>, Option<DotEnd>, usize);

fn dot_read(input: &[u8], segment: usize, max: u64) -> Read {
    let mut reader = DotReader::new(max);
    let (mut data, mut used) = (Vec::new(), 0);
    for piece in input.chunks(segment) {
        let step = reader.step(piece, &mut data);
        used += step.consumed;
        if step.end.is_some() {
            return (data, step.end, used);
        }
        assert_eq!(step.consumed, piece.len());
    }
    (data, None, used)
}

/// RFC 5321 section 4.5.2 read word by word.
fn by_the_book(input: &[u8]) -> Read {
    let (mut data, mut rest) = (Vec::new(), input);
    loop {
        let Some(end) = rest.windows(2).position(|at| at == b"\r\n") else {
            data.extend_from_slice(unfinished(rest));
            return (data, None, input.len());
        };
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if line == b"." {
            let bare_line_end = (0..data.len()).any(|at| match data[at] {
                b'\r' => data.get(at + 1) != Some(&b'\n'),
                b'\n' => at == 0 || data[at - 1] != b'\r',
                _ => false,
            });
            let end = DotEnd { size_bytes: data.len() as u64, bare_line_end, too_big: false };
            return (data, Some(end), input.len() - rest.len());
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        data.extend_from_slice(b"\r\n");
    }
}

/// What is handed out of a line that has not ended: a dot, or a dot and a CR, may yet be the end of the data.
fn unfinished(line: &[u8]) -> &[u8] {
    if line == b".\r" { b"" } else { line.strip_prefix(b".").unwrap_or(line) }
}

fn stuffed(message: &[u8], segment: usize) {
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    write_dot_stuffed(message, &mut whole);
    let mut writer = DotWriter::default();
    message.chunks(segment).for_each(|piece| writer.write(piece, &mut pieces));
    writer.finish(&mut pieces);
    assert_eq!(pieces, whole);
    let (data, end, used) = dot_read(&whole, segment, u64::MAX);
    let mut expected = message.to_vec();
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        expected.extend_from_slice(b"\r\n");
    }
    assert!(end.is_some() && used == whole.len());
    assert_eq!(data, expected);
}
