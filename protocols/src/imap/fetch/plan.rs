//! From the items of a FETCH to what has to be read and written for each message. Pure.
use crate::imap::answer::Answer;
use crate::imap::out;
use imap_codec::imap_types::core::AString;
use imap_codec::imap_types::fetch::{MacroOrMessageDataItemNames, MessageDataItemName, Part, Section};
use posthouse_engine::index::mime;

/// One item of the answer.
#[derive(Debug)]
pub(in crate::imap) enum Item {
    Flags,
    Uid,
    InternalDate,
    Size,
    ModSeq,
    Envelope,
    Body,
    BodyStructure,
    Content(Content),
}

/// An item with bytes of the message.
#[derive(Debug)]
pub(in crate::imap) struct Content {
    /// What stands before the bytes: `BODY[1.MIME]<0>`, `RFC822`.
    pub(in crate::imap) label: Vec<u8>,
    pub(in crate::imap) path: Vec<u32>,
    pub(in crate::imap) section: mime::Section,
    pub(in crate::imap) fields: Option<Fields>,
    /// First byte and number of bytes (RFC 3501 section 6.4.5, partial).
    pub(in crate::imap) partial: Option<(u32, u32)>,
}

/// Which fields of a header.
#[derive(Debug)]
pub(in crate::imap) struct Fields {
    pub(in crate::imap) names: Vec<Vec<u8>>,
    /// All but these.
    pub(in crate::imap) not: bool,
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
    /// MODSEQ is asked for.
    pub(in crate::imap) modseq: bool,
}

impl Plan {
    /// The plan for the items asked for. `uid` and `modseq`: those items belong to the answer whether asked for or not.
    pub(in crate::imap) fn new(
        wanted: &MacroOrMessageDataItemNames<'_>,
        uid: bool,
        modseq: bool,
    ) -> Result<Plan, Answer> {
        let expanded;
        let names = match wanted {
            MacroOrMessageDataItemNames::Macro(shorthand) => {
                expanded = shorthand.expand();
                &expanded
            }
            MacroOrMessageDataItemNames::MessageDataItemNames(names) => names,
        };
        let mut plan = Plan::default();
        if uid && !names.contains(&MessageDataItemName::Uid) {
            plan.items.push(Item::Uid);
        }
        for name in names {
            plan.add(name)?;
        }
        if modseq && !plan.modseq {
            plan.modseq = true;
            plan.items.push(Item::ModSeq);
        }
        Ok(plan)
    }

    fn add(&mut self, name: &MessageDataItemName<'_>) -> Result<(), Answer> {
        use MessageDataItemName as Name;
        let item = match name {
            Name::Flags => {
                self.flags = true;
                Item::Flags
            }
            Name::Uid => Item::Uid,
            Name::InternalDate => Item::InternalDate,
            Name::Rfc822Size => Item::Size,
            Name::ModSeq => {
                self.modseq = true;
                Item::ModSeq
            }
            Name::Envelope => Item::Envelope,
            Name::Body => Item::Body,
            Name::BodyStructure => Item::BodyStructure,
            Name::Rfc822 => self.old_content(b"RFC822", mime::Section::Whole, true),
            Name::Rfc822Header => self.old_content(b"RFC822.HEADER", mime::Section::Header, false),
            Name::Rfc822Text => self.old_content(b"RFC822.TEXT", mime::Section::Text, true),
            Name::BodyExt { section, partial, peek } => {
                self.sets_seen |= !peek;
                Item::Content(content(section.as_ref(), partial.map(|(first, len)| (first, len.get()))))
            }
            Name::Binary { .. } | Name::BinarySize { .. } => return Err(Answer::bad("BINARY is not offered")),
        };
        match &item {
            Item::Envelope | Item::Body | Item::BodyStructure => self.summary = true,
            Item::Content(content) => {
                self.message = true;
                self.summary |= !content.is_whole();
            }
            _ => {}
        }
        self.items.push(item);
        Ok(())
    }

    fn old_content(&mut self, label: &[u8], section: mime::Section, sets_seen: bool) -> Item {
        self.sets_seen |= sets_seen;
        Item::Content(Content { label: label.to_vec(), path: Vec::new(), section, fields: None, partial: None })
    }
}

impl Content {
    /// Whether this is the message as it is, for which no structure is needed.
    pub(in crate::imap) fn is_whole(&self) -> bool {
        self.path.is_empty() && self.section == mime::Section::Whole
    }
}

