//! Stored summaries: whatever the bytes, what is accepted can be asked anything.
#![no_main]
use posthouse_engine::index::mime::{SummaryRef, summarize};
use posthouse_fuzz::mail;

posthouse_fuzz::target!(run, seeds: seeds());

fn run(data: &[u8]) {
    if let Ok(summary) = SummaryRef::decode(data) {
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
