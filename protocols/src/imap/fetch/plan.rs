//! What a FETCH has to read and write for each message. Pure.
use crate::imap::out;
use posthouse_engine::index::mime;
use std::collections::HashSet;
use std::mem::Discriminant;
use std::sync::Arc;

/// One item of the answer.
#[derive(Clone, Debug)]
pub(in crate::imap) enum Item {
    Flags,
    Uid,
    InternalDate,
    Size,
    ModSeq,
    Envelope,
    Body,
    BodyStructure,
    EmailId,
    ThreadId,
    SaveDate,
    Preview,
    Content(Content),
}

impl Item {
    /// Items that are answered with the same words have the same.
    fn key(&self) -> Key {
        let label = if let Item::Content(content) = self { content.label.clone() } else { Vec::new() };
        (std::mem::discriminant(self), label)
    }
}

type Key = (Discriminant<Item>, Vec<u8>);

/// Whether and for what a part's transfer encoding is undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::imap) enum Decoding {
    /// It is not: BODY.
    #[default]
    None,
    /// BINARY (RFC 3516 section 4.2).
    Binary,
    /// BINARY.SIZE.
    Size,
}

/// An item with bytes of the message.
#[derive(Clone, Debug)]
pub(in crate::imap) struct Content {
    /// What stands before the bytes: `BODY[1.MIME]<0>`, `RFC822`.
    pub(in crate::imap) label: Vec<u8>,
    pub(in crate::imap) path: Vec<u32>,
    pub(in crate::imap) section: mime::Section,
    pub(in crate::imap) fields: Option<Fields>,
    /// First byte and number of bytes (RFC 3501 section 6.4.5, partial).
    pub(in crate::imap) partial: Option<(u32, u32)>,
    pub(in crate::imap) decoding: Decoding,
}

impl Default for Content {
    fn default() -> Content {
        let (label, path) = (Vec::new(), Vec::new());
        let section = mime::Section::Whole;
        Content { label, path, section, fields: None, partial: None, decoding: Decoding::None }
    }
}

/// Which fields of a header.
#[derive(Clone, Debug)]
pub(in crate::imap) struct Fields {
    /// As the client has named them.
    names: Vec<Vec<u8>>,
    /// Each once, in small letters and in order: a header may have as many fields as a message has bytes.
    sorted: Vec<Vec<u8>>,
    /// All but these.
    pub(in crate::imap) not: bool,
}

impl Fields {
    pub(in crate::imap) fn new(names: Vec<Vec<u8>>, not: bool) -> Fields {
        let mut sorted: Vec<Vec<u8>> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        Fields { names, sorted, not }
    }

    /// Whether a field is among those named; case does not count.
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        let order = |known: &Vec<u8>| known.iter().copied().cmp(name.iter().map(u8::to_ascii_lowercase));
        self.sorted.binary_search_by(order).is_ok()
    }
}

/// What a FETCH does for each message.
#[derive(Debug, Default)]
pub(in crate::imap) struct Plan {
    pub(in crate::imap) items: Vec<Item>,
    /// The stored summary is needed.
    pub(in crate::imap) summary: bool,
    /// The message itself is needed.
    pub(in crate::imap) message: bool,
    /// Messages become \Seen.
    pub(in crate::imap) sets_seen: bool,
    /// FLAGS are asked for.
    pub(in crate::imap) flags: bool,
    /// UID is asked for.
    pub(in crate::imap) uid: bool,
    /// MODSEQ is asked for.
    pub(in crate::imap) modseq: bool,
}

/// A plan in the making, and what is in it already.
#[derive(Default)]
pub(super) struct Planning {
    pub(super) plan: Plan,
    known: HashSet<Key>,
}

impl Planning {
    /// Adds an item if it is not there yet; `seen`: reading it marks the message \Seen.
    pub(super) fn add(&mut self, (item, seen): (Item, bool)) {
        self.plan.sets_seen |= seen;
        if self.known.insert(item.key()) {
            self.plan.push(item);
        }
    }
}

impl Plan {
    fn push(&mut self, item: Item) {
        match &item {
            Item::Flags => self.flags = true,
            Item::Uid => self.uid = true,
            Item::ModSeq => self.modseq = true,
            Item::Envelope | Item::Body | Item::BodyStructure => self.summary = true,
            Item::Preview => (self.summary, self.message) = (true, true),
            Item::Content(content) => {
                self.message = true;
                self.summary |= !content.is_whole();
            }
            _ => {}
        }
        self.items.push(item);
    }

    /// The items with bytes of the message.
    pub(in crate::imap) fn contents(&self) -> impl Iterator<Item = &Content> {
        self.items.iter().filter_map(|item| match item {
            Item::Content(content) => Some(content),
            _ => None,
        })
    }

    /// What all of these ask for, each thing once.
    pub(in crate::imap) fn together(plans: &[&Arc<Plan>]) -> Plan {
        let mut all = Planning::default();
        plans.iter().flat_map(|plan| &plan.items).for_each(|item| all.add((item.clone(), false)));
        all.plan
    }

    /// UID belongs to the answer, whether asked for or not.
    pub(in crate::imap) fn with_uid(&mut self) {
        if !self.uid {
            self.uid = true;
            self.items.insert(0, Item::Uid);
        }
    }

    /// MODSEQ likewise.
    pub(in crate::imap) fn with_modseq(&mut self) {
        if !self.modseq {
            self.push(Item::ModSeq);
        }
    }

    /// UIDONLY: the number of the response is the uid already (RFC 9586 section 3.3).
    pub(in crate::imap) fn without_uid(&mut self) {
        self.items.retain(|item| !matches!(item, Item::Uid));
    }
}

impl Content {
    /// Whether this is the message as it is, for which no structure is needed.
    pub(in crate::imap) fn is_whole(&self) -> bool {
        self.path.is_empty() && self.section == mime::Section::Whole
    }

    /// Writes `BODY[1.2.HEADER.FIELDS (Date From)]<0>` before the bytes.
    pub(super) fn write_label(&mut self, word: &str) {
        let mut label = match self.decoding {
            Decoding::None => b"BODY[".to_vec(),
            Decoding::Binary => b"BINARY[".to_vec(),
            Decoding::Size => b"BINARY.SIZE[".to_vec(),
        };
        for (at, &number) in self.path.iter().enumerate() {
            if at > 0 {
                label.push(b'.');
            }
            out::number(&mut label, number.into());
        }
        if !self.path.is_empty() && !word.is_empty() {
            label.push(b'.');
        }
        label.extend_from_slice(word.as_bytes());
        if let Some(fields) = &self.fields {
            label.extend_from_slice(b" (");
            for (at, name) in fields.names.iter().enumerate() {
                if at > 0 {
                    label.push(b' ');
                }
                out::astring(&mut label, name);
            }
            label.push(b')');
        }
        label.push(b']');
        if let Some((first, _)) = self.partial {
            label.push(b'<');
            out::number(&mut label, first.into());
            label.push(b'>');
        }
        self.label = label;
    }
}
