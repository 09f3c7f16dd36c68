//! Member files (CSV): every row is read or told.
#![no_main]

posthouse_fuzz::target!(run);

fn run(data: &[u8]) {
    posthouse::fuzz::members(data);
}
