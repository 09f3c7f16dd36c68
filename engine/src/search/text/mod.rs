//! The scan that SEARCH SUBJECT, FROM, BODY and TEXT stand on (RFC 3501 section 6.4.4): decodes headers and text parts
//! to Unicode and compares without case. Exact, no index, no I/O. What cannot be decoded is compared as far as it can.
mod charset;
mod decode;
mod preview;
mod scan;
mod word;

pub use crate::base::fold;
pub use charset::to_unicode;
pub use decode::decode_body;
pub use preview::preview;
pub use scan::contains_text;
pub use word::decoded_header;

#[cfg(test)]
mod tests;
