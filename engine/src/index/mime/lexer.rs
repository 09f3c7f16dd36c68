//! Splits header values into the tokens of RFC 5322 section 3.2 and RFC 2045 section 5.1, forgiving what real mail breaks.
//! Never allocates for what it skips, never decodes encoded words, never fails: a broken token is a `Step::Bad`.

/// What follows a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// More input follows; `peek` gives its first byte.
    More,
    /// The input ended right after the token.
    End,
    /// The token is broken.
    Bad,
}

impl Step {
    /// More input follows.
    pub(super) fn more(self) -> bool {
        self == Step::More
    }
}

/// What a NUL inside a quoted string or a comment becomes: U+FFFD. IMAP strings cannot carry NUL (RFC 3501 section 9).
pub(super) const NUL_SUBSTITUTE: &[u8] = "\u{fffd}".as_bytes();

/// A reading position in a header value.
pub(super) struct Lexer<'a> {
    data: &'a [u8],
    pos: usize,
    /// Text of the comment skipped last, when asked for.
    comment: Option<Vec<u8>>,
}

/// RFC 5322 atext; bytes over 127 count too (RFC 6532, and raw 8-bit mail).
pub(super) fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// RFC 2045 token characters; the dot is one.
fn is_token(byte: u8) -> bool {
    byte == b'.' || (is_atext(byte) && !matches!(byte, b'/' | b'=' | b'?'))
}

