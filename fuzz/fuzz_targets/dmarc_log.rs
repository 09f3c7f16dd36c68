//! The DMARC log's records: whatever the bytes, what is read comes back as it was.
#![no_main]
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::trace::{DmarcAction, DmarcRecord, DmarcRow, DmarcSignature, DmarcWord, Record};

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let mut reader = Reader::new(data);
    while let Ok(record) = DmarcRecord::decode(&mut reader) {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        // Texts of others may be longer than what is kept, so the first may be more than the second; not so the second and the third.
        let kept = DmarcRecord::decode(&mut Reader::new(&bytes)).expect("what was encoded is read");
        let mut again = Vec::new();
        kept.encode(&mut again);
        assert_eq!(bytes, again);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let signature = DmarcSignature { domain: "a.test".into(), selector: "one".into(), result: "pass".into() };
    let row = DmarcRow {
        source: "2001:db8::1".parse().ok(),
        action: DmarcAction::Quarantine,
        header_from: "a.test".into(),
        dkim: vec![signature],
        ..DmarcRow::default()
    };
    let came = DmarcWord::Came("v=DMARC1; p=none; rua=mailto:r@a.test".into(), Box::new(row));
    let mut out = Vec::new();
    for word in [came, DmarcWord::Reported(20_781)] {
        DmarcRecord { when_ms: 1_795_492_248_000, domain: "a.test".into(), word }.encode(&mut out);
    }
    vec![out]
}
