//! What the targets of SMTP's roles share: replies must be well formed, and the store must hold after whatever was said.
use crate::store::House;
use posthouse_protocols::runtime::Service;
use posthouse_protocols::smtp::fuzz_session;

/// Plays the input as a client; every line heard must be a reply's (RFC 5321 section 4.2), the first one 220.
pub fn play(house: &mut House<dyn Service>, data: &[u8]) {
    let guest = house.guest();
    let heard = fuzz_session(guest.service.clone(), guest.named(data));
    let heard = String::from_utf8(heard).expect("replies are UTF-8");
    assert!(heard.starts_with("220 ") && heard.ends_with("\r\n"), "{heard:?}");
    for line in heard.split_terminator("\r\n") {
        let (code, rest) = line.split_at_checked(3).expect("a code");
        assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "{line:?}");
        assert!(rest.starts_with([' ', '-']) && !rest.contains(['\r', '\n', '\0']), "{line:?}");
    }
    guest.check();
}
