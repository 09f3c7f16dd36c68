//! Milters (the protocol of Sendmail's libmilter, version 6) as their client: each message is shown to each of them, step by step as it comes,
//! the whole of it when it has come; each sees what those before it have made of it. What they refuse, put off, throw away or change is said here,
//! and done elsewhere.
//!
//! `wire` knows packets, `link` a connection, `edit` changes a message.
mod edit;
mod link;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use crate::limits;
use crate::runtime::{now, timeout};
use edit::Manner;
use link::Link;
use posthouse_engine::Engine;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::{Edit, Heard, Step};

/// What is done when a milter gives no answer, or none that can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// As if there were no such milter.
    Accept,
    /// The client is told to come again.
    TempFail,
    /// The client is refused.
    Reject,
}

/// Where a milter listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MilterAddress {
    /// By TCP.
    Tcp(SocketAddr),
    /// At a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for MilterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MilterAddress::Tcp(address) => write!(f, "{address}"),
            MilterAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// One milter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MilterSettings {
    /// For logs.
    pub name: String,
    /// Where it listens.
    pub address: MilterAddress,
    /// How long each of its answers may take, the connection too.
    pub timeout: Duration,
    /// When there is none.
    pub default_action: DefaultAction,
    /// Whether it sees mail from other hosts.
    pub for_hosts: bool,
    /// Whether it sees mail that members submit.
    pub for_members: bool,
}

/// What is known of the client and its message from the beginning.
#[derive(Clone, Debug)]
pub(crate) struct About<'a> {
    pub(crate) hostname: &'a str,
    pub(crate) peer: SocketAddr,
    pub(crate) helo: &'a str,
    pub(crate) tls: Option<(&'a str, &'a str)>,
    pub(crate) login: Option<&'a str>,
    pub(crate) id: &'a str,
    /// Without brackets.
    pub(crate) sender: &'a str,
}

/// Why a message, or a recipient, is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) milter: String,
    pub(crate) code: u16,
    /// With its enhanced status code.
    pub(crate) text: String,
}

/// What the milters have made of a whole message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Taken, and kept by nobody.
    pub(crate) discards: bool,
    /// It is suspicious.
    pub(crate) quarantines: bool,
    /// For logs.
    pub(crate) note: String,
}

/// The milters for one message, in their order.
pub(crate) struct Chain(Vec<Member>);

struct Member {
    settings: Arc<MilterSettings>,
    /// `None`: nothing more is asked of it for this message.
    link: Option<Link>,
    discards: bool,
    /// It has given no answer: its default action stands for all that follows of this message.
    lost: bool,
}

/// What is answered before `until`; later it counts as not answered, however long the milter itself may take.
async fn by<T>(until: Instant, asked: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "the time for all filters together is over");
    timeout(until.saturating_duration_since(now()), asked).await.unwrap_or_else(|| Err(late()))
}

/// Ended by NUL, as the protocol has strings.
fn string(text: &str) -> Vec<u8> {
    let mut out: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
    out.push(0);
    out
}

impl Chain {
    /// Shows them who comes and who writes; all of them together have time until `until`.
    pub(crate) async fn begin(
        all: &[Arc<MilterSettings>],
        about: &About<'_>,
        until: Instant,
    ) -> Result<Chain, Refused> {
        let mut chain = Chain(Vec::with_capacity(all.len()));
        for settings in all {
            let mut member = Member { settings: settings.clone(), link: None, discards: false, lost: false };
            let begun = by(until, member.begin(about)).await;
            member.settle(begun)?;
            chain.0.push(member);
        }
        Ok(chain)
    }

    /// Shows them a recipient, without brackets.
    pub(crate) async fn recipient(&mut self, address: &str, until: Instant) -> Result<(), Refused> {
        for member in &mut self.0 {
            member.unless_lost()?;
            let Some(link) = &mut member.link else { continue };
            link.macros(wire::RCPT, &[("{rcpt_addr}", address)]);
            let path = string(&format!("<{address}>"));
            let said = by(until, link.say(wire::RCPT, &[&path])).await;
            member.settle(said)?;
        }
        Ok(())
    }

