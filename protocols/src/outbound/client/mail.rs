//! One message over an open connection: MAIL, RCPT, DATA, the message, and what became of each recipient. Pipelined where the host offers it
//! (RFC 2920); what is bytes and not lines goes by BDAT (RFC 3030), or is put in lines for a host that does not take it.
use super::reading::{self, Broken};
use super::{Client, Offers};
use crate::dsn::Reply;
use crate::limits;
use crate::orcpt::{self, xtext};
use crate::outbound::content::Content;
use crate::outbound::room::Pace;
use crate::runtime::{Either, select};
use posthouse_engine::Engine;
use posthouse_engine::queue::{DeliverBy, Terms};
use std::fmt::Write;

/// A recipient of the transaction.
#[derive(Clone, Copy)]
pub(in crate::outbound) struct Rcpt<'a> {
    pub(in crate::outbound) address: &'a str,
    /// RFC 3461 NOTIFY as in `QueueRecipient`.
    pub(in crate::outbound) notify: u8,
    /// RFC 3461 ORCPT, decoded.
    pub(in crate::outbound) orcpt: &'a str,
}

/// A message with its envelope.
pub(in crate::outbound) struct Mail<'a> {
    pub(in crate::outbound) sender: &'a str,
    pub(in crate::outbound) recipients: &'a [Rcpt<'a>],
    /// RFC 3461 RET as in `NewQueueItem`.
    pub(in crate::outbound) ret: u8,
    /// RFC 3461 ENVID, decoded.
    pub(in crate::outbound) envelope_id: &'a str,
    /// The host must keep to TLS (RFC 8689); it has offered to.
    pub(in crate::outbound) requires_tls: bool,
    /// It was submitted with SMTPUTF8.
    pub(in crate::outbound) utf8: bool,
    /// What its sender has asked for.
    pub(in crate::outbound) terms: Terms,
    /// Seconds since 1970 UTC.
    pub(in crate::outbound) now: i64,
    pub(in crate::outbound) content: &'a Content,
    pub(in crate::outbound) pace: &'a Pace<'a>,
    /// Has workers for what would hold up a reactor.
    pub(in crate::outbound) engine: &'a Engine,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::outbound) struct Sent {
    /// What was said of each recipient, in their order. `None`: the connection took no more before the host was asked about that one, and a fresh one may
    /// do. Then others have had their final word over this one, or it had been used before and nobody has had any.
    pub(in crate::outbound) replies: Vec<Option<Reply>>,
    /// The host has taken nothing and refused nobody for good, or cannot take such a message: another one of the destination may.
    pub(in crate::outbound) elsewhere: bool,
}

impl Sent {
    /// The connection was gone before anything was said.
    pub(in crate::outbound) fn is_stale(&self) -> bool {
        self.replies.iter().all(Option::is_none)
    }

    fn same(reply: Reply, recipients: usize, elsewhere: bool) -> Sent {
        Sent { replies: vec![Some(reply); recipients], elsewhere }
    }
}

/// What came of one transaction.
pub(super) struct Part {
    pub(super) replies: Vec<Reply>,
    /// The connection had been used before and was gone before anything was said.
    pub(super) stale: bool,
    pub(super) elsewhere: bool,
}

impl Client {
    /// Sends a message and answers for its recipients, whatever happens to the connection (`is_spent` tells). A host that has limits (RFC 9422) gets it in
    /// several transactions.
    pub(in crate::outbound) async fn send(&mut self, mail: &Mail<'_>) -> Sent {
        if !mail.content.is_binary() || (self.offers.chunking && self.offers.binary) {
            return self.send_parts(mail).await;
        }
        // RFC 3030 section 3: converted, or returned; never sent as it is.
        match mail.content.in_lines(mail.engine).await {
            Ok(Some(content)) => self.send_parts(&Mail { content: &content, ..*mail }).await,
            Err(error) => {
                let reply = Reply::own("4.3.0", format!("the message cannot be put in lines now: {error}"));
                Sent::same(reply, mail.recipients.len(), false)
            }
            Ok(None) => {
                let text =
                    "the message has binary parts that cannot be converted, and the host does not offer BINARYMIME";
                Sent::same(Reply::own("5.6.3", text), mail.recipients.len(), true)
            }
        }
    }

