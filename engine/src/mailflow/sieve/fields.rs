//! The header of a message as tests ask for it: names, decoded values, addresses. Changes nothing.
use crate::base::limits::{SIEVE_ADDRESSES_MAX, SIEVE_FIELDS_MAX, SIEVE_HEADER_BYTES_MAX};
use crate::search::text::decoded_header;
use mail_parser::MessageParser;

/// One field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// In small letters.
    pub name: String,
    /// Unfolded and decoded (RFC 2047), without white space around it.
    pub text: String,
    /// The addresses in it, if it is one that has addresses.
    pub addresses: Vec<String>,
}

/// The fields of a message's header, in order; of a header that is too long those at its front.
pub fn fields(header: &[u8]) -> Vec<Field> {
    let header = &header[..header.len().min(SIEVE_HEADER_BYTES_MAX)];
    let Some(parsed) = MessageParser::default().parse_headers(header) else { return Vec::new() };
    let field = |field: &mail_parser::Header<'_>| {
        let raw = header.get(field.offset_start as usize..field.offset_end as usize).unwrap_or_default();
        let all = field.value.as_address().into_iter().flat_map(|addresses| addresses.iter());
        let addresses = all.filter_map(|one| one.address().map(str::to_owned)).take(SIEVE_ADDRESSES_MAX).collect();
        let text = decoded_header(raw).trim().to_owned();
        Field { name: field.name.as_str().to_ascii_lowercase(), text, addresses }
    };
    parsed.headers().iter().take(SIEVE_FIELDS_MAX).map(field).collect()
}
