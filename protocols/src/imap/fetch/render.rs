//! Writes one FETCH response (RFC 3501 section 7.4.2). The loop over 30,000 messages runs through here: no allocation, no formatting.
use super::plan::{Content, Item, Plan};
use crate::imap::{date, flags, objects, out};
use posthouse_engine::index::mime::{self, DecodeError, SummaryRef};
use posthouse_engine::index::{Entry, Mailbox};
use posthouse_engine::search::text::preview;

/// Characters of a PREVIEW (RFC 8970 section 3.2).
const PREVIEW_CHARS_MAX: usize = 200;

/// Which items a FETCH response about flags has.
#[derive(Clone, Copy, Debug)]
pub(in crate::imap) struct FlagParts {
    pub(in crate::imap) uid: bool,
    pub(in crate::imap) flags: bool,
    pub(in crate::imap) modseq: bool,
    /// See `Source`.
    pub(in crate::imap) uid_only: bool,
}

/// What is known of the message that is written.
pub(in crate::imap) struct Source<'a> {
    /// Position in the view.
    pub(in crate::imap) at: usize,
    pub(in crate::imap) entry: &'a Entry,
    /// Names of the keyword bits.
    pub(in crate::imap) keywords: &'a [String],
    pub(in crate::imap) recent: bool,
    /// Its encoded summary, if the plan needs one.
    pub(in crate::imap) stored: &'a [u8],
    /// The same, proved, if the plan needs the message beside it.
    pub(in crate::imap) summary: Option<SummaryRef<'a>>,
    /// FETCH itself has changed the flags: they are told though not asked for.
    pub(in crate::imap) flags_changed: bool,
    /// CONDSTORE is on, so that changed flags come with their MODSEQ.
    pub(in crate::imap) condstore: bool,
    /// `* <uid> UIDFETCH` instead of `* <number> FETCH` (RFC 9586 section 3.3).
    pub(in crate::imap) uid_only: bool,
}

/// What stands before the items: `* n FETCH (`.
pub(in crate::imap) fn begin(out: &mut Vec<u8>, source: &Source<'_>) {
    head(out, source.at, source.entry, source.uid_only);
}

/// The item of that place in the plan; if it is a content, the caller writes that behind. An error says that the summary is not whole, if that was not
/// proved before. `message` is empty where the plan needs none.
pub(in crate::imap) fn part<'p>(
    out: &mut Vec<u8>,
    plan: &'p Plan,
    at: usize,
    source: &Source<'_>,
    message: &[u8],
) -> Result<Option<&'p Content>, DecodeError> {
    if at > 0 {
        out.push(b' ');
    }
    match &plan.items[at] {
        Item::Content(content) => Ok(Some(content)),
        other => item(out, other, source, message).map(|()| None),
    }
}

/// What stands behind the items.
pub(in crate::imap) fn end(out: &mut Vec<u8>, plan: &Plan, source: &Source<'_>) {
    if source.flags_changed && !plan.flags {
        if !plan.items.is_empty() {
            out.push(b' ');
        }
        write_flags(out, source.entry, source.keywords, source.recent);
        if source.condstore && !plan.modseq {
            out.push(b' ');
            modseq(out, source.entry);
        }
    }
    out.extend_from_slice(b")\r\n");
}

/// `* n FETCH (...)` about changed flags.
pub(in crate::imap) fn flags_line(
    out: &mut Vec<u8>,
    at: usize,
    entry: &Entry,
    mailbox: &Mailbox,
    recent: bool,
    parts: FlagParts,
) {
    head(out, at, entry, parts.uid_only);
    if parts.uid && !parts.uid_only {
        uid(out, entry);
        out.extend_from_slice(if parts.flags || parts.modseq { b" " } else { b"" });
    }
    if parts.flags {
        write_flags(out, entry, &mailbox.keywords, recent);
        out.extend_from_slice(if parts.modseq { b" " } else { b"" });
    }
    if parts.modseq {
        modseq(out, entry);
    }
    out.extend_from_slice(b")\r\n");
}

fn head(out: &mut Vec<u8>, at: usize, entry: &Entry, uid_only: bool) {
    out.extend_from_slice(b"* ");
    out::number(out, if uid_only { entry.uid.0.into() } else { at as u64 + 1 });
    out.extend_from_slice(if uid_only { b" UIDFETCH (" } else { b" FETCH (" });
}

fn item(out: &mut Vec<u8>, item: &Item, source: &Source<'_>, message: &[u8]) -> Result<(), DecodeError> {
    match item {
        Item::Flags => write_flags(out, source.entry, source.keywords, source.recent),
        Item::Uid => uid(out, source.entry),
        Item::ModSeq => modseq(out, source.entry),
        Item::InternalDate => {
            out.extend_from_slice(b"INTERNALDATE ");
            date::internal_date(out, source.entry.internal_date);
        }
        Item::Size => {
            out.extend_from_slice(b"RFC822.SIZE ");
            out::number(out, source.entry.size_bytes.into());
        }
        Item::Envelope => {
            out.extend_from_slice(b"ENVELOPE ");
            out.extend_from_slice(mime::envelope(source.stored)?);
        }
        Item::Body => {
            out.extend_from_slice(b"BODY ");
            mime::body_structure(source.stored, false, out)?;
        }
        Item::BodyStructure => {
            out.extend_from_slice(b"BODYSTRUCTURE ");
            mime::body_structure(source.stored, true, out)?;
        }
        Item::EmailId => {
            out.extend_from_slice(b"EMAILID (");
            objects::email_id(out, source.entry.guid);
            out.push(b')');
        }
        // RFC 8474 section 5.2: what a server that keeps no threads answers.
        Item::ThreadId => out.extend_from_slice(b"THREADID NIL"),
        Item::SaveDate => {
            out.extend_from_slice(b"SAVEDATE ");
            date::internal_date(out, source.entry.save_date.into());
        }
        Item::Preview => {
            out.extend_from_slice(b"PREVIEW ");
            let text = source.summary.as_ref().map(|summary| preview(message, summary, PREVIEW_CHARS_MAX));
            out::string(out, text.unwrap_or_default().as_bytes());
        }
        // The caller's.
        Item::Content(_) => {}
    }
    Ok(())
}

fn uid(out: &mut Vec<u8>, entry: &Entry) {
    out.extend_from_slice(b"UID ");
    out::number(out, entry.uid.0.into());
}

fn modseq(out: &mut Vec<u8>, entry: &Entry) {
    out.extend_from_slice(b"MODSEQ (");
    out::number(out, entry.modseq.0);
    out.push(b')');
}

fn write_flags(out: &mut Vec<u8>, entry: &Entry, keywords: &[String], recent: bool) {
    out.extend_from_slice(b"FLAGS ");
    flags::write(out, entry.flags, entry.keywords, keywords, recent);
}
