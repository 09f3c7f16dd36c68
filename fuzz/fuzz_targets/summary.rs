//! Stored summaries: whatever the bytes, what is accepted can be asked anything.
#![no_main]
use posthouse_engine::index::mime::{SummaryRef, body_structure, summarize};
use posthouse_fuzz::mail;

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    let summary = SummaryRef::decode(data);
    for extended in [false, true] {
        let mut out = Vec::new();
        assert_eq!(body_structure(data, extended, &mut out).is_ok(), summary.is_ok(), "both prove the same");
        assert_eq!(out.is_empty(), summary.is_err());
    }
    if let Ok(summary) = summary {
        mail::ask_all(&summary);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let encoded = |message: Vec<u8>| {
        let mut out = Vec::new();
        summarize(&message).encode(&mut out);
        out
    };
    mail::samples().into_iter().map(encoded).collect()
}
