//! The milter protocol's packets (version 6; libmilter's mfdef.h has the letters and bits): four bytes of length, a letter, data. Pure.
use crate::limits;

/// What a milter may do: all that there is, for many say that they may do things which they hardly ever do, and libmilter's end when they may not.
/// Fields, the body and quarantine are done as asked; to change the envelope (`UNDONE`) is no answer that can be understood, and the milter's default action
/// stands for it. Macros that it names (0x100) are not sought: it gets those that there are.
pub(super) const ACTIONS: u32 = 0x1ff;
/// Letters of what is not done: another sender, more recipients (with parameters too), fewer.
pub(super) const UNDONE: [u8; 4] = *b"e+2-";
/// What a milter may ask us to leave out or not to wait for: all but to hear of refused recipients (0x800).
pub(super) const STEPS: u32 = 0x1f_f7ff;
/// Values of fields keep the space behind the colon.
pub(super) const LEADING_SPACE: u32 = 0x10_0000;
/// Version.
pub(super) const VERSION: u32 = 6;

/// A step of a message, with the bits by which a milter leaves it out or does not answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) letter: u8,
    pub(super) left_out: u32,
    pub(super) unanswered: u32,
}

const fn step(letter: u8, left_out: u32, unanswered: u32) -> Step {
    Step { letter, left_out, unanswered }
}

pub(super) const CONNECT: Step = step(b'C', 0x01, 0x1000);
pub(super) const HELO: Step = step(b'H', 0x02, 0x2000);
pub(super) const MAIL: Step = step(b'M', 0x04, 0x4000);
pub(super) const RCPT: Step = step(b'R', 0x08, 0x8000);
pub(super) const DATA: Step = step(b'T', 0x200, 0x1_0000);
pub(super) const FIELD: Step = step(b'L', 0x20, 0x80);
pub(super) const END_OF_HEADER: Step = step(b'N', 0x40, 0x4_0000);
pub(super) const BODY: Step = step(b'B', 0x10, 0x8_0000);
pub(super) const END_OF_MESSAGE: Step = step(b'E', 0, 0);

/// What a milter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Continue,
    /// No further step of this message is of interest.
    Accept,
    Discard,
    Reject,
    TempFail,
    /// With a reply of its own.
    Reply(u16, String),
    /// No more of the body is of interest.
    Skip,
    /// It is at work.
    Progress,
    /// Of a message that has ended.
    Edit(Edit),
}

/// A change of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// Below all fields.
    Add { name: String, value: Vec<u8> },
    /// Above the field of that place, from 0.
    Insert { at: u32, name: String, value: Vec<u8> },
    /// The field of that name and number, from 1; an empty value takes it away.
    Change { number: u32, name: String, value: Vec<u8> },
    /// A piece of another body.
    Body(Vec<u8>),
    /// To be looked at by a person; why.
    Quarantine(String),
}

/// A packet.
pub(super) fn packet(out: &mut Vec<u8>, letter: u8, parts: &[&[u8]]) {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.push(letter);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Bytes of the packet at the beginning, when its length is known.
///
/// # Errors
/// It is longer than any that we ask for.
pub(super) fn packet_bytes(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some(length) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length == 0 || length > limits::MILTER_PACKET_BYTES_MAX {
        return Err("a packet of a length that is not allowed");
    }
    Ok(Some(4 + length))
}

/// Reads a packet's letter and data; `None`: it is not known, or not as it should be.
pub(super) fn heard(letter: u8, data: &[u8]) -> Option<Heard> {
    Some(match letter {
        b'c' => Heard::Continue,
        b'a' => Heard::Accept,
        b'd' => Heard::Discard,
        b'r' => Heard::Reject,
        // `f` and `4` are for the connection: it is to come again.
        b't' | b'f' | b'4' => Heard::TempFail,
        b's' => Heard::Skip,
        b'p' => Heard::Progress,
        b'y' => return reply(data),
        b'h' => {
            let (name, value) = named(data)?;
            Heard::Edit(Edit::Add { name, value })
        }
        b'i' => {
            let (at, (name, value)) = numbered(data)?;
            Heard::Edit(Edit::Insert { at, name, value })
        }
        b'm' => {
            let (number, (name, value)) = numbered(data)?;
            Heard::Edit(Edit::Change { number, name, value })
        }
        b'b' => Heard::Edit(Edit::Body(data.to_vec())),
        b'q' => Heard::Edit(Edit::Quarantine(printable(data.strip_suffix(b"\0")?))),
        _ => return None,
    })
}

/// What a milter wants: the actions and the bits of steps (its answer to the negotiation).
pub(super) fn options(data: &[u8]) -> Option<(u32, u32)> {
    let (version, rest) = data.split_first_chunk::<4>()?;
    let (actions, rest) = rest.split_first_chunk::<4>()?;
    let steps = rest.first_chunk::<4>()?;
    let known = (2..=VERSION).contains(&u32::from_be_bytes(*version));
    known.then(|| (u32::from_be_bytes(*actions), u32::from_be_bytes(*steps)))
}

/// `550 5.7.1 text`, in lines perhaps.
fn reply(data: &[u8]) -> Option<Heard> {
    let text = printable(data.strip_suffix(b"\0").unwrap_or(data));
    let code: u16 = text.get(..3)?.parse().ok().filter(|code| (400..600).contains(code))?;
    let text = text[3..].trim_start_matches(['-', ' ']).replace("%%", "%");
    Some(Heard::Reply(code, text))
}

fn numbered(data: &[u8]) -> Option<(u32, (String, Vec<u8>))> {
    let (number, rest) = data.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*number), named(rest)?))
}

