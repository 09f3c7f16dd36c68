//! MANIFEST.jsonl of an export: one JSON object a line, what was exported and where it lies. Read from anywhere, so nothing in it is trusted.
use crate::ops::bulk::Annotation;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read};

/// The manifest's name in an export.
pub const NAME: &str = "MANIFEST.jsonl";
/// Its name until the export is whole.
pub const UNFINISHED: &str = "MANIFEST.jsonl.unfinished";
/// The version of the lines.
pub const VERSION: u32 = 1;
/// Bytes of one line.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// How the messages lie in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Maildir++: a directory an account, a file a message
    Maildir,
    /// mboxrd: a file a mailbox
    Mbox,
    /// A directory a mailbox, a file a message
    Eml,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Line {
    /// The first one.
    Export {
        /// `VERSION`.
        version: u32,
        /// How the messages lie.
        format: Format,
    },
    /// A mailbox; its messages follow.
    Mailbox {
        /// Whose.
        account: String,
        /// Its full name, levels separated by `/`.
        mailbox: String,
        /// Where it lies, from the export's directory on.
        path: String,
        /// Its attribute as in RFC 6154.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        special_use: Option<String>,
        /// Whether it is subscribed to.
        subscribed: bool,
    },
    /// An annotation of the account or of a mailbox.
    Annotation {
        /// Whose.
        account: String,
        /// Its mailbox; none: the account itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mailbox: Option<String>,
        /// Name and value.
        #[serde(flatten)]
        annotation: Annotation,
    },
    /// A message.
    Message(Message),
    /// A message that is not in the export because the store could not read it.
    Unreadable {
        /// Whose.
        account: String,
        /// Where it was.
        mailbox: String,
        /// Its uid there.
        uid: u32,
        /// What the store said.
        error: String,
    },
    /// The last one: without it the manifest is cut off.
    End {
        /// Messages in the export.
        messages: u64,
        /// Bytes of them.
        bytes: u64,
        /// Messages that are not in it.
        unreadable: u64,
    },
}

/// A message of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Whose.
    pub account: String,
    /// The mailbox's full name.
    pub mailbox: String,
    /// Its uid there.
    pub uid: u32,
    /// System flags with their backslash, and keywords.
    pub flags: Vec<String>,
    /// Internal date, RFC 3339 in UTC.
    pub date: String,
    /// Its unique-id by POP3 on the server that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pop3_uidl: Option<String>,
    /// Bytes of the message.
    pub size: u64,
    /// Of the message, 64 hexadecimal digits.
    pub sha256: String,
    /// The file, from the export's directory on.
    pub path: String,
    /// Where in the file, if it holds more than this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

/// A message's place in an mbox file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// Bytes before it: it begins behind its From_ line and the fields that the export added.
    pub offset: u64,
    /// Bytes of it, quotes included.
    pub length: u64,
    /// Its lines end with LF here and with CRLF in the store.
    pub lf: bool,
}

/// Reads lines one by one.
pub struct Lines<R> {
    from: R,
    number: u64,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// From the manifest's first byte on.
    pub fn new(from: R) -> Lines<R> {
        Lines { from, number: 0, ended: false }
    }

    fn line(&mut self) -> Result<Option<Line>, String> {
        let mut bytes = Vec::new();
        self.number += 1;
        let got = self.from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        match got.map_err(|error: io::Error| error.to_string())? {
            0 if self.ended => return Ok(None),
            0 => return Err("the manifest is cut off: its last line says `end`".into()),
            _ if bytes.last() != Some(&b'\n') => return Err("the line has no end or is too long".into()),
            _ => {}
        }
        let line: Line = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        match &line {
            Line::Export { version, .. } if *version != VERSION => {
                Err(format!("version {version} of the manifest; this posthouse reads version {VERSION}"))
            }
            Line::End { .. } => {
                self.ended = true;
                Ok(Some(line))
            }
            _ => Ok(Some(line)),
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    /// An error names the line; nothing follows it.
    type Item = Result<Line, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.number == u64::MAX {
            return None;
        }
        let line = self.line().map_err(|what| format!("{NAME}:{}: {what}", self.number));
        if line.is_err() {
            self.number = u64::MAX;
        }
        line.transpose()
    }
}
