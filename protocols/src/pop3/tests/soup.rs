//! Commands stirred from the words that commands are made of, well-formed and not: no panic, no hang, an answer or a goodbye. Prints
//! its seed.
use super::filled;
use crate::pop3::{Pop3Service, fuzz_session};
use crate::testing::Random;
use std::sync::Arc;

const WORDS: [&str; 40] = [
    "USER ",
    "PASS ",
    "AUTH ",
    "STLS",
    "CAPA",
    "STAT",
    "LIST",
    "RETR ",
    "DELE ",
    "NOOP",
    "RSET",
    "TOP ",
    "UIDL",
    "QUIT",
    "LANG ",
    "UTF8",
    "PLAIN",
    "LOGIN",
    "=",
    "*",
    "AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=",
    "ann@example.org",
    "secret",
    "1",
    "2",
    "3",
    "4",
    "0",
    "-1",
    "99999999999999999999",
    " ",
    " ",
    "\r\n",
    "\n",
    "\r",
    "\0",
    ".",
    "en",
    "\u{e9}",
    "x",
];

fn soup(random: &mut Random) -> Vec<u8> {
    let mut soup = Vec::new();
    if random.below(4) > 0 {
        soup.extend_from_slice(b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n");
    }
    for _ in 0..40 {
        for _ in 0..1 + random.below(4) {
            soup.extend_from_slice(WORDS[random.below(WORDS.len())].as_bytes());
        }
        if random.below(20) == 0 {
            soup.push(random.below(256) as u8);
        }
        soup.extend_from_slice(b"\r\n");
    }
    soup
}

#[test]
fn soup_is_survived() {
    for seed in 1..=80 {
        println!("seed {seed}");
        // A store for each: soup deletes, and failed logins slow the next ones down.
        let service = Arc::new(Pop3Service::new(Arc::new(filled())));
        let heard = fuzz_session(service, soup(&mut Random(seed)));
        assert!(heard.starts_with(b"+OK mail.example.org ready\r\n"));
        assert!(heard.ends_with(b"\r\n"));
    }
}

#[test]
fn random_bytes_are_survived() {
    let mut random = Random(7);
    let service = Arc::new(Pop3Service::new(Arc::new(filled())));
    for _ in 0..200 {
        let bytes = (0..random.below(400)).map(|_| random.below(256) as u8).collect();
        let heard = fuzz_session(service.clone(), bytes);
        assert!(heard.starts_with(b"+OK ") && heard.ends_with(b"\r\n"));
    }
}
