//! The mail log's records: whatever the bytes, what is read comes back as it was.
#![no_main]
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::trace::{MailRecord, Record, Step};

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let mut reader = Reader::new(data);
    while let Ok(record) = MailRecord::decode(&mut reader) {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        // Texts of others may be longer than what is kept, so the first may be more than the second; not so the second and the third.
        let kept = MailRecord::decode(&mut Reader::new(&bytes)).expect("what was encoded is read");
        let mut again = Vec::new();
        kept.encode(&mut again);
        assert_eq!(bytes, again);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for step in [Step::Came, Step::Deferred, Step::Gap] {
        let peer = "[2001:db8::1]:25".parse().ok();
        let (id, queue, sender) = (1 << 40, 77, "a@x.test".to_owned());
        MailRecord { step, id, queue, peer, sender, text: "250 ok".into(), ..MailRecord::default() }.encode(&mut out);
    }
    vec![out]
}
