//! Finds where a command ends in what a client has sent: lines, literals and limits (RFC 3501 section 4.3, RFC 7888). Pure; it never
//! looks at a byte twice and never decides what a literal is for.

/// A literal that has been announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Bytes of the literal.
    pub(super) size: u32,
    /// The client waits for `+` before it sends them.
    pub(super) synchronizing: bool,
    /// It is announced by `~` and may hold NULs (RFC 3516 section 4.1).
    pub(super) binary: bool,
}

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The command is not complete.
    More,
    /// The line up to `end` announces a literal; `Scanner::accept` goes on behind it.
    Literal {
        /// Bytes from the command's start to the literal's first byte.
        end: usize,
        literal: Literal,
    },
    /// The command ends, with its line end, at this byte.
    Complete(usize),
    /// More bytes outside literals, or within them, than allowed.
    TooLong,
}

/// Where the search for the end of one command stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scanner {
    /// Bytes that need no second look; may lie beyond what has been received.
    at: usize,
    /// Where the current line, behind the last literal, begins.
    line: usize,
    /// Bytes of literals.
    literals: usize,
}

impl Scanner {
    /// Looks at what has been received since the last call. `line_max` bounds the bytes outside literals.
    pub(super) fn scan(&mut self, received: &[u8], line_max: usize) -> Scan {
        let Some(fresh) = received.get(self.at..) else {
            return Scan::More;
        };
        let Some(found) = fresh.iter().position(|&byte| byte == b'\n') else {
            self.at = received.len();
            return if received.len() - self.literals > line_max { Scan::TooLong } else { Scan::More };
        };
        let end = self.at + found + 1;
        self.at = end;
        if end - self.literals > line_max {
            return Scan::TooLong;
        }
        match announced(&received[self.line..end]) {
            Some(literal) => Scan::Literal { end, literal },
            None => Scan::Complete(end),
        }
    }

    /// Takes the literal just announced into the command.
    pub(super) fn accept(&mut self, size: u32) {
        self.at += size as usize;
        self.line = self.at;
        self.literals += size as usize;
    }

    /// Where the line begins that is being looked at, behind the last literal.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Bytes of all literals accepted.
    pub(super) fn literal_bytes(&self) -> usize {
        self.literals
    }
}

/// The literal that a line announces at its end: `{n}` or `{n+}`, with `~` before it a binary one. Sizes beyond 32 bits are reported as
/// the largest.
pub(super) fn announced(line: &[u8]) -> Option<Literal> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|&byte| byte == b'{')?;
    let (before, inner) = (&inner[..open], &inner[open + 1..]);
    let (digits, synchronizing) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inner, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0u64, |sum, digit| (sum * 10 + u64::from(digit - b'0')).min(u64::from(u32::MAX)));
    Some(Literal { size: size as u32, synchronizing, binary: before.ends_with(b"~") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(end: usize, size: u32, synchronizing: bool) -> Scan {
        Scan::Literal { end, literal: Literal { size, synchronizing, binary: false } }
    }

    #[test]
    fn a_line_ends_where_it_ends() {
        let mut scanner = Scanner::default();
        assert_eq!(scanner.scan(b"a NO", 100), Scan::More);
        assert_eq!(scanner.scan(b"a NOOP\r\nb", 100), Scan::Complete(8));
    }

    #[test]
    fn literals_are_part_of_the_command() {
        let bytes = b"a LOGIN {3+}\r\n\n}\n {2}\r\nxx\r\nb NOOP\r\n";
        let mut scanner = Scanner::default();
        assert_eq!(scanner.scan(bytes, 100), literal(14, 3, false));
        scanner.accept(3);
        assert_eq!(scanner.scan(bytes, 100), literal(23, 2, true));
        scanner.accept(2);
        assert_eq!(scanner.scan(bytes, 100), Scan::Complete(27));
        assert_eq!(scanner.literal_bytes(), 5);
    }

    #[test]
    fn a_literal_may_arrive_late() {
        let mut scanner = Scanner::default();
        assert_eq!(scanner.scan(b"a X {9}\r\n", 100), literal(9, 9, true));
        scanner.accept(9);
        assert_eq!(scanner.scan(b"a X {9}\r\n123", 100), Scan::More);
        assert_eq!(scanner.scan(b"a X {9}\r\n123456789\r\n", 100), Scan::Complete(20));
    }

    #[test]
    fn bounds_hold_with_and_without_a_line_end() {
        assert_eq!(Scanner::default().scan(&[b'x'; 101], 100), Scan::TooLong);
        assert_eq!(Scanner::default().scan(&[b"x".repeat(100).as_slice(), b"\n"].concat(), 100), Scan::TooLong);
        let huge = b"a APPEND x {99999999999999999999}\r\n";
        let found = Scanner::default().scan(huge, 100);
        assert_eq!(found, literal(huge.len(), u32::MAX, true));
    }

    #[test]
    fn what_only_looks_like_a_literal_is_none() {
        for line in [&b"a X {}\r\n"[..], b"a X {-1}\r\n", b"a X {1-}\r\n", b"a X 1}\r\n", b"a X {1} \r\n"] {
            assert_eq!(Scanner::default().scan(line, 100), Scan::Complete(line.len()));
        }
    }
}
