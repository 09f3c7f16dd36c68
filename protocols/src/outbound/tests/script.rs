//! Servers that do what a script says: `S: ` lines are sent, `C: ` lines must come (`...` stands for anything), `.` takes a message up to its
//! dot, `until X` takes one up to X, `wait N` waits N seconds, `stall` reads nothing more, `drip` a little now and then. At its end a server closes.
use crate::outbound::client::{Client, Hello, Mail, NotOpen, Rcpt, Remote, open};
use crate::outbound::content::Content;
use crate::outbound::room::Pace;
use crate::outbound::settings::Security;
use crate::outbound::tls::TlsConfigs;
use crate::outbound::trust::Guard;
use crate::runtime::sim::{self, Client as Peer};
use crate::runtime::sleep;
use crate::testing;
use posthouse_engine::queue::Terms;
use posthouse_engine::{Bytes, Engine};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What servers have taken: each message with its stuffing and its dot.
pub(super) type Taken = Rc<RefCell<Vec<String>>>;

/// Plays the script to its end.
pub(super) async fn serve(mut peer: Peer, script: &str, taken: Taken) {
    for line in script.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        if let Some(text) = line.strip_prefix("S: ") {
            peer.write(format!("{text}\r\n").as_bytes()).await;
        } else if let Some(pattern) = line.strip_prefix("C: ") {
            testing::expect(&mut peer, pattern, line).await;
        } else if line == "." {
            let message = peer.read_until(b"\r\n.\r\n").await;
            taken.borrow_mut().push(String::from_utf8_lossy(&message).into_owned());
        } else if let Some(end) = line.strip_prefix("until ") {
            let message = peer.read_until(end.as_bytes()).await;
            taken.borrow_mut().push(String::from_utf8_lossy(&message).into_owned());
        } else if let Some(seconds) = line.strip_prefix("wait ") {
            sleep(Duration::from_secs(seconds.parse().expect("a number"))).await;
        } else if line == "stall" {
            peer.stall(true);
        } else if line == "drip" {
            // A little now and then, for ever.
            loop {
                peer.stall(true);
                sleep(Duration::from_secs(120)).await;
                peer.stall(false);
                if peer.read().await.is_empty() {
                    return;
                }
            }
        } else {
            panic!("a line that no script has: {line:?}");
        }
    }
}

/// What came of one message.
pub(super) struct Heard {
    /// For each recipient; `not asked` for whom a fresh connection may do.
    pub(super) replies: Vec<String>,
    pub(super) broken: bool,
    pub(super) taken: Vec<String>,
    /// Simulated seconds that it took.
    pub(super) seconds: u64,
}

pub(super) const MESSAGE: &[u8] = b"Return-Path: <ann@example.org>\r\nSubject: hello\r\n\r\n.dot\r\nend\r\n";

pub(super) fn mail<'a>(engine: &'a Engine, content: &'a Content, recipients: &'a [Rcpt<'a>], terms: Terms) -> Mail<'a> {
    let (sender, envelope_id) = ("ann@example.org", "QQ 1");
    let (requires_tls, utf8, now) = (false, false, 1000);
    let pace = Box::leak(Box::new(Pace::new(crate::runtime::now(), || false)));
    Mail { sender, recipients, ret: 2, envelope_id, requires_tls, utf8, terms, now, content, pace, engine }
}

/// Opens a connection to the script's server and sends it a message for `a@x.test` and `b@x.test`.
pub(super) fn converse(script: &'static str) -> Result<Heard, String> {
    converse_with(script, MESSAGE)
}

/// The same with a message of one's own.
pub(super) fn converse_with(script: &'static str, message: &'static [u8]) -> Result<Heard, String> {
    converse_on(Terms::default(), script, message)
}

/// The same on terms of one's own, at second 1000.
pub(super) fn converse_on(terms: Terms, script: &'static str, message: &'static [u8]) -> Result<Heard, String> {
    sim::run_alone(move |net| async move {
        let (stream, peer) = net.pair();
        let taken = Taken::default();
        net.spawn(serve(peer, script, taken.clone()));
        let begun = net.now();
        let seconds = || (net.now() - begun).as_secs();
        let remote = Remote { name: "mx.x.test".into(), addr: ([192, 0, 2, 1], 25).into() };
        let mut client = begin(stream, remote).await.map_err(|why| format!("{} after {} s", why.reply, seconds()))?;
        let content = Content::new(Bytes::from(message.to_vec()), terms.binary, |_| String::new());
        let rcpt = |address| Rcpt { address, notify: 2, orcpt: "rfc822;o@y.test" };
        let shared = testing::shared();
        let sent = client.send(&mail(&shared.engine, &content, &[rcpt("a@x.test"), rcpt("b@x.test")], terms)).await;
        let (seconds, broken) = (seconds(), client.broken);
        client.quit().await;
        let replies =
            sent.replies.iter().map(|reply| reply.as_ref().map_or("not asked".into(), ToString::to_string)).collect();
        let taken = taken.borrow().clone();
        Ok(Heard { replies, broken, taken, seconds })
    })
}

async fn begin(stream: crate::runtime::Stream, remote: Remote) -> Result<Client, NotOpen> {
    let tls = TlsConfigs::new(None).expect("TLS can be had");
    let guard = Guard::configured(Security::Opportunistic, &tls, &remote.name);
    let hello = Hello { hostname: "mail.example.org", guard: &guard, login: None };
    open(stream, remote, &hello).await
}
