//! Tests of the summary through its public interface: mails a person would send, and mails nobody should.
mod bounds;
mod envelopes;
mod format;
mod random;
mod structures;

use super::*;

fn encoded(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    summarize(message).encode(&mut out);
    out
}

fn envelope(message: &[u8]) -> String {
    let bytes = encoded(message);
    String::from_utf8_lossy(SummaryRef::decode(&bytes).unwrap().envelope()).into_owned()
}

fn structure(message: &[u8]) -> String {
    let bytes = encoded(message);
    let mut out = Vec::new();
    body_structure(&bytes, true, &mut out).unwrap();
    String::from_utf8_lossy(&out).into_owned()
}

fn body(message: &[u8]) -> String {
    let bytes = encoded(message);
    let mut out = Vec::new();
    body_structure(&bytes, false, &mut out).unwrap();
    String::from_utf8_lossy(&out).into_owned()
}

fn section<'m>(message: &'m str, path: &[u32], section: Section) -> Option<&'m str> {
    let bytes = encoded(message.as_bytes());
    let range = SummaryRef::decode(&bytes).unwrap().section(path, section)?;
    message.get(range.start as usize..range.end as usize)
}
