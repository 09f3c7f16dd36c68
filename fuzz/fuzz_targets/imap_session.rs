//! IMAP sessions over a store: what the client sends is the input, mostly after a login. Ends with whole lines, and with an account
//! whose sums hold and whose messages can be read.
#![no_main]
use posthouse_fuzz::store::House;
use posthouse_protocols::imap::{ImapService, fuzz_session};
use std::sync::{Arc, Mutex};

posthouse_fuzz::target!(run);

static HOUSE: Mutex<House<ImapService>> = Mutex::new(House::new(|shared| Arc::new(ImapService::new(shared))));

fn run(data: &[u8]) {
    let guest = HOUSE.lock().expect("no input panicked").guest();
    let mut bytes = Vec::new();
    if data.first() != Some(&b'!') {
        bytes = format!("l LOGIN {} secret\r\ns SELECT INBOX\r\n", guest.name).into_bytes();
    }
    bytes.extend(guest.named(data));
    let heard = fuzz_session(guest.service.clone(), bytes);
    assert!(heard.starts_with(b"* OK "));
    assert!(heard.ends_with(b"\r\n"));
    guest.check();
}