    /// One transaction.
    pub(super) async fn send_at_once(&mut self, mail: &Mail<'_>) -> Part {
        let everybody = |reply: Reply| vec![reply; mail.recipients.len()];
        if let Err(reply) = mail.is_sendable() {
            return Part { replies: everybody(reply), stale: false, elsewhere: false };
        }
        if mail.is_to_return() && self.offers.deliver_by.is_none() {
            // RFC 2852 section 4.1.4.1; section 7: other hosts are not asked for it.
            let text = "the message is to be delivered by a time or returned, and the host does not offer DELIVERBY";
            return Part { replies: everybody(Reply::own("5.3.3", text)), stale: false, elsewhere: false };
        }
        if let Err(reply) = mail.fits(&self.offers) {
            return Part { replies: everybody(reply), stale: false, elsewhere: true };
        }
        let used = self.begun > 0;
        self.begun += 1;
        if self.dirty {
            match self.say("RSET", limits::OUTBOUND_COMMAND_MAX).await {
                Ok(reply) if reply.is_positive() => self.dirty = false,
                _ => {
                    self.broken = true;
                    return Part { replies: everybody(Broken::Lost.reply("at RSET")), stale: true, elsewhere: true };
                }
            }
        }
        let mut fates: Vec<Option<Reply>> = vec![None; mail.recipients.len()];
        mail.pace.set_sent(false);
        let raced = select(self.transaction(mail, &mut fates), mail.pace.lost()).await;
        let ended = match raced {
            Either::Left(ended) => ended,
            Either::Right(()) => {
                self.broken = true;
                Err((Broken::Slow, if self.transferring { Stage::Content } else { Stage::Rcpt }))
            }
        };
        // RFC 5321 section 3.8: a host may say 421 at any time, as to the tenth message of a connection. Nothing was transferred.
        let refused = self.broken && !self.transferring && ended.as_ref().is_ok_and(Reply::is_transient);
        let stale = used && (refused || matches!(ended, Err((Broken::Lost, Stage::Mail))));
        // Whoever was sent the message and has not said what became of it may have taken it.
        let unsure = self.transferring && ended.is_err();
        let rest = match ended {
            Ok(reply) => reply,
            Err((broken, stage)) => broken.reply(stage.words()),
        };
        let replies: Vec<Reply> = fates.into_iter().map(|fate| fate.unwrap_or_else(|| rest.clone())).collect();
        let elsewhere = !unsure && replies.iter().all(Reply::is_transient);
        Part { replies, stale, elsewhere }
    }

    /// Fills in the fates of those who are refused early; what it answers is everybody else's.
    async fn transaction(&mut self, mail: &Mail<'_>, fates: &mut [Option<Reply>]) -> Result<Reply, (Broken, Stage)> {
        self.dirty = true;
        self.transferring = false;
        let pipelining = self.offers.pipelining;
        let lost = |stage| move |broken| (broken, stage);
        self.put(&mail.mail_line(&self.offers));
        if pipelining {
            mail.recipients.iter().for_each(|rcpt| self.put(&mail.rcpt_line(rcpt, &self.offers)));
            if !mail.content.is_binary() {
                self.put("DATA");
            }
        }
        self.flush().await.map_err(lost(Stage::Mail))?;
        let begun = self.hear(limits::OUTBOUND_COMMAND_MAX).await.map_err(lost(Stage::Mail))?;
        if !pipelining && (!begun.is_positive() || self.broken) {
            return Ok(begun);
        }
        let mut has_room = false;
        for (rcpt, fate) in mail.recipients.iter().zip(fates.iter_mut()) {
            if self.broken {
                break;
            }
            if !pipelining {
                self.put(&mail.rcpt_line(rcpt, &self.offers));
                self.flush().await.map_err(lost(Stage::Rcpt))?;
            }
            let mut reply = self.hear(limits::OUTBOUND_COMMAND_MAX).await.map_err(lost(Stage::Rcpt))?;
            if reply.code == 552 && is_too_many(&reply) && has_room {
                // RFC 5321 section 4.5.3.1.10: what RFC 821 had in the place of 452.
                reply.status.replace_range(..1, "4");
            }
            has_room |= reply.is_positive();
            if self.broken && reply.is_transient() {
                return Ok(reply);
            }
            if !reply.is_positive() {
                *fate = Some(if begun.is_positive() { reply } else { begun.clone() });
            }
        }
        let accepted = begun.is_positive() && fates.iter().any(Option::is_none);
        let has_begun = pipelining && !mail.content.is_binary();
        if self.broken || (!accepted && !has_begun) {
            return Ok(begun);
        }
        match mail.content.is_binary() {
            true => self.chunk(mail).await,
            false => self.data(mail, accepted, begun).await,
        }
    }

