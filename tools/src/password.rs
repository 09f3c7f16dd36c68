//! Where passwords come from: standard input, a terminal without echo, or as a hash. Never from the arguments, never into the log.
use crate::cli::{PasswordArgs, PasswordSetArgs};
use crate::limits::PASSWORD_INPUT_BYTES_MAX;
use crate::ops::{Failure, Kind};
use posthouse_engine::directory::password;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Write};

/// A password that an account is to have.
pub struct Fresh {
    /// Its hash.
    pub hash: String,
    /// Itself, if it is known: for the keys that are made of it.
    pub plain: Option<String>,
}

impl Fresh {
    fn of(plain: String) -> Result<Option<Fresh>, Failure> {
        Ok(Some(Fresh { hash: hashed(&plain)?, plain: Some(plain) }))
    }

    fn hash(hash: &str) -> Result<Option<Fresh>, Failure> {
        Ok(Some(Fresh { hash: checked(hash)?, plain: None }))
    }
}

impl PasswordArgs {
    /// A new account's password; `None`: it shall have none.
    pub fn fresh(&self) -> Result<Option<Fresh>, Failure> {
        match self {
            PasswordArgs { password_hash: Some(hash), .. } => Fresh::hash(hash),
            PasswordArgs { no_password: true, .. } => Ok(None),
            PasswordArgs { password_stdin: true, .. } => Fresh::of(from_stdin()?),
            _ if io::stdin().is_terminal() => Fresh::of(from_terminal()?),
            _ => Err(Failure::new(
                Kind::Refused,
                "no password: allowed are --password-stdin, --password-hash, --no-password, or a terminal to ask at",
            )),
        }
    }
}

impl PasswordSetArgs {
    /// Another password; `None`: it stays.
    pub fn fresh(&self) -> Result<Option<Fresh>, Failure> {
        match self {
            PasswordSetArgs { password_hash: Some(hash), .. } => Fresh::hash(hash),
            PasswordSetArgs { password_stdin: true, .. } => Fresh::of(from_stdin()?),
            PasswordSetArgs { password: true, .. } => Fresh::of(from_terminal()?),
            _ => Ok(None),
        }
    }
}

/// A hash that somebody else made.
pub fn checked(hash: &str) -> Result<String, Failure> {
    password::valid_hash(hash)?;
    Ok(hash.to_owned())
}

/// The hash of a password.
pub fn hashed(plain: &str) -> Result<String, Failure> {
    Ok(password::hash(plain)?)
}

/// Letters and digits that are not mistaken for each other; 32 of them, so that each takes five bits.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password of 80 bits that nobody chose.
pub fn random() -> Result<String, Failure> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(Kind::Failed, format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

/// The first line of standard input.
pub fn from_stdin() -> Result<String, Failure> {
    first_line(io::stdin().lock())
}

fn first_line(from: impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    let read = from.take(PASSWORD_INPUT_BYTES_MAX).read_line(&mut line);
    read.map_err(|error| Failure::io("the password on standard input", &error))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::new(Kind::Refused, "no password on standard input"));
    }
    Ok(password.to_owned())
}

fn from_terminal() -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Refused, "--password asks at a terminal; allowed elsewhere: --password-stdin"));
    }
    let first = ask("New password: ")?;
    if ask("Again: ")? != first {
        return Err(Failure::new(Kind::Refused, "the two passwords differ"));
    }
    Ok(first)
}

fn ask(prompt: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::io("the terminal", &error);
    let mut stderr = io::stderr();
    stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush()).map_err(failed)?;
    let silence = Silence::begin().map_err(failed)?;
    let password = from_stdin();
    drop(silence);
    stderr.write_all(b"\n").map_err(failed)?;
    password
}

/// No echo while it lives.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Silence> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Silence(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        assert_eq!(first_line(&b"geheim \r\nrest"[..]), Ok("geheim ".to_owned()));
        assert_eq!(first_line(&b"geheim"[..]), Ok("geheim".to_owned()));
        assert!(first_line(&b"\n"[..]).is_err());
        let endless = io::BufReader::new(io::repeat(b'x'));
        assert_eq!(first_line(endless).map(|line| line.len() as u64), Ok(PASSWORD_INPUT_BYTES_MAX));
    }

    #[test]
    fn random_passwords_differ_and_can_be_typed() {
        let (one, two) = (random().expect("made"), random().expect("made"));
        assert_ne!(one, two);
        assert!(one.len() == 16 && one.bytes().all(|byte| ALPHABET.contains(&byte)), "{one}");
    }
}
