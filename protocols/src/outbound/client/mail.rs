//! One message over an open connection: MAIL, RCPT, DATA, the message, and what became of each recipient. Pipelined where the host offers it
//! (RFC 2920).
use super::reading::{self, Broken};
use super::{Client, Offers};
use crate::dsn::Reply;
use crate::limits;
use crate::outbound::content::Content;
use std::fmt::Write;

/// A recipient of the transaction.
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
    pub(in crate::outbound) content: &'a Content,
}

/// What came of it.
#[derive(Debug)]
pub(in crate::outbound) struct Sent {
    /// A final word for each recipient, in their order.
    pub(in crate::outbound) replies: Vec<Reply>,
    /// The connection had been used before and was gone before anything was said: a fresh one may do.
    pub(in crate::outbound) stale: bool,
}

impl Client {
    /// Sends a message and answers for every recipient, whatever happens to the connection (`broken` tells). A host that has limits (RFC 9422) gets it in
    /// several transactions.
    pub(in crate::outbound) async fn send(&mut self, mail: &Mail<'_>) -> Sent {
        let at_once = self.offers.rcpt_max.unwrap_or(usize::MAX).min(mail.recipients.len().max(1));
        let mut all = Sent { replies: Vec::with_capacity(mail.recipients.len()), stale: false };
        for part in mail.recipients.chunks(at_once) {
            let is_first = all.replies.is_empty();
            if self.offers.mail_max.is_some_and(|most| self.begun >= most) {
                // A fresh connection may do, unless others have been answered for on this one.
                self.broken = true;
            }
            if self.broken && (self.begun > 0 || !is_first) {
                let later = Reply::own("4.5.3", "the host takes no more on this connection");
                all.replies.extend(std::iter::repeat_n(later, part.len()));
                all.stale |= is_first;
                continue;
            }
            let sent = self.send_at_once(&Mail { recipients: part, ..*mail }).await;
            all.stale |= sent.stale && is_first;
            all.replies.extend(sent.replies);
            if all.stale {
                let rest = mail.recipients.len() - all.replies.len();
                let last = all.replies[0].clone();
                all.replies.extend(std::iter::repeat_n(last, rest));
                break;
            }
        }
        all
    }

    async fn send_at_once(&mut self, mail: &Mail<'_>) -> Sent {
        let everybody = |reply: Reply| vec![reply; mail.recipients.len()];
        if let Err(reply) = mail.fits(&self.offers) {
            return Sent { replies: everybody(reply), stale: false };
        }
        let used = self.begun > 0;
        self.begun += 1;
        if self.dirty {
            match self.say("RSET", limits::OUTBOUND_COMMAND_MAX).await {
                Ok(reply) if reply.is_positive() => self.dirty = false,
                _ => {
                    self.broken = true;
                    return Sent { replies: everybody(Broken::Lost.reply("at RSET")), stale: true };
                }
            }
        }
        let mut fates: Vec<Option<Reply>> = vec![None; mail.recipients.len()];
        let ended = self.transaction(mail, &mut fates).await;
        // RFC 5321 section 3.8: a host may say 421 at any time, as to the tenth message of a connection. Nothing was transferred.
        let refused = self.broken && !self.transferring && ended.as_ref().is_ok_and(Reply::is_transient);
        let stale = used && (refused || matches!(ended, Err((Broken::Lost, Stage::Mail))));
        let rest = match ended {
            Ok(reply) => reply,
            Err((broken, stage)) => broken.reply(stage.words()),
        };
        Sent { replies: fates.into_iter().map(|fate| fate.unwrap_or_else(|| rest.clone())).collect(), stale }
    }

