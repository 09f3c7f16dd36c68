//! Asks an rspamd what it thinks of a message (`POST /checkv2` over HTTP/1.1), and how that went. Obeys nothing: the mail flow does.
use crate::limits;
use crate::runtime::{self, Stream, timeout};
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What an operator decides about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RspamdSettings {
    /// Its normal worker, usually port 11333.
    pub address: SocketAddr,
    /// For a worker that wants one; empty: none is sent.
    pub password: String,
    /// How long one question may take, from the connection to the last byte.
    pub timeout: Duration,
    /// Bytes of the largest message that it is asked about.
    pub size_bytes_max: u64,
    /// Whether mail waits with its sender while there is no answer; else it is taken.
    pub defers_when_down: bool,
}

/// What is told beside the message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) ip: IpAddr,
    pub(crate) helo: &'a str,
    pub(crate) from: &'a str,
    pub(crate) rcpts: &'a [&'a str],
    pub(crate) id: &'a str,
    pub(crate) hostname: &'a str,
}

/// What it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Nothing,
    /// `add header`, `rewrite subject`, `quarantine`.
    Junk,
    /// `soft reject`, `greylist`; with its words.
    Later(String),
    /// With its words.
    Reject(String),
    Discard,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) action: Action,
    /// For logs, as in `rspamd=add header 7.50/15.00`.
    pub(crate) note: String,
}

/// Asks, and waits so long for an answer.
///
/// # Errors
/// There is no connection, no answer in time, or none that can be understood.
pub(crate) async fn ask(
    settings: &RspamdSettings,
    question: &Question<'_>,
    message: &[u8],
    wait: Duration,
) -> io::Result<Said> {
    let asked = timeout(wait, exchange(settings, question, message)).await;
    let body = asked.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
    understand(&body).ok_or_else(|| garbage("an answer that names no action"))
}

fn garbage(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

async fn exchange(settings: &RspamdSettings, question: &Question<'_>, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = runtime::connect(settings.address, None, settings.timeout).await?;
    stream.output().extend_from_slice(head(settings, question, message.len()).as_bytes());
    for piece in message.chunks(limits::OUTBOUND_PIECE_BYTES) {
        stream.output().extend_from_slice(piece);
        stream.flush().await?;
    }
    stream.flush().await?;
    read(&mut stream).await
}

/// Values that a client has given are lines without control characters by now; what is none all the same is left out.
fn head(settings: &RspamdSettings, question: &Question<'_>, size_bytes: usize) -> String {
    let mut out = format!("POST /checkv2 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", settings.address);
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() && !value.contains(char::is_control) {
            let _ = write!(out, "{name}: {value}\r\n");
        }
    };
    field("IP", &question.ip.to_canonical().to_string());
    field("Helo", question.helo);
    field("From", question.from);
    question.rcpts.iter().for_each(|rcpt| field("Rcpt", rcpt));
    field("Queue-Id", question.id);
    field("MTA-Name", question.hostname);
    field("Password", &settings.password);
    let _ = write!(out, "Content-Length: {size_bytes}\r\n\r\n");
    out
}

/// The body of a reply of 200.
async fn read(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let head_bytes = loop {
        if let Some(at) = memchr::memmem::find(stream.buffered(), b"\r\n\r\n") {
            break at + 4;
        }
        if stream.buffered().len() > limits::RSPAMD_HEAD_BYTES_MAX {
            return Err(garbage("a header that is too long"));
        }
        more(stream).await?;
    };
    let size_bytes = body_bytes(&stream.buffered()[..head_bytes])?;
    stream.consume(head_bytes);
    while stream.buffered().len() < size_bytes {
        more(stream).await?;
    }
    Ok(stream.buffered()[..size_bytes].to_vec())
}

async fn more(stream: &mut Stream) -> io::Result<()> {
    if stream.fill().await? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn body_bytes(head: &[u8]) -> io::Result<usize> {
    let head = std::str::from_utf8(head).map_err(|_| garbage("a header that is no text"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.") || status.split(' ').nth(1) != Some("200") {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}", status.escape_debug())));
    }
    let fields = lines.filter_map(|line| line.split_once(':'));
    let length = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value.trim());
    let length: usize =
        length.last().and_then(|value| value.parse().ok()).ok_or_else(|| garbage("no Content-Length"))?;
    if length > limits::RSPAMD_REPLY_BYTES_MAX { Err(garbage("an answer that is too long")) } else { Ok(length) }
}

