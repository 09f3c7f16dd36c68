//! The mail log's records: whatever the bytes, what is read comes back as it was.
#![no_main]
use posthouse_engine::trace::{MailRecord, Record, Step};
use posthouse_fuzz::records;

posthouse_fuzz::target!(records::come_back::<MailRecord>, seeds: seeds());

fn seeds() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for step in [Step::Came, Step::Deferred, Step::Gap] {
        let peer = "[2001:db8::1]:25".parse().ok();
        let (id, queue, sender) = (1 << 40, 77, "a@x.test".to_owned());
        MailRecord { step, id, queue, peer, sender, text: "250 ok".into(), ..MailRecord::default() }.encode(&mut out);
    }
    vec![out]
}