    /// Fills in the fates of those who are refused early; what it answers is everybody else's.
    async fn transaction(&mut self, mail: &Mail<'_>, fates: &mut [Option<Reply>]) -> Result<Reply, (Broken, Stage)> {
        self.dirty = true;
        self.transferring = false;
        let pipelining = self.offers.pipelining;
        let lost = |stage| move |broken| (broken, stage);
        self.put(&mail.mail_line(&self.offers));
        if pipelining {
            mail.recipients.iter().for_each(|rcpt| self.put(&rcpt.line(&self.offers)));
            self.put("DATA");
        }
        self.flush().await.map_err(lost(Stage::Mail))?;
        let begun = self.hear(limits::OUTBOUND_COMMAND_MAX).await.map_err(lost(Stage::Mail))?;
        if !pipelining && (!begun.is_positive() || self.broken) {
            return Ok(begun);
        }
        for (rcpt, fate) in mail.recipients.iter().zip(fates.iter_mut()) {
            if self.broken {
                break;
            }
            if !pipelining {
                self.put(&rcpt.line(&self.offers));
                self.flush().await.map_err(lost(Stage::Rcpt))?;
            }
            let reply = self.hear(limits::OUTBOUND_COMMAND_MAX).await.map_err(lost(Stage::Rcpt))?;
            if self.broken && reply.is_transient() {
                return Ok(reply);
            }
            if !reply.is_positive() {
                *fate = Some(if begun.is_positive() { reply } else { begun.clone() });
            }
        }
        let accepted = begun.is_positive() && fates.iter().any(Option::is_none);
        if self.broken || (!accepted && !pipelining) {
            return Ok(begun);
        }
        self.data(mail, accepted, begun).await
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
        self.transferring = true;
        if let Some(reply) = self.content(mail.content).await? {
            return Ok(reply);
        }
        let last = self.hear(limits::OUTBOUND_FINAL_MAX).await.map_err(lost(Stage::Final))?;
        self.dirty = false;
        Ok(last)
    }

    /// The message in pieces. A host that stops taking it has often said why: that counts then.
    async fn content(&mut self, content: &Content) -> Result<Option<Reply>, (Broken, Stage)> {
        let mut pieces = content.pieces();
        while pieces.next(self.stream.output()) {
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
    /// Whether this host can take it at all; nothing is converted.
    fn fits(&self, offers: &Offers) -> Result<(), Reply> {
        let mut addresses = self.recipients.iter().map(|rcpt| rcpt.address).chain([self.sender]);
        if !addresses.all(is_sendable) {
            return Err(Reply::own("5.1.3", "an address cannot stand in a command"));
        }
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
        if self.content.is_eight_bit() && !offers.eight_bit {
            // RFC 6152 section 3: never sent as it is; converting it would break its signatures.
            return Err(Reply::own("5.6.3", "the message has 8-bit text, and the host does not offer 8BITMIME"));
        }
        Ok(())
    }

    /// Addresses in UTF-8 always; a header in UTF-8 when the submitter said so, since others have put bare 8-bit text there for ever.
    fn needs_utf8(&self) -> bool {
        let addresses = self.recipients.iter().map(|rcpt| rcpt.address).chain([self.sender]);
        addresses.into_iter().any(|address| !address.is_ascii()) || (self.utf8 && self.content.has_utf8_header())
    }

    fn mail_line(&self, offers: &Offers) -> String {
        let mut line = format!("MAIL FROM:<{}>", self.sender);
        if offers.size.is_some() {
            let _ = write!(line, " SIZE={}", self.content.size_bytes());
        }
        if offers.eight_bit && self.content.is_eight_bit() {
            line.push_str(" BODY=8BITMIME");
        }
        if offers.utf8 && (self.needs_utf8() || self.content.has_utf8_header()) {
            line.push_str(" SMTPUTF8");
        }
        if self.requires_tls {
            line.push_str(" REQUIRETLS");
        }
        if offers.dsn {
            line.push_str(["", " RET=FULL", " RET=HDRS"].get(usize::from(self.ret)).unwrap_or(&""));
            if !self.envelope_id.is_empty() {
                let _ = write!(line, " ENVID={}", xtext(self.envelope_id));
            }
        }
        line
    }
}

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
            // An address in UTF-8 has a type of its own (RFC 6533 section 3), which was not kept.
            if let Some((kind, address)) = self.orcpt.split_once(';').filter(|_| self.orcpt.is_ascii()) {
                let _ = write!(line, " ORCPT={kind};{}", xtext(address));
            }
        }
        line
    }
}

/// RFC 3461 section 4: what could end a parameter goes as hexadecimal digits.
fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "+{byte:02X}");
            }
        }
    }
    out
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

    #[test]
    fn dsn_parameters_are_passed_on_where_they_are_understood() {
        let rcpt = Rcpt { address: "b@x.test", notify: 2 | 8, orcpt: "rfc822;o+1@y.test" };
        let dsn = Offers { dsn: true, ..Offers::default() };
        assert_eq!(rcpt.line(&dsn), "RCPT TO:<b@x.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+2B1@y.test");
        assert_eq!(rcpt.line(&Offers::default()), "RCPT TO:<b@x.test>");
    }
}
