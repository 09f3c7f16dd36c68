//! What `posthouse.toml` says, read and proven before anything starts. Never opens a socket or the store, and never guesses: a key
//! that it does not know or a value that is not allowed is an error with the file, the key and what is allowed.
pub(crate) mod check;
mod dnsbl;
mod milter;
mod model;
mod oauth;
mod outbound;
mod pop3;
mod proxy;
mod reports;
mod rspamd;
mod values;
mod verify;

pub use dnsbl::ZoneTable;
pub use milter::{MilterDefault, MilterMail, MilterTable};
pub use model::{ClientPorts, Compaction, Config, LogFormat, MailLog, MessagesOf, PlaintextAuth, RuntimeChoice};
pub use oauth::OAuth;
pub use outbound::{Outbound, RouteTable};
pub use rspamd::WhenDown;
pub use values::{Count, Place, Socket};
pub use verify::DmarcChoice;

use std::fmt;
use std::path::{Path, PathBuf};

/// Why a configuration is refused; shown as `file: key: what is allowed`.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named.
    pub file: String,
    /// The key with its table, as in `listen.imap`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong and what is allowed.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.file, self.what),
            key => write!(f, "{}: {key}: {}", self.file, self.what),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a file. Relative paths in it are taken from the file's own directory.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            file: file.clone(),
            key: String::new(),
            what: format!("cannot be read: {error}"),
        })?;
        let mut config = Config::parse(&file, &text)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let rspamd = &mut config.rspamd.password_file;
        let own = [&mut config.data, &mut config.tls.certificate, &mut config.tls.key, rspamd];
        let others = outbound::paths(&mut config.outbound).chain(oauth::paths(&mut config.oauth));
        for path in own.into_iter().chain(others) {
            if !path.as_os_str().is_empty() {
                *path = base.join(&*path);
            }
        }
        Ok(config)
    }

    /// Filters that a message may be shown to, each over a connection.
    pub fn filters(&self) -> usize {
        self.milter.len() + usize::from(self.rspamd.socket().is_some())
    }

    /// Reads and checks the text of a file that is shown as `file` in errors.
    pub fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
        let wrong = |key: &str, what: String| ConfigError { file: file.to_owned(), key: key.to_owned(), what };
        let syntax = |error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            wrong("", format!("line {line}: {}", error.message()))
        };
        let deserializer = toml::Deserializer::parse(text).map_err(syntax)?;
        let config: Config = serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            let key = if path == "." { "" } else { &path };
            wrong(key, in_our_words(error.inner().message()))
        })?;
        check::check(&config).map_err(|(key, what)| wrong(&key, what))?;
        Ok(config)
    }
}

/// serde says "unknown field `x`, expected one of `a`, `b`", and "invalid value: integer `-1`, expected u32"; the key is in the path already.
fn in_our_words(message: &str) -> String {
    let integer = message.strip_prefix("invalid value: integer `").and_then(|rest| rest.split_once("`, expected "));
    let bounds = [("u8", 255), ("u16", 65_535), ("u32", u64::from(u32::MAX)), ("u64", i64::MAX as u64)];
    if let Some((value, kind)) = integer
        && let Some((_, most)) = bounds.iter().find(|(name, _)| *name == kind)
    {
        return format!("{value} is not allowed; allowed: whole numbers from 0 to {most}");
    }
    let Some(rest) = message.strip_prefix("unknown field ") else {
        return message.to_owned();
    };
    let allowed = rest.split_once(", expected ").map_or("", |(_, allowed)| allowed);
    let allowed = allowed.trim_start_matches("one of ").replace('`', "").replace(" or ", ", ");
    format!("unknown key; allowed: {allowed}")
}

/// Where a command finds its data directory: `--data`, then the configuration, then `./posthouse-data`.
pub fn data_dir(flag: Option<&Path>, config: &Config) -> PathBuf {
    flag.map_or_else(|| config.data.clone(), Path::to_path_buf)
}

#[cfg(test)]
mod tests;
