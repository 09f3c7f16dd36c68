//! Whole mails through the store: what is kept, in whatever form, comes out byte for byte.
#![no_main]
use posthouse_fuzz::mail;
use posthouse_fuzz::store::House;
use posthouse_protocols::pop3::Pop3Service;
use std::sync::{Arc, Mutex};

posthouse_fuzz::target!(run, seeds: mail::samples());

static HOUSE: Mutex<House<Pop3Service>> = Mutex::new(House::new(|shared| Arc::new(Pop3Service::new(shared))));

fn run(message: &[u8]) {
    if message.len() > 8_000 {
        return;
    }
    let guest = HOUSE.lock().expect("no input panicked").guest();
    guest.receives(message);
    guest.receives(message);
    guest.check();
    assert!(guest.messages().iter().all(|stored| stored == message));
}
