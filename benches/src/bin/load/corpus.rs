//! The mails to send: every `.eml` of a folder, dot-stuffed once at the start, each sent with a
//! fresh Message-ID so that no two deliveries are equal. Never changes anything else of a mail.

use std::io;
use std::path::Path;

/// One mail, ready for DATA but for its Message-ID line, which goes in front.
pub struct Mail {
    stuffed: Vec<u8>,
}

impl Mail {
    /// Appends `Message-ID`, the mail and the final dot to `out`; returns the size that the
    /// server stores (before dot-stuffing, without the final dot).
    pub fn write(&self, id: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Message-ID: <");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(b"@load.test>\r\n");
        out.extend_from_slice(&self.stuffed);
        out.extend_from_slice(b".\r\n");
    }
}

/// Reads the whole folder in name order.
///
/// # Errors
/// When the folder cannot be read or holds no mail.
pub fn load(folder: &Path) -> io::Result<Vec<Mail>> {
    let mut names: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "eml"))
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(io::Error::other(format!("{} holds no .eml file", folder.display())));
    }
    names.iter().map(|path| Ok(Mail { stuffed: prepare(&std::fs::read(path)?) })).collect()
}

/// Drops the mail's own Message-ID and doubles leading dots (RFC 5321 section 4.5.2).
fn prepare(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 16);
    let mut in_header = true;
    let mut dropping = false;
    for line in raw.split_inclusive(|&b| b == b'\n') {
        if in_header {
            let folded = matches!(line.first(), Some(b' ' | b'\t'));
            dropping = (folded && dropping) || is_message_id(line);
            in_header = line != b"\r\n";
            if dropping {
                continue;
            }
        }
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out
}

fn is_message_id(line: &[u8]) -> bool {
    const NAME: &[u8] = b"message-id:";
    line.get(..NAME.len()).is_some_and(|head| head.eq_ignore_ascii_case(NAME))
}

#[cfg(test)]
mod tests {
    use super::prepare;

    #[test]
    fn drops_the_id_with_its_folds_and_stuffs_dots() {
        let raw = b"A: 1\r\nMESSAGE-id:\r\n <x@y>\r\nB: 2\r\n\r\n.dot\r\nMessage-ID: body\r\n";
        assert_eq!(prepare(raw), b"A: 1\r\nB: 2\r\n\r\n..dot\r\nMessage-ID: body\r\n");
    }
}
