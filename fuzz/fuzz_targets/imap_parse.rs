//! IMAP commands as bytes, read and not run.
#![no_main]

posthouse_fuzz::target!(run);

fn run(data: &[u8]) {
    posthouse_protocols::imap::fuzz_parse(data);
}
