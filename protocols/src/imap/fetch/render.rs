//! Writes one FETCH response (RFC 3501 section 7.4.2). The loop over 30,000 messages runs through here: no allocation, no formatting.
use super::plan::{Item, Plan};
use super::section;
use crate::imap::{date, flags, out};
use posthouse_engine::index::mime::SummaryRef;
use posthouse_engine::index::{Entry, Mailbox};

/// Which items a FETCH response about flags has.
#[derive(Clone, Copy, Debug)]
pub(in crate::imap) struct FlagParts {
    pub(in crate::imap) uid: bool,
    pub(in crate::imap) flags: bool,
    pub(in crate::imap) modseq: bool,
}

/// What is known of the message that is written.
pub(in crate::imap) struct Source<'a> {
    /// Position in the view.
    pub(in crate::imap) at: usize,
    pub(in crate::imap) entry: &'a Entry,
    /// Names of the keyword bits.
    pub(in crate::imap) keywords: &'a [String],
    pub(in crate::imap) recent: bool,
    pub(in crate::imap) summary: Option<SummaryRef<'a>>,
    pub(in crate::imap) message: &'a [u8],
    /// FETCH itself has changed the flags: they are told though not asked for.
    pub(in crate::imap) flags_changed: bool,
    /// CONDSTORE is on, so that changed flags come with their MODSEQ.
    pub(in crate::imap) condstore: bool,
}

/// `* n FETCH (...)` with all items of the plan.
pub(in crate::imap) fn message(out: &mut Vec<u8>, plan: &Plan, source: &Source<'_>) {
    begin(out, source.at);
    for (at, item) in plan.items.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        self::item(out, item, source);
    }
    if source.flags_changed && !plan.flags {
        out.push(b' ');
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
    begin(out, at);
    if parts.uid {
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

fn begin(out: &mut Vec<u8>, at: usize) {
    out.extend_from_slice(b"* ");
    out::number(out, at as u64 + 1);
    out.extend_from_slice(b" FETCH (");
}

fn item(out: &mut Vec<u8>, item: &Item, source: &Source<'_>) {
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
            out.extend_from_slice(source.summary.as_ref().map_or(b"NIL", |summary| summary.envelope()));
        }
        Item::Body => {
            out.extend_from_slice(b"BODY ");
            if let Some(summary) = &source.summary {
                summary.render_body(out);
            }
        }
        Item::BodyStructure => {
            out.extend_from_slice(b"BODYSTRUCTURE ");
            if let Some(summary) = &source.summary {
                summary.render_bodystructure(out);
            }
        }
        Item::Content(content) => section::write(out, content, source.summary.as_ref(), source.message),
    }
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
