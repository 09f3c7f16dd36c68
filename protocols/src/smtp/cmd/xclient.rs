//! XCLIENT (Postfix, XCLIENT_README): a mail server in front that the operator trusts says whose connection it passes on. Nobody else may. LOGIN is
//! not offered: who submits mail proves itself here.
use crate::limits;
use crate::smtp::log;
use crate::smtp::reply::Reply;
use crate::smtp::role::Role;
use crate::smtp::state::{Answer, Session};
use std::net::{IpAddr, SocketAddr};

/// For EHLO.
pub(in crate::smtp) const OFFER: &str = "XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT";

/// What one command says; what it does not say stays.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    ip: Option<IpAddr>,
    port: Option<u16>,
    local_ip: Option<IpAddr>,
    local_port: Option<u16>,
    helo: Option<String>,
}

/// The arguments, if a line gives the command.
pub(in crate::smtp) fn arguments(line: &[u8]) -> Option<&str> {
    let (verb, rest) = line.split_at_checked(b"XCLIENT".len())?;
    let is_it = verb.eq_ignore_ascii_case(b"XCLIENT") && matches!(rest.first(), None | Some(b' '));
    is_it.then(|| std::str::from_utf8(rest).ok()).flatten()
}

impl Session {
    /// Whether the host at the other end is one that may give it.
    pub(in crate::smtp) fn is_trusted_front(&self) -> bool {
        let ip = self.stream.peer().ip();
        self.role != Role::Lmtp && self.shared.xclient.iter().any(|network| network.contains(&ip))
    }

    /// Obeys one; the session begins anew.
    pub(in crate::smtp) fn xclient(&mut self, arguments: &str) -> Answer {
        if !self.may_introduce {
            return Answer::new(550, "5.7.0 XCLIENT is for hosts that the administrator has named");
        }
        if self.transaction.is_some() {
            return Answer::new(503, "5.5.1 Not while a message is under way");
        }
        let given = match parse(arguments) {
            Ok(given) => given,
            Err(refusal) => return refusal.into(),
        };
        let (front, local) = (self.stream.peer(), self.stream.local());
        let end = |ip: Option<IpAddr>, port: Option<u16>, now: SocketAddr| {
            SocketAddr::new(ip.unwrap_or(now.ip()), port.unwrap_or(now.port()))
        };
        let (peer, local) = (end(given.ip, given.port, front), end(given.local_ip, given.local_port, local));
        if !self.stream.came_from(peer, local) {
            self.ended = true;
            let refusal = Reply::new(421, "4.7.0 Too many connections; try again later");
            log::note_unserved(&self.shared, self.role, peer, "limit", &refusal);
            return refusal.into();
        }
        tracing::debug!(%front, %peer, "a connection is somebody else's (XCLIENT)");
        (self.hello, self.login, self.mechanism, self.listing) = (None, None, None, None);
        self.connection = self.shared.next_id();
        if given.ip.is_some() {
            // From here on the client itself may be speaking: a front that only passes bytes on does not look at them.
            self.may_introduce = self.is_trusted_front();
        }
        if given.helo.is_some() {
            self.said_helo = given.helo.map(String::into_boxed_str);
        }
        self.greeting().into()
    }
}

fn wrong(text: String) -> Reply {
    Reply::new(501, format!("5.5.4 {text}"))
}

fn parse(arguments: &str) -> Result<Given, Reply> {
    let mut given = Given::default();
    for word in arguments.split_ascii_whitespace() {
        let (name, value) = word.split_once('=').ok_or_else(|| wrong("XCLIENT name=value is expected".into()))?;
        let value = decoded(value).ok_or_else(|| wrong(format!("The value of {} is no xtext", printable(name))))?;
        let not_said = value.is_empty()
            || value.eq_ignore_ascii_case("[UNAVAILABLE]")
            || value.eq_ignore_ascii_case("[TEMPUNAVAIL]");
        let not_allowed = || wrong(format!("The value of {} is not allowed", printable(name)));
        let ip = || address(&value).ok_or_else(not_allowed);
        let port = || value.parse::<u16>().map_err(|_| not_allowed());
        match name.to_ascii_uppercase().as_str() {
            "NAME" | "REVERSE_NAME" => {}
            "PROTO" if not_said || ["SMTP", "ESMTP"].iter().any(|known| value.eq_ignore_ascii_case(known)) => {}
            "PROTO" => return Err(not_allowed()),
            "ADDR" | "PORT" | "HELO" | "DESTADDR" | "DESTPORT" if not_said => {}
            "ADDR" => given.ip = Some(ip()?),
            "PORT" => given.port = Some(port()?),
            "DESTADDR" => given.local_ip = Some(ip()?),
            "DESTPORT" => given.local_port = Some(port()?),
            "HELO" => given.helo = Some(value.chars().take(limits::SMTP_HELLO_CHARS_MAX).collect()),
            _ => return Err(wrong(format!("XCLIENT does not know {} here", printable(name)))),
        }
    }
    if given == Given::default() && arguments.trim().is_empty() {
        return Err(wrong("XCLIENT name=value is expected".into()));
    }
    Ok(given)
}

fn printable(name: &str) -> String {
    crate::smtp::reply::printable(name).chars().take(40).collect()
}

fn address(text: &str) -> Option<IpAddr> {
    let six = text.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPV6:"));
    let ip = match six {
        Some(tag) => IpAddr::V6(text[tag.len()..].parse().ok()?),
        None => text.parse().ok()?,
    };
    Some(ip.to_canonical())
}

/// RFC 3461 section 4; what would break a line or a log stays out.
fn decoded(xtext: &str) -> Option<String> {
    let mut out = Vec::with_capacity(xtext.len());
    let mut rest = xtext.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'+' {
            out.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        out.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(out).ok().filter(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_recognised() {
        assert_eq!(arguments(b"xclient ADDR=192.0.2.1"), Some(" ADDR=192.0.2.1"));
        assert_eq!(arguments(b"XCLIENT"), Some(""));
        for other in [&b"XCLIENTS a"[..], b"XCLI", b"", b"NOOP XCLIENT"] {
            assert_eq!(arguments(other), None);
        }
    }

    #[test]
    fn values_are_read_as_xtext() {
        let given = parse(" NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 port=4711 HELO=a+2Bb.test PROTO=esmtp DESTADDR=::ffff:192.0.2.9 DESTPORT=25")
            .expect("it is right");
        let expected = Given {
            ip: "2001:db8::1".parse().ok(),
            port: Some(4711),
            local_ip: "192.0.2.9".parse().ok(),
            local_port: Some(25),
            helo: Some("a+b.test".into()),
        };
        assert_eq!(given, expected);
        assert_eq!(parse(" ADDR=[TEMPUNAVAIL]"), Ok(Given::default()));
        for wrong in [
            "",
            " ADDR",
            " ADDR=x",
            " PORT=70000",
            " HELO=a+0Ab",
            " HELO=+4",
            " HELO=+ZZ",
            " PROTO=LMTP",
            " LOGIN=ann",
            " ADDR=IPV6:192.0.2.1",
        ] {
            assert_eq!(parse(wrong).map_err(|reply| reply.code), Err(501), "{wrong:?}");
        }
    }
}
