//! Sieve (RFC 5228): a script and what is known of a message, and what shall happen with it. Pure: reads no mailbox, sends nothing, and takes a
//! bounded time, whatever the script says.
//!
//! `lexer` -> `syntax` (a tree of names) -> `compile` (what the names mean, or where they mean nothing) -> `script`; `run` goes over it with
//! `matching`. Extensions: envelope, fileinto, copy (3894), mailbox (5490), reject and ereject (5429), imap4flags (5232), relational (5231) with
//! i;ascii-numeric, subaddress (5233), vacation (5230).
mod compile;
mod fields;
mod lexer;
mod matching;
mod run;
mod script;
mod syntax;
#[cfg(test)]
mod tests;

pub use fields::{Field, fields};
pub use run::{Effects, Facts, Filing, Onward, run};
pub use script::{Refused, Script, Vacation};

use std::fmt;

/// A place in a script; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The line.
    pub line: u32,
    /// The character in it.
    pub column: u32,
}

/// Why a script is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where.
    pub at: At,
    /// What is wrong there, and what is expected.
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.at.line, self.at.column, self.what)
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// Where it is wrong.
    pub fn parse(text: &str) -> Result<Script, Wrong> {
        compile::script(&syntax::commands(text)?)
    }
}
