//! POP3 sessions over a store with a message: what the client sends is the input, mostly after a login. Lines end whole, and the
//! account holds after, whatever QUIT removed.
#![no_main]
use posthouse_fuzz::store::House;
use posthouse_protocols::pop3::{Pop3Service, fuzz_session};
use std::sync::{Arc, Mutex};

posthouse_fuzz::target!(run);

static HOUSE: Mutex<House<Pop3Service>> = Mutex::new(House::new(|shared| Arc::new(Pop3Service::new(shared))));

fn run(data: &[u8]) {
    let guest = HOUSE.lock().expect("no input panicked").guest();
    guest.receives(b"Subject: x\r\n\r\n.hello\r\n");
    let mut bytes = Vec::new();
    if data.first() != Some(&b'!') {
        bytes = format!("USER {}\r\nPASS secret\r\n", guest.name).into_bytes();
    }
    bytes.extend(guest.named(data));
    let heard = fuzz_session(guest.service.clone(), bytes);
    assert!(heard.starts_with(b"+OK ") && heard.ends_with(b"\r\n"));
    guest.check();
}
