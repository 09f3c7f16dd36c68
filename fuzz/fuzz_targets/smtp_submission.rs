//! Submission by a member, who may log in.
#![no_main]
use posthouse_fuzz::smtp;
use posthouse_fuzz::store::House;
use posthouse_protocols::runtime::Service;
use posthouse_protocols::smtp::SmtpService;
use std::sync::{Arc, Mutex};

posthouse_fuzz::target!(run);

static HOUSE: Mutex<House<dyn Service>> = Mutex::new(House::new(|shared| Arc::new(SmtpService::submission(shared))));

fn run(data: &[u8]) {
    smtp::play(&mut HOUSE.lock().expect("no input panicked"), data);
}