    /// The whole message in one chunk (RFC 3030 section 2), once somebody is accepted.
    async fn chunk(&mut self, mail: &Mail<'_>) -> Result<Reply, (Broken, Stage)> {
        self.put(&format!("BDAT {} LAST", mail.content.size_bytes()));
        self.transfer(mail).await
    }

    async fn transfer(&mut self, mail: &Mail<'_>) -> Result<Reply, (Broken, Stage)> {
        self.transferring = true;
        if let Some(reply) = self.content(mail).await? {
            return Ok(reply);
        }
        mail.pace.set_sent(true);
        let heard = self.hear(limits::OUTBOUND_FINAL_MAX).await;
        let last = heard.map_err(|broken| (broken, Stage::Final))?;
        self.dirty = false;
        Ok(last)
    }

    /// DATA and what follows. With pipelining it is on its way already, and must be ended even when nobody was accepted (RFC 2920 section 3.1).
    async fn data(&mut self, mail: &Mail<'_>, accepted: bool, begun: Reply) -> Result<Reply, (Broken, Stage)> {
        let lost = |stage| move |broken| (broken, stage);
        if !self.offers.pipelining {
            self.put("DATA");
            self.flush().await.map_err(lost(Stage::Data))?;
        }
        let heard = reading::reply(&mut self.stream, limits::OUTBOUND_DATA_MAX).await;
        self.broken |= heard.as_ref().map_or(true, |lines| lines.code == 421);
        let lines = heard.map_err(lost(Stage::Data))?;
        if !accepted {
            if lines.code == 354 {
                self.put(".");
                self.flush().await.map_err(lost(Stage::Final))?;
                self.hear(limits::OUTBOUND_FINAL_MAX).await.map_err(lost(Stage::Final))?;
            }
            return Ok(begun);
        }
        if lines.code != 354 {
            let reply = lines.joined();
            // A 2yz to DATA is no promise, and what the host waits for is unknown.
            self.broken |= reply.is_positive();
            return Ok(if reply.is_positive() { Broken::Garbage.reply(Stage::Data.words()) } else { reply });
        }
        self.transfer(mail).await
    }

    /// The message in pieces. A host that stops taking it has often said why: that counts then.
    async fn content(&mut self, mail: &Mail<'_>) -> Result<Option<Reply>, (Broken, Stage)> {
        let mut pieces = mail.content.pieces();
        while pieces.next(self.stream.output()) {
            mail.pace.sends(self.stream.output().len());
            if let Err(broken) = self.flush().await {
                let word = reading::reply(&mut self.stream, limits::OUTBOUND_LAST_WORD_MAX).await;
                let word = word.ok().map(reading::Lines::joined).filter(|reply| !reply.is_positive());
                return word.map(Some).ok_or((broken, Stage::Content));
            }
        }
        Ok(None)
    }
}

/// Where in a transaction the connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Mail,
    Rcpt,
    Data,
    Content,
    Final,
}

impl Stage {
    fn words(self) -> &'static str {
        match self {
            Stage::Mail => "at MAIL",
            Stage::Rcpt => "at RCPT",
            Stage::Data => "at DATA",
            Stage::Content => "while the message was being sent",
            Stage::Final => "after the message was sent (it may be delivered twice)",
        }
    }
}