    /// Shows them the whole message, which they may change; a large one is changed by a worker. `is_binary`: its body is bytes, not lines.
    pub(crate) async fn message(
        self,
        engine: &Engine,
        (message, is_binary): (&mut Vec<u8>, bool),
        id: &str,
        until: Instant,
    ) -> Result<Outcome, Refused> {
        let mut outcome = Outcome::default();
        for mut member in self.0 {
            member.unless_lost()?;
            if member.link.is_some() && !edit::can_be_shown(&message[..header_bytes(message)]) {
                return member.refused(554, "5.6.0 The header is too large for the filters here");
            }
            let keeps_space = member.link.as_ref().is_some_and(Link::keeps_space);
            let manner = Manner { keeps_space, is_binary };
            let edits = match by(until, member.whole(message, id)).await {
                Ok((edits, last)) => {
                    member.settle(Ok(last))?;
                    edits
                }
                Err(error) => {
                    member.settle(Err(error))?;
                    Vec::new()
                }
            };
            outcome.add(&member.settings.name, &edits, member.discards);
            if edits.iter().any(|edit| !matches!(edit, Edit::Quarantine(_))) {
                *message = changed(engine, std::mem::take(message), edits, manner).await.or_else(|_| {
                    member.refused(451, "4.3.0 The message could not be changed as a filter wants it; try again")
                })?;
            }
            if let Some(link) = member.link.take() {
                // Whoever does not hear it in time sees the end of the connection.
                let quit = async {
                    link.quit().await;
                    Ok(())
                };
                let _ = by(until, quit).await;
            }
            if outcome.discards {
                break;
            }
        }
        Ok(outcome)
    }
}

/// The message with all changes. Copying little takes no longer than handing it to another thread.
async fn changed(engine: &Engine, message: Vec<u8>, edits: Vec<Edit>, manner: Manner) -> Result<Vec<u8>, ()> {
    let is_small = message.len() + edit::bytes(&edits) <= limits::MILTER_INLINE_BYTES_MAX;
    let change = move || edit::apply(&message, header_bytes(&message), &edits, manner);
    if is_small {
        return Ok(change());
    }
    engine.work(change).await.map_err(|error| tracing::error!(%error, "a message could not be changed"))
}

impl Outcome {
    fn add(&mut self, name: &str, edits: &[Edit], discards: bool) {
        let mut say = |what: &str| {
            let between = if self.note.is_empty() { "" } else { " " };
            self.note.push_str(&format!("{between}milter={name}: {what}"));
        };
        if discards {
            self.discards = true;
            say("discard");
        }
        if let Some(Edit::Quarantine(why)) = edits.iter().find(|edit| matches!(edit, Edit::Quarantine(_))) {
            self.quarantines = true;
            say(&format!("quarantine ({why})"));
        }
        if edits.iter().any(|edit| !matches!(edit, Edit::Quarantine(_))) {
            say("changed");
        }
    }
}

/// Bytes up to the empty line.
fn header_bytes(message: &[u8]) -> usize {
    if message.starts_with(b"\r\n") {
        return 0;
    }
    memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 2)
}

impl Member {
    async fn begin(&mut self, about: &About<'_>) -> io::Result<Heard> {
        let mut link = Link::open(&self.settings.address, self.settings.timeout).await?;
        let said = steps_of_beginning(&mut link, about).await?;
        self.link = Some(link);
        Ok(said)
    }

    /// The message from its header to its end: the changes, and the last word.
    async fn whole(&mut self, message: &[u8], id: &str) -> io::Result<(Vec<Edit>, Heard)> {
        let Some(link) = &mut self.link else { return Ok((Vec::new(), Heard::Continue)) };
        let (header, body) = message.split_at(header_bytes(message));
        let body = body.strip_prefix(b"\r\n").unwrap_or(body);
        let goes_on = |said: &Heard| *said == Heard::Continue;
        let said = link.say(wire::DATA, &[]).await?;
        if !goes_on(&said) {
            return Ok((Vec::new(), said));
        }
        if link.wants(wire::FIELD) {
            for field in edit::fields(header) {
                let (name, value) = (field.name, edit::sent(field.value, link.keeps_space()));
                let said = link.say(wire::FIELD, &[name, b"\0", &value, b"\0"]).await?;
                if !goes_on(&said) {
                    return Ok((Vec::new(), said));
                }
            }
        }
        let said = link.say(wire::END_OF_HEADER, &[]).await?;
        if !goes_on(&said) {
            return Ok((Vec::new(), said));
        }
        for piece in body.chunks(limits::MILTER_BODY_BYTES) {
            match link.say(wire::BODY, &[piece]).await? {
                Heard::Continue => {}
                Heard::Skip => break,
                said => return Ok((Vec::new(), said)),
            }
        }
        link.macros(wire::END_OF_MESSAGE, &[("i", id)]);
        let mut edits = Edits::default();
        let mut said = link.say(wire::END_OF_MESSAGE, &[]).await?;
        while let Heard::Edit(edit) = said {
            edits.push(edit)?;
            said = link.hear().await?;
        }
        Ok((edits.all, said))
    }

