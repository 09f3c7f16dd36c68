//! Which commands there are, in which state each may be given, and what runs it. One row per command.
use super::answer::Answer;
use super::cmd::{auth, capa, dele, lang, list, noop, pass, quit, retr, rset, stat, stls, top, uidl, user, utf8};
use super::state::{Running, Session};

/// The session state that a command needs (RFC 1939 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Any.
    Any,
    /// Before login only.
    Authorization,
    /// After login only.
    Transaction,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Command {
    /// In capitals.
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) run: Run,
}

/// What runs a command.
pub(super) type Run = for<'s> fn(&'s mut Session, Request) -> Running<'s>;

/// A command's arguments: what stands behind its keyword and one space, as it was sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) arguments: Vec<u8>,
}

impl Request {
    /// The words between spaces.
    pub(super) fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.arguments.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
    }

    /// Exactly `N` numbers.
    pub(super) fn numbers<const N: usize>(&self) -> Option<[u64; N]> {
        let mut numbers = [0; N];
        let mut words = self.words();
        for number in &mut numbers {
            *number = self::number(words.next()?)?;
        }
        words.next().is_none().then_some(numbers)
    }

    /// A message number.
    pub(super) fn message(&self) -> Result<u64, Answer> {
        match self.numbers() {
            Some([number]) => Ok(number),
            None => Err(Answer::bad("One message number is expected")),
        }
    }

    /// A message number, or nothing.
    pub(super) fn message_or_all(&self) -> Result<Option<u64>, Answer> {
        match self.words().next() {
            None => Ok(None),
            Some(_) => self.message().map(Some),
        }
    }

    /// Nothing at all.
    pub(super) fn nothing(&self) -> Result<(), Answer> {
        match self.words().next() {
            None => Ok(()),
            Some(_) => Err(Answer::bad("No argument is expected")),
        }
    }
}

/// Decimal digits and nothing else; numbers that are too large for anything here become the largest.
fn number(word: &[u8]) -> Option<u64> {
    word.iter().try_fold(0_u64, |number, byte| match byte {
        b'0'..=b'9' => Some(number.saturating_mul(10).saturating_add(u64::from(byte - b'0'))),
        _ => None,
    })
}

/// The row of a command; keywords have no case (RFC 1939 section 3).
pub(super) fn find(keyword: &[u8]) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.as_bytes().eq_ignore_ascii_case(keyword))
}

const fn row(name: &'static str, state: State, run: Run) -> Command {
    Command { name, state, run }
}

static COMMANDS: [Command; 16] = {
    use State::{Any, Authorization, Transaction};
    [
        // RFC 1939 sections 4 and 7
        row("USER", Authorization, user::run),
        row("PASS", Authorization, pass::run),
        // Sections 5 and 7
        row("STAT", Transaction, stat::run),
        row("LIST", Transaction, list::run),
        row("RETR", Transaction, retr::run),
        row("DELE", Transaction, dele::run),
        row("NOOP", Transaction, noop::run),
        row("RSET", Transaction, rset::run),
        row("TOP", Transaction, top::run),
        row("UIDL", Transaction, uidl::run),
        // Sections 4 and 6
        row("QUIT", Any, quit::run),
        // RFC 2449, 2595, 5034, 6856
        row("CAPA", Any, capa::run),
        row("STLS", Authorization, stls::run),
        row("AUTH", Authorization, auth::run),
        row("UTF8", Authorization, utf8::run),
        row("LANG", Any, lang::run),
    ]
};
