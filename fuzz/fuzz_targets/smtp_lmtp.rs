//! LMTP from a mail server in front.
#![no_main]
use posthouse_fuzz::smtp;
use posthouse_fuzz::store::House;
use posthouse_protocols::lmtp::LmtpService;
use posthouse_protocols::runtime::Service;
use std::sync::{Arc, Mutex};

posthouse_fuzz::target!(run);

static HOUSE: Mutex<House<dyn Service>> = Mutex::new(House::new(|shared| Arc::new(LmtpService::new(shared))));

fn run(data: &[u8]) {
    smtp::play(&mut HOUSE.lock().expect("no input panicked"), data);
}