/// Name and value, each ended by NUL. A name that could not stand before a colon is none.
fn named(data: &[u8]) -> Option<(String, Vec<u8>)> {
    let end = memchr::memchr(0, data)?;
    let (name, value) = (&data[..end], data[end + 1..].strip_suffix(b"\0")?);
    let fits = !name.is_empty() && name.iter().all(|byte| matches!(byte, b'!'..=b'9' | b';'..=b'~'));
    (fits && !value.contains(&0)).then(|| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
}

/// For replies and logs.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(400).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packets_are_read() {
        let edit = |letter, data: &[u8]| match heard(letter, data) {
            Some(Heard::Edit(edit)) => edit,
            other => panic!("{other:?}"),
        };
        assert_eq!(heard(b'y', b"451 4.7.1 wait 50%%\0"), Some(Heard::Reply(451, "4.7.1 wait 50%".into())));
        assert_eq!(edit(b'h', b"X\0y\0"), Edit::Add { name: "X".into(), value: b"y".to_vec() });
        assert_eq!(edit(b'i', b"\0\0\0\x02X\0 y\0"), Edit::Insert { at: 2, name: "X".into(), value: b" y".to_vec() });
        assert_eq!(edit(b'm', b"\0\0\0\x01X\0\0"), Edit::Change { number: 1, name: "X".into(), value: Vec::new() });
        assert_eq!(edit(b'q', b"bad\0"), Edit::Quarantine("bad".into()));
        for (letter, data) in [
            (b'y', &b"250 fine\0"[..]),
            (b'y', b"55"),
            (b'h', b"X\0y"),
            (b'h', b"\0y\0"),
            (b'h', b"a:b\0y\0"),
            (b'h', b"a\r\nb\0y\0"),
            (b'm', b"\0\0\0X\0y\0"),
            (b'+', b"<a@b>\0"),
            (b'?', b""),
        ] {
            assert_eq!(heard(letter, data), None, "{}", data.escape_ascii());
        }
        assert_eq!(options(b"\0\0\0\x06\0\0\0\x01\0\0\0\x0fmore"), Some((1, 15)));
        assert_eq!(options(b"\0\0\0\x07\0\0\0\x01\0\0\0\x0f"), None);
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(packet_bytes(b"\0\0\0"), Ok(None));
        assert_eq!(packet_bytes(b"\0\0\0\x05c"), Ok(Some(9)));
        assert!(packet_bytes(b"\0\0\0\0").is_err() && packet_bytes(b"\xff\0\0\0").is_err());
        let mut out = Vec::new();
        packet(&mut out, b'L', &[b"A\0", b"b\0"]);
        assert_eq!(out, b"\0\0\0\x05LA\0b\0");
    }

    proptest! {
        #[test]
        fn no_packet_is_too_odd(letter: u8, data: Vec<u8>) {
            let _ = (heard(letter, &data), options(&data), packet_bytes(&data));
        }
    }
}
