//! LANG (RFC 6856 section 3): there is one language.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut words = request.words();
        Ok(match (words.next(), words.next()) {
            (None, _) => {
                session.say("+OK Languages follow");
                session.say("en English");
                session.say(".");
                Answer::Written
            }
            (Some(range), None) if is_english(range) => Answer::ok("en English it is"),
            (Some(_), None) => Answer::no("That language is not spoken here"),
            (Some(_), Some(_)) => Answer::bad("One language is expected"),
        })
    })
}

/// Whether a basic language range finds `en` (lookup of RFC 4647 section 3.4), or leaves the choice to us.
fn is_english(range: &[u8]) -> bool {
    let primary = range.split(|byte| *byte == b'-').next().unwrap_or_default();
    range == b"*" || primary.eq_ignore_ascii_case(b"en")
}