impl Mail<'_> {
    /// Whether any host could be told whom it is for.
    fn is_sendable(&self) -> Result<(), Reply> {
        let mut addresses = self.recipients.iter().map(|rcpt| rcpt.address).chain([self.sender]);
        match addresses.all(is_sendable) {
            true => Ok(()),
            false => Err(Reply::own("5.1.3", "an address cannot stand in a command")),
        }
    }

    /// Whether this host can take it at all; nothing is converted.
    fn fits(&self, offers: &Offers) -> Result<(), Reply> {
        let size_bytes = self.content.size_bytes();
        if let Some(Some(size_bytes_max)) = offers.size
            && size_bytes > size_bytes_max
        {
            // RFC 1870 section 6.3.
            let text = format!("the message has {size_bytes} bytes and the host takes {size_bytes_max}");
            return Err(Reply::own("5.3.4", text));
        }
        if self.needs_utf8() && !offers.utf8 {
            // RFC 6531 section 3.2.
            return Err(Reply::own("5.6.7", "the message needs SMTPUTF8, which the host does not offer"));
        }
        if let (Some(by), Some(min)) = (self.terms.deliver_by, offers.deliver_by)
            && by.returns
            && by.at - self.now < min
        {
            // RFC 2852 section 4.1.4.1.
            let text = format!("{} seconds are left to deliver it, and the host asks for {min}", by.at - self.now);
            return Err(Reply::own("5.4.7", text));
        }
        if self.content.is_eight_bit() && !self.content.is_binary() && !offers.eight_bit {
            // RFC 6152 section 3: never sent as it is; converting it would break its signatures.
            return Err(Reply::own("5.6.3", "the message has 8-bit text, and the host does not offer 8BITMIME"));
        }
        Ok(())
    }

    /// Addresses in UTF-8 always; a header in UTF-8 when the submitter said so, since others have put bare 8-bit text there for ever. To say it of mail
    /// whose sender did not would have it returned by a later host that does not offer it (RFC 6531 section 3.2), where it would have arrived.
    fn needs_utf8(&self) -> bool {
        let addresses = self.recipients.iter().map(|rcpt| rcpt.address).chain([self.sender]);
        addresses.into_iter().any(|address| !address.is_ascii()) || (self.utf8 && self.content.has_utf8_header())
    }

    /// Whether it is to go back when it is not there by a time.
    fn is_to_return(&self) -> bool {
        self.terms.deliver_by.is_some_and(|by| by.returns)
    }

    /// RFC 2852 section 4.1.4.2: a host that keeps no time is asked to tell of delays, while there are none.
    fn rcpt_line(&self, rcpt: &Rcpt<'_>, offers: &Offers) -> String {
        let in_time = self.terms.deliver_by.is_some_and(|by| self.now < by.at);
        let notify = match rcpt.notify {
            notify if !in_time || offers.deliver_by.is_some() || notify & 1 != 0 => notify,
            0 => 4 | 8,
            notify => notify | 8,
        };
        Rcpt { notify, ..*rcpt }.line(offers)
    }

    fn mail_line(&self, offers: &Offers) -> String {
        let mut line = format!("MAIL FROM:<{}>", self.sender);
        if offers.size.is_some() {
            let _ = write!(line, " SIZE={}", self.content.size_bytes());
        }
        if self.content.is_binary() {
            line.push_str(" BODY=BINARYMIME");
        } else if offers.eight_bit && self.content.is_eight_bit() {
            line.push_str(" BODY=8BITMIME");
        }
        if offers.utf8 && self.needs_utf8() {
            line.push_str(" SMTPUTF8");
        }
        // RFC 8689 section 5: a report goes without it rather than not at all.
        if self.requires_tls && (offers.requiretls || !self.sender.is_empty()) {
            line.push_str(" REQUIRETLS");
        }
        if offers.dsn {
            line.push_str(["", " RET=FULL", " RET=HDRS"].get(usize::from(self.ret)).unwrap_or(&""));
            if !self.envelope_id.is_empty() {
                let _ = write!(line, " ENVID={}", xtext(self.envelope_id));
            }
        }
        if let Some(DeliverBy { at, returns, trace }) = self.terms.deliver_by.filter(|_| offers.deliver_by.is_some()) {
            let left = (at - self.now).clamp(-BY_SECONDS_MAX, BY_SECONDS_MAX);
            let (mode, trace) = (if returns { "R" } else { "N" }, if trace { "T" } else { "" });
            let _ = write!(line, " BY={left};{mode}{trace}");
        }
        if offers.priority && self.terms.priority != 0 {
            let _ = write!(line, " MT-PRIORITY={}", self.terms.priority);
        }
        line
    }
}

