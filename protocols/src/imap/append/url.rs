//! IMAP URLs of messages and their parts (RFC 5092), as CATENATE takes them: relative to this server. Looks nothing up.
use crate::imap::args::Args;
use crate::imap::fetch::items;
use crate::imap::fetch::plan::{Content, Decoding};
use posthouse_engine::base::Uid;

/// What a URL names.
#[derive(Debug)]
pub(super) struct Source {
    /// The mailbox; `None` = the selected one.
    pub(super) mailbox: Option<String>,
    pub(super) uid_validity: Option<u32>,
    pub(super) uid: Uid,
    /// All of the message or a section of it.
    pub(super) content: Content,
}

impl Source {
    /// `/mailbox;UIDVALIDITY=n/;UID=n/;SECTION=s/;PARTIAL=a.b`; with `;UID` at the beginning in the selected mailbox. `None`: not that, or of
    /// another server.
    pub(super) fn parse(url: &[u8]) -> Option<Source> {
        let text = std::str::from_utf8(url).ok()?;
        let lower = text.to_ascii_lowercase();
        let uid_at = lower.find(";uid=")?;
        let place = text[..uid_at].strip_suffix('/').unwrap_or(&text[..uid_at]);
        let (mailbox, uid_validity) = match place.to_ascii_lowercase().find(";uidvalidity=") {
            Some(at) => (&place[..at], Some(place[at + 13..].parse().ok()?)),
            None => (place, None),
        };
        let mailbox = decoded(mailbox.strip_prefix('/').unwrap_or(mailbox))?;
        // An absolute URL would name a server and somebody's mailbox there.
        if lower.starts_with("imap:") || lower.starts_with("//") || lower.starts_with("imaps:") {
            return None;
        }
        let mut parts = text[uid_at + 5..].split("/;");
        let uid = Uid(parts.next()?.parse().ok().filter(|uid| *uid > 0)?);
        let (mut section, mut partial) = (String::new(), None);
        for part in parts {
            let (name, value) = part.split_once('=')?;
            match name.to_ascii_lowercase().as_str() {
                "section" => section = decoded(value)?,
                "partial" => partial = Some(value),
                _ => return None,
            }
        }
        let mailbox = (!mailbox.is_empty()).then_some(mailbox);
        Some(Source { mailbox, uid_validity, uid, content: content(&section, partial)? })
    }
}

fn content(section: &str, partial: Option<&str>) -> Option<Content> {
    let spelled = format!("[{section}]");
    let mut args = Args::new(spelled.as_bytes(), 0);
    let mut content = items::content(&mut args, Decoding::None).ok().filter(|_| args.is_end())?;
    if let Some(partial) = partial {
        let (first, len) = match partial.split_once('.') {
            Some((first, len)) => (first.parse().ok()?, len.parse().ok()?),
            None => (partial.parse().ok()?, u32::MAX),
        };
        content.partial = Some((first, len));
    }
    Some(content)
}

/// Undoes `%41`.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_this_server() {
        let source = Source::parse(b"/Drafts%2fa%20b;UIDVALIDITY=385759045/;UID=20/;section=1.2.MIME/;PARTIAL=1.5");
        let source = source.expect("a URL");
        assert_eq!(source.mailbox.as_deref(), Some("Drafts/a b"));
        assert_eq!((source.uid_validity, source.uid), (Some(385_759_045), Uid(20)));
        assert_eq!((source.content.path, source.content.partial), (vec![1, 2], Some((1, 5))));
        let source = Source::parse(b"/;UID=7").expect("a URL");
        assert_eq!((source.mailbox, source.uid_validity), (None, None));
        for bad in [
            &b"imap://other/INBOX/;UID=1"[..],
            b"//x/INBOX/;UID=1",
            b"/INBOX",
            b"/INBOX/;UID=0",
            b"/INBOX/;UID=x",
            b"/%4/;UID=1",
            b"/INBOX/;UID=1/;SECTION=NONSENSE",
            b"/INBOX;UIDVALIDITY=/;UID=1",
            b"/%ff/;UID=1",
        ] {
            assert!(Source::parse(bad).is_none(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