fn understand(body: &[u8]) -> Option<Said> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let action = answer.get("action")?.as_str()?;
    let own = answer.get("messages").and_then(|all| all.get("smtp_message")).and_then(|text| text.as_str());
    let words = |default: &str| one_line(own.unwrap_or(default));
    let asks_for = match action {
        "no action" => Action::Nothing,
        "add header" | "rewrite subject" | "quarantine" => Action::Junk,
        "soft reject" | "greylist" => Action::Later(words("Try again later")),
        "reject" => Action::Reject(words("The message is taken for spam")),
        "discard" => Action::Discard,
        _ => return None,
    };
    let number = |name: &str| answer.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
    let note = format!("rspamd={action} {:.2}/{:.2}", number("score"), number("required_score"));
    Some(Said { action: asks_for, note })
}

/// As a reply can carry it.
fn one_line(text: &str) -> String {
    text.chars().take(200).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim;
    use std::cell::RefCell;
    use std::rc::Rc;

    fn settings() -> RspamdSettings {
        RspamdSettings {
            address: "192.0.2.33:11333".parse().expect("an address"),
            password: "q1".into(),
            timeout: Duration::from_secs(4),
            size_bytes_max: 1000,
            defers_when_down: false,
        }
    }

    /// Asks a worker that answers so; what it heard, and what came of it.
    fn asked(answer: &'static str) -> (String, io::Result<Said>) {
        sim::run_alone(move |net| async move {
            let heard = Rc::new(RefCell::new(Vec::new()));
            let there = heard.clone();
            net.listen(settings().address, move |mut peer| {
                let there = there.clone();
                async move {
                    while !there.borrow().ends_with(b"\r\n\r\nhi\r\n") {
                        let line = peer.read_line().await;
                        there.borrow_mut().extend_from_slice(&line);
                    }
                    peer.write(answer.as_bytes()).await;
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                }
            });
            let question = Question {
                ip: "::ffff:198.51.100.7".parse().expect("an address"),
                helo: "c.test",
                from: "s@s.test",
                rcpts: &["ann@example.org", "bob@example.org"],
                id: "1A",
                hostname: "mail.example.org",
            };
            let said = ask(&settings(), &question, b"Subject: x\r\n\r\nhi\r\n", settings().timeout).await;
            (String::from_utf8(heard.take()).expect("text"), said)
        })
    }

    fn reply(body: &str) -> &'static str {
        format!("HTTP/1.1 200 OK\r\nServer: rspamd/3.4\r\ncontent-length: {}\r\n\r\n{body}", body.len()).leak()
    }

    #[test]
    fn the_question_tells_what_is_known() {
        let (heard, said) = asked(reply("{\"action\":\"no action\",\"score\":1.5,\"required_score\":15}"));
        assert_eq!(
            heard,
            "POST /checkv2 HTTP/1.1\r\nHost: 192.0.2.33:11333\r\nConnection: close\r\nIP: 198.51.100.7\r\nHelo: c.test\r\nFrom: s@s.test\r\n\
             Rcpt: ann@example.org\r\nRcpt: bob@example.org\r\nQueue-Id: 1A\r\nMTA-Name: mail.example.org\r\nPassword: q1\r\nContent-Length: 18\r\n\r\n\
             Subject: x\r\n\r\nhi\r\n"
        );
        let said = said.expect("an answer");
        assert_eq!((said.action, said.note.as_str()), (Action::Nothing, "rspamd=no action 1.50/15.00"));
    }

    #[test]
    fn actions_are_understood() {
        let action = |body: &str| asked(reply(body)).1.map(|said| said.action).ok();
        let later = "{\"action\":\"soft reject\",\"messages\":{\"smtp_message\":\"Greylisted\\r\\n250 x\"}}";
        assert_eq!(action(later), Some(Action::Later("Greylisted??250 x".into())));
        assert_eq!(action("{\"action\":\"reject\"}"), Some(Action::Reject("The message is taken for spam".into())));
        for junk in ["add header", "rewrite subject", "quarantine"] {
            assert_eq!(action(&format!("{{\"action\":\"{junk}\",\"score\":\"x\"}}")), Some(Action::Junk));
        }
        assert_eq!(action("{\"action\":\"discard\"}"), Some(Action::Discard));
        for odd in ["{\"action\":\"dance\"}", "{\"action\":1}", "[]", "{", ""] {
            assert_eq!(action(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for odd in [
            "",
            "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}",
            "220 no web server\r\n\r\n",
        ] {
            assert!(asked(odd).1.is_err(), "{odd:?}");
        }
        let long: &'static str = "x".repeat(limits::RSPAMD_HEAD_BYTES_MAX + 100).leak();
        assert!(asked(long).1.is_err());
    }
}
