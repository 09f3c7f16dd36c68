//! The DMARC log's records: whatever the bytes, what is read comes back as it was.
#![no_main]
use posthouse_engine::trace::{DmarcAction, DmarcRecord, DmarcRow, DmarcSignature, DmarcWord, Record};
use posthouse_fuzz::records;

posthouse_fuzz::target!(records::come_back::<DmarcRecord>, seeds: seeds());

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
