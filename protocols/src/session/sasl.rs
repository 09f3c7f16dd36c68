//! The SASL exchanges PLAIN (RFC 4616) and LOGIN: from a client's lines to a name and a password. SCRAM stands in `scram`, tokens in `bearer`,
//! and which of them all a client is offered in `dialog`. Never checks a password and sends nothing.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::directory::ScramHash;
use posthouse_engine::trace::Means;
use std::fmt;

/// A mechanism that a client may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 5802, RFC 7677.
    Scram {
        /// Which one.
        hash: ScramHash,
        /// With channel binding.
        plus: bool,
    },
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login: old, and still what many clients speak.
    Login,
    /// RFC 7628, or Google's older XOAUTH2.
    Bearer {
        /// XOAUTH2.
        xoauth2: bool,
    },
}

/// All of them, the best first.
const ALL: [(Mechanism, &str, Means); 8] = [
    (scram(ScramHash::Sha256, true), "SCRAM-SHA-256-PLUS", Means::ScramSha256Plus),
    (scram(ScramHash::Sha256, false), "SCRAM-SHA-256", Means::ScramSha256),
    (scram(ScramHash::Sha1, true), "SCRAM-SHA-1-PLUS", Means::ScramSha1Plus),
    (scram(ScramHash::Sha1, false), "SCRAM-SHA-1", Means::ScramSha1),
    (Mechanism::Bearer { xoauth2: false }, "OAUTHBEARER", Means::OAuthBearer),
    (Mechanism::Bearer { xoauth2: true }, "XOAUTH2", Means::XOAuth2),
    (Mechanism::Plain, "PLAIN", Means::Plain),
    (Mechanism::Login, "LOGIN", Means::Login),
];

const fn scram(hash: ScramHash, plus: bool) -> Mechanism {
    Mechanism::Scram { hash, plus }
}

impl Mechanism {
    /// All of them, the best first.
    pub(super) fn all() -> impl Iterator<Item = Mechanism> {
        ALL.iter().map(|(mechanism, _, _)| *mechanism)
    }

    /// As a capability line spells it.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(mechanism, _, _)| *mechanism == self).map_or("", |(_, name, _)| name)
    }

    /// As the login log has it.
    pub(super) fn means(self) -> Means {
        ALL.iter().find(|(mechanism, _, _)| *mechanism == self).map_or(Means::Plain, |(_, _, means)| *means)
    }

    /// Reads a mechanism's name, in any case.
    pub fn parse(name: &[u8]) -> Option<Mechanism> {
        let found = ALL.iter().find(|(_, known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        found.map(|(mechanism, _, _)| *mechanism)
    }
}

/// What a client claims. Its password never reaches a log: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The login name: an address.
    pub name: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What comes next in an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this challenge, in base64 already; the client's next line goes to [`Exchange::line`].
    Challenge(&'static str),
    /// The exchange is over: prove these.
    Done(Credentials),
    /// The client gave up with `*`.
    Cancelled,
    /// The client's answer is no base64 or not of the mechanism's form.
    Malformed,
    /// The client asks to act for somebody else, which nobody may.
    Refused,
}

/// An exchange of PLAIN or LOGIN under way.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    name: Option<String>,
}

impl Exchange {
    /// Begins an exchange. `initial` is the initial response as sent: base64, or `=` for an empty one (RFC 4954 section 4).
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>) -> (Exchange, Step) {
        let mut exchange = Exchange { mechanism, name: None };
        let step = match initial {
            None => exchange.challenge(),
            Some(b"=") => exchange.answer(b""),
            Some(encoded) => exchange.encoded(encoded),
        };
        (exchange, step)
    }

    /// Takes the client's line, without its CRLF.
    pub fn line(&mut self, line: &[u8]) -> Step {
        if line == b"*" { Step::Cancelled } else { self.encoded(line) }
    }

    fn encoded(&mut self, encoded: &[u8]) -> Step {
        match STANDARD.decode(encoded) {
            Ok(decoded) => self.answer(&decoded),
            Err(_) => Step::Malformed,
        }
    }

    /// Takes the client's answer after base64.
    pub fn answer(&mut self, decoded: &[u8]) -> Step {
        match (self.mechanism, self.name.take()) {
            (Mechanism::Plain | Mechanism::Scram { .. } | Mechanism::Bearer { .. }, _) => plain(decoded),
            (Mechanism::Login, None) => match text(decoded) {
                Some(name) => {
                    self.name = Some(name);
                    self.challenge()
                }
                None => Step::Malformed,
            },
            (Mechanism::Login, Some(name)) => match text(decoded) {
                Some(password) => Step::Done(Credentials { name, password }),
                None => Step::Malformed,
            },
        }
    }

    fn challenge(&self) -> Step {
        Step::Challenge(match (self.mechanism, &self.name) {
            (Mechanism::Plain | Mechanism::Scram { .. } | Mechanism::Bearer { .. }, _) => "",
            // "Username:" and "Password:".
            (Mechanism::Login, None) => "VXNlcm5hbWU6",
            (Mechanism::Login, Some(_)) => "UGFzc3dvcmQ6",
        })
    }
}

