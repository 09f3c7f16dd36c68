//! Tests the bounded readers over simulated connections, cut at every place. It opens no socket.

use posthouse_protocols::runtime::sim;
use posthouse_protocols::wire::{
    DotEnd, DotReader, DotStatus, DotStep, DotWriter, Line, LineReader, read_exact_n, read_line, write_dot_stuffed,
};

/// Feeds `input` in pieces of every size and gives what `max`-bounded lines came out.
fn lines_of(input: &'static [u8], segment: usize, max: usize) -> Vec<Line> {
    sim::run_alone(move |net| async move {
        net.segment(segment);
        let (mut stream, mut client) = net.pair();
        client.write(input).await;
        client.close();
        let mut lines = Vec::new();
        loop {
            let line = read_line(&mut stream, max).await.expect("a simulated read");
            lines.push(line.clone());
            if line == Line::Closed {
                return lines;
            }
        }
    })
}

#[test]
fn lines_end_with_crlf_only_and_long_ones_are_skipped_once() {
    let input = b"EHLO a\r\nbare\nlf\r\nbare\rcr\r\n0123456789\r\n01234567890\r\n\
        0123456789012345678901234567890\r0123\n456789\r\r\nQUIT\r\n\r\ncut";
    let text = |text: &[u8]| Line::Text(text.to_vec());
    let expected = vec![
        text(b"EHLO a"),
        text(b"bare\nlf"),
        text(b"bare\rcr"),
        text(b"0123456789"),
        Line::TooLong,
        Line::TooLong,
        text(b"QUIT"),
        text(b""),
        Line::Closed,
    ];
    for segment in 1..=input.len() {
        assert_eq!(lines_of(input, segment, 10), expected, "in pieces of {segment}");
    }
}

#[test]
fn a_lenient_reader_takes_lf_alone_and_counts_what_it_throws_away() {
    let input = b"USER a\nPASS b\r\n\n0123456789\n01234567890\nbare\rcr\n";
    for segment in 1..=input.len() {
        let (lines, passed_over) = sim::run_alone(move |net| async move {
            net.segment(segment);
            let (mut stream, mut client) = net.pair();
            client.write(input).await;
            client.close();
            let mut reader = LineReader::lenient(10);
            let (mut lines, mut passed_over) = (Vec::new(), 0);
            loop {
                match reader.take(&mut stream) {
                    Some(line) => lines.push(line),
                    None if stream.fill().await.expect("a simulated read") == 0 => return (lines, passed_over),
                    None => {}
                }
                passed_over = passed_over.max(reader.passed_over());
            }
        });
        let text = |text: &[u8]| Line::Text(text.to_vec());
        let expected =
            [text(b"USER a"), text(b"PASS b"), text(b""), text(b"0123456789"), Line::TooLong, text(b"bare\rcr")];
        assert_eq!(lines, expected, "in pieces of {segment}");
        // In single bytes, the line is known to be too long before its end is there.
        assert!(segment > 1 || passed_over == 11, "{passed_over}");
    }
}

fn dot_read(input: &'static [u8], segment: usize, max: u64) -> (Vec<u8>, DotStatus, Vec<u8>) {
    sim::run_alone(move |net| async move {
        net.segment(segment);
        let (mut stream, mut client) = net.pair();
        client.write(input).await;
        client.close();
        let mut reader = DotReader::new(max);
        let mut data = Vec::new();
        loop {
            let status = reader.read(&mut stream, &mut data).await.expect("a simulated read");
            if status != DotStatus::More {
                let mut rest = stream.buffered().to_vec();
                stream.consume(rest.len());
                while stream.fill().await.expect("a simulated read") > 0 {
                    rest.extend_from_slice(stream.buffered());
                    stream.consume(usize::MAX);
                }
                return (data, status, rest);
            }
        }
    })
}

