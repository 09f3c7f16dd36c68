//! Walks through the arguments of a complete command piece by piece, for the commands whose extensions imap-codec does not know. Pure: every
//! byte is looked at once, nothing is looked up, and any bytes are answered without panic.
use super::answer::Answer;
use super::out::is_atom_char;
use super::set::Set;
use std::borrow::Cow;

/// What is left of a command.
#[derive(Clone)]
pub(super) struct Args<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes of the command before `bytes`.
    before: usize,
}

/// Something else was expected here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Bytes of the command before it.
    at: usize,
    expected: &'static str,
}

/// A piece of a command.
pub(super) type Parsed<T> = Result<T, Wrong>;

impl From<Wrong> for Answer {
    fn from(Wrong { at, expected }: Wrong) -> Answer {
        let is_mark = !expected.contains(|c: char| c.is_ascii_alphanumeric());
        let expected = if is_mark { Cow::Owned(format!("'{expected}'")) } else { Cow::Borrowed(expected) };
        Answer::bad(format!("{expected} expected at byte {} of the command", at + 1))
    }
}

impl<'a> Args<'a> {
    /// The command, with its line end if that was sent, from byte `at` on.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Args<'a> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        Args { bytes, at: at.min(bytes.len()), before: 0 }
    }

    /// A piece of a command that has so many bytes before it.
    pub(super) fn of_piece(bytes: &'a [u8], before: usize) -> Args<'a> {
        Args { bytes, at: 0, before }
    }

    /// An error that names what should stand here: in words, or the marks themselves.
    pub(super) fn wrong<T>(&self, expected: &'static str) -> Parsed<T> {
        Err(Wrong { at: self.before + self.at, expected })
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes this text if it stands here, whatever its case.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().get(..text.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(text.as_bytes()));
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// Takes this word if it stands here whole: not as the beginning of a longer one.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let longer = self.rest().get(word.len()).is_some_and(|&byte| is_atom_char(byte));
        !longer && self.eat(word)
    }

    pub(super) fn need(&mut self, text: &'static str) -> Parsed<()> {
        if self.eat(text) { Ok(()) } else { self.wrong(if text == " " { "a space" } else { text }) }
    }

    pub(super) fn space(&mut self) -> Parsed<()> {
        self.need(" ")
    }

    /// Whether nothing but spaces follows: clients are known to leave some at the end.
    pub(super) fn is_end(&self) -> bool {
        self.rest().iter().all(|&byte| byte == b' ')
    }

    pub(super) fn end(&self) -> Parsed<()> {
        if self.is_end() { Ok(()) } else { self.wrong("the end") }
    }

    /// The bytes from here on that pass the test.
    pub(super) fn take_while(&mut self, test: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|&byte| !test(byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// `1*ATOM-CHAR`, and `]`, which some extensions' names have.
    pub(super) fn atom(&mut self, expected: &'static str) -> Parsed<&'a str> {
        self.word(expected, is_atom_char)
    }

    /// One or more ASCII bytes that pass the test.
    pub(super) fn word(&mut self, expected: &'static str, test: impl Fn(u8) -> bool) -> Parsed<&'a str> {
        let start = self.clone();
        match std::str::from_utf8(self.take_while(test)) {
            Ok(word) if !word.is_empty() => Ok(word),
            _ => start.wrong(expected),
        }
    }

    /// A number of up to 63 bits (RFC 9051 section 9, number64).
    pub(super) fn number(&mut self) -> Parsed<u64> {
        let start = self.clone();
        let digits = self.word("a number", |byte| byte.is_ascii_digit())?;
        match digits.parse::<u64>() {
            Ok(number) if number < 1 << 63 => Ok(number),
            _ => start.wrong("a number of 63 bits"),
        }
    }

    pub(super) fn number32(&mut self) -> Parsed<u32> {
        let start = self.clone();
        u32::try_from(self.number()?).or_else(|_| start.wrong("a number of 32 bits"))
    }

    /// A number of 32 bits that is not 0.
    pub(super) fn nz_number(&mut self) -> Parsed<u32> {
        let start = self.clone();
        match self.number32()? {
            0 => start.wrong("a number above 0"),
            number => Ok(number),
        }
    }

    /// A sequence-set, or `$` (RFC 5182).
    pub(super) fn set(&mut self) -> Parsed<Set> {
        if self.eat("$") {
            return Ok(Set::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            let first = self.set_end()?;
            let last = if self.eat(":") { self.set_end()? } else { first };
            ranges.push((first, last));
            if !self.eat(",") {
                return Ok(Set::Ranges(ranges));
            }
        }
    }

    fn set_end(&mut self) -> Parsed<Option<u32>> {
        if self.eat("*") { Ok(None) } else { self.nz_number().map(Some) }
    }

    /// A quoted string or literal. 8-bit text in quoted strings is taken as it is, since clients send it.
    pub(super) fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{' | b'~') => self.literal().map(Cow::Borrowed),
            _ => self.wrong("a string"),
        }
    }

    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.need("\"")?;
        let plain = self.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.eat("\"") {
            return Ok(Cow::Borrowed(plain));
        }
        let mut value = plain.to_vec();
        loop {
            if self.eat("\"") {
                return Ok(Cow::Owned(value));
            }
            if self.eat("\\") {
                match self.peek() {
                    Some(byte @ (b'"' | b'\\')) => value.push(byte),
                    _ => return self.wrong("a quote or backslash"),
                }
                self.at += 1;
            }
            let more = self.take_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n' | 0));
            value.extend_from_slice(more);
            if !matches!(self.peek(), Some(b'"' | b'\\')) {
                return self.wrong("a closing quote");
            }
        }
    }

    /// `{n}`, `{n+}`, `~{n}`, a line end, and n bytes.
    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let start = self.clone();
        self.eat("~");
        self.need("{")?;
        let len = self.number32()? as usize;
        self.eat("+");
        self.need("}")?;
        self.eat("\r");
        self.need("\n")?;
        match self.rest().get(..len) {
            Some(bytes) => {
                self.at += len;
                Ok(bytes)
            }
            None => start.wrong("a whole literal"),
        }
    }

    pub(super) fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{' | b'~') => self.string(),
            // 8-bit text outside quotes is no grammar's, and yet what it means is plain.
            _ => {
                let start = self.clone();
                match self.take_while(|byte| is_atom_char(byte) || !byte.is_ascii()) {
                    b"" => start.wrong("a string"),
                    atom => Ok(Cow::Borrowed(atom)),
                }
            }
        }
    }

    /// An astring that may hold wildcards (RFC 3501 section 9, list-mailbox).
    pub(super) fn list_mailbox(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => {
                let start = self.clone();
                match self.take_while(|byte| is_atom_char(byte) || matches!(byte, b'%' | b'*') || !byte.is_ascii()) {
                    b"" => start.wrong("a mailbox pattern"),
                    pattern => Ok(Cow::Borrowed(pattern)),
                }
            }
        }
    }

    /// `(item item ...)`; with `empty`, `()` too.
    pub(super) fn list<T>(
        &mut self,
        empty: bool,
        mut item: impl FnMut(&mut Args<'a>) -> Result<T, Answer>,
    ) -> Result<Vec<T>, Answer> {
        self.need("(")?;
        let mut items = Vec::new();
        if empty && self.eat(")") {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(")") {
                return Ok(items);
            }
            if !self.eat(" ") {
                self.wrong("a space or )")?;
            }
        }
    }

    /// Flags in parentheses, or without as STORE takes them.
    pub(super) fn flags(&mut self) -> Result<Vec<&'a str>, Answer> {
        let flag =
            |args: &mut Args<'a>| args.word("a flag", |byte| is_atom_char(byte) || byte == b'\\').map_err(Answer::from);
        if self.peek() == Some(b'(') {
            return self.list(true, flag);
        }
        let mut flags = vec![flag(self)?];
        while !self.is_end() && self.eat(" ") {
            flags.push(flag(self)?);
        }
        Ok(flags)
    }

    /// Bytes before what is left, of the command or the piece.
    pub(super) fn position(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Args<'_> {
        Args::new(text.as_bytes(), 0)
    }

    #[test]
    fn strings_of_every_kind() {
        for (text, value) in [
            ("abc", "abc"),
            ("\"a b\"", "a b"),
            ("\"a\\\"\\\\\"", "a\"\\"),
            ("{3}\r\na\nb", "a\nb"),
            ("{3+}\r\na\nb", "a\nb"),
            ("~{1}\r\n\0", "\0"),
            ("\"日\"", "日"),
            ("日", "日"),
            ("\"\"", ""),
        ] {
            let mut args = args(text);
            assert_eq!(args.astring().as_deref(), Ok(value.as_bytes()), "{text}");
            assert!(args.is_end(), "{text}");
        }
        for text in ["", "\"a", "\"a\\b\"", "\"a\nb\"", "{4}\r\nabc", "{x}\r\n", "(a)", "\"\\"] {
            assert!(args(text).astring().is_err(), "{text}");
        }
    }

    #[test]
    fn sets() {
        assert_eq!(args("1").set(), Ok(Set::Ranges(vec![(Some(1), Some(1))])));
        assert_eq!(args("3:*,7").set(), Ok(Set::Ranges(vec![(Some(3), None), (Some(7), Some(7))])));
        assert_eq!(args("$").set(), Ok(Set::Saved));
        for text in ["0", "1:", ",1", "x", "4294967296", "1,", "-1"] {
            assert!(args(text).set().is_err(), "{text}");
        }
    }

    #[test]
    fn words_end_where_they_end() {
        let mut args = args("RETURN (MIN) x");
        assert!(!args.eat_word("RET"));
        assert!(args.eat_word("return"));
        assert_eq!(args.space(), Ok(()));
        let found = args.list(true, |args| Ok(args.atom("an option")?.to_owned()));
        assert_eq!(found, Ok(vec!["MIN".to_owned()]));
        assert!(args.end().is_err());
    }
}