/// RFC 4616 section 2: `[authzid] NUL authcid NUL passwd`.
fn plain(message: &[u8]) -> Step {
    let mut parts = message.split(|byte| *byte == 0);
    let (Some(authorize), Some(name), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Step::Malformed;
    };
    let (Some(name), Some(password)) = (text(name), text(password)) else {
        return Step::Malformed;
    };
    if !authorize.is_empty() && !authorize.eq_ignore_ascii_case(name.as_bytes()) {
        return Step::Refused;
    }
    Step::Done(Credentials { name, password })
}

fn text(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() || bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn b64(bytes: &[u8]) -> Vec<u8> {
        STANDARD.encode(bytes).into_bytes()
    }

    fn done(name: &str, password: &str) -> Step {
        Step::Done(Credentials { name: name.into(), password: password.into() })
    }

    #[test]
    fn plain_with_and_without_initial_response() {
        let message = b64(b"\0a@example.org\0pass word");
        let (_, step) = Exchange::start(Mechanism::Plain, Some(&message));
        assert_eq!(step, done("a@example.org", "pass word"));
        let (mut exchange, step) = Exchange::start(Mechanism::Plain, None);
        assert_eq!(step, Step::Challenge(""));
        assert_eq!(exchange.line(&message), done("a@example.org", "pass word"));
    }

    #[test]
    fn plain_for_somebody_else_is_refused() {
        let own = b64(b"A@example.org\0a@example.org\0x");
        assert_eq!(Exchange::start(Mechanism::Plain, Some(&own)).1, done("a@example.org", "x"));
        let other = b64(b"boss@example.org\0a@example.org\0x");
        assert_eq!(Exchange::start(Mechanism::Plain, Some(&other)).1, Step::Refused);
    }

    #[test]
    fn login_asks_twice_or_once() {
        let (mut exchange, step) = Exchange::start(Mechanism::Login, None);
        assert_eq!(step, Step::Challenge("VXNlcm5hbWU6"));
        assert_eq!(exchange.line(&b64(b"a@example.org")), Step::Challenge("UGFzc3dvcmQ6"));
        assert_eq!(exchange.line(&b64(b"secret")), done("a@example.org", "secret"));
        let (mut exchange, step) = Exchange::start(Mechanism::Login, Some(&b64(b"a")));
        assert_eq!(step, Step::Challenge("UGFzc3dvcmQ6"));
        assert_eq!(exchange.line(&b64(b"s")), done("a", "s"));
    }

    #[test]
    fn cancel_and_broken_answers() {
        for mechanism in [Mechanism::Plain, Mechanism::Login] {
            let (mut exchange, _) = Exchange::start(mechanism, None);
            assert_eq!(exchange.line(b"*"), Step::Cancelled);
            for broken in [&b"!!!"[..], b"YQ", b"YQ==x", b"Y Q==", b"/w=="] {
                let (mut exchange, _) = Exchange::start(mechanism, None);
                assert_eq!(exchange.line(broken), Step::Malformed, "{broken:?}");
            }
        }
        for message in [&b"a\0b"[..], b"\0a\0b\0c", b"\0\0b", b"\0a\0", b"\0\xff\0b"] {
            assert_eq!(Exchange::start(Mechanism::Plain, Some(&b64(message))).1, Step::Malformed);
        }
        assert_eq!(Exchange::start(Mechanism::Plain, Some(b"=")).1, Step::Malformed);
    }
}
