//! EHLO, HELO (RFC 5321 section 4.1.1.1) and LHLO (RFC 2033 section 4.1): who speaks, and what is offered.
use crate::limits;
use crate::smtp::cmd::xclient;
use crate::smtp::reply::write_line;
use crate::smtp::role::Role;
use crate::smtp::state::{Answer, Hello, Running, Session};
use smtp_proto::Request;

pub(in crate::smtp) fn run(session: &mut Session, request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        let extended = !matches!(request, Request::Helo { .. });
        let (Request::Ehlo { host } | Request::Helo { host } | Request::Lhlo { host }) = request else {
            return Ok(Answer::new(501, "5.5.4 A name is expected"));
        };
        // RFC 5321 section 4.1.4: like RSET, and nothing of what was said before counts.
        session.reset();
        let name = match &session.said_helo {
            Some(said) => said.to_string(),
            None => host.chars().take(limits::SMTP_HELLO_CHARS_MAX).collect(),
        };
        session.hello = Some(Box::new(Hello { name, extended }));
        if !extended {
            return Ok(Answer::new(250, session.shared.hostname.clone()));
        }
        let lines = offered(session);
        let out = session.stream.output();
        for (at, line) in lines.iter().enumerate() {
            write_line(out, 250, if at + 1 == lines.len() { b' ' } else { b'-' }, line);
        }
        Ok(Answer::Written)
    })
}

/// The keywords, the greeting first; docs/rfc.md says where each is done.
fn offered(session: &Session) -> Vec<String> {
    let shared = &session.shared;
    let mut lines = vec![shared.hostname.clone()];
    lines.extend(["PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES"].map(str::to_owned));
    lines.push(format!("LIMITS RCPTMAX={}", limits::SMTP_RECIPIENTS_MAX));
    lines.push(format!("SIZE {}", shared.message_size_bytes_max));
    if shared.tls.is_some() && !session.stream.is_tls() {
        lines.push("STARTTLS".into());
    }
    if session.keeps_tls() {
        lines.push("REQUIRETLS".into());
    }
    if session.role == Role::Submission && session.may_log_in() {
        lines.push(format!("AUTH {}", shared.mechanism_names(&session.place())));
    }
    if session.may_introduce {
        lines.push(xclient::OFFER.into());
    }
    lines
}
