//! Tokens as a tree of commands, tests and arguments (RFC 5228 section 8.2). Knows what any command looks like, and none by its name.
use super::lexer::{Token, tokens};
use super::{At, Wrong};
use crate::base::limits::{SIEVE_BYTES_MAX, SIEVE_DEPTH_MAX};

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arg {
    /// `:name`
    Tag(String),
    /// A number.
    Number(u64),
    /// A string, or a list of strings.
    Strings(Vec<String>),
}

/// A command or a test: they look alike but for the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) at: At,
    pub(super) args: Vec<(Arg, At)>,
    pub(super) tests: Vec<Call>,
    /// `None`: it ends with a semicolon, or is a test.
    pub(super) block: Option<Vec<Call>>,
}

struct Parser {
    tokens: Vec<(Token, At)>,
    next: usize,
}

/// The commands of a script.
pub(super) fn commands(script: &str) -> Result<Vec<Call>, Wrong> {
    if script.len() > SIEVE_BYTES_MAX {
        let at = At { line: 1, column: 1 };
        return Err(Wrong { at, what: format!("a script has at most {SIEVE_BYTES_MAX} bytes") });
    }
    let mut parser = Parser { tokens: tokens(script)?, next: 0 };
    let commands = parser.block(Token::End, 0)?;
    Ok(commands)
}

impl Parser {
    fn peek(&self) -> (&Token, At) {
        let last = self.tokens.len() - 1;
        let (token, at) = &self.tokens[self.next.min(last)];
        (token, *at)
    }

    fn take(&mut self) -> (Token, At) {
        let (token, at) = self.peek();
        let taken = (token.clone(), at);
        self.next += 1;
        taken
    }

    fn is_sign(&mut self, sign: char) -> bool {
        let found = *self.peek().0 == Token::Sign(sign);
        self.next += usize::from(found);
        found
    }

    fn expected<T>(&self, what: &str) -> Result<T, Wrong> {
        let (token, at) = self.peek();
        let found = match token {
            Token::Word(word) => word.clone(),
            Token::Tag(tag) => format!(":{tag}"),
            Token::Number(number) => number.to_string(),
            Token::Text(_) => "a string".into(),
            Token::Sign(sign) => sign.to_string(),
            Token::End => "the end".into(),
        };
        Err(Wrong { at, what: format!("{what} expected, not {found}") })
    }

    fn block(&mut self, end: Token, depth: usize) -> Result<Vec<Call>, Wrong> {
        let mut commands = Vec::new();
        while *self.peek().0 != end {
            let mut command = self.call(depth)?;
            if self.is_sign('{') {
                command.block = Some(self.block(Token::Sign('}'), depth + 1)?);
                self.next += 1;
            } else if !self.is_sign(';') {
                return self.expected("; or {");
            }
            commands.push(command);
        }
        Ok(commands)
    }

    fn call(&mut self, depth: usize) -> Result<Call, Wrong> {
        let (Token::Word(_), at) = self.peek() else { return self.expected("a name") };
        if depth > SIEVE_DEPTH_MAX {
            return Err(Wrong { at, what: format!("blocks and tests stand at most {SIEVE_DEPTH_MAX} deep") });
        }
        let name = if let (Token::Word(name), _) = self.take() { name } else { String::new() };
        let mut call = Call { name, at, args: Vec::new(), tests: Vec::new(), block: None };
        loop {
            let at = self.peek().1;
            let arg = match self.peek().0 {
                Token::Tag(_) | Token::Number(_) | Token::Text(_) => match self.take().0 {
                    Token::Tag(tag) => Arg::Tag(tag),
                    Token::Number(number) => Arg::Number(number),
                    Token::Text(text) => Arg::Strings(vec![text]),
                    _ => break,
                },
                Token::Sign('[') => Arg::Strings(self.list()?),
                _ => break,
            };
            call.args.push((arg, at));
        }
        if self.is_sign('(') {
            loop {
                call.tests.push(self.call(depth + 1)?);
                if self.is_sign(')') {
                    break;
                }
                if !self.is_sign(',') {
                    return self.expected(", or )");
                }
            }
        } else if matches!(self.peek().0, Token::Word(_)) {
            call.tests.push(self.call(depth + 1)?);
        }
        Ok(call)
    }

    fn list(&mut self) -> Result<Vec<String>, Wrong> {
        self.next += 1;
        let mut all = Vec::new();
        loop {
            match self.peek().0 {
                Token::Text(text) => all.push(text.clone()),
                _ => return self.expected("a string"),
            }
            self.next += 1;
            if self.is_sign(']') {
                return Ok(all);
            }
            if !self.is_sign(',') {
                return self.expected(", or ]");
            }
        }
    }
}
