//! Makes the ENVELOPE of a header (RFC 3501 section 7.4.2) as the bytes that go on the wire. Never decodes encoded
//! words: clients do that themselves.
use std::borrow::Cow;
use std::ops::Range;

use super::address::{Address, parse_addresses};
use super::header::unfold;
use super::lexer::NUL_SUBSTITUTE;
use super::quote;
use crate::base::limits::{MIME_ADDRESSES_MAX, MIME_FIELD_BYTES_MAX, MIME_FIELD_REPEATS_MAX};

/// The header fields of an envelope, in its order.
const NAMES: [&[u8]; 10] =
    [b"Date", b"Subject", b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc", b"In-Reply-To", b"Message-ID"];
const FROM: usize = 2;
const REPLY_TO: usize = 4;
const ADDRESS_FIELDS: Range<usize> = FROM..8;

/// The envelope of a message without any of the fields.
pub(super) const EMPTY: &[u8] = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";

/// Where the values of the envelope's fields stand in the message.
#[derive(Default, Clone, Debug)]
pub(super) struct EnvelopeFields {
    values: [Option<Range<usize>>; NAMES.len()],
    /// Address fields that came again, with their place in `NAMES`.
    repeated: Vec<(usize, Range<usize>)>,
}

impl EnvelopeFields {
    /// Notes a field if an envelope has it. Of a text the last field counts, lists of addresses are put together.
    pub(super) fn note(&mut self, name: &[u8], value: Range<usize>) {
        let Some(at) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)) else {
            return;
        };
        if !ADDRESS_FIELDS.contains(&at) || self.values[at].is_none() {
            self.values[at] = Some(value);
        } else if self.repeated.len() < MIME_FIELD_REPEATS_MAX {
            self.repeated.push((at, value));
        }
    }

    /// Writes the address list of a field, or NIL and false when it names nobody.
    fn address_list(&self, out: &mut Vec<u8>, at: usize, message: &[u8]) -> bool {
        let first = self.values[at].iter();
        let repeated = self.repeated.iter().filter(|(field, _)| *field == at).map(|(_, range)| range);
        let mut addresses = Vec::new();
        let mut bytes_left = MIME_FIELD_BYTES_MAX;
        for range in first.chain(repeated) {
            let value = message.get(range.clone()).unwrap_or_default();
            let taken = value.len().min(bytes_left);
            bytes_left -= taken;
            addresses.append(&mut parse_addresses(&value[..taken], MIME_ADDRESSES_MAX - addresses.len()));
            if taken < value.len() {
                // The cut may have gone through it.
                addresses.pop();
            }
        }
        if addresses.is_empty() {
            quote::nstring(out, None);
            return false;
        }
        out.push(b'(');
        addresses.iter().for_each(|address| write_address(out, address));
        out.push(b')');
        true
    }

    /// Writes the parenthesised list.
    pub(super) fn render(&self, message: &[u8]) -> Vec<u8> {
        let value = |at: usize| self.values[at].clone().and_then(|range| message.get(range));
        let mut out = Vec::with_capacity(512);
        out.push(b'(');
        text(&mut out, value(0));
        out.push(b' ');
        subject(&mut out, value(1));
        out.push(b' ');
        let from_start = out.len();
        let from_given = self.address_list(&mut out, FROM, message);
        let from = from_start..out.len();
        for at in FROM + 1..ADDRESS_FIELDS.end {
            out.push(b' ');
            let list_start = out.len();
            let given = self.address_list(&mut out, at, message);
            if !given && from_given && at <= REPLY_TO {
                // RFC 3501 section 7.4.2: Sender and Reply-To default to From.
                out.truncate(list_start);
                out.extend_from_within(from.clone());
            }
        }
        for at in ADDRESS_FIELDS.end..NAMES.len() {
            out.push(b' ');
            text(&mut out, value(at));
        }
        out.push(b')');
        out
    }
}

/// A field's text on one line, otherwise as it stands.
fn text(out: &mut Vec<u8>, value: Option<&[u8]>) {
    quote::nstring(out, value.map(clean).as_deref());
}

fn subject(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => quote::string_for_humans(out, &without_nul(limited(value))),
        None => quote::nstring(out, None),
    }
}

fn write_address(out: &mut Vec<u8>, address: &Address) {
    out.push(b'(');
    match &address.name {
        Some(name) => quote::string_for_humans(out, &without_nul(name)),
        None => quote::nstring(out, None),
    }
    for part in [&address.route, &address.mailbox, &address.host] {
        out.push(b' ');
        quote::nstring(out, part.as_deref().map(without_nul).as_deref());
    }
    out.push(b')');
}

/// At most `MIME_FIELD_BYTES_MAX` of a value.
pub(super) fn limited(value: &[u8]) -> &[u8] {
    &value[..value.len().min(MIME_FIELD_BYTES_MAX)]
}

/// A value as a string can carry it: limited, unfolded, without NUL.
pub(super) fn clean(value: &[u8]) -> Cow<'_, [u8]> {
    let value = limited(value);
    if !value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(without_nul(&unfold(value)).into_owned())
}

/// The value with each NUL replaced.
pub(super) fn without_nul(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(0, value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len() + 8);
    for (at, piece) in value.split(|&b| b == 0).enumerate() {
        if at > 0 {
            out.extend_from_slice(NUL_SUBSTITUTE);
        }
        out.extend_from_slice(piece);
    }
    Cow::Owned(out)
}