    /// What an answer, or none, means.
    fn settle(&mut self, said: io::Result<Heard>) -> Result<(), Refused> {
        match said {
            Ok(Heard::Continue) => Ok(()),
            Ok(Heard::Skip | Heard::Progress | Heard::Edit(_)) => {
                self.settle(Err(io::Error::new(io::ErrorKind::InvalidData, "an answer out of its place")))
            }
            Ok(Heard::Accept) => {
                self.link = None;
                Ok(())
            }
            Ok(Heard::Discard) => {
                (self.link, self.discards) = (None, true);
                Ok(())
            }
            Ok(Heard::Reject) => self.refused(550, "5.7.1 The message is not wanted here"),
            Ok(Heard::TempFail) => self.refused(451, "4.7.1 Try again later"),
            Ok(Heard::Reply(code, text)) => self.refused(code, &text),
            Err(error) => {
                let MilterSettings { name, address, default_action, .. } = &*self.settings;
                tracing::warn!(name, %address, %error, ?default_action, "a milter gives no answer");
                (self.link, self.lost) = (None, true);
                self.unless_lost()
            }
        }
    }

    /// Its default action, when it is lost.
    fn unless_lost(&self) -> Result<(), Refused> {
        match self.settings.default_action {
            DefaultAction::TempFail if self.lost => {
                self.refused(451, "4.7.1 A filter gives no answer; try again later")
            }
            DefaultAction::Reject if self.lost => self.refused(550, "5.7.1 A filter gives no answer"),
            _ => Ok(()),
        }
    }

    fn refused<T>(&self, code: u16, text: &str) -> Result<T, Refused> {
        Err(Refused { milter: self.settings.name.clone(), code, text: text.to_owned() })
    }
}

/// Changes of one message, as many and as large as is sensible.
#[derive(Default)]
struct Edits {
    all: Vec<Edit>,
    bytes: usize,
}

impl Edits {
    fn push(&mut self, edit: Edit) -> io::Result<()> {
        self.bytes += edit::bytes(std::slice::from_ref(&edit));
        if self.all.len() >= limits::MILTER_EDITS_MAX || self.bytes > limits::MILTER_EDIT_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "more changes than are allowed"));
        }
        self.all.push(edit);
        Ok(())
    }
}

/// A step, its macros, its strings.
type Shown<'a> = (Step, &'a [(&'a str, &'a str)], &'a [&'a [u8]]);

async fn steps_of_beginning(link: &mut Link, about: &About<'_>) -> io::Result<Heard> {
    let ip = about.peer.ip().to_canonical();
    let (family, address, literal) = match ip {
        IpAddr::V4(ip) => (b"4", ip.to_string(), format!("[{ip}]")),
        IpAddr::V6(ip) => (b"6", format!("IPv6:{ip}"), format!("[IPv6:{ip}]")),
    };
    let address = string(&address);
    let (host, port) = (string(&literal), about.peer.port().to_be_bytes());
    let (tls, cipher) = about.tls.unwrap_or_default();
    let plain = ip.to_string();
    let sender = string(&format!("<{}>", about.sender));
    let helo = string(about.helo);
    let connect: [&[u8]; 4] = [&host, family, &port, &address];
    let steps: [Shown<'_>; 3] = [
        (
            wire::CONNECT,
            &[("j", about.hostname), ("{daemon_name}", about.hostname), ("v", "Posthouse"), ("{client_addr}", &plain)],
            &connect,
        ),
        (wire::HELO, &[("{tls_version}", tls), ("{cipher}", cipher)], &[&helo]),
        (
            wire::MAIL,
            &[
                ("i", about.id),
                ("{auth_type}", about.login.map_or("", |_| "PLAIN")),
                ("{auth_authen}", about.login.unwrap_or_default()),
                ("{mail_addr}", about.sender),
            ],
            &[&sender],
        ),
    ];
    for (step, macros, parts) in steps {
        link.macros(step, macros);
        let said = link.say(step, parts).await?;
        if said != Heard::Continue {
            return Ok(said);
        }
    }
    Ok(Heard::Continue)
}