fn content(wanted: Option<&Section<'_>>, partial: Option<(u32, u32)>) -> Content {
    let (part, section, word, fields) = match wanted {
        None => (None, mime::Section::Whole, "", None),
        Some(Section::Part(part)) => (Some(part), mime::Section::Whole, "", None),
        Some(Section::Header(part)) => (part.as_ref(), mime::Section::Header, "HEADER", None),
        Some(Section::Text(part)) => (part.as_ref(), mime::Section::Text, "TEXT", None),
        Some(Section::Mime(part)) => (Some(part), mime::Section::Mime, "MIME", None),
        Some(Section::HeaderFields(part, names)) => {
            (part.as_ref(), mime::Section::Header, "HEADER.FIELDS", Some(fields(names.as_ref(), false)))
        }
        Some(Section::HeaderFieldsNot(part, names)) => {
            (part.as_ref(), mime::Section::Header, "HEADER.FIELDS.NOT", Some(fields(names.as_ref(), true)))
        }
    };
    let numbers = part.map(|Part(numbers)| numbers.as_ref()).unwrap_or_default();
    let path: Vec<u32> = numbers.iter().map(|number| number.get()).collect();
    let label = label(&path, word, fields.as_ref(), partial);
    Content { label, path, section, fields, partial }
}

fn fields(names: &[AString<'_>], not: bool) -> Fields {
    let name = |name: &AString<'_>| {
        let bytes: &[u8] = name.as_ref();
        bytes.to_vec()
    };
    Fields { names: names.iter().map(name).collect(), not }
}

/// `BODY[1.2.HEADER.FIELDS (Date From)]<0>`
fn label(path: &[u32], word: &str, fields: Option<&Fields>, partial: Option<(u32, u32)>) -> Vec<u8> {
    let mut label = b"BODY[".to_vec();
    for (at, &number) in path.iter().enumerate() {
        if at > 0 {
            label.push(b'.');
        }
        out::number(&mut label, number.into());
    }
    if !path.is_empty() && !word.is_empty() {
        label.push(b'.');
    }
    label.extend_from_slice(word.as_bytes());
    if let Some(fields) = fields {
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
    if let Some((first, _)) = partial {
        label.push(b'<');
        out::number(&mut label, first.into());
        label.push(b'>');
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use imap_codec::imap_types::command::CommandBody;

    fn plan(items: &str) -> Plan {
        let line = format!("a FETCH 1 {items}\r\n");
        match crate::imap::parse::body(line.as_bytes()) {
            Some(CommandBody::Fetch { macro_or_item_names, .. }) => {
                Plan::new(&macro_or_item_names, true, false).expect("a plan")
            }
            other => panic!("{items}: {other:?}"),
        }
    }

    #[test]
    fn only_what_is_needed_is_read() {
        for (items, summary, message, sets_seen) in [
            ("FAST", false, false, false),
            ("ALL", true, false, false),
            ("FULL", true, false, false),
            ("(UID RFC822.SIZE INTERNALDATE MODSEQ)", false, false, false),
            ("BODY[]", false, true, true),
            ("BODY.PEEK[]", false, true, false),
            ("RFC822.HEADER", true, true, false),
            ("RFC822.TEXT", true, true, true),
            ("BODY.PEEK[1.MIME]", true, true, false),
        ] {
            let plan = plan(items);
            assert_eq!((plan.summary, plan.message, plan.sets_seen), (summary, message, sets_seen), "{items}");
        }
    }

    #[test]
    fn labels_repeat_the_section() {
        for (items, expected) in [
            ("BODY.PEEK[]", "BODY[]"),
            ("BODY[1.2]<10.20>", "BODY[1.2]<10>"),
            ("BODY[1.HEADER.FIELDS (Date \"From\")]", "BODY[1.HEADER.FIELDS (Date From)]"),
            ("BODY.PEEK[HEADER.FIELDS.NOT (X)]", "BODY[HEADER.FIELDS.NOT (X)]"),
            ("BODY[TEXT]", "BODY[TEXT]"),
            ("RFC822", "RFC822"),
        ] {
            let plan = plan(items);
            match plan.items.last() {
                Some(Item::Content(content)) => assert_eq!(String::from_utf8_lossy(&content.label), expected),
                other => panic!("{other:?}"),
            }
        }
    }
}
