//! Messages: every one has a summary that is read back, whose lists are well formed IMAP and whose parts lie inside the message; the
//! header's fields too.
#![no_main]
use posthouse_engine::index::mime::{
    SummaryRef, body_structure, header_fields, message_id, parse_date, sent_date, summarize, unfold,
};
use posthouse_fuzz::imap_list::after_list;
use posthouse_fuzz::mail;

posthouse_fuzz::target!(run, seeds: mail::samples());

fn run(message: &[u8]) {
    let summary = summarize(message);
    let mut bytes = Vec::new();
    summary.encode(&mut bytes);
    let read = SummaryRef::decode(&bytes).expect("what was encoded is read");
    assert_eq!(read.message_len() as usize, message.len());
    assert_eq!(read.header_len(), summary.header_len());
    assert!(after_list(read.envelope()).is_empty(), "something after the envelope");
    let (mut body, mut structure) = (Vec::new(), Vec::new());
    body_structure(&bytes, false, &mut body).expect("a whole summary");
    body_structure(&bytes, true, &mut structure).expect("a whole summary");
    assert!(after_list(&body).is_empty() && after_list(&structure).is_empty());
    mail::ask_all(&read);
    for part in read.parts() {
        let lines = message[part.body.start as usize..part.body.end as usize].iter().filter(|b| **b == b'\n').count();
        assert!(!part.is_text() || part.lines as usize == lines);
    }
    let header = &message[..read.header_len() as usize];
    let mut end = 0;
    for field in header_fields(header) {
        assert!(end <= field.line.start && field.line.end <= header.len(), "fields are in order");
        assert!(field.line.start <= field.value.start && field.value.end <= field.line.end);
        end = field.line.end;
        assert!(!unfold(&header[field.value.clone()]).contains(&b'\n'));
        let _ = parse_date(&header[field.value]);
    }
    let _ = (message_id(header), sent_date(header));
}