#[test]
fn only_crlf_dot_crlf_ends_the_data() {
    let cases: &[(&[u8], &[u8], bool)] = &[
        (b".\r\n", b"", false),
        (b"a\r\n.\r\n", b"a\r\n", false),
        (b"a\r\n..\r\n.b\r\n...c\r\n.\r\n", b"a\r\n.\r\nb\r\n..c\r\n", false),
        (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", true),
        (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n", true),
        (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", true),
        (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n", true),
        (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", true),
        (b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n", true),
        (b"a\r\r\n.\r\n", b"a\r\r\n", true),
        (b"\0\xff\r\n.\r\n", b"\0\xff\r\n", false),
    ];
    for (input, expected, bare) in cases {
        let with_rest: &'static [u8] = [*input, b"QUIT\r\n"].concat().leak();
        for segment in 1..=with_rest.len() {
            let (data, status, rest) = dot_read(with_rest, segment, 1000);
            assert_eq!(data, *expected, "{with_rest:?} in pieces of {segment}");
            let end = DotEnd { size_bytes: expected.len() as u64, bare_line_end: *bare, too_big: false };
            assert_eq!(status, DotStatus::Done(end), "{with_rest:?} in pieces of {segment}");
            assert_eq!(rest, b"QUIT\r\n", "{with_rest:?} in pieces of {segment}");
        }
    }
}

#[test]
fn data_over_the_limit_is_read_to_its_end_but_not_kept() {
    for segment in 1..20 {
        let (data, status, _) = dot_read(b"0123456789\r\n.\r\n", segment, 5);
        assert_eq!(data, b"01234");
        let end = DotEnd { size_bytes: 12, bare_line_end: false, too_big: true };
        assert_eq!(status, DotStatus::Done(end));
    }
    let (_, status, _) = dot_read(b"exact\r\n.\r\n", 3, 7);
    assert!(matches!(status, DotStatus::Done(end) if !end.too_big));
    let (_, status, _) = dot_read(b"no end\r\n.\r", 3, 7);
    assert_eq!(status, DotStatus::Closed);
}

#[test]
fn what_is_stuffed_comes_back_whole() {
    let messages: &[&[u8]] = &[b"", b".", b".\r\n", b"a\r\n.\r\n..\r\nb", b"a\n.\r\n", b"a\r.\r\n.x\r\n"];
    for message in messages {
        let mut stuffed = Vec::new();
        write_dot_stuffed(message, &mut stuffed);
        let mut expected = message.to_vec();
        if !message.is_empty() && !message.ends_with(b"\r\n") {
            expected.extend_from_slice(b"\r\n");
        }
        let (data, status, rest) = dot_read(stuffed.leak(), 1, 1000);
        assert_eq!(data, expected);
        assert!(matches!(status, DotStatus::Done(_)) && rest.is_empty());
    }
}

#[test]
fn literals_come_whole_and_leave_the_rest() {
    sim::run_alone(|net| async move {
        net.segment(3);
        let (mut stream, mut client) = net.pair();
        client.write(b"0123456789A1 NOOP\r\nxy").await;
        client.close();
        let mut literal = Vec::new();
        read_exact_n(&mut stream, 10, &mut literal).await.expect("ten bytes are there");
        assert_eq!(literal, b"0123456789");
        let line = read_line(&mut stream, 100).await.expect("a line is there");
        assert_eq!(line, Line::Text(b"A1 NOOP".to_vec()));
        let cut = read_exact_n(&mut stream, 3, &mut literal).await.expect_err("only two are there");
        assert_eq!(cut.kind(), std::io::ErrorKind::UnexpectedEof);
    });
}

/// A small generator, so that a failing run can be replayed from its printed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Bytes of those that matter to line and dot readers.
    fn text(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| b"..\r\r\n\n\n\0ab"[self.below(10) as usize]).collect()
    }
}

/// RFC 5321 section 4.5.2 read word by word: data without its stuffing, whether a bare CR or LF is in it, and what follows the dot.
fn by_the_book(input: &[u8]) -> Option<(Vec<u8>, bool, &[u8])> {
    let mut data = Vec::new();
    let mut rest = input;
    loop {
        let end = rest.windows(2).position(|at| at == b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if line == b"." {
            let bare = (0..data.len()).any(|at| match data[at] {
                b'\r' => data.get(at + 1) != Some(&b'\n'),
                b'\n' => at == 0 || data[at - 1] != b'\r',
                _ => false,
            });
            return Some((data, bare, rest));
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        data.extend_from_slice(b"\r\n");
    }
}

#[test]
fn random_data_is_read_as_the_book_says_wherever_it_is_cut() {
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let len = random.below(40);
        let mut input = random.text(len);
        input.extend_from_slice(b"\r\n.\r\nrest");
        let (data, bare, rest) = by_the_book(&input).expect("the data ends");
        let cut = random.below(input.len() as u64) as usize;
        let mut reader = DotReader::new(1000);
        let mut out = Vec::new();
        let mut step = reader.step(&input[..cut], &mut out);
        if step.end.is_none() {
            assert_eq!(step.consumed, cut, "seed {seed}");
            let second = reader.step(&input[cut..], &mut out);
            step = DotStep { consumed: cut + second.consumed, ..second };
        }
        let end = step.end.expect("the data ends");
        assert_eq!((&out, end.bare_line_end), (&data, bare), "seed {seed}: {input:?} cut at {cut}");
        assert_eq!(&input[step.consumed..], rest, "seed {seed}: {input:?}");
        assert_eq!(end.size_bytes, data.len() as u64, "seed {seed}");
    }
}

#[test]
fn random_messages_written_in_two_pieces_come_back() {
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let len = random.below(30);
        let message = random.text(len);
        let cut = random.below(len + 1) as usize;
        let mut stuffed = Vec::new();
        let mut writer = DotWriter::default();
        writer.write(&message[..cut], &mut stuffed);
        writer.write(&message[cut..], &mut stuffed);
        writer.finish(&mut stuffed);
        let mut whole = Vec::new();
        write_dot_stuffed(&message, &mut whole);
        assert_eq!(stuffed, whole, "seed {seed}: {message:?} cut at {cut}");
        let mut expected = message.clone();
        if !message.is_empty() && !message.ends_with(b"\r\n") {
            expected.extend_from_slice(b"\r\n");
        }
        let (data, _, rest) = by_the_book(&stuffed).expect("the data ends");
        assert_eq!((data, rest.len()), (expected, 0), "seed {seed}: {message:?}");
    }
}

#[test]
fn a_lenient_writer_deceives_no_reader_that_takes_lf_for_a_line_end() {
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let len = random.below(30);
        let message = random.text(len);
        let cut = random.below(len + 1) as usize;
        let mut stuffed = Vec::new();
        let mut writer = DotWriter::lenient();
        writer.write(&message[..cut], &mut stuffed);
        writer.write(&message[cut..], &mut stuffed);
        writer.finish(&mut stuffed);
        // To both kinds of readers the only line that is a dot is the last one.
        let lines: Vec<&[u8]> = stuffed.split_inclusive(|byte| *byte == b'\n').collect();
        let dots = lines.iter().filter(|line| matches!(line, [b'.', b'\n'] | [b'.', b'\r', b'\n'])).count();
        assert!(dots == 1 && (stuffed == b".\r\n" || stuffed.ends_with(b"\r\n.\r\n")), "seed {seed}: {message:?}");
        let unstuffed: Vec<u8> = lines[..lines.len() - 1]
            .iter()
            .flat_map(|line| line.strip_prefix(b".").unwrap_or(line).iter().copied())
            .collect();
        let added = if message.is_empty() || message.ends_with(b"\r\n") { &b""[..] } else { b"\r\n" };
        assert_eq!(unstuffed, [&message, added].concat(), "seed {seed}: {message:?} cut at {cut}");
    }
}
