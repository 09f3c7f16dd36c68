//! Configuration files: accepted, or refused in one line that names the file.
#![no_main]

posthouse_fuzz::target!(run);

fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        posthouse::fuzz::config(text);
    }
}
