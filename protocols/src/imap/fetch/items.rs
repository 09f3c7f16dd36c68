//! From the text of FETCH's items to a plan: RFC 3501 section 9 (fetch-att), BINARY (RFC 3516), OBJECTID (RFC 8474), SAVEDATE (RFC 8514),
//! PREVIEW (RFC 8970). Pure.
use super::plan::{Content, Decoding, Fields, Item, Plan, Planning};
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::limits;
use posthouse_engine::index::mime;
use std::sync::Arc;

impl Plan {
    /// Reads one item, a list of items, or a macro. Things that are named twice count once.
    pub(in crate::imap) fn parse(args: &mut Args<'_>) -> Result<Plan, Answer> {
        let mut planning = Planning::default();
        if args.peek() == Some(b'(') {
            args.list(false, |args| {
                let item = item(args)?;
                planning.add(item);
                if planning.plan.items.len() > limits::IMAP_ITEMS_MAX {
                    let max = limits::IMAP_ITEMS_MAX;
                    return Err(Answer::no(format!("[LIMIT] At most {max} items can be fetched at a time")));
                }
                Ok(())
            })?;
            return Ok(planning.plan);
        }
        let fast = [Item::Flags, Item::InternalDate, Item::Size];
        let more = if args.eat_word("FAST") {
            &[][..]
        } else if args.eat_word("ALL") {
            &[Item::Envelope][..]
        } else if args.eat_word("FULL") {
            &[Item::Envelope, Item::Body][..]
        } else {
            let item = item(args)?;
            planning.add(item);
            return Ok(planning.plan);
        };
        fast.iter().chain(more).for_each(|item| planning.add((item.clone(), false)));
        Ok(planning.plan)
    }
}

impl Plan {
    /// ` (item item ...)` if that stands here: what is to be told of new messages (RFC 5465 section 8). Sessions keep it, so that it must be short.
    pub(in crate::imap) fn parse_optional(args: &mut Args<'_>) -> Result<Option<Arc<Plan>>, Answer> {
        let mut ahead = args.clone();
        if !ahead.eat(" ") || ahead.peek() != Some(b'(') {
            return Ok(None);
        }
        let plan = Plan::parse(&mut ahead)?;
        if ahead.position() - args.position() > limits::IMAP_KEPT_ITEMS_BYTES_MAX {
            let max = limits::IMAP_KEPT_ITEMS_BYTES_MAX;
            return Err(Answer::no(format!("[LIMIT] Items for new messages can have at most {max} bytes")));
        }
        *args = ahead;
        Ok(Some(Arc::new(plan)))
    }
}

/// An item, and whether reading it marks the message \Seen.
type Asked = (Item, bool);

fn item(args: &mut Args<'_>) -> Result<Asked, Answer> {
    let start = args.clone();
    let name = args.word("an item", |byte| byte.is_ascii_alphanumeric() || byte == b'.')?.to_ascii_uppercase();
    let old = |section, seen| {
        let content = Content { label: name.clone().into(), section, ..Content::default() };
        (Item::Content(content), seen)
    };
    Ok(match name.as_str() {
        "FLAGS" => (Item::Flags, false),
        "UID" => (Item::Uid, false),
        "INTERNALDATE" => (Item::InternalDate, false),
        "RFC822.SIZE" => (Item::Size, false),
        "MODSEQ" => (Item::ModSeq, false),
        "ENVELOPE" => (Item::Envelope, false),
        "BODYSTRUCTURE" => (Item::BodyStructure, false),
        "RFC822" => old(mime::Section::Whole, true),
        "RFC822.HEADER" => old(mime::Section::Header, false),
        "RFC822.TEXT" => old(mime::Section::Text, true),
        "EMAILID" => (Item::EmailId, false),
        "THREADID" => (Item::ThreadId, false),
        "SAVEDATE" => (Item::SaveDate, false),
        "PREVIEW" => {
            // RFC 8970 section 3.1: a preview costs no more than the message's text here, so that LAZY need not be.
            let mut ahead = args.clone();
            if ahead.eat(" (") && ahead.eat_word("LAZY") {
                ahead.need(")")?;
                *args = ahead;
            }
            (Item::Preview, false)
        }
        "BODY" if args.peek() != Some(b'[') => (Item::Body, false),
        "BODY" => (Item::Content(content(args, Decoding::None)?), true),
        "BODY.PEEK" => (Item::Content(content(args, Decoding::None)?), false),
        "BINARY" => (Item::Content(content(args, Decoding::Binary)?), true),
        "BINARY.PEEK" => (Item::Content(content(args, Decoding::Binary)?), false),
        "BINARY.SIZE" => (Item::Content(content(args, Decoding::Size)?), false),
        _ => start.wrong("an item of FETCH")?,
    })
}

/// `[1.2.HEADER.FIELDS (Date From)]<0.10>`
pub(in crate::imap) fn content(args: &mut Args<'_>, decoding: Decoding) -> Result<Content, Answer> {
    args.need("[")?;
    let mut content = Content { decoding, ..Content::default() };
    let mut word = "";
    while args.peek() != Some(b']') {
        if args.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            content.path.push(args.nz_number()?);
            if args.peek() != Some(b']') {
                args.need(".")?;
                if args.peek() == Some(b']') {
                    args.wrong("a part number or section")?;
                }
            }
        } else if decoding == Decoding::None {
            word = section(args, &mut content)?;
            break;
        } else {
            args.wrong("a part number")?;
        }
    }
    args.need("]")?;
    if decoding != Decoding::Size && args.eat("<") {
        let first = args.number32()?;
        args.need(".")?;
        content.partial = Some((first, args.nz_number()?));
        args.need(">")?;
    }
    content.write_label(word);
    Ok(content)
}

