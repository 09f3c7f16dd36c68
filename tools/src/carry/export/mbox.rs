//! mboxrd: a file for each mailbox, LF line ends, quoted From_ lines, flags in Status, X-Status and X-Keywords on top of each message. A
//! message whose line ends would not come back from LF is written as it is.
use super::target::Target;
use super::{Layout, Placed, eml};
use crate::carry::manifest::Within;
use crate::ops::bulk::{MailboxRow, Outgoing};
use crate::time::asctime;
use posthouse_engine::index::mime::find_header;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Bytes gathered before a write.
const BUFFER_BYTES: usize = 256 << 10;

pub(super) struct Mbox {
    target: Target,
    at: PathBuf,
    file: Option<BufWriter<File>>,
    offset: u64,
}

impl Mbox {
    pub(super) fn new(target: Target) -> Mbox {
        Mbox { target, at: PathBuf::new(), file: None, offset: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.offset += bytes.len() as u64;
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Each line that looks like a From_ line, quoted or not, gets one more quote.
    fn write_quoted(&mut self, bytes: &[u8], lf: bool) -> io::Result<()> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if is_from_line(line) {
                self.write(b">")?;
            }
            match line.strip_suffix(b"\r\n") {
                Some(text) if lf => {
                    self.write(text)?;
                    self.write(b"\n")?;
                }
                _ => self.write(line)?,
            }
        }
        Ok(())
    }
}

/// `From ` behind any number of quotes.
pub(crate) fn is_from_line(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    line[quotes..].starts_with(b"From ")
}

/// Whether CRLF -> LF -> CRLF gives the same bytes.
fn survives_lf(bytes: &[u8]) -> bool {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    lines.all(|line| line.ends_with(b"\r\n") && !line.ends_with(b"\r\r\n"))
}

/// The reverse-path of the message, as the From_ line has it.
fn sender(bytes: &[u8]) -> String {
    let path = find_header(bytes, b"Return-Path").unwrap_or_default().trim_ascii();
    let path = path.strip_prefix(b"<").and_then(|path| path.strip_suffix(b">")).unwrap_or(path);
    let plain = !path.is_empty() && path.iter().all(u8::is_ascii_graphic);
    if plain { String::from_utf8_lossy(path).into_owned() } else { "MAILER-DAEMON".into() }
}

fn fields(flags: &[String]) -> String {
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let mut status = String::new();
    if has("\\Seen") {
        status.push('R');
    }
    status.push('O');
    let letters = [("\\Answered", 'A'), ("\\Flagged", 'F'), ("\\Draft", 'T'), ("\\Deleted", 'D')];
    let more: String = letters.into_iter().filter(|(name, _)| has(name)).map(|(_, letter)| letter).collect();
    let keywords: Vec<&str> = flags.iter().map(String::as_str).filter(|flag| !flag.starts_with('\\')).collect();
    let mut out = format!("Status: {status}\n");
    if !more.is_empty() {
        out.push_str(&format!("X-Status: {more}\n"));
    }
    if !keywords.is_empty() {
        out.push_str(&format!("X-Keywords: {}\n", keywords.join(" ")));
    }
    out
}

impl Layout for Mbox {
    fn mailbox(&mut self, account: &str, mailbox: &MailboxRow) -> io::Result<String> {
        self.at = eml::path_of(account, &mailbox.name);
        self.at.as_mut_os_string().push(".mbox");
        if let Some(parent) = self.at.parent() {
            self.target.create_dir(parent)?;
        }
        self.file = Some(BufWriter::with_capacity(BUFFER_BYTES, self.target.create(&self.at)?));
        self.offset = 0;
        Ok(self.at.to_string_lossy().into_owned())
    }

    fn message(&mut self, message: &Outgoing, bytes: &[u8]) -> io::Result<Placed> {
        let front = format!("From {} {}\n{}", sender(bytes), asctime(message.date), fields(&message.flags));
        self.write(front.as_bytes())?;
        let (offset, lf) = (self.offset, survives_lf(bytes));
        self.write_quoted(bytes, lf)?;
        let length = self.offset - offset;
        if !bytes.ends_with(b"\n") {
            self.write(b"\n")?;
        }
        self.write(b"\n")?;
        let within = Some(Within { offset, length, lf });
        Ok(Placed { path: self.at.to_string_lossy().into_owned(), within })
    }

    fn end(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(mut file) => file.flush(),
            None => Ok(()),
        }
    }
}
