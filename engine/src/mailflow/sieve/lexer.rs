//! A script as tokens (RFC 5228 section 2, grammar in section 8.1), each with its line and column. Knows no command.
use super::{At, Wrong};
use crate::base::limits::SIEVE_STRING_BYTES_MAX;

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name of a command or a test, in small letters.
    Word(String),
    /// `:name`, in small letters and without the colon.
    Tag(String),
    /// A number with its quantifier.
    Number(u64),
    /// A string, quoted or multi-line.
    Text(String),
    /// `[ ] ( ) { } , ;`
    Sign(char),
    /// Behind the last one.
    End,
}

struct Lexer<'a> {
    rest: &'a str,
    at: At,
}

/// All tokens of a script; the last one is `End`.
pub(super) fn tokens(script: &str) -> Result<Vec<(Token, At)>, Wrong> {
    let mut lexer = Lexer { rest: script.strip_prefix('\u{feff}').unwrap_or(script), at: At { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_white()?;
        let at = lexer.at;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        tokens.push((token, at));
        if is_end {
            return Ok(tokens);
        }
    }
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.at = At { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    fn wrong<T>(&self, what: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong { at: self.at, what: what.into() })
    }

    fn skip_white(&mut self) -> Result<(), Wrong> {
        while let Some(c) = self.peek() {
            if c.is_ascii_whitespace() {
                self.next();
            } else if c == '#' {
                self.skip_line();
            } else if self.rest.starts_with("/*") {
                let begun = self.at;
                let Some(end) = self.rest.find("*/") else {
                    return Err(Wrong { at: begun, what: "a comment has no end; */ is expected".into() });
                };
                let until = self.rest.len() - end - 2;
                while self.rest.len() > until {
                    self.next();
                }
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    fn token(&mut self) -> Result<Token, Wrong> {
        let Some(c) = self.peek() else { return Ok(Token::End) };
        match c {
            '[' | ']' | '(' | ')' | '{' | '}' | ',' | ';' => {
                self.next();
                Ok(Token::Sign(c))
            }
            '"' => self.quoted(),
            ':' => {
                self.next();
                match self.word() {
                    name if name.is_empty() => self.wrong("a name is expected behind the colon"),
                    name => Ok(Token::Tag(name)),
                }
            }
            '0'..='9' => self.number(),
            'a'..='z' | 'A'..='Z' | '_' => match self.word() {
                name if name == "text" && self.peek() == Some(':') => self.multi_line(),
                name => Ok(Token::Word(name)),
            },
            c => self.wrong(format!("{c:?} is not expected here")),
        }
    }

    fn word(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c.to_ascii_lowercase());
            self.next();
        }
        name
    }

    fn number(&mut self) -> Result<Token, Wrong> {
        let mut number: u64 = 0;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            number = match number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit))) {
                Some(number) => number,
                None => return self.wrong("the number is too large"),
            };
            self.next();
        }
        let shift = match self.peek().map(|c| c.to_ascii_uppercase()) {
            Some('K') => 10,
            Some('M') => 20,
            Some('G') => 30,
            _ => return Ok(Token::Number(number)),
        };
        self.next();
        match number.checked_mul(1 << shift) {
            Some(number) => Ok(Token::Number(number)),
            None => self.wrong("the number is too large"),
        }
    }

    fn push(&self, text: &mut String, c: char) -> Result<(), Wrong> {
        if text.len() >= SIEVE_STRING_BYTES_MAX {
            return self.wrong(format!("a string has at most {SIEVE_STRING_BYTES_MAX} bytes"));
        }
        text.push(c);
        Ok(())
    }

    fn quoted(&mut self) -> Result<Token, Wrong> {
        let begun = self.at;
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(Token::Text(text)),
                Some('\\') => match self.next() {
                    Some(c) => self.push(&mut text, c)?,
                    None => break,
                },
                Some(c) => self.push(&mut text, c)?,
                None => break,
            }
        }
        Err(Wrong { at: begun, what: "a string has no end; \" is expected".into() })
    }

    /// `text:` up to a line that holds a dot alone; a dot at the front of a line is doubled.
    fn multi_line(&mut self) -> Result<Token, Wrong> {
        let begun = self.at;
        self.next();
        while self.peek().is_some_and(|c| c == ' ' || c == '\t' || c == '\r') {
            self.next();
        }
        match self.peek() {
            Some('#') => self.skip_line(),
            Some('\n') => drop(self.next()),
            _ => return self.wrong("the end of the line is expected behind text:"),
        }
        let mut text = String::new();
        while !self.rest.is_empty() {
            let line = self.rest.split_inclusive('\n').next().unwrap_or("");
            if line.trim_end_matches(['\r', '\n']) == "." {
                self.skip_line();
                return Ok(Token::Text(text));
            }
            let mut chars = line.chars();
            if line.starts_with("..") {
                chars.next();
            }
            for c in chars {
                self.push(&mut text, c)?;
            }
            self.skip_line();
        }
        Err(Wrong { at: begun, what: "a text has no end; a line with a dot alone is expected".into() })
    }
}