fn section(args: &mut Args<'_>, content: &mut Content) -> Result<&'static str, Answer> {
    // The longer names first: eat takes beginnings too.
    let words: [(&'static str, mime::Section); 5] = [
        ("HEADER.FIELDS.NOT", mime::Section::Header),
        ("HEADER.FIELDS", mime::Section::Header),
        ("HEADER", mime::Section::Header),
        ("TEXT", mime::Section::Text),
        ("MIME", mime::Section::Mime),
    ];
    let Some((word, section)) = words.into_iter().find(|(word, _)| args.eat(word)) else {
        args.wrong("a section")?;
        return Ok("");
    };
    if section == mime::Section::Mime && content.path.is_empty() {
        args.wrong("a part number before MIME")?;
    }
    content.section = section;
    if word.len() > "HEADER".len() {
        args.space()?;
        let names = args.list(false, |args| Ok(args.astring()?.into_owned()))?;
        if names.len() > limits::IMAP_FIELDS_MAX {
            let max = limits::IMAP_FIELDS_MAX;
            return Err(Answer::no(format!("[LIMIT] At most {max} fields of a header can be named at a time")));
        }
        content.fields = Some(Fields::new(names, word.ends_with("NOT")));
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(items: &str) -> Result<Plan, Answer> {
        Plan::parse(&mut Args::new(items.as_bytes(), 0))
    }

    #[test]
    fn only_what_is_needed_is_read() {
        for (items, summary, message, sets_seen) in [
            ("FAST", false, false, false),
            ("ALL", true, false, false),
            ("FULL", true, false, false),
            ("(UID RFC822.SIZE INTERNALDATE MODSEQ EMAILID SAVEDATE)", false, false, false),
            ("BODY[]", false, true, true),
            ("BODY.PEEK[]", false, true, false),
            ("RFC822.HEADER", true, true, false),
            ("RFC822.TEXT", true, true, true),
            ("BODY.PEEK[1.MIME]", true, true, false),
            ("BINARY[1]", true, true, true),
            ("(PREVIEW (LAZY))", true, true, false),
        ] {
            let plan = plan(items).unwrap_or_else(|answer| panic!("{items}: {answer:?}"));
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
            ("body[text]", "BODY[TEXT]"),
            ("RFC822", "RFC822"),
            ("BINARY.PEEK[1.2]<0.5>", "BINARY[1.2]<0>"),
            ("BINARY.SIZE[2]", "BINARY.SIZE[2]"),
        ] {
            let plan = plan(items).unwrap_or_else(|answer| panic!("{items}: {answer:?}"));
            match plan.items.last() {
                Some(Item::Content(content)) => assert_eq!(String::from_utf8_lossy(&content.label), expected),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn so_many_items_can_be_fetched() {
        let items = |count: u32| (1..=count).map(|part| format!(" BODY.PEEK[{part}]")).collect::<String>();
        let many = plan(&format!("({})", items(256).trim_start())).expect("a plan");
        assert_eq!(many.items.len(), 256);
        let again = items(200).repeat(4);
        assert_eq!(plan(&format!("(FLAGS{again} FLAGS)")).expect("a plan").items.len(), 201);
        let refused = plan(&format!("({})", items(257).trim_start()));
        assert!(matches!(&refused, Err(Answer::No(text)) if text.starts_with("[LIMIT]")), "{refused:?}");

        let kept = |items: &str| Plan::parse_optional(&mut Args::new(items.as_bytes(), 0));
        assert!(kept(&format!(" (UID{})", items(200))).is_ok_and(|plan| plan.is_some()));
        for too_much in [items(257), format!(" BODY.PEEK[1{}]", ".1".repeat(2500))] {
            let refused = kept(&format!(" (UID{too_much})"));
            assert!(matches!(&refused, Err(Answer::No(text)) if text.starts_with("[LIMIT]")), "{refused:?}");
        }
    }

    #[test]
    fn plans_together_ask_for_each_thing_once() {
        let one = Arc::new(plan("(UID FLAGS BODY[1] BODY[2])").expect("a plan"));
        let other = Arc::new(plan("(FLAGS BODY.PEEK[2] RFC822.SIZE BODY.PEEK[3])").expect("a plan"));
        let both = Plan::together(&[&one, &other]);
        assert_eq!(both.items.len(), 6);
        assert!(both.flags && both.uid && !both.sets_seen);
    }

    #[test]
    fn what_is_no_item() {
        for items in [
            "",
            "()",
            "(ALL)",
            "FLAG",
            "BODY[",
            "BODY[1",
            "BODY[0]",
            "BODY[1.]",
            "BODY[MIME]",
            "BODY[1.FIELDS]",
            "BODY[TEXT.1]",
            "BODY[HEADER.FIELDS]",
            "BODY[HEADER.FIELDS ()]",
            "BODY[]<1>",
            "BODY[]<1.0>",
            "BINARY[TEXT]",
            "BINARY",
            "BODY.PEEK",
        ] {
            let parsed = Plan::parse(&mut Args::new(items.as_bytes(), 0));
            assert!(matches!(parsed, Err(Answer::Bad(_))), "{items}: {parsed:?}");
        }
    }
}