fn is_wsp(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of a header value.
    pub(super) fn new(data: &'a [u8]) -> Self {
        Lexer { data, pos: 0, comment: None }
    }

    /// Like `new`, and remembers the last comment.
    pub(super) fn with_comments(data: &'a [u8]) -> Self {
        Lexer { comment: Some(Vec::new()), ..Lexer::new(data) }
    }

    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    pub(super) fn rewind(&mut self, pos: usize) {
        self.pos = pos;
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.data.get(self.pos).copied()
    }

    pub(super) fn bump(&mut self) {
        self.pos = (self.pos + 1).min(self.data.len());
    }

    /// The last comment skipped, and forgets it.
    pub(super) fn take_comment(&mut self) -> Vec<u8> {
        self.comment.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn here(&self) -> Step {
        if self.pos < self.data.len() { Step::More } else { Step::End }
    }

    /// Skips CFWS: white space, folds and nested comments.
    pub(super) fn skip_cfws(&mut self) -> Step {
        while let Some(byte) = self.peek() {
            if is_wsp(byte) {
                self.pos += 1;
            } else if byte != b'(' {
                break;
            } else if self.skip_comment() == Step::Bad {
                return Step::Bad;
            }
        }
        self.here()
    }

    fn skip_comment(&mut self) -> Step {
        self.pos += 1;
        let mut text = Text::default();
        let mut depth = 1u32;
        let mut step = Step::Bad;
        while let Some(byte) = self.peek() {
            self.pos += 1;
            match byte {
                b'(' => depth += 1,
                b')' if depth == 1 => {
                    step = self.here();
                    text.keep();
                    break;
                }
                b')' => depth -= 1,
                _ => {}
            }
            if !self.text_byte(byte, &mut text) {
                break;
            }
        }
        if let Some(comment) = &mut self.comment {
            *comment = text.kept();
        }
        step
    }

    /// Takes one byte of a quoted string or comment: folds go, quoted pairs lose the backslash, NUL is replaced.
    /// False when a backslash is the last byte of all.
    fn text_byte(&mut self, byte: u8, text: &mut Text) -> bool {
        match byte {
            b'\n' => {
                if text.bytes.last() == Some(&b'\r') {
                    text.bytes.pop();
                }
                text.keep();
            }
            0 => {
                text.bytes.extend_from_slice(NUL_SUBSTITUTE);
                text.keep();
            }
            b'\\' => match self.peek() {
                None => return false,
                Some(b'\r' | b'\n' | 0) => text.bytes.push(b'\\'),
                Some(next) => {
                    text.keep();
                    text.bytes.push(next);
                    self.pos += 1;
                }
            },
            _ => text.bytes.push(byte),
        }
        true
    }

    /// Takes the bytes from here on that are accepted, and nothing after them.
    pub(super) fn run_of(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.data.get(self.pos..).unwrap_or_default();
        let len = rest.iter().position(|&b| !accept(b)).unwrap_or(rest.len());
        self.pos += len;
        &rest[..len]
    }

    fn run(&mut self, accept: impl Fn(u8) -> bool, out: &mut Vec<u8>) -> Step {
        let taken = self.run_of(accept);
        out.extend_from_slice(taken);
        if self.pos == self.data.len() {
            return Step::End;
        }
        self.skip_cfws()
    }

    /// atom (RFC 5322 section 3.2.3).
    pub(super) fn atom(&mut self, out: &mut Vec<u8>) -> Step {
        if !self.peek().is_some_and(is_atext) {
            return Step::Bad;
        }
        self.run(is_atext, out)
    }

    /// dot-atom with RFC 822's white space around the dots. An empty label is broken.
    pub(super) fn dot_atom(&mut self, out: &mut Vec<u8>) -> Step {
        loop {
            let step = self.atom(out);
            if step != Step::More || self.peek() != Some(b'.') {
                return step;
            }
            out.push(b'.');
            self.pos += 1;
            if self.skip_cfws() != Step::More {
                return Step::Bad;
            }
        }
    }

    /// A dot-atom that may begin, end or repeat dots, as local parts in the wild do.
    pub(super) fn loose_dot_atom(&mut self, out: &mut Vec<u8>) -> Step {
        let mut step = Step::Bad;
        loop {
            while self.peek() == Some(b'.') {
                out.push(b'.');
                self.pos += 1;
                if self.here() == Step::End {
                    return Step::End;
                }
                step = Step::More;
            }
            if self.peek() == Some(b'@') {
                return step;
            }
            step = self.atom(out);
            if step != Step::More || self.peek() != Some(b'.') {
                return step;
            }
        }
    }

    /// token (RFC 2045 section 5.1); may be empty.
    pub(super) fn token(&mut self, out: &mut Vec<u8>) -> Step {
        self.run(is_token, out)
    }

    /// quoted-string; the caller has seen the opening quote.
    pub(super) fn quoted(&mut self, out: &mut Vec<u8>) -> Step {
        self.pos += 1;
        let mut text = Text::default();
        while let Some(byte) = self.peek() {
            self.pos += 1;
            if byte == b'"' {
                out.append(&mut text.bytes);
                return self.skip_cfws();
            }
            if !self.text_byte(byte, &mut text) {
                break;
            }
        }
        out.append(&mut text.kept());
        Step::Bad
    }

    /// phrase and obs-phrase; words are joined by one space.
    pub(super) fn phrase(&mut self, out: &mut Vec<u8>) -> Step {
        match self.peek() {
            None => return Step::End,
            Some(b'.') => return Step::Bad,
            Some(_) => {}
        }
        loop {
            let step =
                if self.peek() == Some(b'"') { self.quoted(out) } else { self.run(|b| is_atext(b) || b == b'.', out) };
            if step != Step::More {
                return step;
            }
            match self.peek() {
                Some(b'"' | b'.') => {}
                Some(byte) if is_atext(byte) => {}
                _ => return self.skip_cfws(),
            }
            out.push(b' ');
        }
    }

    /// "@" domain; the caller has seen the at-sign.
    pub(super) fn domain(&mut self, out: &mut Vec<u8>) -> Step {
        self.pos += 1;
        if self.skip_cfws() != Step::More {
            return Step::Bad;
        }
        if self.peek() == Some(b'[') { self.domain_literal(out) } else { self.dot_atom(out) }
    }

    fn domain_literal(&mut self, out: &mut Vec<u8>) -> Step {
        let mut text = Text::default();
        text.bytes.push(b'[');
        self.pos += 1;
        while let Some(byte) = self.peek() {
            self.pos += 1;
            match byte {
                b'[' => return Step::Bad,
                b']' => {
                    text.bytes.push(byte);
                    out.append(&mut text.bytes);
                    return self.skip_cfws();
                }
                b'\\' => {
                    text.bytes.push(byte);
                    if let Some(next) = self.peek().filter(|next| !matches!(next, b'\r' | b'\n' | 0)) {
                        text.bytes.push(next);
                        self.pos += 1;
                    }
                }
                _ => {
                    self.text_byte(byte, &mut text);
                }
            }
        }
        Step::Bad
    }
}

/// The text of a quoted string or comment while it is read. One that never closes is kept up to its last fold, quoted
/// pair or NUL, as Dovecot does.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    kept_len: usize,
}

impl Text {
    fn keep(&mut self) {
        self.kept_len = self.bytes.len();
    }

    fn kept(mut self) -> Vec<u8> {
        self.bytes.truncate(self.kept_len);
        self.bytes
    }
}