/// RFC 2852 section 4: nine digits.
const BY_SECONDS_MAX: i64 = 999_999_999;

impl Rcpt<'_> {
    fn line(&self, offers: &Offers) -> String {
        let mut line = format!("RCPT TO:<{}>", self.address);
        if offers.dsn {
            let names = [(1, "NEVER"), (2, "SUCCESS"), (4, "FAILURE"), (8, "DELAY")];
            let given: Vec<&str> =
                names.iter().filter(|(bit, _)| self.notify & bit != 0).map(|(_, name)| *name).collect();
            if !given.is_empty() {
                let _ = write!(line, " NOTIFY={}", given.join(","));
            }
            if let Some(orcpt) = orcpt::parameter(self.orcpt, offers.utf8) {
                let _ = write!(line, " {orcpt}");
            }
        }
        line
    }
}

/// Whether a recipient was refused for the number of those before it, with a status that says so or none.
pub(super) fn is_too_many(reply: &Reply) -> bool {
    matches!(reply.code, 452 | 552) && [".5.3", ".0.0"].iter().any(|of| reply.status.ends_with(of))
}

/// Whether an address can stand between the brackets of a command: it cannot end it.
fn is_sendable(address: &str) -> bool {
    !address.chars().any(|c| c.is_control() || matches!(c, '<' | '>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_cannot_end_a_command() {
        assert_eq!(xtext("a+b=c d\r\n"), "a+2Bb+3Dc+20d+0D+0A");
        assert!(is_sendable("\"a b\"@x.test") && !is_sendable("a@x.test>\r\nDATA") && !is_sendable("a\n"));
    }

    /// Whoever has put bare 8-bit text in a header without a word of it is not given away to hosts that would return it.
    #[test]
    fn smtputf8_is_said_for_those_who_said_it() {
        let content =
            Content::new("Subject: \u{90ae}\r\n\r\nx\r\n".as_bytes().to_vec().into(), false, |_| String::new());
        let offers = Offers { utf8: true, ..Offers::default() };
        let recipients = [Rcpt { address: "b@x.test", notify: 0, orcpt: "" }];
        let (shared, pace) = (crate::testing::shared(), &Pace::new(std::time::Instant::now(), || false));
        let line = |utf8, sender| {
            let (recipients, content, engine) = (&recipients, &content, &*shared.engine);
            let (envelope_id, terms) = ("", Terms::default());
            Mail {
                engine,
                sender,
                recipients,
                ret: 0,
                envelope_id,
                requires_tls: false,
                utf8,
                terms,
                now: 0,
                content,
                pace,
            }
            .mail_line(&offers)
        };
        assert_eq!(line(false, "a@x.test"), "MAIL FROM:<a@x.test>");
        assert_eq!(line(true, "a@x.test"), "MAIL FROM:<a@x.test> SMTPUTF8");
        assert_eq!(line(false, "\u{90ae}@x.test"), "MAIL FROM:<\u{90ae}@x.test> SMTPUTF8");
    }

    #[test]
    fn dsn_parameters_are_passed_on_where_they_are_understood() {
        let rcpt = Rcpt { address: "b@x.test", notify: 2 | 8, orcpt: "rfc822;o+1@y.test" };
        let dsn = Offers { dsn: true, ..Offers::default() };
        assert_eq!(rcpt.line(&dsn), "RCPT TO:<b@x.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+2B1@y.test");
        assert_eq!(rcpt.line(&Offers::default()), "RCPT TO:<b@x.test>");
        let rcpt = Rcpt { address: "b@x.test", notify: 0, orcpt: "utf-8;\u{90ae}@y.test" };
        assert_eq!(rcpt.line(&dsn), "RCPT TO:<b@x.test>");
        let utf8 = Offers { dsn: true, utf8: true, ..Offers::default() };
        assert_eq!(rcpt.line(&utf8), "RCPT TO:<b@x.test> ORCPT=utf-8;\\x{90AE}@y.test");
    }
}
